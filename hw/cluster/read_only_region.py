"""Shows words that a block counts in a region of the cluster's configuration space."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interfaces import ConfigurationPort
from ..library import Block

REGION_BITS = 16
"""Bits of an offset inside a region of the configuration space."""


class ReadOnlyRegion(Block):
    """Answers accesses to one region from a table beside it, passes on all others.

    Parameters
    ----------
    region: offset of the region (``ConfigurationRegion``). words: that it has, a word an index.
    latency: cycles from a new ``index`` until ``value`` belongs to it.

    Ports
    -----
    configuration (in): :class:`ConfigurationPort`.
    others (out): :class:`ConfigurationPort` for everything outside the region.
    index (out): of the word that is wanted, constant until the answer. value (in): the word.

    Timing: one access at a time; ``latency`` + 3 cycles an access; others pass combinationally.

    Errors: a write, a word that does not exist and an offset that is no multiple of four are
    answered with ``error``.
    """

    def __init__(self, region: int, words: int, latency: int) -> None:
        self.region = region
        self.words = words
        self.latency = latency
        super().__init__(
            {
                "configuration": In(ConfigurationPort()),
                "others": Out(ConfigurationPort()),
                "index": Out(REGION_BITS - 2),
                "value": In(32),
            },
            region=region,
            words=words,
            latency=latency,
        )

    def elaborate(self, platform: Any) -> Module:
        """State machine."""
        m = Module()
        connect(m, flipped(self.configuration), flipped(self.others))
        request, response = self.configuration.request, self.configuration.response
        offset = request.payload.offset
        mine = Signal()
        place = offset[2:REGION_BITS]
        error = Signal()
        left = Signal(range(self.latency + 1))
        m.d.comb += mine.eq(offset[REGION_BITS:] == self.region >> REGION_BITS)
        # Nothing passes while a word is answered.
        closed = [request.ready.eq(0), self.others.request.valid.eq(0)]
        word = Signal(32)
        with m.FSM():
            with m.State("PASS"), m.If(request.valid & mine):
                m.d.comb += [request.ready.eq(1), self.others.request.valid.eq(0)]
                m.d.sync += [
                    self.index.eq(place),
                    left.eq(self.latency),
                    error.eq(request.payload.write | offset[:2].any() | (place >= self.words)),
                ]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += closed
                m.d.sync += [left.eq(left - 1), word.eq(self.value)]
                with m.If(left == 0):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    *closed,
                    self.others.response.ready.eq(0),
                    response.valid.eq(1),
                    response.payload.error.eq(error),
                    response.payload.data.eq(word),
                ]
                with m.If(response.ready):
                    m.next = "PASS"
        return m
