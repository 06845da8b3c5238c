"""A task that is announced: it is prepared, and then dispatched or another one is."""

import sys
from pathlib import Path

import pytest

from octopus.hw.layouts.descriptor import Status

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import DATA, RESULTS, Bench, adder_task

SOURCE = list(range(100, 116))


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("named", [True, False])
def test_what_is_dispatched_runs_whether_it_was_announced_or_not(named, early):
    """Twice: announced tasks that were set up and dropped leave nothing behind."""
    bench = Bench()
    bench.memory.store(DATA, SOURCE)
    bench.task(adder_task(8, kernel=0, early_inputs=early))
    bench.task(adder_task(8, DATA, RESULTS + 64, kernel=1, early_inputs=early))
    first, second = bench.dispatches
    bench.dispatches = []
    bench.dispatch(second["descriptor"])
    bench.dispatch(second["descriptor"] if named else first["descriptor"])
    announced = [dict(one) for one in bench.dispatches[:: 1 if named else -1]]
    dispatch = bench._dispatch
    sent = bench.dispatches

    async def announce_each(context):
        for number, hint in enumerate(announced):
            context.set(bench.unit.hint, hint)
            context.set(bench.unit.hint_valid, 1)
            await context.tick()
            context.set(bench.unit.hint_valid, 0)
            await context.tick().repeat(250)
            bench.dispatches = sent[number : number + 1]
            context.set(bench.unit.announced, sent[number] == hint)
            await dispatch(context)
            bench.dispatches = sent
            while len(bench.completions) <= number:
                await context.tick()

    bench._dispatch = announce_each
    assert bench.run(4000) == [Status.OK] * 2
    assert bench.memory.load(RESULTS + 64, 16) == [word + 20 for word in SOURCE]
    if not named:
        assert bench.memory.load(RESULTS, 16) == [word + 10 for word in SOURCE]
