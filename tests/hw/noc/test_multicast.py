"""Multicast: the tree's branches against the golden model, and flits through whole meshes."""

from collections.abc import Callable
from itertools import product

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.input_port import InputPort
from octopus.hw.noc.link import Port
from octopus.hw.noc.mesh import NetworkMesh
from octopus.hw.noc.multicast import RectangleRoute
from octopus.hw.noc.router import Router
from octopus.hw.noc.routing import turns_to
from octopus.verify.golden.multicast import RectangleModel, branches, rectangles
from octopus.verify.golden.router import NodeModel, Side, zero_load_cycles
from octopus.verify.golden.routing import HOST, Place, nodes_of

from .multicast_harness import MulticastHarness, code, copies_one_by_one

FLIT_BITS = 40
OPTIONS = {"single_flit": True, "multicast": True}
SHAPES = {
    "linked": {"buffer_depth": 4},
    "direct": {"buffer_depth": 4, "direct": True},
    "shallow": {"buffer_depth": 1},
    "shallow_direct": {"buffer_depth": 1, "direct": True},
}


def mesh_of(columns: int, rows: int, name: str) -> NetworkMesh:
    return NetworkMesh(columns, rows, FLIT_BITS, 1, **SHAPES[name], **OPTIONS)


def test_hardware_branches_as_specified() -> None:
    """Every rectangle in every place of a 4 x 4 mesh, there and at the coordinates' far end."""
    m = Module()
    blocks = {side: RectangleRoute(side) for side in Port}
    x, y, to = Signal(5), Signal(5), Signal(21)
    for side, block in blocks.items():
        m.submodules[side.name.lower()] = block
        m.d.comb += [block.x.eq(x), block.y.eq(y), block.destination.as_value().eq(to)]
    places = [Place(node, side) for node in nodes_of(4, 4) for side in Side]
    cases = [
        (place, rectangle, branches(place, rectangle))
        for rectangle, place in product(rectangles(4, 4), places)
    ]

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for (place, rectangle, wanted), offset in product(cases, (0, 28)):
            corner = place.at == NodeModel(0, 0)
            if not wanted or (offset and (rectangle.host or corner)):
                continue  # not on its way; the host's corner is not moved
            ctx.set(x, place.at.x + offset)
            ctx.set(y, place.at.y + offset)
            ctx.set(to, code(rectangle, offset))
            bits = ctx.get(blocks[Port(place.entered_by)].output)
            assert {side for side in Side if bits >> side & 1} == wanted, (place, rectangle)
            for side in wanted:
                assert Port(place.entered_by) in turns_to("dimension_ordered", Port(side))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("name", ["linked", "direct"])
def test_each_copy_comes_once_and_as_soon_as_alone(name: str) -> None:
    """Every source and rectangle of a 3 x 2 mesh, each flit in an idle network."""
    columns, rows = 3, 2
    nodes = [*nodes_of(columns, rows), HOST]
    flits = [
        (source, rectangle)
        for source, rectangle in product(nodes, rectangles(columns, rows))
        if not (source.host and rectangle.host)
    ]
    found = copies_one_by_one(mesh_of(columns, rows, name), flits)
    for (source, rectangle), came in zip(flits, found, strict=True):
        expected = []
        for node in rectangle.nodes():
            saved = (not source.host) * 2 + (not node.host) if name == "direct" else 0
            expected.append((node, zero_load_cycles(source, node) + 2 - saved))
        assert sorted(came) == sorted(expected), (source, rectangle)


@pytest.mark.parametrize(
    ("name", "size"),
    [("linked", (3, 3)), ("direct", (3, 2)), ("shallow", (2, 2)), ("shallow_direct", (2, 3))],
)
def test_under_back_pressure_each_copy_comes_once_and_in_order(
    name: str, size: tuple[int, int]
) -> None:
    harness = MulticastHarness(mesh_of(*size, name))
    harness.add_random(flits=120)
    harness.run(rate=0.7, ready=0.5)
    harness.check()


def test_a_slow_node_stops_only_its_own_copies() -> None:
    """The others of a broadcast get theirs although one takes nothing."""
    harness = MulticastHarness(mesh_of(3, 1, "linked"))
    harness.stopped.add(NodeModel(0, 0))
    harness.add(NodeModel(1, 0), RectangleModel(0, 0, 2, 0))
    harness.run(limit=40)
    assert [node for node, flits in harness.received.items() if flits] == [
        NodeModel(1, 0),
        NodeModel(2, 0),
    ]


def test_what_is_no_rectangle_of_the_mesh_is_reported_and_disturbs_nobody() -> None:
    harness = MulticastHarness(mesh_of(3, 2, "linked"))
    wrong = [
        RectangleModel(2, 0, 1, 1),
        RectangleModel(0, 1, 1, 0),
        RectangleModel(0, 0, 3, 1),
        RectangleModel(0, 0, 2, 2),
        RectangleModel(0, 0, 1, 0, host=True),
        RectangleModel(0, 1, 0, 0, host=True),
    ]
    assert not any(rectangle.valid(3, 2) for rectangle in wrong)
    for rectangle in wrong:
        harness.add(NodeModel(1, 1), rectangle)
        harness.add(NodeModel(1, 1), RectangleModel(0, 0, 2, 1))
    harness.add(HOST, RectangleModel(0, 0, 0, 0, host=True))
    harness.add(HOST, RectangleModel(1, 0, 2, 1))
    harness.run()
    harness.check()
    assert harness.unreachable == len(wrong) + 1


@pytest.mark.parametrize("method", ["_last", "_strike"])
def test_a_lost_or_doubled_copy_is_found_out(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flit that leaves with its first copy; one whose copies are not struck out."""
    wrong: dict[str, Callable[..., object]] = {
        "_last": lambda self, queue, lane: self.grant.any(),
        "_strike": lambda self, m, queue, note: None,
    }
    monkeypatch.setattr(InputPort, method, wrong[method])
    harness = MulticastHarness(mesh_of(2, 2, "linked"))
    harness.add_random(flits=40)
    harness.run(rate=0.7, ready=0.5, limit=1500)
    with pytest.raises(AssertionError):
        harness.check()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Router(64, 2, 4, multicast=True), "virtual_channels is 2; allowed with multica"),
        (lambda: Router(64, 1, 4, multicast=True), "single_flit is False; allowed with multicast"),
        (
            lambda: Router(64, 1, 4, "odd_even", single_flit=True, multicast=True),
            "routing is 'odd_even'; allowed with multicast: 'dimension_ordered'",
        ),
        (
            lambda: Router(20, 1, 4, single_flit=True, multicast=True),
            "flit_bits is 20; allowed with multicast: 21 or more",
        ),
        (
            lambda: NetworkEndpoint(64, 2, 4, 2, 2, multicast=True),
            "virtual_channels is 2; allowed with multicast: 1",
        ),
        (
            lambda: NetworkMesh(2, 2, 64, 1, 4, multicast=True),
            "single_flit is False; allowed with multicast: True",
        ),
    ],
)
def test_networks_without_multicast_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
