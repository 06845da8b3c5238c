"""The writing half of the AXI4 window: AXI bursts become memory bursts."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.space import Address
from ..library import Block
from .axi import DATA_BITS, ID_BITS, Axi4, Burst, Response

WORD_SIZE = 2
"""AXI's code for a beat of four bytes."""


def is_refused(burst: Value, size: Value) -> Value:
    """Whether a burst of this type and beat size is answered SLVERR: WRAP, or beats over a word."""
    return ((burst != Burst.FIXED) & (burst != Burst.INCR)) | (size > WORD_SIZE)


def is_missing(address: Value, columns: int, rows: int) -> Value:
    """Whether a global address names a cluster that does not exist."""
    place = Address(address)
    return (place.x >= columns) | (place.y >= rows)


def next_address(address: Value, burst: Value, size: Value) -> Value:
    """The address of the beat after this one."""
    step = Mux(size == 0, 1, Mux(size == 1, 2, 4))
    aligned = Cat(address[0] & (size == 0), address[1] & (size != WORD_SIZE), address[2:])
    return Mux(burst == Burst.FIXED, address, (aligned + step)[: len(address)])


class WindowWrite(Block):
    """Gathers beats with the same strobes at consecutive words, and writes them as one burst.

    Parameters
    ----------
    burst_words: most words of a memory burst.
    columns, rows: size of the mesh.

    Ports
    -----
    bus (in): :class:`Axi4`; only its AW, W and B channels are used.
    memory (out): :class:`MemoryPort`.

    Timing: a beat a cycle into the buffer, then a cycle a word to memory and its answer; one AXI
    burst at a time.

    Errors: SLVERR for WRAP bursts, beats over a word, and what the memory refuses; DECERR for a
    cluster that does not exist. All beats are taken in any case.
    """

    def __init__(self, burst_words: int, columns: int, rows: int) -> None:
        self.burst_words = burst_words
        self.columns = columns
        self.rows = rows
        super().__init__(
            {"bus": In(Axi4()), "memory": Out(MemoryPort())},
            burst_words=burst_words,
            columns=columns,
            rows=rows,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the buffer and the state machine."""
        m = Module()
        bus = self.bus
        words = Memory(shape=DATA_BITS, depth=self.burst_words, init=[])
        m.submodules.words = words
        self._store, self._fetch = words.write_port(), words.read_port(domain="comb")
        self._address, self._left = Signal(32), Signal(9)
        self._size, self._burst = Signal(3), Signal(2)
        self._identifier, self._response = Signal(ID_BITS), Signal(2)
        self._count, self._sent = Signal(range(self.burst_words + 1)), Signal(range(64))
        self._group_word, self._group_strobe = Signal(30), Signal(4)
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
                    with m.If(self._left == 0):
                        m.next = "RESPOND"
            with m.State("DISCARD"):
                m.d.comb += bus.wready.eq(1)
                with m.If(bus.wvalid):
                    m.d.sync += self._left.eq(self._left - 1)
                    with m.If(self._left == 1):
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
        bus = self.bus
        missing = is_missing(bus.awaddr, self.columns, self.rows)
        refused = is_refused(bus.awburst, bus.awsize)
        m.d.comb += bus.awready.eq(1)
        m.d.sync += [
            self._address.eq(bus.awaddr),
            self._left.eq(bus.awlen + 1),
            self._size.eq(bus.awsize),
            self._burst.eq(bus.awburst),
            self._identifier.eq(bus.awid),
            self._count.eq(0),
            self._response.eq(
                Mux(missing, Response.DECERR, Mux(refused, Response.SLVERR, Response.OKAY))
            ),
        ]
        with m.If(bus.awvalid):
            m.next = "COLLECT"
            with m.If(missing | refused):
                m.next = "DISCARD"

    def _collect(self, m: Module) -> None:
        """Take beats as long as they continue the group; otherwise write the group first."""
        bus = self.bus
        word = self._address[2:]
        empty = self._count == 0
        joins = empty | (
            (bus.wstrb == self._group_strobe) & (word == self._group_word + self._count)
        )
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
                self._address.eq(next_address(self._address, self._burst, self._size)),
            ]
            with m.If(empty):
                m.d.sync += [self._group_word.eq(word), self._group_strobe.eq(bus.wstrb)]
            with m.If((self._left == 1) | (self._count == self.burst_words - 1)):
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
