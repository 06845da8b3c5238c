"""Which TBU a task goes to, and which task goes first."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from octopus.hw.cbu.chooser import UnitChooser
from octopus.hw.cbu.dispatcher import TaskDispatcher
from octopus.hw.cbu.firing_queue import FiringQueue
from octopus.hw.cbu.shards import ShardTracker
from octopus.hw.layouts.block import Combine
from octopus.hw.layouts.descriptor import Status


def run(device: Any, testbench: Any, clocked: bool = True) -> None:
    simulator = Simulator(device)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_chooser_prefers_idle_then_resident_then_fewest() -> None:
    chooser = UnitChooser(3, outstanding_limit=2, resident_kernels=2)

    async def testbench(ctx: Any) -> None:
        async def give(kernel: int, candidates: int = 0b111) -> int:
            ctx.set(chooser.kernel, kernel)
            ctx.set(chooser.candidates, candidates & ctx.get(chooser.open))
            await ctx.tick()
            chosen = ctx.get(chooser.chosen)
            ctx.set(chooser.give, chosen)
            await ctx.tick()
            ctx.set(chooser.give, 0)
            await ctx.tick()
            return chosen

        async def finish(units: int) -> None:
            ctx.set(chooser.finished, units)
            await ctx.tick()
            ctx.set(chooser.finished, 0)

        assert await give(7) == 0b001, "the lowest of equals"
        assert await give(7) == 0b010, "an idle one before a resident one"
        assert await give(8) == 0b100
        assert await give(8) == 0b100, "resident"
        assert ctx.get(chooser.open) == 0b011, "two outstanding are the limit"
        assert await give(8) == 0b001, "the fewest, the resident one being full"
        await finish(0b100)
        await finish(0b100)
        assert await give(9) == 0b100, "idle"
        await finish(0b111)
        await finish(0b001)
        assert await give(8, 0b011) == 0b001, "both idle: resident"
        assert await give(1, 0b000) == 0, "no candidate"

    run(chooser, testbench)


def test_residency_follows_least_recent_use() -> None:
    chooser = UnitChooser(2, outstanding_limit=8, resident_kernels=2)

    async def testbench(ctx: Any) -> None:
        for unit, kernels in ((0b10, (1, 2, 1, 3)), (0b01, (4, 4, 4, 4))):
            for kernel in kernels:
                ctx.set(chooser.kernel, kernel)
                ctx.set(chooser.give, unit)
                await ctx.tick()
                ctx.set(chooser.give, 0)
                await ctx.tick()
        ctx.set(chooser.candidates, 0b11)
        for kernel, unit in ((1, 0b10), (3, 0b10), (4, 0b01), (2, 0b01)):
            ctx.set(chooser.kernel, kernel)
            await ctx.tick()
            assert ctx.get(chooser.chosen) == unit, f"kernel {kernel}"

    run(chooser, testbench)


def test_oldest_task_that_can_go_goes_first() -> None:
    dispatcher = TaskDispatcher(2, window=4, backlog=16, outstanding_limit=1, resident_kernels=2)

    async def testbench(ctx: Any) -> None:
        ctx.set(dispatcher.allowed, 1)
        for value, mask in ((0, 1), (1, 1), (2, 1), (3, 2), (4, 2)):
            ctx.set(dispatcher.task, {"value": value, "task_block_units": mask, "shards": 1})
            ctx.set(dispatcher.task_valid, 1)
            await ctx.tick()
        ctx.set(dispatcher.task_valid, 0)
        order: list[list[int]] = [[], []]
        for _ in range(60):
            finished = 0
            for unit in range(2):
                ctx.set(dispatcher.dispatch[unit].ready, 1)
                if ctx.get(dispatcher.dispatch[unit].valid):
                    order[unit].append(ctx.get(dispatcher.dispatch[unit].payload.value))
                    finished |= 1 << unit
            await ctx.tick()
            ctx.set(dispatcher.finished, finished)
        assert order == [[0, 1, 2], [3, 4]]

    run(dispatcher, testbench)


def test_dispatch_is_stable_until_taken() -> None:
    dispatcher = TaskDispatcher(1, window=2, backlog=8, outstanding_limit=4, resident_kernels=2)

    async def testbench(ctx: Any) -> None:
        ctx.set(dispatcher.allowed, 1)
        for value in (1, 2, 3, 4, 5):
            ctx.set(dispatcher.task, {"value": value, "shards": 1})
            ctx.set(dispatcher.task_valid, 1)
            await ctx.tick()
        ctx.set(dispatcher.task_valid, 0)
        await ctx.tick().until(dispatcher.dispatch[0].valid)
        for _ in range(10):
            assert ctx.get(dispatcher.dispatch[0].valid)
            assert ctx.get(dispatcher.dispatch[0].payload.value) == 1
            await ctx.tick()

    run(dispatcher, testbench)


def test_firing_queue_turns_around_under_pressure() -> None:
    queue = FiringQueue(8, pressure=3)

    async def testbench(ctx: Any) -> None:
        async def step(push: int | None, take: bool) -> None:
            ctx.set(queue.push_valid, push is not None)
            ctx.set(queue.push, {"value": push or 0})
            ctx.set(queue.take, take)
            await ctx.tick()

        for value in range(1, 6):
            await step(value, False)
        taken = []
        await step(6, True)  # 1 2 3 4 6, takes 5
        for _ in range(6):
            taken.append(ctx.get(queue.taken.value))
            assert ctx.get(queue.level) == 6 - len(taken)
            await step(None, ctx.get(queue.level) > 0)
        assert taken == [5, 6, 4, 3, 1, 2], "newest first down to the pressure, then oldest first"

    run(queue, testbench)


@pytest.mark.parametrize("operation", list(Combine))
def test_shards_are_combined_and_first_failure_reported(operation: Combine) -> None:
    tracker = ShardTracker(2)
    first, second = 0xFFFFFFF0, 0x0000000F
    total = {
        Combine.SUM: 0xFFFFFFFF,
        Combine.MINIMUM: first,
        Combine.MAXIMUM: second,
        Combine.AND: 0,
        Combine.OR: 0xFFFFFFFF,
    }[operation]

    async def testbench(ctx: Any) -> None:
        for index in (4, 5):
            ctx.set(tracker.begin_group, {"block": 1, "instance": 2, "index": index})
            ctx.set(tracker.begin_shards, 3)
            ctx.set(tracker.begin, 1)
            assert ctx.get(tracker.begin_allowed)
            await ctx.tick()
        assert not ctx.get(tracker.begin_allowed), "present, and full"
        ctx.set(tracker.begin, 0)
        ctx.set(tracker.operation, operation)
        ctx.set(tracker.finish, 1)
        for index, value, status, last in (
            (4, first, Status.OK, False),
            (5, 1, Status.OK, False),
            (4, second, Status.OK, False),
            (5, 1, Status.WATCHDOG, False),
            (4, second, Status.OK, True),
            (5, 1, Status.KERNEL_INVALID, True),
        ):
            ctx.set(tracker.group, {"block": 1, "instance": 2, "index": index})
            ctx.set(tracker.value, value)
            ctx.set(tracker.status, status)
            assert bool(ctx.get(tracker.last)) == last
            if last and index == 4:
                expected = total if operation != Combine.SUM else (total + second) & 0xFFFFFFFF
                assert ctx.get(tracker.total) == expected
                assert ctx.get(tracker.total_status) == Status.OK
            if last and index == 5:
                assert ctx.get(tracker.total_status) == Status.WATCHDOG
            await ctx.tick()
        ctx.set(tracker.finish, 0)
        assert ctx.get(tracker.begin_allowed)

    run(tracker, testbench)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": 1}, "window is 1; allowed: 2 to 64"),
        ({"task_block_units": 9}, "task_block_units is 9; allowed: 1 to 8"),
        ({"resident_kernels": 0}, "resident_kernels is 0; allowed: 1 to 8"),
        ({"backlog": 4}, "backlog is 4; allowed: 8 to 65536"),
    ],
)
def test_parameters_are_validated(fields: dict[str, int], message: str) -> None:
    good = {
        "task_block_units": 2,
        "window": 4,
        "backlog": 8,
        "outstanding_limit": 4,
        "resident_kernels": 2,
    }
    with pytest.raises(ValueError, match=message):
        TaskDispatcher(**(good | fields))
