"""Sends flits to rectangles through a ``NetworkMesh`` in Amaranth's simulator."""

import random
from collections import defaultdict
from typing import Any

from amaranth.sim import Simulator

from octopus.hw.noc.mesh import NetworkMesh
from octopus.verify.golden.multicast import RectangleModel, rectangles
from octopus.verify.golden.router import NodeModel
from octopus.verify.golden.routing import HOST, nodes_of

from .harness import SEED

RECTANGLE_BITS = 21


def code(rectangle: RectangleModel, offset: int = 0) -> int:
    """A destination as it stands in a flit; ``offset``: added to every coordinate."""
    first = rectangle.x + offset | (rectangle.y + offset) << 5 | rectangle.host << 10
    return first | (rectangle.x_last + offset) << 11 | (rectangle.y_last + offset) << 16


class MulticastHarness:
    """Sends given flits from every node, with random gaps and random back-pressure.

    Attributes: ``received``: numbers of the flits by node, in the order of their coming.
    ``stopped``: nodes that take nothing. ``unreachable``: flits reported so.
    """

    def __init__(self, mesh: NetworkMesh, seed: int = SEED) -> None:
        self.mesh = mesh
        self.nodes = [*nodes_of(mesh.columns, mesh.rows), HOST]
        self.random = random.Random(seed)
        self.flits: list[tuple[NodeModel, RectangleModel]] = []
        self.received: dict[NodeModel, list[int]] = {node: [] for node in self.nodes}
        self.stopped: set[NodeModel] = set()
        self.unreachable = 0
        print(f"OCTOPUS_SEED={seed}")

    def add(self, source: NodeModel, rectangle: RectangleModel) -> None:
        """Queue a flit at a node; its number is its place among all."""
        self.flits.append((source, rectangle))

    def add_random(self, flits: int) -> None:
        """Flits between random nodes and rectangles, a third to single nodes."""
        choices = list(rectangles(self.mesh.columns, self.mesh.rows))
        while len(self.flits) < flits:
            source = self.random.choice(self.nodes)
            rectangle = self.random.choice(choices)
            if self.random.random() < 1 / 3:
                rectangle = RectangleModel.of(self.random.choice(self.nodes))
            if not (source.host and rectangle.host):
                self.add(source, rectangle)

    def expected(self, node: NodeModel) -> dict[NodeModel, list[int]]:
        """The flits that a node must get, by source, in order."""
        result: dict[NodeModel, list[int]] = defaultdict(list)
        for number, (source, rectangle) in enumerate(self.flits):
            if self._valid(source, rectangle) and node in rectangle.nodes():
                result[source].append(number)
        return result

    def check(self) -> None:
        """Every node got exactly what it should, of each source in order.

        Raises:
            AssertionError: it did not.
        """
        for node in self.nodes:
            came: dict[NodeModel, list[int]] = defaultdict(list)
            for number in self.received[node]:
                came[self.flits[number][0]].append(number)
            assert came == self.expected(node), node

    def run(self, rate: float = 1.0, ready: float = 1.0, limit: int = 6000) -> None:
        """Simulate until as many copies came as should, or the limit; and a little longer."""
        owed = sum(
            len(rectangle.nodes())
            for source, rectangle in self.flits
            if self._valid(source, rectangle)
        )
        simulator = Simulator(self.mesh)
        simulator.add_clock(1e-8)

        async def clock(ctx):  # type: ignore[no-untyped-def]
            for _ in range(limit):
                if sum(map(len, self.received.values())) >= owed:
                    break
                await ctx.tick()
            await ctx.tick().repeat(30)

        for index, node in enumerate(self.nodes):
            simulator.add_testbench(self._send(index, node, rate), background=True)
            simulator.add_testbench(self._receive(index, node, ready), background=True)
        simulator.add_testbench(clock)
        simulator.run()

    def _valid(self, source: NodeModel, rectangle: RectangleModel) -> bool:
        return rectangle.valid(self.mesh.columns, self.mesh.rows, source.host)

    def _send(self, index: int, node: NodeModel, rate: float) -> Any:
        port = self.mesh.inject[index][0]

        async def send(ctx):  # type: ignore[no-untyped-def]
            for number, (source, rectangle) in enumerate(self.flits):
                if source != node:
                    continue
                while self.random.random() >= rate:
                    await ctx.tick()
                payload = code(rectangle) | number << RECTANGLE_BITS
                ctx.set(port.payload, {"payload": payload, "head": 1, "tail": 1})
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)

        return send

    def _receive(self, index: int, node: NodeModel, ready: float) -> Any:
        port = self.mesh.eject[index][0]

        async def receive(ctx):  # type: ignore[no-untyped-def]
            while True:
                takes = node not in self.stopped and self.random.random() < ready
                ctx.set(port.ready, int(takes))
                _, _, valid, taken, flit, unreachable, wrong = await ctx.tick().sample(
                    port.valid,
                    port.ready,
                    port.payload,
                    self.mesh.unreachable[index],
                    self.mesh.parity_error[index],
                )
                assert not wrong
                self.unreachable += unreachable
                if not (valid and taken):
                    continue
                number = flit.payload >> RECTANGLE_BITS
                _, rectangle = self.flits[number]
                assert flit.payload & (1 << RECTANGLE_BITS) - 1 == code(rectangle)
                self.received[node].append(number)

        return receive


def copies_one_by_one(
    mesh: NetworkMesh, flits: list[tuple[NodeModel, RectangleModel]]
) -> list[list[tuple[NodeModel, int]]]:
    """For each (source, rectangle): who got a copy, and how many cycles after it was taken.

    Each flit travels alone, in one simulation.
    """
    nodes = [*nodes_of(mesh.columns, mesh.rows), HOST]
    longest = 2 * (mesh.columns + mesh.rows) + 6
    found: list[list[tuple[NodeModel, int]]] = []

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for index in range(len(nodes)):
            ctx.set(mesh.eject[index][0].ready, 1)
        for source, rectangle in flits:
            port = mesh.inject[nodes.index(source)][0]
            ctx.set(port.payload, {"payload": code(rectangle), "head": 1, "tail": 1})
            ctx.set(port.valid, 1)
            assert ctx.get(port.ready), f"{source} does not take a flit"
            came = []
            for cycle in range(longest):
                for index, node in enumerate(nodes):
                    if ctx.get(mesh.eject[index][0].valid):
                        came.append((node, cycle))
                await ctx.tick()
                ctx.set(port.valid, 0)
            found.append(came)

    simulator = Simulator(mesh)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return found
