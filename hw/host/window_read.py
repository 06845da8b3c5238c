"""The reading half of the AXI4 window: AXI bursts become memory bursts."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.space import CONFIGURATION_BIT
from ..library import Block
from .address_check import WORD_SIZE, CheckedBurst, wrap_span
from .axi import Axi4, Burst, Response
from .window_write import next_address


class WindowRead(Block):
    """Cuts an AXI read burst into memory bursts; others than whole words of INCR one by one.

    So are words of configuration space: an answer's packet has one error bit for all its words.

    Parameters
    ----------
    burst_words: most words of a memory burst.

    Ports
    -----
    address (in): stream of :class:`CheckedBurst`.
    bus (in): :class:`Axi4`; only its R channel is used.
    memory (out): :class:`MemoryPort`.

    Timing: beats pass as memory answers them; one AXI burst at a time. Beats narrower than a word
    carry the whole word: the host picks its bytes by the address.

    Errors: the burst's verdict on each beat if it is refused, else SLVERR on each beat that the
    memory refuses.
    """

    def __init__(self, burst_words: int) -> None:
        self.burst_words = burst_words
        super().__init__(
            {
                "address": In(stream.Signature(CheckedBurst)),
                "bus": In(Axi4()),
                "memory": Out(MemoryPort()),
            },
            burst_words=burst_words,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the state machine."""
        m = Module()
        bus, memory = self.bus, self.memory
        address = Signal(32)
        left = Signal(9)
        size = Signal(3)
        burst = Signal(2)
        span = Signal(6)
        response = Signal(2)
        whole = Signal()
        chunk = Signal(range(self.burst_words + 1))
        m.d.comb += [
            whole.eq((size == WORD_SIZE) & (burst == Burst.INCR) & ~address[CONFIGURATION_BIT]),
            chunk.eq(Mux(whole, Mux(left < self.burst_words, left, self.burst_words), 1)),
            memory.request.payload.mask.eq(~0),
            memory.request.payload.length.eq(chunk - 1),
            memory.request.payload.address.eq(address[2:] << 2),
            bus.rlast.eq(left == 1),
        ]
        beat_taken = bus.rvalid & bus.rready
        checked = self.address.payload
        with m.FSM():
            with m.State("ADDRESS"):
                m.d.comb += self.address.ready.eq(1)
                m.d.sync += [
                    address.eq(checked.address),
                    left.eq(checked.length + 1),
                    size.eq(checked.size),
                    burst.eq(checked.burst),
                    span.eq(wrap_span(checked.length, checked.size)),
                    bus.rid.eq(checked.identifier),
                    response.eq(checked.verdict),
                ]
                with m.If(self.address.valid):
                    m.next = "REQUEST"
                    with m.If(checked.verdict != Response.OKAY):
                        m.next = "REFUSE"
            with m.State("REQUEST"):
                m.d.comb += memory.request.valid.eq(1)
                with m.If(memory.request.ready):
                    m.next = "BEATS"
            with m.State("BEATS"):
                m.d.comb += [
                    bus.rvalid.eq(memory.response.valid),
                    memory.response.ready.eq(bus.rready),
                    bus.rdata.eq(memory.response.payload.data),  # a refused beat shows no data
                    bus.rresp.eq(
                        Mux(memory.response.payload.error, Response.SLVERR, Response.OKAY)
                    ),
                ]
                with m.If(beat_taken):
                    m.d.sync += [
                        left.eq(left - 1),
                        address.eq(next_address(address, burst, size, span)),
                    ]
                    with m.If(left == 1):
                        m.next = "ADDRESS"
                    with m.Elif(memory.response.payload.last):
                        m.next = "REQUEST"
            with m.State("REFUSE"):
                m.d.comb += [bus.rvalid.eq(1), bus.rresp.eq(response)]
                with m.If(beat_taken):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "ADDRESS"
        return m
