"""Drives a ``NetworkMesh`` in Amaranth's simulator and keeps the score of its packets."""

import os
import random
from collections import defaultdict
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from octopus.hw.noc.mesh import NetworkMesh

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))


@dataclass
class Packet:
    """A packet to send: destination node and the flits' payload above the destination."""

    destination: int
    message_class: int
    length: int
    number: int


@dataclass
class Score:
    """What was sent and received, by (source, destination, message class)."""

    sent: dict[tuple[int, int, int], list[tuple[int, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    received: dict[tuple[int, int, int], list[tuple[int, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    cycles: dict[int, tuple[int, int]] = field(default_factory=dict)
    parity_errors: int = 0
    unreachable: int = 0


class MeshHarness:
    """Sends given packets from every node, with random gaps and random back-pressure.

    The head's payload holds destination (11 bits), source (8) and packet number; a following
    flit's holds source, number and its place in the packet.
    """

    def __init__(self, mesh: NetworkMesh, flit_bits: int, seed: int = SEED) -> None:
        self.mesh = mesh
        self.flit_bits = flit_bits
        self.nodes = mesh.columns * mesh.rows + 1
        self.random = random.Random(seed)
        self.queues: dict[tuple[int, int], list[Packet]] = defaultdict(list)
        self.score = Score()
        self.cycle = 0
        self.taken: dict[int, int] = {}
        print(f"OCTOPUS_SEED={seed}")

    def node_code(self, node: int) -> int:
        """The ``Node`` of a node number."""
        if node == self.nodes - 1:
            return 1 << 10
        return node % self.mesh.columns | (node // self.mesh.columns) << 5

    def flits(self, source: int, packet: Packet) -> list[tuple[int, int, int]]:
        """Payload, head and tail of each flit."""
        result = []
        for place in range(packet.length):
            if place == 0:
                payload = self.node_code(packet.destination) | source << 11 | packet.number << 19
            else:
                payload = place | source << 11 | packet.number << 19
            payload &= (1 << self.flit_bits) - 1
            result.append((payload, int(place == 0), int(place == packet.length - 1)))
        return result

    def add(self, source: int, packet: Packet) -> None:
        """Queue a packet at a node."""
        self.queues[source, packet.message_class].append(packet)

    def run(self, rate: float = 1.0, ready: float = 1.0, limit: int = 20000) -> Score:
        """Simulate until everything sent was received, or the limit is reached."""
        expected = sum(len(queue) for queue in self.queues.values())
        simulator = Simulator(self.mesh)
        simulator.add_clock(1e-8)

        async def clock(ctx):  # type: ignore[no-untyped-def]
            while self.cycle < limit:
                received = sum(len(items) for items in self.score.received.values())
                if received >= expected:
                    break
                await ctx.tick()
                self.cycle += 1
            await ctx.tick().repeat(8)

        for node in range(self.nodes):
            simulator.add_testbench(self._watch(node), background=True)
            for index in range(self.mesh.message_classes):
                simulator.add_testbench(self._send(node, index, rate), background=True)
                simulator.add_testbench(self._receive(node, index, ready), background=True)
        simulator.add_testbench(clock)
        simulator.run()
        return self.score

    def _watch(self, node: int):  # type: ignore[no-untyped-def]
        async def watch(ctx):  # type: ignore[no-untyped-def]
            async for _, _, parity, unreachable in ctx.tick().sample(
                self.mesh.parity_error[node], self.mesh.unreachable[node]
            ):
                self.score.parity_errors += parity.bit_count()
                self.score.unreachable += unreachable.bit_count()

        return watch

    def _send(self, node: int, index: int, rate: float):  # type: ignore[no-untyped-def]
        port = self.mesh.inject[node][index]

        async def send(ctx):  # type: ignore[no-untyped-def]
            for packet in self.queues[node, index]:
                flits = self.flits(node, packet)
                for payload, head, tail in flits:
                    while self.random.random() >= rate:
                        await ctx.tick()
                    ctx.set(port.payload, {"payload": payload, "head": head, "tail": tail})
                    ctx.set(port.valid, 1)
                    if head:
                        self.taken.setdefault(flits[0][0], self.cycle)
                    await ctx.tick().until(port.ready)
                    ctx.set(port.valid, 0)
                key = (node, packet.destination, index)
                self.score.sent[key].append(tuple(flit[0] for flit in flits))

        return send

    def _receive(self, node: int, index: int, ready: float):  # type: ignore[no-untyped-def]
        port = self.mesh.eject[node][index]

        async def receive(ctx):  # type: ignore[no-untyped-def]
            flits: list[int] = []
            while True:
                ctx.set(port.ready, int(self.random.random() < ready))
                _, _, valid, taken, payload = await ctx.tick().sample(
                    port.valid, port.ready, port.payload
                )
                if not (valid and taken):
                    continue
                assert bool(payload.head) == (not flits), "head flit out of place"
                flits.append(payload.payload)
                if payload.tail:
                    source = flits[0] >> 11 & 0xFF
                    self.score.received[source, node, index].append(tuple(flits))
                    self.score.cycles[flits[0]] = (self.taken.get(flits[0], -1), self.cycle)
                    flits = []

        return receive


def latencies_one_by_one(mesh: NetworkMesh, pairs: list[tuple[int, int]]) -> list[int]:
    """Cycles from inject to eject of a one-flit packet for each pair (source, destination).

    Each travels alone, in one simulation; node numbers as for :class:`NetworkMesh`.

    Raises:
        AssertionError: a packet did not arrive where it should within 100 cycles.
    """
    host = mesh.columns * mesh.rows
    found: list[int] = []

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for node in range(host + 1):
            ctx.set(mesh.eject[node][0].ready, 1)
        for source, destination in pairs:
            place = destination % mesh.columns | destination // mesh.columns << 5
            code = 1 << 10 if destination == host else place
            port = mesh.inject[source][0]
            ctx.set(port.payload, {"payload": code, "head": 1, "tail": 1})
            ctx.set(port.valid, 1)
            assert ctx.get(port.ready), f"node {source} does not take a packet"
            cycles = 0
            while not ctx.get(mesh.eject[destination][0].valid):
                await ctx.tick()
                ctx.set(port.valid, 0)
                cycles += 1
                assert cycles < 100, f"nothing came from node {source} to {destination}"
            found.append(cycles)
            await ctx.tick().repeat(2)

    simulator = Simulator(mesh)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return found
