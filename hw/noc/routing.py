"""Where a packet goes next: the routing functions, as combinational circuits."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..layouts.space import COORDINATE_BITS, Node
from .link import Port

ROUTINGS = ("dimension_ordered", "west_first", "odd_even", "minimal_adaptive")

_ANY_TURN: dict[Port, tuple[Port, ...]] = {
    output: tuple(side for side in Port if side is not output or side is Port.LOCAL)
    for output in Port
}

TURNS: dict[str, dict[Port, tuple[Port, ...]]] = {
    "dimension_ordered": {
        Port.NORTH: (Port.SOUTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.EAST: (Port.WEST, Port.LOCAL),
        Port.SOUTH: (Port.NORTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.WEST: (Port.EAST, Port.SOUTH, Port.LOCAL),
        Port.LOCAL: (Port.NORTH, Port.EAST, Port.SOUTH, Port.WEST, Port.LOCAL),
    },
    "west_first": {
        Port.NORTH: (Port.SOUTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.EAST: (Port.NORTH, Port.SOUTH, Port.WEST, Port.LOCAL),
        Port.SOUTH: (Port.NORTH, Port.EAST, Port.WEST, Port.LOCAL),
        Port.WEST: (Port.EAST, Port.SOUTH, Port.LOCAL),
        Port.LOCAL: (Port.NORTH, Port.EAST, Port.SOUTH, Port.WEST, Port.LOCAL),
    },
    "odd_even": _ANY_TURN,
    "minimal_adaptive": _ANY_TURN,
}
"""For each routing and output side: the input sides whose packets may leave there.

South to west in ``dimension_ordered`` and ``west_first`` is the turn of packets to the host in
router (0, 0); no other router takes it. ``odd_even`` takes north to west and south to west in even
columns only, east-bound packets turn in odd columns only.
"""


def validate_routing(routing: str, class_channels: int) -> None:
    """Check that a routing exists and has the channels that it needs.

    Raises:
        ValueError: names the field, its value and what is allowed.
    """
    turns_to(routing, Port.LOCAL)
    if routing == "minimal_adaptive" and class_channels < 2:
        raise ValueError(
            f"virtual_channels is {class_channels} a message class; allowed with routing "
            f"{routing!r}: 2 or more"
        )


def turns_to(routing: str, output: Port) -> tuple[Port, ...]:
    """The input sides that output side ``output`` serves.

    Raises:
        ValueError: no such routing.
    """
    if routing not in TURNS:
        raise ValueError(f"routing is {routing!r}; allowed: {', '.join(ROUTINGS)}")
    return TURNS[routing][output]


def turns_from(routing: str, side: Port) -> tuple[Port, ...]:
    """The output sides by which packets that entered by ``side`` may leave.

    Raises:
        ValueError: no such routing.
    """
    return tuple(output for output in Port if side in turns_to(routing, output))


class RouteComputation(wiring.Component):
    """The sides by which a packet may leave; the host is west of (0, 0).

    ``dimension_ordered``: along x, then along y. ``west_first``: all hops to the west first, then
    any shortest way. ``odd_even``: any shortest way whose turns are allowed in the column, see
    ``TURNS``. ``minimal_adaptive``: any shortest way. All but the first are adaptive: they give a
    choice. The turns of the first three close no cycle of waiting; the last leaves the first
    channel of a class to dimension-ordered hops, and every packet may wait for it (``FreeAim``).

    Parameters
    ----------
    routing: one of ``ROUTINGS``.
    side: the side the packet entered by. Only the turns of that side are built, so whatever the
        destination, a legal turn is named. None: no assumption (not for ``odd_even``, which needs
        it; there None stands for the local side).

    Ports
    -----
    destination (in): where the packet goes. x, y (in): this router's coordinates.
    output (out, a bit a :class:`Port`): the sides to leave by; at least one, at most two.

    Timing: combinational.

    Source: W. J. Dally and B. Towles, Principles and Practices of Interconnection Networks, 8.4;
    C. J. Glass and L. M. Ni, "The turn model for adaptive routing", 1992; G.-M. Chiu, "The
    odd-even turn model for adaptive routing", 2000.
    """

    def __init__(self, routing: str = "dimension_ordered", side: Port | None = None) -> None:
        turns_to(routing, Port.LOCAL)
        self.routing = routing
        self.side = side
        super().__init__(
            {
                "destination": In(Node),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "output": Out(len(Port)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the comparators, as far as the side needs them."""
        m = Module()
        to = self.destination
        side = self.side
        # How far it is still to go; what the side rules out is constant and costs nothing.
        vertical = side in (Port.NORTH, Port.SOUTH)
        keeps_column = vertical and self.routing == "dimension_ordered"
        keeps_east = vertical and self.routing == "west_first"
        other_x = Signal()
        east = Signal()
        m.d.comb += [
            other_x.eq(0 if keeps_column else to.x != self.x),
            east.eq(_ahead(to.x, self.x, side, Port.WEST, Port.EAST, keeps_east)),
        ]
        other_y = Signal()
        south = Signal()
        m.d.comb += [
            other_y.eq(to.y != self.y),
            south.eq(_ahead(to.y, self.y, side, Port.NORTH, Port.SOUTH)),
        ]
        going_east = Signal()
        going_west = Signal()
        m.d.comb += [going_east.eq(other_x & east), going_west.eq(other_x & ~east)]
        along_x = Signal()
        along_y = Signal()
        if self.routing == "dimension_ordered":
            m.d.comb += [along_x.eq(other_x), along_y.eq(~other_x & other_y)]
        elif self.routing == "west_first":
            m.d.comb += [along_x.eq(other_x), along_y.eq(~going_west & other_y)]
        elif self.routing == "minimal_adaptive":
            m.d.comb += [along_x.eq(other_x), along_y.eq(other_y)]
        else:
            self._odd_even(m, other_x, other_y, east, along_x, along_y)
        leaves = ~other_x & ~other_y
        has_west = side is None or Port.WEST in turns_from(self.routing, side)
        to_host = to.host & has_west
        m.d.comb += [
            self.output[Port.EAST].eq(along_x & east),
            self.output[Port.WEST].eq((along_x & ~east) | (leaves & to_host)),
            self.output[Port.SOUTH].eq(along_y & south),
            self.output[Port.NORTH].eq(along_y & ~south),
            self.output[Port.LOCAL].eq(leaves & ~to_host),
        ]
        return m

    def _odd_even(
        self, m: Module, other_x: Value, other_y: Value, east: Value, along_x: Value, along_y: Value
    ) -> None:
        """The moves that keep a legal way open: east-bound packets turn in odd columns only (or
        where they start, or once they go along y), west-bound ones turn west in even ones only."""
        to = self.destination
        odd = self.x[0]
        may_turn = odd if self.side is Port.WEST else 1
        next_to = to.x == self.x + 1
        # In the column before an even destination the turn must be taken: there it is forbidden.
        must_turn = next_to & ~to.x[0] & other_y
        m.d.comb += [
            along_x.eq(other_x & ~(east & must_turn)),
            along_y.eq(other_y & Mux(other_x, Mux(east, may_turn, ~odd), 1)),
        ]


def _ahead(
    to: Value, here: Value, side: Port | None, low: Port, high: Port, always: bool = False
) -> Value:
    """Whether the destination is on the ``high`` side; a packet does not turn back."""
    if side is low or always:
        return Value.cast(1)
    if side is high:
        return Value.cast(0)
    return greater(to, here)


def greater(one: Value, other: Value) -> Value:
    """``one > other`` of equal width, bit by bit: so few bits are smaller without a carry chain."""
    greater: Value = Const(0)
    for high, low in zip(one, other, strict=True):
        greater = Mux(high ^ low, high, greater)
    return greater


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
