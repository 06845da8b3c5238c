"""Exact cycle counts of the Control Block Unit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator

from octopus.hw.cbu.control_block_unit import ControlBlockUnit
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, Comparison
from octopus.hw.layouts.token import TokenKind
from octopus.verify.bench.cbu_system import configure, packet_fields
from octopus.verify.golden.cbu import BlockModel, Successor, TokenModel

HERE = (0, 0)
ARRIVE = TokenKind.ARRIVE.value


def to(block: int, arm: int = 0) -> Successor:
    """A successor in the same cluster."""
    return Successor(HERE, block, arm=arm)


def simulate(blocks: Sequence[BlockModel], body: Callable[[Any, ControlBlockUnit], Any]) -> None:
    """Run ``body`` on a unit that holds ``blocks``."""
    unit = ControlBlockUnit(OctopusConfig.load("tiny"))
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)

    async def testbench(ctx: Any) -> None:
        await configure(ctx, unit, blocks)
        await body(ctx, unit)

    simulator.add_testbench(testbench)
    simulator.run()


async def send(ctx: Any, unit: ControlBlockUnit, token: TokenModel) -> None:
    """Send a token from the network; returns in the cycle after it was taken."""
    ctx.set(unit.token_in.payload, packet_fields(token))
    ctx.set(unit.token_in.valid, 1)
    await ctx.tick().until(unit.token_in.ready)
    ctx.set(unit.token_in.valid, 0)


async def cycles_until(ctx: Any, condition: Any) -> int:
    """Cycles until ``condition`` holds, 0 if it holds in this one."""
    for cycles in range(100):
        if ctx.get(condition):
            return cycles
        await ctx.tick()
    raise TimeoutError("100 cycles")


TASK = BlockModel(BlockKind.TASK, (to(1),))
NOT_ANNOUNCED = 6
"""Cycles more for a task that no TBU has prepared."""
CHAINS = {
    "task": (4, [TASK, BlockModel(BlockKind.TASK)]),
    "merge": (6, [TASK, BlockModel(BlockKind.MERGE, (to(2),)), BlockModel(BlockKind.TASK)]),
    "branch, first entry": (
        6,
        [
            TASK,
            BlockModel(BlockKind.BRANCH, (to(2, 1), to(3, 0)), Comparison.GEU, operand=5),
            BlockModel(BlockKind.TASK),
            BlockModel(BlockKind.SINK),
        ],
    ),
    "branch, second entry": (
        7,
        [
            TASK,
            BlockModel(BlockKind.BRANCH, (to(2, 0), to(3, 1)), Comparison.GEU, operand=5),
            BlockModel(BlockKind.SINK),
            BlockModel(BlockKind.TASK),
        ],
    ),
    "two control blocks": (
        8,
        [
            TASK,
            BlockModel(BlockKind.JOIN, (to(2),), join_count=1),
            BlockModel(BlockKind.LOOP, (to(3, 1),), Comparison.COUNT, operand=5),
            BlockModel(BlockKind.TASK),
        ],
    ),
}


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("name", CHAINS)
def test_completion_to_dispatch(name: str, announced: bool) -> None:
    expected, blocks = CHAINS[name]
    last = max(number for number, block in enumerate(blocks) if block.kind == BlockKind.TASK)

    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        await send(ctx, unit, TokenModel(HERE, ARRIVE, 0, 3, 0, 1))
        ctx.set(unit.dispatch[0].ready, 1)
        await ctx.tick().until(unit.dispatch[0].valid)
        if announced:
            await send(ctx, unit, TokenModel(HERE, TokenKind.FORECAST.value, last, 3, 0, 1))
            await ctx.tick().until(unit.prepare_units != 0)
        ctx.set(unit.completion[0].payload, {"block": 0, "instance": 3, "value": 7})
        ctx.set(unit.completion[0].valid, 1)
        await ctx.tick()
        ctx.set(unit.completion[0].valid, 0)
        cycles = 1 + await cycles_until(ctx, unit.dispatch[0].valid)
        assert cycles == expected + (0 if announced else NOT_ANNOUNCED)
        assert ctx.get(unit.announced) == announced
        assert ctx.get(unit.dispatch[0].payload.value) == 7
        assert ctx.get(unit.dispatch[0].payload.instance) == 3

    simulate(blocks, body)


def test_token_to_dispatch_and_to_network() -> None:
    blocks = [
        BlockModel(BlockKind.TASK),
        BlockModel(BlockKind.SINK, (Successor(None, 0, TokenKind.COMPLETE),)),
    ]

    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        for block, output in ((0, unit.dispatch[0]), (1, unit.token_out)):
            await send(ctx, unit, TokenModel(HERE, ARRIVE, block, 0, 0, 1))
            expected = 3 if block else 2 + NOT_ANNOUNCED
            assert 1 + await cycles_until(ctx, output.valid) == expected

    simulate(blocks, body)


def test_a_firing_serves_a_successor_every_cycle() -> None:
    fan_out = 16
    blocks = [BlockModel(BlockKind.MERGE, [Successor(None, i) for i in range(fan_out)])]

    async def body(ctx: Any, unit: ControlBlockUnit) -> None:
        ctx.set(unit.token_out.ready, 1)
        await send(ctx, unit, TokenModel(HERE, ARRIVE, 0, 0, 0, 1))
        await cycles_until(ctx, unit.token_out.valid)
        for number in range(fan_out):
            assert ctx.get(unit.token_out.valid)
            assert ctx.get(unit.token_out.payload.token.block) == number
            await ctx.tick()
        assert not ctx.get(unit.token_out.valid)

    simulate(blocks, body)
