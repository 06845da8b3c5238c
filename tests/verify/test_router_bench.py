"""Runs the cocotb bench of the router in several shapes, and checks the golden model itself."""

from itertools import product
from typing import Any

import pytest

from octopus.hw.noc.router import Router
from octopus.verify.bench.runner import run_bench
from octopus.verify.golden.router import (
    DeliveryError,
    FlitModel,
    NodeModel,
    RouterModel,
    Side,
    path,
    route,
    zero_load_cycles,
)

SHAPES: dict[str, tuple[int, int, int, int, dict[str, Any]]] = {
    "control": (79, 1, 4, 1, {"single_flit": True}),
    "direct": (79, 1, 4, 1, {"single_flit": True, "direct": True}),
    "data": (64, 2, 4, 2, {"arbiter": "round_robin"}),
    "shallow": (32, 2, 1, 2, {}),
    "two_channels_a_class": (32, 2, 5, 1, {"shared_lane": False}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_router_bench(name: str) -> None:
    flit_bits, channels, depth, classes, options = SHAPES[name]
    router = Router(flit_bits, channels, depth, message_classes=classes, **options)
    run_bench(
        router,
        "octopus.verify.bench.router_tests",
        extra_environment={
            "ROUTER_FLIT_BITS": str(flit_bits),
            "ROUTER_VIRTUAL_CHANNELS": str(channels),
            "ROUTER_BUFFER_DEPTH": str(depth),
            "ROUTER_MESSAGE_CLASSES": str(classes),
            "ROUTER_SINGLE_FLIT": str(int(options.get("single_flit", False))),
            "ROUTER_DIRECT": str(int(options.get("direct", False))),
        },
    )


def test_paths_are_shortest_and_end_where_they_should() -> None:
    nodes = [NodeModel(x, y) for x, y in product(range(4), range(3))]
    for source, destination in product(nodes, nodes):
        hops = path(source, destination)
        distance = abs(source.x - destination.x) + abs(source.y - destination.y)
        assert len(hops) == distance + 1
        assert hops[-1] == (destination, Side.LOCAL)
        assert zero_load_cycles(source, destination) == 2 * (distance + 1)
    for source in nodes:
        assert path(source, NodeModel(0, 0, host=True))[-1] == (NodeModel(0, 0), Side.WEST)


def test_x_comes_before_y() -> None:
    assert route(NodeModel(1, 1), NodeModel(2, 2)) == Side.EAST
    assert route(NodeModel(2, 1), NodeModel(2, 2)) == Side.SOUTH


@pytest.fixture
def model() -> RouterModel:
    """A router at (1, 1) that has accepted two packets of one flow."""
    router = RouterModel(NodeModel(1, 1), 2, 2)
    for payload in (7, 8):
        flit = FlitModel(payload, head=True, tail=False)
        router.accept(Side.WEST, 0, flit, NodeModel(2, 1), now=0)
        router.accept(Side.WEST, 0, FlitModel(9, False, True), NodeModel(2, 1), now=1)
    return router


def test_model_accepts_what_is_right(model: RouterModel) -> None:
    for payload in (7, 8):
        model.deliver(Side.EAST, 0, FlitModel(payload, True, False))
        assert not model.empty
        model.deliver(Side.EAST, 0, FlitModel(9, False, True))
    assert model.empty


@pytest.mark.parametrize(
    ("side", "channel", "flit", "message"),
    [
        (Side.NORTH, 0, FlitModel(7, True, False), "left by NORTH"),
        (Side.EAST, 1, FlitModel(7, True, False), "message class"),
        (Side.EAST, 0, FlitModel(8, True, False), "overtook"),
        (Side.EAST, 0, FlitModel(6, True, False), "never came in"),
        (Side.EAST, 0, FlitModel(9, False, True), "without a head"),
    ],
)
def test_model_refuses_what_is_wrong(
    model: RouterModel, side: Side, channel: int, flit: FlitModel, message: str
) -> None:
    with pytest.raises(DeliveryError, match=message):
        model.deliver(side, channel, flit)


def test_model_refuses_changed_and_interleaved_flits(model: RouterModel) -> None:
    model.deliver(Side.EAST, 0, FlitModel(7, True, False))
    with pytest.raises(DeliveryError, match="inside a packet"):
        model.deliver(Side.EAST, 0, FlitModel(8, True, False))


def test_model_refuses_a_changed_body(model: RouterModel) -> None:
    model.deliver(Side.EAST, 0, FlitModel(7, True, False))
    with pytest.raises(DeliveryError, match="not the next"):
        model.deliver(Side.EAST, 0, FlitModel(10, False, True))
