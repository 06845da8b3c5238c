"""Counts of events, and the region of configuration space in which the host reads them."""

import os
import random
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal
from amaranth.lib.wiring import connect, flipped
from amaranth.sim import Simulator

from octopus.hw.cluster.event_counts import EventCounts
from octopus.hw.cluster.read_only_region import ReadOnlyRegion
from octopus.hw.interfaces import ConfigurationPort
from octopus.hw.layouts.space import ConfigurationRegion
from octopus.verify.bench.cbu_system import access

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
COUNTS = ConfigurationRegion.PARITY_COUNTS
KINDS = 5


class Rig(Elaboratable):
    """Counts behind their region; whoever else has the space answers with the offset."""

    def __init__(self, kinds: int = KINDS) -> None:
        self.counts = EventCounts(kinds)
        self.region = ReadOnlyRegion(COUNTS, kinds, self.counts.latency)
        self.configuration = ConfigurationPort().flip().create()
        self.reset = Signal()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.region = self.region
        m.submodules.counts = ResetInserter(self.reset)(self.counts)
        connect(m, flipped(self.configuration), self.region.configuration)
        m.d.comb += [
            self.counts.index.eq(self.region.index),
            self.region.value.eq(self.counts.count),
        ]
        request, response = self.region.others.request, self.region.others.response
        m.d.comb += request.ready.eq(~response.valid)
        with m.If(request.valid & request.ready):
            m.d.sync += [response.valid.eq(1), response.payload.data.eq(request.payload.offset)]
        with m.Elif(response.ready):
            m.d.sync += response.valid.eq(0)
        return m


def simulate(rig: Rig, *bodies: Any) -> None:
    simulator = Simulator(rig)
    simulator.add_clock(1e-6)
    for body in bodies:
        simulator.add_testbench(body)
    simulator.run()


@pytest.mark.parametrize("rate", [0.02, 0.5, 1])
def test_each_event_counts_once(rate: float) -> None:
    """Also those of every cycle, and while the host reads."""
    print(f"OCTOPUS_SEED={SEED}")
    rig, generator = Rig(), random.Random(SEED)
    happened = [0] * KINDS
    ended = False

    async def events(ctx: Any) -> None:
        nonlocal ended
        for _ in range(1500):
            bits = sum((generator.random() < rate) << kind for kind in range(KINDS))
            ctx.set(rig.counts.happens, bits)
            for kind in range(KINDS):
                happened[kind] += bits >> kind & 1
            await ctx.tick()
        ctx.set(rig.counts.happens, 0)
        ended = True

    async def host(ctx: Any) -> None:
        while not ended:
            kind = generator.randrange(KINDS)
            before = happened[kind]
            count, error = await access(ctx, rig, COUNTS + 4 * kind)
            # Of what happened just before it began, the last round may be missing.
            assert not error and before - rig.counts.latency <= count <= happened[kind]
        found = [await access(ctx, rig, COUNTS + 4 * kind) for kind in range(KINDS)]
        assert found == [(count, False) for count in happened]

    simulate(rig, events, host)


@pytest.mark.parametrize("kinds", [KINDS, 8])  # 8: every place of the memory is a kind's
def test_a_reset_clears_the_counts(kinds: int) -> None:
    rig = Rig(kinds)

    async def body(ctx: Any) -> None:
        ctx.set(rig.counts.happens, 0b10011 | 1 << (kinds - 1))
        await ctx.tick().repeat(101)
        ctx.set(rig.counts.happens, 0)
        assert await access(ctx, rig, COUNTS) == (101, False)
        ctx.set(rig.reset, 1)
        await ctx.tick()
        ctx.set(rig.reset, 0)
        for kind in range(kinds):
            assert await access(ctx, rig, COUNTS + 4 * kind) == (0, False)

    simulate(rig, body)


def test_what_does_not_exist_is_an_error_and_the_rest_passes() -> None:
    rig = Rig()

    async def body(ctx: Any) -> None:
        for offset in (COUNTS + 1, COUNTS + 4 * KINDS, COUNTS + 0xFFFC):
            assert (await access(ctx, rig, offset))[1], hex(offset)
        assert (await access(ctx, rig, COUNTS, 7))[1]
        for offset in (0, COUNTS - 4, ConfigurationRegion.END, 0x1FFFFC):
            assert await access(ctx, rig, offset) == (offset, False)

    simulate(rig, body)


def test_kinds_are_checked() -> None:
    with pytest.raises(ValueError, match="kinds is 1; allowed: 2 or more"):
        EventCounts(1)
