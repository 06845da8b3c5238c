"""Multicast: the sides by which copies of a flit leave a router, for a rectangle of clusters."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..layouts.space import COORDINATE_BITS, Rectangle
from .link import Port
from .routing import greater, turns_from

RECTANGLE_BITS = data.Layout.cast(Rectangle).size
"""Low payload bits of a flit that hold its destination."""


def validate_multicast(
    flit_bits: int,
    virtual_channels: int,
    single_flit: bool = True,
    routing: str = "dimension_ordered",
) -> None:
    """Check that a network is one in which ``multicast`` is possible.

    Raises:
        ValueError: names the field, its value and what is allowed.
    """
    for name, value, allowed in (
        ("virtual_channels", virtual_channels, 1),
        ("single_flit", single_flit, True),
        ("routing", routing, "dimension_ordered"),
    ):
        if value != allowed:
            raise ValueError(f"{name} is {value!r}; allowed with multicast: {allowed!r}")
    if flit_bits < RECTANGLE_BITS:
        raise ValueError(
            f"flit_bits is {flit_bits}; allowed with multicast: {RECTANGLE_BITS} or more"
        )


class RectangleRoute(wiring.Component):
    """The sides by which copies of a flit go on: a tree along x, with branches along y.

    Along x a flit goes on while columns of the rectangle are ahead; in each of its columns copies
    turn north and south to its rows there. Which sides those are follows from the rectangle, the
    router's coordinates and the side the flit came in by, so routers keep no state of a tree.

    Parameters
    ----------
    side: the side the flit entered by. Only dimension-ordered turns from there are built, and
        whatever the rectangle (a damaged one), at least one is named.

    Ports
    -----
    destination (in): the rectangle. x, y (in): this router's coordinates.
    output (out, a bit a :class:`Port`): the sides that get a copy; at least one.

    Timing: combinational.
    """

    def __init__(self, side: Port) -> None:
        self.side = side
        super().__init__(
            {
                "destination": In(Rectangle),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "output": Out(len(Port)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the comparators that the side needs."""
        m = Module()
        side, to, first = self.side, self.destination, self.destination.first
        # A flit that goes east or south has not passed the rectangle's last column or row.
        columns = _Span(m, "x", first.x, to.x_last, self.x, side is Port.EAST, side is Port.WEST)
        rows = _Span(m, "y", first.y, to.y_last, self.y, side is Port.SOUTH, side is Port.NORTH)
        turns = turns_from("dimension_ordered", side)
        ahead = {
            Port.NORTH: rows.below if Port.NORTH in turns else Const(0),
            Port.EAST: columns.above if _goes_on(side, Port.EAST) else Const(0),
            Port.SOUTH: rows.above if Port.SOUTH in turns else Const(0),
            Port.WEST: columns.below if _goes_on(side, Port.WEST) else Const(0),
        }
        in_column = Signal()
        here = Signal()
        vertical = side in (Port.NORTH, Port.SOUTH)
        m.d.comb += [
            in_column.eq(vertical | columns.inside | ~(ahead[Port.EAST] | ahead[Port.WEST])),
            here.eq(in_column & (rows.inside | ~(ahead[Port.NORTH] | ahead[Port.SOUTH]))),
        ]
        # The host is a rectangle of 1 x 1 in the corner, left by the west side.
        to_host = first.host & (Port.WEST in turns)
        m.d.comb += [
            self.output[Port.NORTH].eq(in_column & ahead[Port.NORTH]),
            self.output[Port.EAST].eq(ahead[Port.EAST]),
            self.output[Port.SOUTH].eq(in_column & ahead[Port.SOUTH]),
            self.output[Port.WEST].eq(ahead[Port.WEST] | (here & to_host)),
            self.output[Port.LOCAL].eq(here & ~to_host),
        ]
        return m


class _Span:
    """Where a router is along one coordinate of a rectangle: whether parts of it are below,
    whether above, and whether the router is inside. ``began``, ``ends_ahead``: the router is
    known not to be below the first, not to be above the last."""

    def __init__(
        self,
        m: Module,
        name: str,
        first: Value,
        last: Value,
        at: Value,
        began: bool,
        ends_ahead: bool,
    ) -> None:
        self.below = Signal(name=f"{name}_below")
        self.above = Signal(name=f"{name}_above")
        self.inside = Signal(name=f"{name}_inside")
        m.d.comb += [
            self.below.eq(greater(at, first)),
            self.above.eq(greater(last, at)),
            self.inside.eq((began | ~greater(first, at)) & (ends_ahead | ~greater(at, last))),
        ]


def _goes_on(entered_by: Port, side: Port) -> bool:
    """Whether flits that came in by a side may go (on) along x by another."""
    return entered_by in (Port.LOCAL, side.opposite)
