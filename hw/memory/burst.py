"""The server of one burst port on a banked memory."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.memory import LENGTH_BITS, MemoryRequest, MemoryResponse
from ..layouts.space import OFFSET_BITS
from ..library import Block
from .ports import BankReadPort, BankWritePort, is_damaged

RESPONSE_DEPTH = 4
"""Response words held: the least that streams a word a cycle."""


class BurstServer(Block):
    """Turns the bursts of a :class:`MemoryPort` into word accesses of a banked memory.

    Bursts are served one after the other, in order, with no idle cycle between them if the
    next request comes in time (bursts of a single word: one every second cycle).

    Parameters
    ----------
    words: capacity of the memory, a power of two.

    Ports
    -----
    memory: ``In(MemoryPort)``; only the offset of addresses matters, bits 0 and 1 are ignored.
    read, write: the ports on the memory.

    Timing: first word of a read four cycles after its request without conflicts, then a word a
    cycle; acknowledgement of a write two cycles after its last word.
    Errors: a burst that is not entirely below ``words`` is answered with ``error`` on every
    word it owes and stores nothing. A damaged word comes with ``error`` and ``parity``.
    Source: own.
    """

    def __init__(self, words: int) -> None:
        self.words = words
        self.address_bits = max(1, (words - 1).bit_length())
        super().__init__(
            {
                "memory": In(MemoryPort()),
                "read": Out(BankReadPort(self.address_bits)),
                "write": Out(BankWritePort(self.address_bits)),
            },
            words=words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        memory, bits = self.memory, self.address_bits

        burst = data.StructLayout(
            {"write": 1, "mask": 4, "remaining": LENGTH_BITS, "address": bits, "error": 1}
        )
        incoming = Signal(burst)
        waiting = Signal(burst)
        current = Signal(burst)
        waiting_valid = Signal()
        active = Signal()
        request = MemoryRequest(memory.request.payload.as_value())
        first = request.address[2:OFFSET_BITS]
        beyond = Signal(OFFSET_BITS - 1)
        m.d.comb += [
            beyond.eq(first + request.length),
            incoming.write.eq(request.write),
            incoming.mask.eq(request.mask),
            incoming.remaining.eq(request.length),
            incoming.address.eq(first),
            incoming.error.eq(beyond[bits:].any() if self.words > 1 else beyond.any()),
            memory.request.ready.eq(~waiting_valid),
        ]

        # Words in flight enter a stage that lasts as long as the memory's read latency.
        stage = data.StructLayout({"read": 1, "last": 1, "error": 1})
        flight = Signal(stage)
        flight_valid = Signal()
        m.submodules.responses = responses = SyncFIFO(
            width=data.Layout.cast(MemoryResponse).size, depth=RESPONSE_DEPTH
        )
        room = Signal()
        m.d.comb += room.eq(responses.level + flight_valid < RESPONSE_DEPTH)

        step = Signal()
        last = Signal()
        writing = active & current.write
        m.d.comb += [
            last.eq(current.remaining == 0),
            self.read.request.payload.eq(current.address),
            self.read.request.valid.eq(active & ~current.write & ~current.error & room),
            self.write.request.payload.address.eq(current.address),
            self.write.request.payload.mask.eq(current.mask),
            self.write.request.payload.data.eq(memory.write.payload),
            self.write.request.valid.eq(writing & ~current.error & room & memory.write.valid),
            memory.write.ready.eq(writing & room & (current.error | self.write.request.ready)),
        ]
        with m.If(current.write):
            m.d.comb += step.eq(memory.write.valid & memory.write.ready)
        with m.Else():
            m.d.comb += step.eq(active & room & (current.error | self.read.request.ready))

        finished = ~active | (step & last)
        accept = memory.request.valid & memory.request.ready
        with m.If(finished):
            m.d.sync += [
                active.eq(waiting_valid | accept),
                waiting_valid.eq(0),
                current.eq(Mux(waiting_valid, waiting.as_value(), incoming.as_value())),
            ]
        with m.Else():
            with m.If(accept):
                m.d.sync += [waiting_valid.eq(1), waiting.eq(incoming)]
            with m.If(step):
                m.d.sync += [
                    current.address.eq(current.address + 1),
                    current.remaining.eq(current.remaining - 1),
                ]

        m.d.sync += [
            flight_valid.eq(step & (~current.write | last)),
            flight.read.eq(~current.write & ~current.error),
            flight.last.eq(last),
            flight.error.eq(current.error),
        ]
        word = self.read.data & flight.read.replicate(32)
        damaged = flight.read & is_damaged(self.read.data, self.read.parity)
        response = MemoryResponse(responses.r_data)
        m.d.comb += [
            responses.w_en.eq(flight_valid),
            responses.w_data.eq(Cat(word, flight.last, flight.error | damaged, damaged, 0)),
            memory.response.payload.eq(response),
            memory.response.valid.eq(responses.r_rdy),
            responses.r_en.eq(memory.response.ready),
        ]
        return m
