"""Counts the free places in a receiver's buffer."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from ..library import Block


class CreditCounter(Block):
    """How many flits may still be sent to one virtual channel of the receiver.

    Parameters
    ----------
    depth: places in the receiver's buffer, all free after reset.

    Ports
    -----
    take (in): a flit is sent in this cycle; only while ``available``.
    give (in): the receiver freed a place.
    available (out): at least one place is free, or is given in this cycle.

    Timing: a credit given in cycle t can be used in cycle t (``available`` depends
    combinationally on ``give``).
    """

    def __init__(self, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth is {depth}; allowed: 1 or more")
        self.depth = depth
        super().__init__(
            {"take": In(1), "give": In(1), "available": Out(1)},
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the counter."""
        m = Module()
        count = Signal(range(self.depth + 1), init=self.depth)
        following = Signal.like(count)
        m.d.comb += following.eq(count)
        with m.If(self.take & ~self.give):
            m.d.comb += following.eq(count - 1)
        with m.Elif(~self.take & self.give):
            m.d.comb += following.eq(count + 1)
        m.d.sync += count.eq(following)
        m.d.comb += self.available.eq((count != 0) | self.give)
        return m
