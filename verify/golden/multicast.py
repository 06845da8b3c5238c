"""Multicast: who gets a flit and by which links, written from the specification, section 10.

Nothing here compares coordinates of a rectangle with those of a router: the tree of a flit is the
union of the ways that packets for each of its clusters alone would take.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import networkx

from .router import STEPS, NodeModel, Side, path, route
from .routing import HOST, Channel, Place, circle_of, next_place


@dataclass(frozen=True, order=True)
class RectangleModel:
    """Columns ``x`` to ``x_last`` and rows ``y`` to ``y_last``; or the host (all are then 0)."""

    x: int
    y: int
    x_last: int
    y_last: int
    host: bool = False

    @classmethod
    def of(cls, node: NodeModel) -> "RectangleModel":
        """The rectangle of one node."""
        return cls(node.x, node.y, node.x, node.y, node.host)

    def nodes(self) -> list[NodeModel]:
        """Who gets the flit."""
        if self.host:
            return [HOST]
        columns, rows = range(self.x, self.x_last + 1), range(self.y, self.y_last + 1)
        return [NodeModel(x, y) for y in rows for x in columns]

    def valid(self, columns: int, rows: int, at_host: bool = False) -> bool:
        """Whether an endpoint of a mesh sends such a flit."""
        if self.host:
            return not at_host and not any((self.x, self.y, self.x_last, self.y_last))
        return 0 <= self.x <= self.x_last < columns and 0 <= self.y <= self.y_last < rows


def rectangles(columns: int, rows: int) -> Iterator[RectangleModel]:
    """Every destination in a mesh: all rectangles, and the host."""
    yield RectangleModel(0, 0, 0, 0, host=True)
    for x in range(columns):
        for x_last in range(x, columns):
            for y in range(rows):
                for y_last in range(y, rows):
                    yield RectangleModel(x, y, x_last, y_last)


def tree(source: NodeModel, rectangle: RectangleModel) -> set[Channel]:
    """Every link that the flit goes over, those that leave the network among them."""
    return {Channel(at, side) for node in rectangle.nodes() for at, side in path(source, node)}


def branches(place: Place, rectangle: RectangleModel) -> set[Side]:
    """The sides by which copies leave a router, of a flit that came in by a side: one for each
    way to a cluster of the rectangle that leads through here from there."""
    return {route(place.at, node) for node in rectangle.nodes() if passes(place, node)}


def passes(place: Place, node: NodeModel) -> bool:
    """Whether a packet for ``node`` can come into a router by a side."""
    at, side = place.at, place.entered_by
    if side is Side.LOCAL:
        return True
    if side is Side.WEST and at == NodeModel(0, 0):
        return not node.host  # the host's own link
    step_x, step_y = STEPS[side]
    neighbour = NodeModel(at.x + step_x, at.y + step_y)
    exists = neighbour.x >= 0 and neighbour.y >= 0
    return exists and route(neighbour, node) == (side + 2) % 4


def walk(source: NodeModel, rectangle: RectangleModel) -> list[Channel]:
    """The links a flit goes over if each router sends copies to :func:`branches` of it, in order
    and as often as it does: what stateless routers make of the rectangle."""
    start = Side.WEST if source.host else Side.LOCAL
    waiting = [Place(NodeModel(source.x, source.y), start)]
    links = []
    while waiting:
        place = waiting.pop()
        for side in sorted(branches(place, rectangle)):
            channel = Channel(place.at, side)
            links.append(channel)
            if not _leaves_network(channel, rectangle):
                waiting.append(next_place(place, side))
    return links


def dependencies(columns: int, rows: int) -> networkx.DiGraph:
    """The channel dependency graph of all rectangles of a mesh.

    An edge says that a flit may hold its first channel until a copy of it got the second. A flit
    waits for *all* its copies, so the network cannot lock up if the graph has no cycle: in the
    order of the graph, from the links that leave the network on, every channel comes free.
    """
    graph = networkx.DiGraph()
    for rectangle in rectangles(columns, rows):
        graph.add_edges_from(_edges(columns, rows, rectangle))
    return graph


def _edges(columns: int, rows: int, rectangle: RectangleModel) -> Iterator[tuple[Channel, Channel]]:
    """From the channel a flit came by to each that a copy of it takes."""
    waiting = [Place(NodeModel(x, y), Side.LOCAL) for y in range(rows) for x in range(columns)]
    if not rectangle.host:
        waiting.append(Place(NodeModel(0, 0), Side.WEST))
    seen = set(waiting)
    while waiting:
        place = waiting.pop()
        for side in branches(place, rectangle):
            channel = Channel(place.at, side)
            if _leaves_network(channel, rectangle):
                continue
            following = next_place(place, side)
            if not (0 <= following.at.x < columns and 0 <= following.at.y < rows):
                raise ValueError(f"multicast: {place} to {rectangle} leaves the mesh")
            for then in branches(following, rectangle):
                yield channel, Channel(following.at, then)
            if following not in seen:
                seen.add(following)
                waiting.append(following)


def _leaves_network(channel: Channel, rectangle: RectangleModel) -> bool:
    """Whether a copy ends at the local endpoint or at the host."""
    to_host = rectangle.host and channel == Channel(NodeModel(0, 0), Side.WEST)
    return channel.side is Side.LOCAL or to_host


def find_circle(columns: int, rows: int) -> list[tuple[Channel, Channel]]:
    """A circle of waiting, edge by edge; empty if there is none."""
    return circle_of(dependencies(columns, rows))
