"""Keeps a requester from filling the way to memory with its bursts."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..layouts.memory import MemoryRequest
from ..library import Block

COUNT_BITS = 4
"""Width of the count of bursts under way."""

GENTLE_BURSTS = 2
"""Bursts under way while others come first: with one a load is late, with more others wait."""


class BurstLimiter(Block):
    """Passes bursts on; while ``gentle``, only a few at a time.

    Memory answers in order: whoever asks behind a row of bursts waits for all their words. What is
    only needed later has ``GENTLE_BURSTS`` under way at most, so that others wait for no more.

    Ports
    -----
    asked: stream in, request: stream out, of :class:`MemoryRequest`.
    answered: in, pulse, the last word of a burst's answer has come.
    gentle: in, others come first.

    Timing: combinational; an offered burst stays offered; ``gentle`` counts from the next cycle on.
    Errors: none. Source: own.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "asked": In(stream.Signature(MemoryRequest)),
                "request": Out(stream.Signature(MemoryRequest)),
                "answered": In(1),
                "gentle": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        under_way = Signal(COUNT_BITS)
        following = Signal(COUNT_BITS)
        passes = Signal(init=1)
        request = self.request
        m.d.comb += [
            following.eq(under_way + (request.valid & request.ready) - self.answered),
            request.payload.eq(self.asked.payload),
            request.valid.eq(self.asked.valid & passes),
            self.asked.ready.eq(request.ready & passes),
        ]
        m.d.sync += [
            under_way.eq(following),
            # found out a cycle ahead: the way to memory begins with a register
            passes.eq(
                (request.valid & ~request.ready)
                | (((following < GENTLE_BURSTS) | ~self.gentle) & ~following.all())
            ),
        ]
        return m
