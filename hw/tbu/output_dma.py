"""Brings a task's results from the scratchpad to memory."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import DESCRIPTOR_HEADER_WORDS, DMA_ENTRY_WORDS, Status
from ..library import Block, add_block
from ..memory import BankReadPort, is_damaged
from .layouts import DESCRIPTOR_SLOTS, task_layout
from .memory_multiplexer import MemoryClient
from .range_check import in_window, place
from .transfer_engine import TransferEngine
from .transfer_status import TransferStatus

QUEUE_DEPTH = 4
"""Words read ahead of the memory's write stream."""


class OutputDma(Block):
    """Reads the result word and carries out the output entries of one task after the other.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot. burst_words: longest burst.

    Ports
    -----
    task: stream in, stored: stream out, of ``task_layout``; ``value`` is the result's.
    memory: ``Out(MemoryClient)``; write: stream out, the words of its bursts.
    buffer: the port on the descriptor buffer. scratchpad: the port on the scratchpad.
    active: out, 1 bit, a task's results are on their way.

    Timing: a word a cycle; a task is handed on when every burst is acknowledged.
    Errors: a failure goes with the task, see :class:`TransferStatus`.
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
                "stored": Out(stream.Signature(self.task_layout)),
                "memory": Out(MemoryClient()),
                "write": Out(stream.Signature(32)),
                "buffer": Out(BankReadPort(self.buffer_bits)),
                "scratchpad": Out(BankReadPort(address_bits - 2)),
                "active": Out(1),
            },
            context_banks=pea.context_banks,
            address_bits=address_bits,
            descriptor_words=descriptor_words,
            burst_words=burst_words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine = TransferEngine(self.address_bits, self.buffer_bits, self.burst_words, True)
        add_block(m, platform, "engine", engine)
        wiring.connect(m, engine.request, wiring.flipped(self.memory.request))
        wiring.connect(m, engine.buffer, wiring.flipped(self.buffer))

        add_block(m, platform, "outcome", outcome := TransferStatus())

        task = Signal(self.task_layout)
        entry = DMA_ENTRY_WORDS * task.input_count + DESCRIPTOR_HEADER_WORDS
        m.d.comb += [
            engine.address.eq(task.slot * self.descriptor_words + entry),
            engine.count.eq(task.output_count),
            engine.instance.eq(task.instance),
            engine.index.eq(task.index),
            engine.shard.eq(task.shard),
            engine.window.eq(task.window),
            engine.stop.eq(outcome.failed),
            self.memory.domain.eq(task.domain),
            self.stored.payload.eq(task),
        ]
        with m.If(outcome.failed):
            m.d.comb += self.stored.payload.status.eq(outcome.status)

        # Words of rows go through a queue; the result word is read by the same port.
        row, flight = Signal(engine.row.payload.shape()), Signal()
        m.submodules.queue = queue = SyncFIFO(width=32, depth=QUEUE_DEPTH)
        read = self.scratchpad.request
        for_result, result_flight = Signal(), Signal()
        moved = read.valid & read.ready & ~for_result
        room = queue.level + flight < QUEUE_DEPTH
        m.d.comb += [
            read.valid.eq(for_result | ((row.words != 0) & room)),
            read.payload.eq(row.address),
            engine.row.ready.eq((row.words == 0) | (moved & (row.words == 1))),
            queue.w_en.eq(flight),
            queue.w_data.eq(self.scratchpad.data),
            self.write.payload.eq(queue.r_data),
            self.write.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.write.ready),
        ]
        with m.If(for_result):
            m.d.comb += read.payload.eq(
                place(task.result_address, self.address_bits, task.window)[2:]
            )
        m.d.sync += [flight.eq(moved), result_flight.eq(for_result & read.ready)]
        with m.If(engine.row.ready):
            m.d.sync += row.eq(engine.row.payload)
            with m.If(~engine.row.valid):
                m.d.sync += row.words.eq(0)
        with m.Elif(moved):
            m.d.sync += [row.address.eq(row.address + 1), row.words.eq(row.words - 1)]
        with m.If(result_flight):
            m.d.sync += task.value.eq(self.scratchpad.data)

        # Every burst owes one acknowledgement.
        owed = Signal(16)
        asked = self.memory.request.valid & self.memory.request.ready
        answered = self.memory.response.valid
        m.d.comb += self.memory.response.ready.eq(1)
        m.d.sync += owed.eq(owed + asked - answered)
        damaged = (flight | result_flight) & is_damaged(
            self.scratchpad.data, self.scratchpad.parity
        )
        no_result = Signal()  # its address lies outside the window
        m.d.comb += [
            outcome.answered.eq(answered),
            outcome.answer.eq(self.memory.response.payload.status),
            outcome.damaged.eq(engine.damaged | damaged),
            outcome.outside.eq(engine.outside | no_result),
        ]
        settled = engine.idle & (row.words == 0) & ~flight & ~queue.r_rdy & (owed == 0)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.task.ready.eq(1), outcome.clear.eq(1)]
                m.d.sync += task.eq(self.task.payload)
                with m.If(self.task.valid):
                    m.next = "HAND ON"
                    with m.If(self.task.payload.status == Status.OK):
                        m.next = "RESULT"
            with m.State("RESULT"):
                m.d.comb += self.active.eq(1)
                with m.If(~task.has_result):
                    m.next = "START"
                with m.Elif(in_window(task.result_address, self.address_bits, task.window)):
                    m.d.comb += for_result.eq(1)
                    with m.If(read.ready):
                        m.next = "START"
                with m.Else():
                    m.d.comb += no_result.eq(1)
                    m.next = "HAND ON"
            with m.State("START"):
                m.d.comb += [engine.start.eq(1), self.active.eq(1)]
                m.next = "MOVE"
            with m.State("MOVE"):
                m.d.comb += self.active.eq(1)
                with m.If(settled):
                    m.next = "HAND ON"
            with m.State("HAND ON"):
                m.d.comb += self.stored.valid.eq(1)
                with m.If(self.stored.ready):
                    m.next = "IDLE"
        return m
