"""The writing half of the AXI4 window: AXI bursts become memory bursts."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..library import Block
from .address_check import WORD_SIZE, CheckedBurst, wrap_span
from .axi import DATA_BITS, ID_BITS, Axi4, Burst, Response


def next_address(address: Value, burst: Value, size: Value, span: Value) -> Value:
    """The address of the beat after this one; ``span``: the bits that change in a WRAP burst."""
    step = Mux(size == 0, 1, Mux(size == 1, 2, 4))
    aligned = Cat(address[0] & (size == 0), address[1] & (size != WORD_SIZE), address[2:])
    following = (aligned + step)[: len(address)]
    low = len(span)
    turned = Cat((address[:low] & ~span) | (following[:low] & span), address[low:])
    return Mux(burst == Burst.FIXED, address, Mux(burst == Burst.WRAP, turned, following))


class WindowWrite(Block):
    """Gathers beats with the same strobes at consecutive words, and writes them as one burst.

    Parameters
    ----------
    burst_words: most words of a memory burst.

    Ports
    -----
    address (in): stream of :class:`CheckedBurst`.
    bus (in): :class:`Axi4`; only its W and B channels are used.
    memory (out): :class:`MemoryPort`.

    Timing: a beat a cycle into the buffer, then a cycle a word to memory and its answer; one AXI
    burst at a time.

    Errors: the burst's verdict if it is refused (nothing is written); SLVERR for what the memory
    refuses, and for WLAST at another beat than the burst's last. Beats are taken up to WLAST.
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
        """Build the buffer and the state machine."""
        m = Module()
        bus = self.bus
        words = Memory(shape=DATA_BITS, depth=self.burst_words, init=[])
        m.submodules.words = words
        self._store, self._fetch = words.write_port(), words.read_port(domain="comb")
        self._address = Signal(32)
        self._left = Signal(9)
        self._size = Signal(3)
        self._burst = Signal(2)
        self._span = Signal(6)
        self._identifier = Signal(ID_BITS)
        self._response = Signal(2)
        self._count = Signal(range(self.burst_words + 1))
        self._sent = Signal(range(64))
        self._ended = Signal()
        """The beat with WLAST was taken."""
        self._group_word = Signal(30)
        self._group_strobe = Signal(4)
        self._next_word = Signal(30)
        """The word behind the group's last."""
        with m.FSM():
            with m.State("ADDRESS"):
                self._take_address(m)
            with m.State("COLLECT"):
                self._collect(m)
            with m.State("REQUEST"):
                self._request(m)
            with m.State("WORDS"):
                self._send_words(m)
            with m.State("ACKNOWLEDGED"):
                m.d.comb += self.memory.response.ready.eq(1)
                with m.If(self.memory.response.valid):
                    m.d.sync += self._count.eq(0)
                    with m.If(self.memory.response.payload.error):
                        m.d.sync += self._response.eq(Response.SLVERR)
                    m.next = "COLLECT"
                    with m.If(self._ended):
                        m.next = "RESPOND"
                    with m.Elif(self._left == 0):
                        m.next = "DISCARD"
            with m.State("DISCARD"):
                m.d.comb += bus.wready.eq(1)
                with m.If(bus.wvalid & bus.wlast):
                    m.next = "RESPOND"
            with m.State("RESPOND"):
                m.d.comb += [
                    bus.bvalid.eq(1),
                    bus.bresp.eq(self._response),
                    bus.bid.eq(self._identifier),
                ]
                with m.If(bus.bready):
                    m.next = "ADDRESS"
        return m

    def _take_address(self, m: Module) -> None:
        burst = self.address.payload
        m.d.comb += self.address.ready.eq(1)
        m.d.sync += [
            self._address.eq(burst.address),
            self._left.eq(burst.length + 1),
            self._size.eq(burst.size),
            self._burst.eq(burst.burst),
            self._span.eq(wrap_span(burst.length, burst.size)),
            self._identifier.eq(burst.identifier),
            self._count.eq(0),
            self._ended.eq(0),
            self._response.eq(burst.verdict),
        ]
        with m.If(self.address.valid):
            m.next = "COLLECT"
            with m.If(burst.verdict != Response.OKAY):
                m.next = "DISCARD"

    def _collect(self, m: Module) -> None:
        """Take beats as long as they continue the group; otherwise write the group first."""
        bus = self.bus
        word = self._address[2:]
        empty = self._count == 0
        joins = empty | ((bus.wstrb == self._group_strobe) & (word == self._next_word))
        m.d.comb += [
            bus.wready.eq(joins),
            self._store.en.eq(bus.wvalid & joins),
            self._store.addr.eq(self._count),
            self._store.data.eq(bus.wdata),
        ]
        with m.If(bus.wvalid & joins):
            m.d.sync += [
                self._count.eq(self._count + 1),
                self._left.eq(self._left - 1),
                self._address.eq(next_address(self._address, self._burst, self._size, self._span)),
                self._next_word.eq(word + 1),
            ]
            with m.If(empty):
                m.d.sync += [self._group_word.eq(word), self._group_strobe.eq(bus.wstrb)]
            with m.If(bus.wlast):
                m.d.sync += self._ended.eq(1)
            with m.If(bus.wlast != (self._left == 1)):
                m.d.sync += self._response.eq(Response.SLVERR)
            with m.If(bus.wlast | (self._left == 1) | (self._count == self.burst_words - 1)):
                m.next = "REQUEST"
        with m.Elif(bus.wvalid):
            m.next = "REQUEST"

    def _request(self, m: Module) -> None:
        request = self.memory.request
        m.d.comb += [
            request.valid.eq(1),
            request.payload.write.eq(1),
            request.payload.mask.eq(self._group_strobe),
            request.payload.length.eq(self._count - 1),
            request.payload.address.eq(self._group_word << 2),
        ]
        m.d.sync += self._sent.eq(0)
        with m.If(request.ready):
            m.next = "WORDS"

    def _send_words(self, m: Module) -> None:
        write = self.memory.write
        m.d.comb += [
            self._fetch.addr.eq(self._sent),
            write.payload.eq(self._fetch.data),
            write.valid.eq(1),
        ]
        with m.If(write.ready):
            m.d.sync += self._sent.eq(self._sent + 1)
            with m.If(self._sent == self._count - 1):
                m.next = "ACKNOWLEDGED"
