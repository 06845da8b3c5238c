"""Packets through whole meshes: delivery, order, latency, unreachable destinations."""

from collections.abc import Callable
from itertools import product

import pytest

from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.input_port import InputPort
from octopus.hw.noc.link import Port
from octopus.hw.noc.link_pipeline import LinkLatency, LinkPipeline
from octopus.hw.noc.mesh import NetworkMesh
from octopus.verify.golden.router import (
    INTERFACE_CYCLES,
    LinkModel,
    NodeModel,
    zero_load_cycles,
)

from .harness import SEED, MeshHarness, Packet, latencies_one_by_one

OPTIONS = {
    "control": {"flit_bits": 79, "virtual_channels": 1, "buffer_depth": 4},
    "direct": {
        "flit_bits": 79,
        "virtual_channels": 1,
        "buffer_depth": 4,
        "single_flit": True,
        "direct": True,
    },
    "data": {"flit_bits": 64, "virtual_channels": 2, "buffer_depth": 4},
    "shallow": {"flit_bits": 40, "virtual_channels": 2, "buffer_depth": 1},
    "lanes": {
        "flit_bits": 40,
        "virtual_channels": 4,
        "buffer_depth": 3,
        "message_classes": 2,
        "shared_lane": False,
    },
    "one_class": {
        "flit_bits": 40,
        "virtual_channels": 4,
        "buffer_depth": 4,
        "message_classes": 1,
    },
}


def random_traffic(harness: MeshHarness, packets: int, longest: int) -> None:
    """Random packets between all nodes; never from host to host."""
    for number in range(packets):
        source = harness.random.randrange(harness.nodes)
        destination = harness.random.randrange(harness.nodes)
        if source == destination == harness.nodes - 1:
            destination = 0
        length = harness.random.randint(1, longest)
        index = harness.random.randrange(harness.mesh.message_classes)
        harness.add(source, Packet(destination, index, length, number))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("control", (3, 2)),
        ("direct", (3, 2)),
        ("data", (2, 2)),
        ("data", (1, 3)),
        ("data", (1, 1)),
        ("shallow", (2, 2)),
        ("lanes", (2, 2)),
        ("one_class", (3, 1)),
    ],
)
def test_every_packet_arrives_once_and_in_order(name: str, size: tuple[int, int]) -> None:
    options = OPTIONS[name]
    harness = MeshHarness(NetworkMesh(*size, **options), options["flit_bits"])
    random_traffic(harness, 150, 1 if name in ("control", "direct") else 6)
    score = harness.run(rate=0.8, ready=0.6)
    assert score.received == score.sent
    assert score.parity_errors == 0
    assert score.unreachable == 0


@pytest.mark.parametrize("name", OPTIONS)
def test_zero_load_latency_is_two_cycles_a_router_and_two_for_the_interface(name: str) -> None:
    options = OPTIONS[name]
    columns, rows = 3, 2
    host = columns * rows
    pairs = [pair for pair in product(range(host + 1), repeat=2) if pair != (host, host)]
    mesh = NetworkMesh(columns, rows, **options)
    latencies = latencies_one_by_one(mesh, pairs)
    for (source, destination), cycles in zip(pairs, latencies, strict=True):
        start, end = (0 if node == host else node for node in (source, destination))
        hops = abs(start % columns - end % columns) + abs(start // columns - end // columns) + 1
        # A direct endpoint takes no cycle to eject; to inject one less than none, for the first
        # router's buffer is passed, too. The host's is not direct.
        saved = (source != host) * 2 + (destination != host) if options.get("direct") else 0
        assert cycles == 2 * hops + 2 - saved, (source, destination)


LATENCIES = {
    "five": LinkLatency(5),
    "chiplets": LinkLatency(1, 4, 2, 1),
    "slow_inside": LinkLatency(3, 2, 1, 2),
}


@pytest.mark.parametrize("name", LATENCIES)
def test_zero_load_latency_adds_up_routers_links_and_interface(name: str) -> None:
    latency = LATENCIES[name]
    links = LinkModel(latency.link, latency.crossing, latency.columns, latency.rows)
    columns, rows = 3, 2
    host = columns * rows
    nodes = [NodeModel(node % columns, node // columns) for node in range(host)]
    nodes.append(NodeModel(0, 0, host=True))
    pairs = [pair for pair in product(range(host + 1), repeat=2) if pair != (host, host)]
    latencies = latencies_one_by_one(NetworkMesh(columns, rows, 64, 2, 4, latency=latency), pairs)
    for (source, destination), cycles in zip(pairs, latencies, strict=True):
        expected = zero_load_cycles(nodes[source], nodes[destination], links) + INTERFACE_CYCLES
        assert cycles == expected, (source, destination)


def test_links_do_not_slow_a_channel_down() -> None:
    """40 flits over two slow links take a cycle each, after the latency of the first."""
    mesh = NetworkMesh(3, 1, 64, 2, 4, latency=LinkLatency(3, 6, 1, 1))
    assert mesh.parameters["buffer_depth"] == 14
    harness = MeshHarness(mesh, 64)
    harness.add(0, Packet(2, 0, 40, 0))
    score = harness.run()
    assert score.received == score.sent
    ((taken, came),) = score.cycles.values()
    assert came - taken == 3 + 2 * 6 + 3 + 40 - 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinkLatency(0), "link latency is 0; allowed: 1 to 16"),
        (lambda: LinkLatency(1, 17), "crossing latency is 17; allowed: 1 to 16"),
        (lambda: LinkLatency(1, 2, 0), "chiplet columns is 0; allowed: 1 or more"),
        (
            lambda: NetworkMesh(3, 1, 64, 2, 4, latency=LinkLatency(1, 16, 2, 1)),
            "buffer_depth is 4; allowed with links of 16 cycles: 1 to 2",
        ),
        (lambda: LinkPipeline(64, 2, 0), "stages is 0; allowed: 1 to 15"),
    ],
)
def test_invalid_latencies_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_packet_to_outside_the_mesh_is_reported_and_does_not_disturb_others() -> None:
    harness = MeshHarness(NetworkMesh(2, 2, 64, 2, 4), 64, SEED)
    harness.node_code = lambda node: {7: 2, 8: 2 << 5, 9: 1 << 10 | 1}.get(  # type: ignore[method-assign]
        node, node % 2 | node // 2 << 5 if node < 4 else 1 << 10
    )
    for number, destination in enumerate((3, 7, 3, 8, 9, 3)):
        harness.add(0, Packet(destination, 0, 3, number))
    harness.add(4, Packet(4, 1, 2, 10))
    harness.add(4, Packet(2, 1, 2, 11))
    score = harness.run(limit=300)
    assert score.unreachable == 4
    assert {key: len(items) for key, items in score.received.items()} == {
        (0, 3, 0): 3,
        (4, 2, 1): 1,
    }
    assert score.received[0, 3, 0] == score.sent[0, 3, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"virtual_channels": 9}, "virtual_channels is 9; allowed: 1 to 8"),
        ({"buffer_depth": 0}, "buffer_depth is 0; allowed: 1 to 32"),
        ({"flit_bits": 10}, "flit_bits is 10; allowed: 11 or more"),
        ({"message_classes": 3}, "message_classes is 3; allowed: divisors"),
        ({"routing": "random"}, "routing is 'random'; allowed: dimension_ordered"),
        ({"arbiter": "random"}, "arbiter is 'random'; allowed: matrix, round_robin"),
    ],
)
def test_invalid_parameters_are_named(change: dict[str, object], message: str) -> None:
    from octopus.hw.noc.router import Router

    options = {"flit_bits": 64, "virtual_channels": 2, "buffer_depth": 4} | change
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Router(**options)  # type: ignore[arg-type]


def test_direct_is_only_for_simple_networks() -> None:
    with pytest.raises(ValueError, match="direct is True; allowed: only with one channel a class"):
        NetworkEndpoint(64, 2, 4, 2, 2, message_classes=1, direct=True)
    with pytest.raises(ValueError, match="bypass is True; allowed: only with virtual_channels 1"):
        InputPort(64, 1, 4, 1, 1, Port.LOCAL, bypass=True)
