"""Fair arbiters: at most one grant, and nobody waits for ever."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from .library import Block, add_block


class Arbiter(Block):
    """Grants one of several requesters, the least recently granted first.

    The order of priority is a matrix of bits: ``before[i][j]`` says that requester i goes
    before j. Who is granted goes behind all others, so a requester waits for at most
    ``requesters - 1`` grants to others.

    Parameters
    ----------
    requesters: number of requesters, 2 or more.

    Ports
    -----
    request (in, a bit a requester). grant (out): one-hot, or zero if there is no request.
    advance (in): the grant is used; the order of priority changes at the end of the cycle.

    Timing: ``grant`` depends combinationally on ``request``; ``advance`` may depend on ``grant``.
    """

    def __init__(self, requesters: int) -> None:
        if requesters < 2:
            raise ValueError(f"requesters is {requesters}; allowed: 2 or more")
        self.requesters = requesters
        super().__init__(
            {"request": In(requesters), "grant": Out(requesters), "advance": In(1)},
            requesters=requesters,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the priority matrix."""
        m = Module()
        count = self.requesters
        before = {
            (i, j): Signal(name=f"before_{i}_{j}", init=1)
            for i in range(count)
            for j in range(i + 1, count)
        }
        for i in range(count):
            blocked = 0
            for j in range(count):
                if i < j:
                    blocked |= self.request[j] & ~before[i, j]
                elif j < i:
                    blocked |= self.request[j] & before[j, i]
            m.d.comb += self.grant[i].eq(self.request[i] & ~blocked)
        for (i, j), bit in before.items():
            with m.If(self.advance & (self.grant[i] | self.grant[j])):
                m.d.sync += bit.eq(self.grant[j])
        return m


class RoundRobinArbiter(Arbiter):
    """Grants one of several requesters in turn: the next after the last one granted.

    Parameters, ports and timing as for :class:`Arbiter`. A requester waits for at most
    ``requesters - 1`` grants to others.
    """

    def elaborate(self, platform: Any) -> Module:
        """Build two chains of priority: those after the last one granted, then all."""
        m = Module()
        later = Signal(self.requesters)
        """The requesters after the last one granted."""
        fresh = self.request & later
        chosen = Mux(fresh.any(), fresh, self.request)
        m.d.comb += self.grant.eq(chosen & -chosen)
        with m.If(self.advance & self.request.any()):
            m.d.sync += later.eq(~(self.grant | (self.grant - 1)))
        return m


ARBITERS: dict[str, type[Arbiter]] = {
    "matrix": Arbiter,
    "round_robin": RoundRobinArbiter,
}


def arbitrate(
    m: Module, platform: Any, name: str, request: Value, advance: Value, kind: str = "matrix"
) -> Value:
    """Add an arbiter of a kind (``ARBITERS``) for the bits of ``request``; its grant.

    One requester needs none.

    Raises:
        ValueError: no such kind.
    """
    if kind not in ARBITERS:
        raise ValueError(f"arbiter is {kind!r}; allowed: {', '.join(ARBITERS)}")
    if len(request) == 1:
        return request
    arbiter = ARBITERS[kind](len(request))
    add_block(m, platform, name, arbiter)
    m.d.comb += [arbiter.request.eq(request), arbiter.advance.eq(advance)]
    return arbiter.grant
