"""The prepared task: when it goes, when it is dropped, and that no dispatch is lost."""

import os
from collections import deque
from random import Random
from typing import Any

from amaranth.sim import Simulator

from octopus.hw.tbu.dispatch_queue import DispatchQueue, Verdict

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))


def dispatch(number: int, value: int = 0) -> dict[str, int]:
    return {"descriptor": 64 * number, "block": number, "shards": 1, "value": value}


def simulate(queue: DispatchQueue, testbench: Any) -> None:
    simulator = Simulator(queue)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


async def hint(ctx: Any, queue: DispatchQueue, number: int) -> None:
    ctx.set(queue.hint, dispatch(number))
    ctx.set(queue.hint_valid, 1)
    await ctx.tick()
    ctx.set(queue.hint_valid, 0)


def offer(
    ctx: Any, queue: DispatchQueue, number: int, value: int = 0, announced: bool = False
) -> None:
    ctx.set(queue.dispatch.payload, dispatch(number, value))
    ctx.set(queue.dispatch.valid, 1)
    ctx.set(queue.announced, announced)


async def send(ctx: Any, queue: DispatchQueue, number: int, announced: bool = False) -> None:
    offer(ctx, queue, number, announced=announced)
    await ctx.tick().until(queue.dispatch.ready)
    ctx.set(queue.dispatch.valid, 0)


def verdict(ctx: Any, queue: DispatchQueue) -> Verdict:
    return ctx.get(queue.verdict.verdict)


def test_the_dispatch_of_the_prepared_task_is_its_verdict() -> None:
    queue = DispatchQueue(4)

    async def testbench(ctx: Any) -> None:
        await hint(ctx, queue, 5)
        assert ctx.get(queue.fetch.valid) and ctx.get(queue.fetch.payload.prepared)
        assert ctx.get(queue.fetch.payload.dispatch.block) == 5
        ctx.set(queue.fetch.ready, 1)
        await ctx.tick()
        await ctx.tick().repeat(10)
        assert verdict(ctx, queue) == Verdict.NONE
        ctx.set(queue.now, 77)
        offer(ctx, queue, 5, value=1234, announced=True)
        for _ in range(2):  # in the cycle of the dispatch, and from then on
            assert verdict(ctx, queue) == Verdict.GO
            assert ctx.get(queue.verdict.value) == 1234 and ctx.get(queue.verdict.started) == 77
            await ctx.tick()
            ctx.set(queue.dispatch.valid, 0)
            ctx.set(queue.now, 78)
        assert not ctx.get(queue.fetch.valid), "it is not handed on a second time"
        ctx.set(queue.resolved, 1)
        await ctx.tick()
        assert verdict(ctx, queue) == Verdict.NONE

    simulate(queue, testbench)


def test_another_dispatch_drops_it_and_is_handed_on() -> None:
    queue = DispatchQueue(4)

    async def testbench(ctx: Any) -> None:
        await hint(ctx, queue, 5)
        ctx.set(queue.fetch.ready, 1)
        await ctx.tick()
        await send(ctx, queue, 6)
        assert verdict(ctx, queue) == Verdict.DROP
        assert ctx.get(queue.fetch.valid) and not ctx.get(queue.fetch.payload.prepared)
        assert ctx.get(queue.fetch.payload.dispatch.block) == 6

    simulate(queue, testbench)


def test_forgetting_drops_it() -> None:
    queue = DispatchQueue(4)

    async def testbench(ctx: Any) -> None:
        ctx.set(queue.fetch.ready, 1)
        await hint(ctx, queue, 5)
        await ctx.tick()
        ctx.set(queue.forget, 1)
        await ctx.tick()
        assert verdict(ctx, queue) == Verdict.DROP

    simulate(queue, testbench)


def test_random_hints_and_dispatches() -> None:
    """Every dispatch is handed on once, in order, or is the verdict of the prepared task."""
    queue, random = DispatchQueue(3), Random(SEED)
    seen = {Verdict.GO: 0, Verdict.DROP: 0}

    async def testbench(ctx: Any) -> None:
        expected: deque[tuple[int, int]] = deque()
        prepared: int | None = None
        last: int | None = None  # task of the last hint
        for value in range(3000):
            offers = random.random() < 0.4
            if not ctx.get(queue.dispatch.valid) and offers:
                number = random.randrange(3)
                offer(ctx, queue, number, value, announced=number == last)
            ctx.set(queue.hint_valid, random.random() < 0.3)
            ctx.set(queue.hint, dispatch(random.randrange(3)))
            if ctx.get(queue.hint_valid):
                last = ctx.get(queue.hint.block)
            ctx.set(queue.forget, random.random() < 0.02)
            ctx.set(queue.fetch.ready, random.random() < 0.5)
            taken = ctx.get(queue.dispatch.valid) and ctx.get(queue.dispatch.ready)
            if taken:
                payload = queue.dispatch.payload
                expected.append((ctx.get(payload.block), ctx.get(payload.value)))
            decided = verdict(ctx, queue)
            ends = prepared is not None and decided != Verdict.NONE and random.random() < 0.5
            ctx.set(queue.resolved, ends)
            if ends:
                seen[decided] += 1
                if decided == Verdict.GO:
                    assert expected.popleft() == (prepared, ctx.get(queue.verdict.value))
                prepared = None
            if ctx.get(queue.fetch.valid) and ctx.get(queue.fetch.ready):
                payload = queue.fetch.payload.dispatch
                if ctx.get(queue.fetch.payload.prepared):
                    assert (prepared is None and not ends) or ends
                    prepared = ctx.get(payload.block)
                else:
                    found = (ctx.get(payload.block), ctx.get(payload.value))
                    waiting = list(expected)
                    # A prepared task whose dispatch has come is ahead of what is handed on.
                    ahead = prepared is not None and decided == Verdict.GO
                    assert waiting[int(ahead)] == found
                    del expected[int(ahead)]
            await ctx.tick()
            if taken:
                ctx.set(queue.dispatch.valid, 0)

    simulate(queue, testbench)
    assert min(seen.values()) > 10
