"""Brings a task's operands into the scratchpad."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import DESCRIPTOR_HEADER_WORDS, Status
from ..library import Block, add_block
from ..memory import BankReadPort, BankWritePort
from .dispatch_queue import Verdict
from .layouts import DESCRIPTOR_SLOTS, task_layout
from .memory_multiplexer import MemoryClient
from .transfer_engine import TransferEngine
from .transfer_status import TransferStatus


class InputDma(Block):
    """Carries out the input entries of one task after the other.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot. burst_words: longest burst.

    Ports
    -----
    task: stream in, filled: stream out, of ``task_layout``.
    memory: ``Out(MemoryClient)``. buffer: the port on the descriptor buffer. scratchpad: the port
    on the scratchpad.
    verdict: in, about the prepared task. It waits for it if its operands may not be read early.
    active: out, 1 bit, a task's operands are on their way.

    Timing: a word a cycle once the first has come; see :class:`TransferEngine`.
    Errors: a failure goes with the task after all words owed have come, see
    :class:`TransferStatus`.
    Source: own.
    """

    def __init__(
        self, pea: PeaConfig, address_bits: int, descriptor_words: int, burst_words: int
    ) -> None:
        self.task_layout = task_layout(pea)
        self.address_bits = address_bits
        self.descriptor_words = descriptor_words
        self.burst_words = burst_words
        self.buffer_bits = (descriptor_words * DESCRIPTOR_SLOTS - 1).bit_length()
        super().__init__(
            {
                "task": In(stream.Signature(self.task_layout)),
                "filled": Out(stream.Signature(self.task_layout)),
                "memory": Out(MemoryClient()),
                "buffer": Out(BankReadPort(self.buffer_bits)),
                "scratchpad": Out(BankWritePort(address_bits - 2)),
                "verdict": In(Verdict),
                "active": Out(1),
            },
            context_banks=pea.context_banks,
            address_bits=address_bits,
            descriptor_words=descriptor_words,
            burst_words=burst_words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine = TransferEngine(self.address_bits, self.buffer_bits, self.burst_words, False)
        add_block(m, platform, "engine", engine)
        wiring.connect(m, engine.request, wiring.flipped(self.memory.request))
        wiring.connect(m, engine.buffer, wiring.flipped(self.buffer))

        add_block(m, platform, "outcome", outcome := TransferStatus())

        task = Signal(self.task_layout)
        row, write = Signal(engine.row.payload.shape()), self.scratchpad.request
        response = self.memory.response
        free = ~write.valid | write.ready
        moved = response.valid & response.ready
        m.d.comb += [
            engine.address.eq(task.slot * self.descriptor_words + DESCRIPTOR_HEADER_WORDS),
            engine.count.eq(task.input_count),
            engine.instance.eq(task.instance),
            engine.index.eq(task.index),
            engine.shard.eq(task.shard),
            engine.window.eq(task.window),
            engine.stop.eq(outcome.failed),
            self.memory.domain.eq(task.domain),
            outcome.answered.eq(moved),
            outcome.answer.eq(response.payload.status),
            outcome.damaged.eq(engine.damaged),
            outcome.outside.eq(engine.outside),
            engine.row.ready.eq((row.words == 0) | (moved & (row.words == 1))),
            response.ready.eq((row.words != 0) & free),
            self.filled.payload.eq(task),
        ]
        with m.If(outcome.failed):
            m.d.comb += self.filled.payload.status.eq(outcome.status)
        with m.If(free):
            m.d.sync += [
                write.valid.eq(moved),
                write.payload.address.eq(row.address),
                write.payload.mask.eq(0b1111),
                write.payload.data.eq(response.payload.data),
            ]
        with m.If(engine.row.ready):
            m.d.sync += row.eq(engine.row.payload)
            with m.If(~engine.row.valid):
                m.d.sync += row.words.eq(0)
        with m.Elif(moved):
            m.d.sync += [row.address.eq(row.address + 1), row.words.eq(row.words - 1)]

        early = self.task.payload.prepared & (self.task.payload.input_count != 0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.task.ready.eq(1), outcome.clear.eq(1)]
                m.d.sync += task.eq(self.task.payload)
                with m.If(self.task.valid):
                    m.next = "HAND ON"
                    with m.If(self.task.payload.status == Status.OK):
                        m.next = "START"
                        with m.If(early & ~self.task.payload.early_inputs):
                            m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.verdict == Verdict.GO):
                    m.next = "START"
                with m.Elif(self.verdict == Verdict.DROP):
                    m.d.sync += task.status.eq(Status.ABORTED)
                    m.next = "HAND ON"
            with m.State("START"):
                m.d.comb += [engine.start.eq(1), self.active.eq(1)]
                m.next = "MOVE"
            with m.State("MOVE"):
                m.d.comb += self.active.eq(1)
                with m.If(engine.idle & (row.words == 0) & ~write.valid):
                    m.next = "HAND ON"
            with m.State("HAND ON"):
                m.d.comb += self.filled.valid.eq(1)
                with m.If(self.filled.ready):
                    m.next = "IDLE"
        return m
