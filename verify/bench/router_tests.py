"""cocotb tests of one router; run by ``tests/verify/test_router_bench.py``.

Parameters come in environment variables ``ROUTER_...``; the seed in ``OCTOPUS_SEED``.
"""

import os
from pathlib import Path
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from octopus.verify.bench.router_coverage import RouterCoverage
from octopus.verify.bench.router_ports import LinkReceiver, LinkSender, node_bits
from octopus.verify.golden.router import (
    HOP_CYCLES,
    FlitModel,
    NodeModel,
    RouterModel,
    Side,
    route,
)

AT = NodeModel(2, 1)
MESH_SIZE = 4
NODE_BITS = 11
LONGEST_PACKET = 6
CYCLES = int(os.environ.get("ROUTER_CYCLES", "20000"))


class Bench:
    """The router with a sender and a receiver on each side, and its scoreboard.

    Every cycle is played at the falling edge: the outputs are stable, the inputs are set for the
    coming rising edge.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.random = Random(int(os.environ["OCTOPUS_SEED"]))
        self.flit_bits = int(os.environ["ROUTER_FLIT_BITS"])
        self.channels = int(os.environ["ROUTER_VIRTUAL_CHANNELS"])
        self.classes = int(os.environ["ROUTER_MESSAGE_CLASSES"])
        self.single_flit = os.environ["ROUTER_SINGLE_FLIT"] == "1"
        self.direct = os.environ.get("ROUTER_DIRECT") == "1"
        depth = int(os.environ["ROUTER_BUFFER_DEPTH"])
        link = (self.flit_bits, self.channels, depth)
        self.senders = {side: LinkSender(device, side, *link) for side in Side}
        self.receivers = {side: LinkReceiver(device, side, *link) for side in Side}
        self.coverage = RouterCoverage(AT, MESH_SIZE, self.channels)
        self.model = RouterModel(AT, self.channels, self.classes)
        self.now = 0
        self.packets = 0
        self.latencies: list[int] = []
        self.send_rate = self.credit_rate = 1.0

    async def start(self) -> None:
        """Clock and first reset."""
        Clock(self.device.clk, 10, unit="ns").start()
        self.device.x.value = AT.x
        self.device.y.value = AT.y
        await self.reset()

    async def reset(self) -> None:
        """Two cycles of reset; whatever was under way is gone."""
        self.device.rst.value = 1
        for side in Side:
            self.senders[side].reset()
            self.receivers[side].reset()
        self.model = RouterModel(AT, self.channels, self.classes)
        await FallingEdge(self.device.clk)
        await FallingEdge(self.device.clk)
        self.device.rst.value = 0
        self.now += 2

    def queue_packet(
        self, side: Side, channel: int, destination: NodeModel, length: int = 1
    ) -> None:
        """A packet for the sender of ``side``; its head's payload is unique."""
        self.packets += 1
        length = 1 if self.single_flit else length
        unique = self.packets % (1 << self.flit_bits - NODE_BITS)
        for position in range(length):
            head = position == 0
            payload = self.random.getrandbits(self.flit_bits)
            if head:
                payload = node_bits(destination) | unique << NODE_BITS
            flit = FlitModel(payload, head, position == length - 1)
            self.senders[side].queues[channel].append((flit, destination))

    def hop_cycles(self, side: Side) -> int:
        """Cycles through the empty router; a direct local side saves that in the buffer."""
        return HOP_CYCLES - (self.direct and side == Side.LOCAL)

    async def cycle(self) -> None:
        """Play one cycle on all sides."""
        await FallingEdge(self.device.clk)
        self.now += 1
        assert int(self.device.parity_error.value) == 0, "parity error without a cause"
        for side, receiver in self.receivers.items():
            got = receiver.cycle(self.random, self.credit_rate)
            if got:
                channel, flit = got
                packet = self.model.deliver(side, channel, flit)
                if flit.head:
                    self.latencies.append(self.now - packet.since)
                    assert self.latencies[-1] >= self.hop_cycles(packet.entered_by)
                    self.coverage.see(packet, side, self.now)
        for side, sender in self.senders.items():
            sender.take_credits()
            sent = sender.cycle(self.random, self.send_rate)
            if sent:
                channel, flit, destination = sent
                self.model.accept(side, channel, flit, destination, self.now)

    async def drain(self, limit: int = 3000) -> None:
        """Play on until nothing is under way and every credit has come back."""
        self.send_rate, self.credit_rate = 1.0, 0.9
        for _ in range(limit):
            await self.cycle()
            if self.model.empty and all(
                sender.credits == [sender.buffer_depth] * self.channels and not any(sender.queues)
                for sender in self.senders.values()
            ):
                break
        else:
            raise AssertionError("the router does not come to rest: flits or credits are lost")
        for _ in range(10):
            await self.cycle()
        assert self.model.empty

    def random_packet(self, only_to: Side | None = None) -> None:
        """A random packet at a random side that has little to send; ``only_to``: a hot spot."""
        side = self.random.choice(list(Side))
        channel = self.random.randrange(self.channels)
        if len(self.senders[side].queues[channel]) > 2 * LONGEST_PACKET:
            return
        destinations = self.coverage.destinations[side]
        if only_to is not None:
            destinations = [node for node in destinations if route(AT, node) == only_to]
        if destinations:
            length = self.random.choice((1, 1, 2, 3, LONGEST_PACKET))
            self.queue_packet(side, channel, self.random.choice(destinations), length)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def zero_load_latency(device: Any) -> None:
    """A flit through an empty router takes exactly one cycle there and one on the link."""
    bench = Bench(device)
    await bench.start()
    expected: list[int] = []
    for side in Side:
        for destination in bench.coverage.destinations[side]:
            for channel in range(bench.channels):
                bench.queue_packet(side, channel, destination)
                expected.append(bench.hop_cycles(side))
                for _ in range(HOP_CYCLES + 3):
                    await bench.cycle()
    assert bench.latencies == expected
    await bench.drain()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def full_rate(device: Any) -> None:
    """A long train of flits passes without a gap (buffers of four or more)."""
    bench = Bench(device)
    await bench.start()
    if bench.senders[Side.WEST].buffer_depth < 4:
        return
    for _ in range(100 if bench.single_flit else 50):
        bench.queue_packet(Side.WEST, 0, NodeModel(AT.x + 1, AT.y), 2)
    for _ in range(100 + HOP_CYCLES):
        await bench.cycle()
    assert bench.model.empty and not any(bench.senders[Side.WEST].queues)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def random_traffic(device: Any) -> None:
    """Random packets, rates and hot spots: nothing lost, doubled, changed or reordered."""
    bench = Bench(device)
    await bench.start()
    hot_spot = None
    for number in range(CYCLES):
        if number % 100 == 0:
            bench.send_rate = bench.random.choice((0.05, 0.3, 1.0))
            bench.credit_rate = bench.random.choice((0.1, 0.5, 1.0))
            hot_spot = bench.random.choice((None, None, *Side))
        for _ in range(2):
            bench.random_packet(hot_spot)
        await bench.cycle()
    await bench.drain()
    # Points that chance has missed so far: send that turn alone, then behind a long packet.
    for _ in range(20):
        if not bench.coverage.missing:
            break
        for (entered, left, channel, blocked), count in bench.coverage.hits.items():
            if not count:
                nodes = bench.coverage.destinations[entered]
                node = next(node for node in nodes if route(AT, node) == left)
                bench.queue_packet(entered, channel, node, LONGEST_PACKET if blocked else 1)
                if blocked:
                    bench.queue_packet(entered, channel, node)
                    bench.credit_rate = 0.1
                for _ in range(30):
                    await bench.cycle()
                await bench.drain()
    bench.coverage.write(Path("router_coverage.json"))
    assert not bench.coverage.missing, bench.coverage.missing
    device._log.info("%d packets, %d heads seen", bench.packets, len(bench.latencies))


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def reset_in_flight(device: Any) -> None:
    """Reset in the middle of traffic leaves the router as new."""
    bench = Bench(device)
    await bench.start()
    for _ in range(8):
        bench.send_rate, bench.credit_rate = 1.0, 0.2
        for _ in range(bench.random.randint(5, 60)):
            bench.random_packet()
            bench.random_packet()
            await bench.cycle()
        await bench.reset()
    for _ in range(100):
        bench.random_packet()
        await bench.cycle()
    await bench.drain()


async def play(device: Any, side: Side, flits: list[tuple[int, bool]]) -> tuple[int, list[Any]]:
    """Put flits (bits, whether their parity is right) on a link, one a cycle; what came of them.

    Returns:
        ``parity_error`` bits seen, and (side, flit bits, whether the parity is right) of every
        flit that left.
    """
    name = side.name.lower()
    seen, left = 0, []
    for bits, right in [*flits, *[(None, True)] * 5]:
        getattr(device, f"{name}_in__valid").value = bits is not None
        if bits is not None:
            getattr(device, f"{name}_in__flit").value = bits
            getattr(device, f"{name}_in__parity").value = (bits.bit_count() + right) & 1
            getattr(device, f"{name}_in__channel").value = 0
        await FallingEdge(device.clk)
        seen |= int(device.parity_error.value)
        for output in Side:
            port = f"{output.name.lower()}_out"
            if int(getattr(device, f"{port}__valid").value):
                got = int(getattr(device, f"{port}__flit").value)
                parity = int(getattr(device, f"{port}__parity").value)
                left.append((output, got, bool(got.bit_count() + parity & 1)))
    return seen, left


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def wrong_parity_of_a_head_leaves_locally(device: Any) -> None:
    """A head with wrong parity is reported on its side and leaves locally, still wrong."""
    bench = Bench(device)
    await bench.start()
    for side in Side:
        destination = bench.coverage.destinations[side][0]
        bits = node_bits(destination) | 0b11 << bench.flit_bits
        seen, left = await play(device, side, [(bits, False)])
        assert seen == 1 << side, f"parity_error was {seen:05b} after a fault from {side.name}"
        assert left == [(Side.LOCAL, bits, False)]
        await bench.reset()
    bench.queue_packet(Side.WEST, 0, NodeModel(AT.x + 1, AT.y))
    await bench.drain()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def wrong_parity_ends_a_packet(device: Any) -> None:
    """A body flit with wrong parity is its packet's last; the flits after it leave locally."""
    bench = Bench(device)
    await bench.start()
    if bench.single_flit or bench.senders[Side.WEST].buffer_depth < 4:
        return
    head = node_bits(NodeModel(AT.x + 1, AT.y)) | 0b01 << bench.flit_bits
    body, tail = 0b101, 0b11 | 0b10 << bench.flit_bits
    seen, left = await play(
        device, Side.WEST, [(head, True), (body, False), (body, True), (tail, True)]
    )
    assert seen == 1 << Side.WEST
    ends = 0b11 << bench.flit_bits
    assert left[0] == (Side.EAST, head, True)
    assert left[1] == (Side.EAST, body | 0b10 << bench.flit_bits, False)
    assert sorted(left[2:]) == sorted(
        [(Side.LOCAL, body | ends, False), (Side.LOCAL, 0b11 | ends, False)]
    )
    await bench.reset()
    bench.queue_packet(Side.WEST, 0, NodeModel(AT.x + 1, AT.y), 2)
    await bench.drain()
