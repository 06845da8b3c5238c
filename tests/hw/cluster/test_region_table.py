"""The Task Block Units' part of a cluster's configuration space, and the way there."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import connect, flipped
from amaranth.sim import Simulator

from octopus.hw.cluster.configuration_splitter import ConfigurationSplitter
from octopus.hw.cluster.region_table import RegionTable
from octopus.hw.interfaces import ConfigurationPort
from octopus.hw.layouts.counters import COUNTERS
from octopus.hw.layouts.region import OPEN_REGION
from octopus.hw.layouts.space import ConfigurationRegion
from octopus.verify.bench.cbu_system import access

TABLE, UNITS = ConfigurationRegion.REGION_TABLE, ConfigurationRegion.UNIT_COUNTERS
REGIONS, UNIT_COUNT = 3, 2


class Rig(Elaboratable):
    """A region table behind a splitter; the other side answers every access with its offset."""

    def __init__(self) -> None:
        self.splitter = ConfigurationSplitter()
        self.table = RegionTable(REGIONS, UNIT_COUNT)
        self.configuration = ConfigurationPort().flip().create()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.splitter, m.submodules.table = self.splitter, self.table
        connect(m, flipped(self.configuration), self.splitter.configuration)
        connect(m, self.splitter.units, self.table.configuration)
        request, response = self.splitter.control.request, self.splitter.control.response
        m.d.comb += request.ready.eq(~response.valid)
        with m.If(request.valid & request.ready):
            m.d.sync += [response.valid.eq(1), response.payload.data.eq(request.payload.offset)]
        with m.Elif(response.ready):
            m.d.sync += response.valid.eq(0)
        for number, counter in enumerate(self.table.counters):
            m.d.sync += counter.eq(1000 * (number + 1) + self.table.counter_index)
        return m


def simulate(body: Callable[[Any, Rig], Any]) -> None:
    rig = Rig()
    simulator = Simulator(rig)
    simulator.add_clock(1e-6)

    async def testbench(ctx: Any) -> None:
        await body(ctx, rig)

    simulator.add_testbench(testbench)
    simulator.run()


def test_after_reset_domain_0_may_do_everything() -> None:
    async def body(ctx: Any, rig: Any) -> None:
        for number in range(REGIONS):
            entry = rig.table.regions[number]
            for name, value in OPEN_REGION.items():
                assert ctx.get(getattr(entry, name)) == (value if number == 0 else 0)

    simulate(body)


def test_every_word_keeps_what_can_be_set() -> None:
    words = {
        TABLE + 16 * number + 4 * word: random.Random(4 * number + word).getrandbits(32) | 3
        for number in range(REGIONS)
        for word in range(4)
    }

    async def body(ctx: Any, rig: Any) -> None:
        for offset, word in words.items():
            assert await access(ctx, rig, offset, word) == (0, False)
        for offset, word in words.items():
            kept = (word & ~3, word & ~3, word, 0)[offset // 4 % 4]
            assert await access(ctx, rig, offset) == (kept, False)
        entry = rig.table.regions[2]
        assert ctx.get(entry.first) == words[TABLE + 32] & ~3
        assert ctx.get(entry.last) == words[TABLE + 36] & ~3
        assert ctx.get(entry.readers) == words[TABLE + 40] & 0xFFFF
        assert ctx.get(entry.writers) == words[TABLE + 40] >> 16

    simulate(body)


def test_a_write_is_announced_and_a_read_is_not() -> None:
    async def body(ctx: Any, rig: Any) -> None:
        for offset, word, expected in ((TABLE, 8, 1), (TABLE, None, 0), (UNITS, 8, 0), (64, 8, 0)):
            request, response = rig.configuration.request, rig.configuration.response
            payload = {"write": word is not None, "offset": offset, "data": word or 0}
            ctx.set(request.payload, payload)
            ctx.set(request.valid, 1)
            ctx.set(response.ready, 1)
            await ctx.tick().until(request.ready)
            ctx.set(request.valid, 0)
            pulses = 0
            for _ in range(12):
                pulses += ctx.get(rig.table.changed)
                await ctx.tick()
            assert pulses == expected, hex(offset)

    simulate(body)


def test_counters_of_every_unit() -> None:
    async def body(ctx: Any, rig: Any) -> None:
        for unit in range(UNIT_COUNT):
            for index in (0, 7, COUNTERS - 1):
                offset = UNITS + 4 * (COUNTERS * unit + index)
                assert await access(ctx, rig, offset) == (1000 * (unit + 1) + index, False)

    simulate(body)


def test_what_does_not_exist_is_an_error() -> None:
    async def body(ctx: Any, rig: Any) -> None:
        for offset in (
            TABLE + 16 * REGIONS,
            TABLE + 2,
            UNITS + 4 * COUNTERS * UNIT_COUNT,
            UNITS + 1,
            0xA0000,
            0x1FFFFC,
        ):
            assert await access(ctx, rig, offset) == (0, True)
            assert await access(ctx, rig, offset, 5) == (0, True)
        assert (await access(ctx, rig, UNITS, 5))[1]  # counters are read only
        assert (await access(ctx, rig, TABLE)) == (0, False)

    simulate(body)


def test_the_rest_of_the_space_is_the_control_block_units() -> None:
    async def body(ctx: Any, rig: Any) -> None:
        for offset in (0, 0x10004, 0x4FFFC, 0x7FFFC):
            assert await access(ctx, rig, offset) == (offset, False)
            assert await access(ctx, rig, offset, 5) == (offset, False)

    simulate(body)


@pytest.mark.parametrize("sizes", [(0, 1), (33, 1), (4, 0), (4, 9)])
def test_sizes_are_checked(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to"):
        RegionTable(*sizes)
