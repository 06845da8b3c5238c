"""Properties of routing: every hop brings the packet nearer, and there is always a next one."""

from typing import Any

from amaranth.hdl import Cat, Module, Value

from octopus.hw.noc.link import Port
from octopus.hw.noc.routing import RouteComputation, turns_to

from .property import DUT, Property

HOPS = {Port.NORTH: (0, -1), Port.EAST: (1, 0), Port.SOUTH: (0, 1), Port.WEST: (-1, 0)}


class RouteReaches(Property):
    """A router anywhere, a destination anywhere; a side by which a packet entered, and the next.

    The proof is by induction over the hops of a packet. It starts at its source; and if all sides
    named for it bring it nearer, then so do those that the next router names, whichever it took.
    """

    claim = (
        "routing: a packet is always named a side, by a legal turn; each hop shortens its way by "
        "one; it is handed over exactly at its destination, the host's west of (0, 0)"
    )
    depth = 2

    def __init__(self, routing: str, side: str) -> None:
        super().__init__(routing=routing, side=side)

    def build(self, m: Module) -> None:
        routing, side = self.parameters["routing"], Port[self.parameters["side"]]
        here = RouteComputation(routing, side)
        self.place(m, here)
        to = here.destination
        host = to.host & (to.x == 0) & (to.y == 0)
        self.assume(~to.host | host)
        good = _good(here, routing, side)
        if side is Port.LOCAL:
            self.require("nearer from the start", good)
        else:
            self.assume(good)
        out = here.output
        for port in Port:
            if side not in turns_to(routing, port):
                self.require(f"no turn to {port.name.lower()}", ~out[port])
        for port, (x, y) in HOPS.items():
            if side not in turns_to(routing, port):
                continue
            following = RouteComputation(routing, port.opposite)
            self.place(m, following, ("x", "y", "destination"), f"{DUT}_{port.name.lower()}")
            m.d.comb += [
                following.destination.eq(to),
                following.x.eq(here.x + x),
                following.y.eq(here.y + y),
            ]
            leaves = host & (here.x == 0) & (here.y == 0)
            hop = out[port] & ~leaves
            self.require(
                f"{port.name.lower()}: and then on", ~hop | _good(following, routing, port.opposite)
            )
            self.cover(f"{port.name.lower()}: taken", out[port])


def _good(block: Any, routing: str, side: Port) -> Value:
    """A side is named, each one named brings the packet nearer, or is where it has to leave; and
    in dimension order, who goes along y has arrived in x."""
    to, out = block.destination, block.output
    arrived = (to.x == block.x) & (to.y == block.y)
    right = {
        Port.EAST: to.x > block.x,
        Port.WEST: (to.x < block.x) | (arrived & to.host),
        Port.SOUTH: to.y > block.y,
        Port.NORTH: to.y < block.y,
        Port.LOCAL: arrived & ~to.host,
    }
    result: Value = Cat(out).any()
    if routing == "dimension_ordered" and side in (Port.NORTH, Port.SOUTH):
        result = result & (to.x == block.x)
    for port, condition in right.items():
        result = result & (~out[port] | condition)
    return result
