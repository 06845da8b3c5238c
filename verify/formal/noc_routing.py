"""Properties of routing: every hop is a legal turn and brings the packet nearer."""

from amaranth.hdl import Const, Module, Value

from octopus.hw.layouts.space import Node
from octopus.hw.noc.link import Port
from octopus.hw.noc.routing import RouteComputation, turns_to

from .property import DUT, Property


class RouteReaches(Property):
    """A router anywhere, a destination anywhere, and the router of the next hop."""

    claim = (
        "routing: one side is named; each hop shortens the way by one or leaves at the "
        "destination; the next router is asked for a legal turn only"
    )
    depth = 2

    def __init__(self, routing: str) -> None:
        super().__init__(routing=routing)

    def build(self, m: Module) -> None:
        here, following = RouteComputation(), RouteComputation()
        self.place(m, here)
        self.place(m, following, driven=("x", "y", "destination"), name=f"{DUT}_next")
        self.assume(
            ~here.destination.host | ((here.destination.x == 0) & (here.destination.y == 0))
        )
        out, then = here.output, following.output
        m.d.comb += [
            following.destination.eq(here.destination),
            following.x.eq(here.x + out[Port.EAST] - out[Port.WEST]),
            following.y.eq(here.y + out[Port.SOUTH] - out[Port.NORTH]),
        ]
        left = _distance(here.destination, here.x, here.y)
        left_then = _distance(following.destination, following.x, following.y)
        arrived = left == 0
        leaves = out[Port.LOCAL] | (arrived & out[Port.WEST])
        self.require("one side", (out != 0) & ((out & (out - 1)) == 0))
        self.require(
            "local exactly at its destination",
            out[Port.LOCAL] == (arrived & ~here.destination.host),
        )
        self.require(
            "host packets leave west of (0, 0)", ~(arrived & here.destination.host) | out[Port.WEST]
        )
        self.require("nearer by one", leaves | (left_then + 1 == left))
        for side in (Port.NORTH, Port.EAST, Port.SOUTH, Port.WEST):
            entry = side.opposite
            forbidden = [
                then[turn]
                for turn in Port
                if entry not in turns_to(self.parameters["routing"], turn)
            ]
            bad: Value = Const(0)
            for bit in forbidden:
                bad = bad | bit
            self.require(f"legal turn after {side.name.lower()}", leaves | ~out[side] | ~bad)
        self.cover("turns", out[Port.EAST] & then[Port.SOUTH])
        self.cover("goes to the host", out[Port.NORTH] & then[Port.WEST])


def _distance(node: Node, x: Value, y: Value) -> Value:
    """Hops between a router and the destination's."""
    return abs(node.x - x) + abs(node.y - y)
