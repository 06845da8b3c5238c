"""Bits turned over on a router's links under back-pressure: each flit hit is counted once."""

import os
import random
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.sim import Simulator

from octopus.hw.cluster.cluster import CONTROL_FLIT_BITS
from octopus.hw.cluster.event_counts import EventCounts
from octopus.hw.config import OctopusConfig
from octopus.hw.host.register_file import RegisterFile
from octopus.hw.host.registers import BY_NAME
from octopus.hw.layouts.counters import LinkCount
from octopus.hw.layouts.memory import DATA_FLIT_BITS
from octopus.hw.noc.link import Port
from octopus.hw.noc.router import Router

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
DEPTH, HERE = 4, 1
ROUTERS: dict[str, dict[str, Any]] = {
    "control": {"flit_bits": CONTROL_FLIT_BITS, "virtual_channels": 1, "single_flit": True},
    "data": {"flit_bits": DATA_FLIT_BITS, "virtual_channels": 2},
}


class Rig(Elaboratable):
    """A router in the middle of a mesh, and what counts its reports."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.router = Router(buffer_depth=DEPTH, **options)
        self.counts = EventCounts(len(Port))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.router, m.submodules.counts = self.router, self.counts
        m.d.comb += [
            self.router.x.eq(HERE),
            self.router.y.eq(HERE),
            self.counts.happens.eq(self.router.parity_error),
        ]
        return m


def destination(source: Port, generator: random.Random) -> int:
    """A node, as it stands in a flit, that the router may be asked for from that side."""
    x, y = generator.randrange(3), generator.randrange(3)
    if source in (Port.NORTH, Port.SOUTH):
        x = HERE  # a packet that goes along y does so to its end
    step = {Port.NORTH: (0, -1), Port.SOUTH: (0, 1), Port.EAST: (1, 0), Port.WEST: (-1, 0)}
    over = step.get(source, (0, 0))
    if (x - HERE) * over[0] > 0 or (y - HERE) * over[1] > 0:
        x, y = HERE, HERE  # none goes back to where it came from
    return x | y << 5


def test_counts_are_in_the_order_of_a_routers_ports() -> None:
    inputs = [*(port.name for port in Port), "ENDPOINT"]
    expected = [f"{network}_{place}" for network in ("CONTROL", "DATA") for place in inputs]
    assert [count.name for count in LinkCount] == expected
    assert [count.value for count in LinkCount] == list(range(len(expected)))


@pytest.mark.parametrize("network", ROUTERS)
def test_each_flit_hit_is_counted_once_at_its_input(network: str) -> None:
    """Packets of one flit on every input, of which the outputs take few and in bursts."""
    print(f"OCTOPUS_SEED={SEED}")
    options, generator = ROUTERS[network], random.Random(SEED)
    rig = Rig(options)
    bits, channels = options["flit_bits"], options["virtual_channels"]
    hits = dict.fromkeys(Port, 0)
    full = 0

    async def bench(ctx: Any) -> None:
        nonlocal full
        links = {side: getattr(rig.router, f"{side.name.lower()}_in") for side in Port}
        outs = {side: getattr(rig.router, f"{side.name.lower()}_out") for side in Port}
        room = {side: [DEPTH] * channels for side in Port}
        held: dict[Port, list[int]] = {side: [0] * channels for side in Port}
        for cycle in range(2500):
            sending = cycle < 2000
            for side, link in links.items():
                channel = generator.randrange(channels)
                full += not room[side][channel]
                valid = sending and room[side][channel] > 0 and generator.random() < 0.8
                ctx.set(link.valid, valid)
                if valid:
                    room[side][channel] -= 1
                    payload = generator.getrandbits(bits - 11) << 11 | destination(side, generator)
                    flit = payload | 3 << bits
                    parity = flit.bit_count() + 1 & 1
                    if generator.random() < 0.2:
                        hits[side] += 1
                        place = generator.randrange(bits + 3)
                        flit ^= (1 << place) & ((1 << bits + 2) - 1)
                        parity ^= place == bits + 2
                    ctx.set(link.flit.as_value(), flit)
                    ctx.set(link.parity, parity)
                    ctx.set(link.channel, channel)
            storm = cycle // 100 % 2 and sending
            for side, out in outs.items():
                given = 0
                for channel in range(channels):
                    if held[side][channel] and generator.random() < (0.05 if storm else 0.7):
                        held[side][channel] -= 1
                        given |= 1 << channel
                ctx.set(out.credit, given)
            for side, out in outs.items():
                if ctx.get(out.valid):
                    held[side][ctx.get(out.channel)] += 1
            for side, link in links.items():
                for channel in range(channels):
                    room[side][channel] += ctx.get(link.credit) >> channel & 1
            await ctx.tick()
        assert all(places == [DEPTH] * channels for places in room.values())
        for side in Port:
            ctx.set(rig.counts.index, side)
            await ctx.tick().repeat(rig.counts.latency + 1)
            assert ctx.get(rig.counts.count) == hits[side], side.name

    simulator = Simulator(rig)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert min(hits.values()) > 20 and full > 1000


def test_the_host_counts_those_of_each_network_that_reach_it() -> None:
    print(f"OCTOPUS_SEED={SEED}")
    generator = random.Random(SEED)
    dut, register = RegisterFile(OctopusConfig.load("tiny")), BY_NAME["parity_counts"]
    expected = {"control": 0, "data": 0}

    async def bench(ctx: Any) -> None:
        ctx.set(dut.access.address, register.offset)
        for _ in range(300):
            wrong = generator.getrandbits(2)
            ctx.set(dut.parity_error, wrong)
            expected["control"] += wrong & 1
            expected["data"] += wrong >> 1
            await ctx.tick()
        ctx.set(dut.parity_error, 0)
        ctx.set(dut.access.select, 1)
        assert not ctx.get(dut.access.error)
        assert register.extract(ctx.get(dut.access.read_data)) == expected
        ctx.set(dut.access.select, 0)
        ctx.set(dut.access.address, BY_NAME["errors"].offset)
        await ctx.tick()
        assert BY_NAME["errors"].extract(ctx.get(dut.access.read_data))["parity"]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
