"""Deadlock freedom by the channel dependency graph; the RTL's routing against the golden one."""

from itertools import product

import networkx
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from octopus.hw.noc.link import Port
from octopus.hw.noc.routing import ROUTINGS as HARDWARE_ROUTINGS
from octopus.hw.noc.routing import RouteComputation, turns_to
from octopus.verify.golden import routing as golden
from octopus.verify.golden.router import NodeModel, Side
from octopus.verify.golden.routing import ROUTINGS, Place, dependencies, find_circle, places_for


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (2, 2), (3, 4), (4, 3), (5, 5)])
def test_no_circle_of_waiting(routing: str, size: tuple[int, int]) -> None:
    assert find_circle(routing, *size) == []


def test_the_check_finds_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any shortest way without escape channels does lock up; so does a forbidden turn."""
    monkeypatch.setattr(golden, "_escape_edges", golden._edges)
    assert find_circle("minimal_adaptive", 2, 2)
    assert not networkx.is_directed_acyclic_graph(dependencies("minimal_adaptive", 4, 3))


def test_all_routings_of_the_hardware_are_checked() -> None:
    assert ROUTINGS == HARDWARE_ROUTINGS


@pytest.mark.parametrize("routing", ROUTINGS)
def test_every_way_is_shortest(routing: str) -> None:
    """From every place the next hop leaves the network at the destination or comes nearer."""
    for destination in golden.nodes_of(5, 4):
        for place in places_for(routing, 5, 4, destination):
            distance = _distance(place.at, destination)
            for side in golden.sides(routing, place, destination):
                if distance == 0:
                    assert side is Side.LOCAL
                else:
                    there = golden.next_place(place, side).at
                    assert _distance(there, destination) == distance - 1


@pytest.mark.parametrize("routing", ROUTINGS)
def test_hardware_routes_as_specified(routing: str) -> None:
    """Every place and destination of a 5 x 5 mesh and of its far corner: the same sides."""
    m = Module()
    blocks = {side: RouteComputation(routing, side) for side in Port}
    x, y, to = Signal(5), Signal(5), Signal(11)
    for side, block in blocks.items():
        m.submodules[side.name.lower()] = block
        m.d.comb += [block.x.eq(x), block.y.eq(y), block.destination.as_value().eq(to)]
    cases = [
        (place, destination)
        for destination in [*golden.nodes_of(5, 5), golden.HOST]
        for place in places_for(routing, 5, 5, destination)
    ]

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for (place, destination), offset in product(cases, (0, 26)):
            if offset and (destination.host or place.at == NodeModel(0, 0)):
                continue  # the host's corner is not moved
            ctx.set(x, place.at.x + offset)
            ctx.set(y, place.at.y + offset)
            code = destination.x + offset | destination.y + offset << 5 | destination.host << 10
            ctx.set(to, code)
            bits = ctx.get(blocks[Port(place.entered_by)].output)
            got = {side for side in Side if bits >> side & 1}
            wanted = golden.sides(routing, place, destination)
            assert got == wanted, (place, destination, offset)
            for side in got:
                assert Port(place.entered_by) in turns_to(routing, Port(side))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_unknown_routing_is_named() -> None:
    with pytest.raises(ValueError, match="routing is 'random'; allowed: dimension_ordered"):
        golden.sides("random", Place(NodeModel(0, 0), Side.LOCAL), NodeModel(1, 1))


def _distance(one: NodeModel, other: NodeModel) -> int:
    return abs(one.x - other.x) + abs(one.y - other.y)
