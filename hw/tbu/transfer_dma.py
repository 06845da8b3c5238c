"""What the DMA of operands and the DMA of results have in common."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import DESCRIPTOR_HEADER_WORDS, DMA_ENTRY_WORDS, Status
from ..library import Block, add_block
from ..memory import BankReadPort
from .layouts import DESCRIPTOR_SLOTS, task_layout
from .memory_multiplexer import MemoryClient
from .transfer_engine import TransferEngine, scratchpad_row_layout
from .transfer_status import TransferStatus


def row_at_work_layout(address_bits: int) -> data.StructLayout:
    """What is left of a scratchpad row; ``busy``: there is one; ``last``: one word is left."""
    return data.StructLayout(scratchpad_row_layout(address_bits).members | {"busy": 1, "last": 1})


@dataclass(frozen=True)
class Transfers:
    """The parts at work in a DMA.

    ``task``: the present one, as it came. ``begun``: the entries of the present, or the upcoming,
    task are being read. ``open``, ``drop``: to be driven: the present task's rows may move, or all
    that was begun for it is to be dropped. ``row``: of
    :func:`row_at_work_layout`.
    """

    engine: TransferEngine
    outcome: TransferStatus
    task: Any
    row: Any
    begun: Signal
    open: Signal
    drop: Signal

    @property
    def idle(self) -> Value:
        """All has been asked for, and every row's words have been asked for, or have come."""
        return self.engine.idle & ~self.row.busy


class TransferDma(Block):
    """A stage that carries out one kind of a task's DMA entries.

    The entries of the task that will come next are read before it comes; only its rows must wait.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot. burst_words: longest burst.
    members: what the border has beside the ports below. write: whether bursts write memory.

    Ports
    -----
    task: stream in of ``task_layout``.
    upcoming, upcoming_valid: in, the task that comes next, if there is one. It may change or
    become invalid only by coming; its status may become worse.
    memory: ``Out(MemoryClient)``. buffer: the port on the descriptor buffer.
    active: out, 1 bit, a task's transfers are under way.

    Errors: see :class:`TransferStatus`. Source: own.
    """

    def __init__(
        self,
        pea: PeaConfig,
        address_bits: int,
        descriptor_words: int,
        burst_words: int,
        members: dict[str, Any],
        write: bool,
    ) -> None:
        self.task_layout = task_layout(pea)
        self.address_bits = address_bits
        self.descriptor_words = descriptor_words
        self.burst_words = burst_words
        self.write_memory = write
        self.buffer_bits = (descriptor_words * DESCRIPTOR_SLOTS - 1).bit_length()
        super().__init__(
            {
                "task": In(stream.Signature(self.task_layout)),
                "upcoming": In(self.task_layout),
                "upcoming_valid": In(1),
                "memory": Out(MemoryClient()),
                "buffer": Out(BankReadPort(self.buffer_bits)),
                "active": Out(1),
                **members,
            },
            context_banks=pea.context_banks,
            address_bits=address_bits,
            descriptor_words=descriptor_words,
            burst_words=burst_words,
        )

    def _transfers(self, m: Module, platform: Any) -> Transfers:
        """Add the engine and what surrounds it."""
        engine = TransferEngine(
            self.address_bits, self.buffer_bits, self.burst_words, self.write_memory
        )
        outcome = TransferStatus()
        add_block(m, platform, "engine", engine)
        add_block(m, platform, "outcome", outcome)
        wiring.connect(m, engine.request, wiring.flipped(self.memory.request))
        wiring.connect(m, engine.buffer, wiring.flipped(self.buffer))
        task = Signal(self.task_layout)
        read = Signal(self.task_layout)
        row = Signal(row_at_work_layout(self.address_bits))
        begun = Signal()
        opens = Signal()
        drop = Signal()
        parts = Transfers(engine, outcome, task, row, begun, opens, drop)
        m.d.comb += [
            read.eq(Mux(self.task.valid, self.task.payload.as_value(), self.upcoming.as_value())),
            engine.entries.address.eq(read.slot * self.descriptor_words + self._offset(read)),
            engine.entries.count.eq(read.output_count if self.write_memory else read.input_count),
            engine.entries.instance.eq(read.instance),
            engine.entries.index.eq(read.index),
            engine.entries.shard.eq(read.shard),
            engine.window.eq(task.window),
            engine.open.eq(parts.open | parts.drop),
            engine.stop.eq(outcome.failed | parts.drop),
            outcome.clear.eq(engine.begin),
            self.memory.domain.eq(task.domain),
        ]
        return parts

    def _offset(self, task: Any) -> Any:
        """Where in a descriptor the entries begin."""
        inputs = DMA_ENTRY_WORDS * task.input_count if self.write_memory else 0
        return DESCRIPTOR_HEADER_WORDS + inputs

    def _count_row(self, m: Module, parts: Transfers, moved: Value) -> None:
        """Take rows from the engine, one after the other; ``moved``: a word of it has moved."""
        row, offered = parts.row, parts.engine.row
        m.d.comb += offered.ready.eq(~row.busy | (moved & row.last))
        with m.If(offered.ready):
            m.d.sync += [
                row.busy.eq(offered.valid),
                row.last.eq(offered.payload.words == 1),
                row.address.eq(offered.payload.address),
                row.words.eq(offered.payload.words),
            ]
        with m.Elif(moved):
            m.d.sync += [
                row.last.eq(row.words == 2),
                row.address.eq(row.address + 1),
                row.words.eq(row.words - 1),
            ]

    def _idle(self, m: Module, parts: Transfers, following: Value | str) -> None:
        """In state IDLE: take a task, or begin with the one to come."""
        engine = parts.engine
        m.d.comb += self.task.ready.eq(1)
        m.d.sync += parts.task.eq(self.task.payload)
        with m.If(self.task.valid):
            with m.If(self.task.payload.status == Status.OK):
                m.d.comb += engine.begin.eq(~parts.begun)
                m.next = following
            with m.Else():
                m.next = "DROP"
        with m.Elif(self.upcoming_valid & (self.upcoming.status == Status.OK)):
            m.d.comb += engine.begin.eq(~parts.begun)
        with m.If(engine.begin):
            m.d.sync += parts.begun.eq(1)

    def _drop(self, m: Module, parts: Transfers) -> None:
        """In state DROP: the present task has failed; forget what was begun for it."""
        m.d.comb += parts.drop.eq(1)
        with m.If(parts.engine.idle):
            m.next = "HAND ON"

    def _hand_on(self, m: Module, parts: Transfers, following: Any) -> None:
        """In state HAND ON: the task goes to the stream ``following``."""
        m.d.comb += following.valid.eq(1)
        with m.If(following.ready):
            m.d.sync += parts.begun.eq(0)
            m.next = "IDLE"

    def _report(self, m: Module, parts: Transfers, target: Any) -> None:
        """The present task as it leaves: with the first failure, if it came without one."""
        m.d.comb += target.eq(parts.task)
        with m.If(parts.outcome.failed & (parts.task.status == Status.OK)):
            m.d.comb += target.status.eq(parts.outcome.status)
