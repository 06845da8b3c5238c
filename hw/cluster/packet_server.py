"""Serves requests of other clusters and the host: packets become bursts, answers packets."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.memory import DATA_FLIT_BITS, LENGTH_BITS, PacketHead, PacketOperation
from ..layouts.space import COORDINATE_BITS
from ..library import Block
from ..noc.link import Flit


class PacketServer(Block):
    """Carries out the request packets that arrive for this cluster, one after the other.

    Parameters
    ----------
    timeout: cycles that the next flit of a write request may take, 1 or more.

    Ports
    -----
    x, y (in): coordinates of the own cluster.
    eject (in): request packets, a stream of :class:`Flit`.
    inject (out): answer packets.
    memory (out): :class:`MemoryPort` to the cluster's memory and configuration space.

    Timing: a cycle to take the head, then a word a cycle; the answer's head follows the first
    response by a cycle.

    Errors: a write request that breaks off (see ``NetworkEndpoint``), or stops for ``timeout``
    cycles, is answered with an error; what it was to write is undefined then. Flits that still come
    of it are discarded. An error of the memory is passed on in the answer's
    head; such a read answer has no words.
    """

    def __init__(self, timeout: int = 65536) -> None:
        if timeout < 1:
            raise ValueError(f"timeout is {timeout}; allowed: 1 or more")
        self.timeout = timeout
        flits = stream.Signature(Flit(DATA_FLIT_BITS))
        super().__init__(
            {
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "eject": In(flits),
                "inject": Out(flits),
                "memory": Out(MemoryPort()),
            },
            timeout=timeout,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the server's state machine."""
        m = Module()
        head = Signal(PacketHead)
        words_left = Signal(LENGTH_BITS + 1)
        high = Signal()
        self._broken = Signal()
        """The request broke off: the rest of its words is made up, the answer an error."""
        write = head.operation == PacketOperation.WRITE
        request = self.memory.request
        m.d.comb += [
            request.payload.write.eq(write),
            request.payload.mask.eq(head.mask),
            request.payload.length.eq(head.length),
            request.payload.address.eq(self._address(head)),
        ]
        with m.FSM():
            with m.State("HEAD"):
                m.d.comb += self.eject.ready.eq(1)
                m.d.sync += [
                    head.eq(self.eject.payload.payload),
                    high.eq(0),
                    self._broken.eq(0),
                ]
                with m.If(self.eject.valid & self.eject.payload.head):
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += request.valid.eq(1)
                m.d.sync += words_left.eq(head.length + 1)
                with m.If(request.ready):
                    m.next = "WRITE"
                    with m.If(~write):
                        m.next = "ANSWER"
            with m.State("WRITE"):
                self._take_words(m, words_left, high)
            with m.State("ANSWER"):
                self._answer_head(m, head, write)
            with m.State("READ"):
                self._give_words(m, words_left, high)
            with m.State("SPOILT"):
                m.d.comb += [self.inject.valid.eq(1), self.inject.payload.tail.eq(1)]
                with m.If(self.inject.ready):
                    m.next = "HEAD"
            with m.State("DRAIN"):
                m.d.comb += self.memory.response.ready.eq(1)
                with m.If(self.memory.response.valid & self.memory.response.payload.last):
                    m.next = "HEAD"
        return m

    def _address(self, head: Any) -> Value:
        """The global address that a request's offset means here."""
        return Cat(head.offset, self.x, self.y)

    def _take_words(self, m: Module, words_left: Signal, high: Signal) -> None:
        """The words of a write request, low half of a flit first."""
        write = self.memory.write
        last = words_left == 1
        breaks_off = self.eject.valid & self.eject.payload.head & ~self._broken
        silence = Signal(range(self.timeout + 1))
        m.d.sync += silence.eq(Mux(self.eject.valid | self._broken, 0, silence + 1))
        m.d.comb += [
            write.payload.eq(self.eject.payload.payload.word_select(high, 32)),
            write.valid.eq((self.eject.valid & ~breaks_off) | self._broken),
            self.eject.ready.eq(Mux(self._broken, 0, breaks_off | (write.ready & (high | last)))),
        ]
        with m.If(breaks_off | (~self.eject.valid & (silence == self.timeout))):
            m.d.sync += [self._broken.eq(1), silence.eq(0)]
        with m.If(write.valid & write.ready):
            m.d.sync += [words_left.eq(words_left - 1), high.eq(~high)]
            with m.If(last):
                m.next = "ANSWER"

    def _answer_head(self, m: Module, head: Any, write: Any) -> None:
        """The first response word tells whether the burst failed; send the head accordingly."""
        response = self.memory.response
        answer = Signal(PacketHead)
        m.d.comb += [
            answer.eq(head),
            answer.destination.eq(head.source),
            answer.source.eq(0),
            answer.source.x.eq(self.x),
            answer.source.y.eq(self.y),
            answer.operation.eq(
                Mux(write, PacketOperation.WRITE_RESPONSE, PacketOperation.READ_RESPONSE)
            ),
            answer.error.eq(response.payload.error | self._broken),
            answer.parity.eq(response.payload.parity),
            self.inject.payload.payload.eq(answer),
            self.inject.payload.head.eq(1),
            self.inject.payload.tail.eq(write | response.payload.error),
            self.inject.valid.eq(response.valid),
        ]
        with m.If(response.valid & self.inject.ready):
            m.next = "READ"
            with m.If(write | response.payload.error):
                m.next = "DRAIN"

    def _give_words(self, m: Module, words_left: Signal, high: Signal) -> None:
        """The words of a read answer, two a flit; a flit more if one of them is damaged."""
        response = self.memory.response
        low = Signal(32)
        spoilt = Signal()  # a word up to this one is damaged
        seen = Signal()
        m.d.comb += spoilt.eq(seen | response.payload.error)
        last = words_left == 1
        sends = high | last
        m.d.comb += [
            self.inject.payload.payload.eq(
                Mux(high, Cat(low, response.payload.data), response.payload.data)
            ),
            self.inject.payload.tail.eq(last & ~spoilt),
            self.inject.valid.eq(response.valid & sends),
            response.ready.eq(~sends | self.inject.ready),
        ]
        with m.If(response.valid & response.ready):
            m.d.sync += [
                low.eq(response.payload.data),
                high.eq(~high),
                words_left.eq(words_left - 1),
                seen.eq(spoilt & ~last),
            ]
            with m.If(last):
                m.next = "HEAD"
                with m.If(spoilt):
                    m.next = "SPOILT"
