"""The routing functions and what waits for what: written from the specification, section 10.

A channel is a link in one direction (all virtual channels of a message class on it behave alike).
A packet that holds a channel waits for those it may take next; if no circle of waiting can close,
the network cannot lock up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import networkx

from .router import STEPS, NodeModel, Side

ROUTINGS = ("dimension_ordered", "west_first", "odd_even", "minimal_adaptive")

HOST = NodeModel(0, 0, host=True)


@dataclass(frozen=True, order=True)
class Place:
    """A packet at a router: where, and the side it came in by."""

    at: NodeModel
    entered_by: Side


@dataclass(frozen=True, order=True)
class Channel:
    """A link out of a router, by its side; ``LOCAL`` and the host's link leave the network."""

    at: NodeModel
    side: Side


def sides(routing: str, place: Place, destination: NodeModel) -> set[Side]:
    """The sides by which a packet for ``destination`` may leave.

    Raises:
        ValueError: no such routing.
    """
    if routing not in ROUTINGS:
        raise ValueError(f"routing is {routing!r}; allowed: {', '.join(ROUTINGS)}")
    at = place.at
    x_side = None
    if destination.x != at.x:
        x_side = Side.EAST if destination.x > at.x else Side.WEST
    y_side = None
    if destination.y != at.y:
        y_side = Side.SOUTH if destination.y > at.y else Side.NORTH
    if x_side is None and y_side is None:
        return {Side.WEST if destination.host else Side.LOCAL}
    both = {side for side in (x_side, y_side) if side is not None}
    if x_side is None or y_side is None or routing == "minimal_adaptive":
        return both
    if routing == "dimension_ordered":
        return {x_side}
    if routing == "west_first":
        return {x_side} if x_side is Side.WEST else both
    return _odd_even(place, destination, x_side, y_side)


def _odd_even(place: Place, destination: NodeModel, x_side: Side, y_side: Side) -> set[Side]:
    """No packet turns from east to north or south in an even column, nor from north or south to
    west in an odd one; moves after which no legal way is left are not taken either."""
    column_is_odd = place.at.x % 2 == 1
    if x_side is Side.WEST:
        return {x_side} if column_is_odd else {x_side, y_side}
    result = set()
    if column_is_odd or place.entered_by is not Side.WEST:
        result.add(y_side)
    if destination.x - place.at.x > 1 or destination.x % 2 == 1:
        result.add(x_side)
    return result


def next_place(place: Place, side: Side) -> Place:
    """Where a packet is after it left by a side that leads to a neighbour."""
    step_x, step_y = STEPS[side]
    there = NodeModel(place.at.x + step_x, place.at.y + step_y)
    return Place(there, Side((side + 2) % 4))


def leaves_network(side: Side, at: NodeModel, destination: NodeModel) -> bool:
    """Whether the hop by ``side`` ends at the local endpoint or at the host."""
    return side is Side.LOCAL or (destination.host and at == NodeModel(0, 0))


def nodes_of(columns: int, rows: int) -> list[NodeModel]:
    """All clusters of a mesh."""
    return [NodeModel(x, y) for y in range(rows) for x in range(columns)]


def places_for(routing: str, columns: int, rows: int, destination: NodeModel) -> set[Place]:
    """Every place in which a packet for ``destination`` can be, from whatever source.

    Raises:
        ValueError: a packet would leave the mesh, or has no way to go on.
    """
    nodes = nodes_of(columns, rows)
    waiting = [Place(node, Side.LOCAL) for node in nodes]
    if not destination.host:
        waiting.append(Place(NodeModel(0, 0), Side.WEST))
    seen = set(waiting)
    while waiting:
        place = waiting.pop()
        choices = sides(routing, place, destination)
        if not choices:
            raise ValueError(f"{routing}: no way on from {place} to {destination}")
        for side in choices:
            if leaves_network(side, place.at, destination):
                continue
            following = next_place(place, side)
            if not (0 <= following.at.x < columns and 0 <= following.at.y < rows):
                raise ValueError(f"{routing}: {place} to {destination} leaves the mesh")
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return seen


def dependencies(routing: str, columns: int, rows: int) -> networkx.DiGraph:
    """The channel dependency graph; of ``minimal_adaptive`` the extended one of escape channels.

    An edge says that a packet may hold its first channel while it waits for the second.

    Raises:
        ValueError: as :func:`places_for`.
    """
    graph = networkx.DiGraph()
    for destination in [*nodes_of(columns, rows), HOST]:
        edges = _escape_edges if routing == "minimal_adaptive" else _edges
        graph.add_edges_from(edges(routing, columns, rows, destination))
    return graph


def _edges(
    routing: str, columns: int, rows: int, destination: NodeModel
) -> Iterator[tuple[Channel, Channel]]:
    """From the channel a packet came by to each that it may take."""
    for place in places_for(routing, columns, rows, destination):
        for side in sides(routing, place, destination):
            if leaves_network(side, place.at, destination):
                continue
            following = next_place(place, side)
            for then in sides(routing, following, destination):
                yield Channel(place.at, side), Channel(following.at, then)


def _escape_edges(
    routing: str, columns: int, rows: int, destination: NodeModel
) -> Iterator[tuple[Channel, Channel]]:
    """From an escape channel to every escape channel that the packet may ask for later, however
    many adaptive hops lie between. (Escape channels are dimension-ordered.)"""
    for place in places_for(routing, columns, rows, destination):
        (side,) = sides("dimension_ordered", place, destination)
        if leaves_network(side, place.at, destination):
            continue
        waiting = [next_place(place, side)]
        seen = set(waiting)
        while waiting:
            later = waiting.pop()
            (then,) = sides("dimension_ordered", later, destination)
            yield Channel(place.at, side), Channel(later.at, then)
            for choice in sides(routing, later, destination):
                if leaves_network(choice, later.at, destination):
                    continue
                following = next_place(later, choice)
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)


def find_circle(routing: str, columns: int, rows: int) -> list[tuple[Channel, Channel]]:
    """A circle of waiting, edge by edge; empty if there is none."""
    return circle_of(dependencies(routing, columns, rows))


def circle_of(graph: networkx.DiGraph) -> list[tuple[Channel, Channel]]:
    """A circle of waiting in a channel dependency graph, edge by edge; empty if there is none."""
    if networkx.is_directed_acyclic_graph(graph):
        return []
    return list(networkx.find_cycle(graph))
