"""The Control Block Unit's configuration space: tables, registers, statistics."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.sim import Simulator

from octopus.hw.cbu.control_block_unit import ControlBlockUnit
from octopus.hw.cbu.statistics import StatisticsTable
from octopus.hw.cbu.tables import ConfigurationTables
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockStatistics
from octopus.hw.layouts.space import ClusterRegister, ConfigurationRegion
from octopus.verify.bench.cbu_system import access

CONFIG = OctopusConfig.load("tiny")
BLOCKS = CONFIG.control_block_unit.blocks
SUCCESSORS = CONFIG.control_block_unit.successors
Region = ConfigurationRegion


def simulate(body: Callable[[Any, ControlBlockUnit], Any]) -> None:
    """Run ``body`` on a unit fresh from reset."""
    unit = ControlBlockUnit(CONFIG)
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)

    async def testbench(ctx: Any) -> None:
        await body(ctx, unit)

    simulator.add_testbench(testbench)
    simulator.run()


def test_every_word_keeps_what_is_written() -> None:
    offsets = [Region.REGISTERS + ClusterRegister.KERNEL_TABLE_ADDRESS]
    offsets += [
        Region.BLOCK_TABLE + 32 * block + 4 * word for block in range(BLOCKS) for word in range(6)
    ]
    offsets += [Region.SUCCESSOR_TABLE + 4 * entry for entry in range(SUCCESSORS)]
    offsets += [Region.STATISTICS + 32 * (BLOCKS - 1) + 4 * word for word in range(6)]

    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        for offset in offsets:
            assert await access(ctx, unit, offset, 0x15A5A + offset) == (0, False)
        for offset in offsets:
            assert await access(ctx, unit, offset) == (0x15A5A + offset, False), hex(offset)

    simulate(body)


def test_registers_drive_their_ports() -> None:
    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        await access(ctx, unit, ClusterRegister.KERNEL_TABLE_ADDRESS, 0x1234)
        await access(ctx, unit, ClusterRegister.KERNEL_COUNT, 0xBEEF)
        assert ctx.get(unit.kernel_table_address) == 0x1234
        assert ctx.get(unit.kernel_count) == 0xBEEF

    simulate(body)


def test_reserved_words_read_as_zero() -> None:
    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        for offset in (Region.BLOCK_TABLE + 24, Region.BLOCK_TABLE + 28):
            assert await access(ctx, unit, offset, 0xFFFFFFFF) == (0, False)
            assert await access(ctx, unit, offset) == (0, False)

    simulate(body)


@pytest.mark.parametrize(
    "offset",
    [
        ClusterRegister.INDEX_SETTINGS + 4,
        Region.BLOCK_TABLE - 4,
        Region.BLOCK_TABLE + 32 * BLOCKS,
        Region.BLOCK_TABLE + 2,
        Region.SUCCESSOR_TABLE + 4 * SUCCESSORS,
        Region.SUCCESSOR_TABLE + 1,
        Region.STATISTICS + 32 * BLOCKS,
        Region.END,
        (1 << 21) - 4,
    ],
)
def test_unknown_offsets_answer_with_an_error(offset: int) -> None:
    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        assert await access(ctx, unit, offset) == (0, True)
        assert await access(ctx, unit, offset, 1) == (0, True)
        assert await access(ctx, unit, Region.BLOCK_TABLE) == (0, False)

    simulate(body)


def test_an_answer_waits_unchanged_until_it_is_taken() -> None:
    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        await access(ctx, unit, Region.SUCCESSOR_TABLE, 77)
        request, response = unit.configuration.request, unit.configuration.response
        ctx.set(response.ready, 0)
        ctx.set(request.payload, {"write": 0, "offset": Region.SUCCESSOR_TABLE, "data": 0})
        ctx.set(request.valid, 1)
        await ctx.tick().until(request.ready)
        ctx.set(request.valid, 0)
        await ctx.tick().until(response.valid)
        for _ in range(5):
            assert ctx.get(response.valid) and ctx.get(response.payload.data) == 77
            assert not ctx.get(request.ready)
            await ctx.tick()
        ctx.set(response.ready, 1)
        await ctx.tick()
        assert not ctx.get(response.valid)

    simulate(body)


def test_statistics_count_and_average() -> None:
    table = StatisticsTable(8)
    simulator = Simulator(table)
    simulator.add_clock(1e-6)
    samples = [100, 180, 20, 0, 1000]

    async def testbench(ctx: Any) -> None:
        mean = 0
        for sample in samples:
            ctx.set(table.block, 5)
            await ctx.tick()
            for port, value in (
                (table.update, 1),
                (table.completion, 1),
                (table.timed, 1),
                (table.fault, sample == 0),
                (table.busy_cycles, sample),
                (table.array_cycles, sample // 2),
                (table.write, 1),
            ):
                ctx.set(port, value)
            assert not ctx.get(table.written), "the host must wait for an update"
            await ctx.tick()
            ctx.set(table.update, 0)
            ctx.set(table.write, 0)
            mean = sample if mean == 0 else mean + (sample - mean) // 8
        expected = {
            BlockStatistics.ARRIVALS: 0,
            BlockStatistics.COMPLETIONS: len(samples),
            BlockStatistics.BUSY_CYCLES: sum(samples),
            BlockStatistics.ARRAY_CYCLES: sum(samples) // 2,
            BlockStatistics.MEAN_CYCLES: mean,
            BlockStatistics.FAULTS: 1,
        }
        ctx.set(table.access_block, 5)
        for field, value in expected.items():
            ctx.set(table.access_field, field)
            await ctx.tick()
            assert ctx.get(table.access_data) == value, field

    simulator.add_testbench(testbench)
    simulator.run()


def test_sizes_are_validated() -> None:
    with pytest.raises(ValueError, match="successors is 12; allowed: powers of two"):
        ConfigurationTables(8, 12)
