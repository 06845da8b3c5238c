"""Counts places in buffers: the free ones in a receiver's, the used ones in one's own."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..library import Block

UNARY_DEPTH = 8
"""Up to so many places are counted with a bit each: small and fast. More: as a number."""


def count_places(
    m: Module, depth: int, name: str, more: Value, fewer: Value, full: bool = False
) -> tuple[Value, Value]:
    """Add a counter from 0 to ``depth``; whether it is at least 1, and at least 2 (registers).

    ``more``, ``fewer``: count up, down at the end of the cycle (both: neither); never beyond the
    ends. ``full``: starts with ``depth``, else with 0. ``name``: of its signals.
    """
    if depth <= UNARY_DEPTH:
        level = Signal(depth, name=name, init=(1 << depth) - 1 if full else 0)
        with m.If(more ^ fewer):
            m.d.sync += level.eq(Mux(more, Cat(Const(1, 1), level), level >> 1))
        return level[0], level[1] if depth > 1 else Const(0, 1)
    count = Signal(range(depth + 1), name=name, init=depth if full else 0)
    following = Signal.like(count, name=f"following_{name}")
    one = Signal(name=f"one_{name}", init=full)
    several = Signal(name=f"several_{name}", init=full)
    m.d.comb += following.eq(count + more - fewer)
    m.d.sync += [count.eq(following), one.eq(following != 0), several.eq(following > 1)]
    return one, several


def next_place(index: Signal, depth: int) -> Value:
    """The place after ``index`` in a ring of ``depth`` places, in whatever order is cheapest.

    Four places are taken in the order 0, 1, 3, 2: a bit moves to where the other was.
    """
    if depth == 4:
        return Cat(~index[1], index[0])
    if depth & (depth - 1) == 0:
        return (index + 1)[: len(index)]
    return Mux(index == depth - 1, 0, index + 1)


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
        free, _ = count_places(m, self.depth, "free", self.give, self.take, full=True)
        m.d.comb += self.available.eq(free | self.give)
        return m
