"""The golden model of multicast against itself: trees, exactly once, no circle of waiting."""

from collections import Counter

import pytest

from octopus.verify.golden import multicast as golden
from octopus.verify.golden.multicast import (
    RectangleModel,
    branches,
    find_circle,
    rectangles,
    tree,
    walk,
)
from octopus.verify.golden.router import NodeModel, Side
from octopus.verify.golden.routing import HOST, Channel, Place, dependencies, nodes_of

SIZES = [(1, 1), (1, 4), (4, 1), (2, 3), (4, 3)]


@pytest.mark.parametrize("size", SIZES)
def test_stateless_routers_make_the_tree_and_each_node_gets_one(size: tuple[int, int]) -> None:
    """For every source and rectangle: each link once, exits exactly at the rectangle's nodes."""
    for rectangle in rectangles(*size):
        for source in [*nodes_of(*size), HOST]:
            if source.host and rectangle.host:
                continue
            links = walk(source, rectangle)
            assert max(Counter(links).values()) == 1
            assert set(links) == tree(source, rectangle)
            exits = {channel.at for channel in links if channel.side is Side.LOCAL}
            if rectangle.host:
                assert not exits and Channel(NodeModel(0, 0), Side.WEST) in links
            else:
                assert exits == set(rectangle.nodes())


def test_a_broadcast_goes_over_each_link_of_its_tree_once() -> None:
    links = tree(NodeModel(1, 1), RectangleModel(0, 0, 3, 2))
    between = [channel for channel in links if channel.side is not Side.LOCAL]
    assert len(between) == 4 * 3 - 1  # a tree of 12 nodes
    assert len(links) - len(between) == 4 * 3


def test_branches_of_a_router_inside_the_rectangle() -> None:
    rectangle = RectangleModel(0, 0, 2, 2)
    centre = NodeModel(1, 1)
    assert branches(Place(centre, Side.LOCAL), rectangle) == set(Side)
    vertical = {Side.NORTH, Side.SOUTH, Side.LOCAL}
    assert branches(Place(centre, Side.WEST), rectangle) == vertical | {Side.EAST}
    assert branches(Place(centre, Side.NORTH), rectangle) == {Side.SOUTH, Side.LOCAL}


@pytest.mark.parametrize("size", [*SIZES, (5, 5)])
def test_no_circle_of_waiting(size: tuple[int, int]) -> None:
    assert find_circle(*size) == []


def test_the_check_finds_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routers that look at the rectangle only, not at where a flit came from, send copies back."""
    monkeypatch.setattr(golden, "passes", lambda place, node: True)
    assert golden.find_circle(2, 2)


@pytest.mark.parametrize("size", [*SIZES, (5, 5)])
def test_copies_wait_as_packets_do(size: tuple[int, int]) -> None:
    """Every hop of a copy is one of a packet for one node: the same graph as dimension order's."""
    alone = dependencies("dimension_ordered", *size)
    assert set(golden.dependencies(*size).edges) == set(alone.edges)


@pytest.mark.parametrize(
    ("rectangle", "at_host", "valid"),
    [
        (RectangleModel(0, 0, 3, 2), False, True),
        (RectangleModel(2, 1, 1, 1), False, False),
        (RectangleModel(1, 2, 1, 1), False, False),
        (RectangleModel(0, 0, 4, 2), False, False),
        (RectangleModel(0, 0, 3, 3), False, False),
        (RectangleModel(0, 0, 0, 0, host=True), False, True),
        (RectangleModel(0, 0, 0, 0, host=True), True, False),
        (RectangleModel(0, 0, 1, 0, host=True), False, False),
    ],
)
def test_valid_rectangles(rectangle: RectangleModel, at_host: bool, valid: bool) -> None:
    assert rectangle.valid(4, 3, at_host) == valid
