"""Where a packet goes next: the routing functions, as combinational circuits."""

from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..layouts.space import COORDINATE_BITS, Node
from .link import Port

ROUTINGS = ("dimension_ordered",)

TURNS: dict[str, dict[Port, tuple[Port, ...]]] = {
    "dimension_ordered": {
        Port.NORTH: (Port.SOUTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.EAST: (Port.WEST, Port.LOCAL),
        Port.SOUTH: (Port.NORTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.WEST: (Port.EAST, Port.SOUTH, Port.LOCAL),
        Port.LOCAL: (Port.NORTH, Port.EAST, Port.SOUTH, Port.WEST, Port.LOCAL),
    },
}
"""For each routing and output side: the input sides whose packets may leave there.

South to west is the turn of packets to the host in router (0, 0); no other router takes it.
"""


def turns_to(routing: str, output: Port) -> tuple[Port, ...]:
    """The input sides that output side ``output`` serves.

    Raises:
        ValueError: no such routing.
    """
    if routing not in TURNS:
        raise ValueError(f"routing is {routing!r}; allowed: {', '.join(ROUTINGS)}")
    return TURNS[routing][output]


class RouteComputation(wiring.Component):
    """Dimension-ordered routing: first along x, then along y; the host is west of (0, 0).

    Ports
    -----
    destination (in): where the packet goes. x, y (in): this router's coordinates.
    output (out, a bit a :class:`Port`): the side to leave by, one-hot.
    Timing: combinational.
    Source: W. J. Dally and B. Towles, Principles and Practices of Interconnection Networks, 8.4.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "destination": In(Node),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "output": Out(len(Port)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the comparators."""
        m = Module()
        to = self.destination
        with m.If(to.x > self.x):
            m.d.comb += self.output[Port.EAST].eq(1)
        with m.Elif(to.x < self.x):
            m.d.comb += self.output[Port.WEST].eq(1)
        with m.Elif(to.y > self.y):
            m.d.comb += self.output[Port.SOUTH].eq(1)
        with m.Elif(to.y < self.y):
            m.d.comb += self.output[Port.NORTH].eq(1)
        with m.Elif(to.host):
            m.d.comb += self.output[Port.WEST].eq(1)
        with m.Else():
            m.d.comb += self.output[Port.LOCAL].eq(1)
        return m


class FollowingStep(wiring.Component):
    """What a packet does in the next router, for the choice of a virtual channel there.

    Ports
    -----
    destination, x, y (in): as for :class:`RouteComputation`.
    step (out): 0 goes straight on, 1 turns north, 2 turns south, 3 leaves the network.

    Timing: combinational.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "destination": In(Node),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "step": Out(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the comparators with the neighbours' coordinates."""
        m = Module()
        to = self.destination
        along_x = (to.x == self.x + 1) | (to.x + 1 == self.x)
        along_y = (to.y == self.y + 1) | (to.y + 1 == self.y)
        turn = Mux(to.y < self.y, 1, Mux(to.y > self.y, 2, 3))
        with m.If(to.x != self.x):
            m.d.comb += self.step.eq(Mux(along_x, turn, 0))
        with m.Else():
            m.d.comb += self.step.eq(Mux(along_y, 3, 0))
        return m
