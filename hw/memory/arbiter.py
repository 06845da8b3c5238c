"""A round-robin arbiter for one shared resource."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..library import Block


class RoundRobinArbiter(Block):
    """Grants one of several requests a cycle; the winner goes to the end of the queue.

    Every request held is granted within ``count`` grants, so nobody starves.

    Parameters
    ----------
    count: number of requesters, at least 2 (a single one needs no arbiter).

    Ports
    -----
    requests: in, ``count`` bits, who asks in this cycle.
    advance: in, 1 bit, the grant is used: priority moves past the winner.
    grants: out, ``count`` bits, one-hot, zero if nobody asks.

    Timing: combinational from ``requests`` to ``grants``; the priority is a register.
    Errors: none.
    Source: amaranth.lib and pulp-platform common_cells ``rr_arb_tree`` for the interface; the
    masked priority scheme is common knowledge.
    """

    def __init__(self, count: int) -> None:
        if count < 2:
            raise ValueError(f"count is {count}; allowed: 2 or more")
        self.count = count
        super().__init__(
            {"requests": In(count), "advance": In(1), "grants": Out(count)}, count=count
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        behind = Signal(self.count)  # requesters after the last winner
        preferred = self.requests & behind
        # Both lists are searched side by side; a carry chain would be slower than these gates.
        m.d.comb += self.grants.eq(Mux(preferred.any(), _lowest(preferred), _lowest(self.requests)))
        with m.If(self.advance & self.requests.any()):
            m.d.sync += behind.eq(Cat(self.grants[:i].any() for i in range(self.count)))
        return m


def _lowest(bits: Value) -> Value:
    """The lowest bit that is set, as a mask; zero if none is."""
    return Cat(bit & ~bits[:i].any() for i, bit in enumerate(bits))
