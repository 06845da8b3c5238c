"""Counts rare or frequent events of several kinds in one small memory."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..library import Block


class EventCounts(Block):
    """For each kind: how often it has happened since reset, modulo 2 to the 32.

    A kind has a short count of its own, which is added to its word of the memory when its turn
    comes: a full count of each kind would take several times the area.

    Parameters
    ----------
    kinds: of events, 2 or more.

    Ports
    -----
    happens (in, a bit a kind): it happens once in this cycle.
    index (in): whose count is wanted. count (out): it, from ``latency`` cycles after a new
        ``index`` on.

    Timing: an event in each cycle is counted; ``count`` is that of at most ``latency`` cycles
    before.

    Errors: none; the count of a kind that does not exist is zero.

    Source: own.
    """

    def __init__(self, kinds: int) -> None:
        if kinds < 2:
            raise ValueError(f"kinds is {kinds}; allowed: 2 or more")
        self.kinds = kinds
        self.places = 1 << (kinds - 1).bit_length()
        super().__init__(
            {"happens": In(kinds), "index": In(range(self.places)), "count": Out(32)},
            kinds=kinds,
        )

    @property
    def latency(self) -> int:
        """Cycles in which each kind has its turn once."""
        return self.places

    def elaborate(self, platform: Any) -> Module:
        """The kinds take turns, one a cycle."""
        m = Module()
        m.submodules.counts = counts = Memory(shape=32, depth=self.places, init=[])
        write, read = counts.write_port(), counts.read_port(domain="comb")
        turn = Signal(range(self.places))
        first_round = Signal(init=1)
        total = Signal(32)
        recent = [Signal(range(self.places), name=f"recent_{kind}") for kind in range(self.kinds)]
        news: list[Value] = []
        for kind, count in enumerate(recent):
            new = Signal(range(self.places + 1), name=f"new_{kind}")
            m.d.comb += new.eq(count + self.happens[kind])
            m.d.sync += count.eq(Mux(turn == kind, 0, new))
            news.append(new)
        news += [Const(0)] * (self.places - self.kinds)
        m.d.sync += turn.eq(turn + 1)
        with m.If(turn == self.places - 1):
            m.d.sync += first_round.eq(0)
        m.d.comb += [
            read.addr.eq(turn),
            write.addr.eq(turn),
            # What a memory holds after a reset is not known.
            total.eq(Mux(first_round, 0, read.data) + Array(news)[turn]),
            write.data.eq(total),
            write.en.eq(1),
        ]
        with m.If(turn == self.index):
            m.d.sync += self.count.eq(total)
        return m
