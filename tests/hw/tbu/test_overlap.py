"""The array never waits for its controller: gaps between runs, cycle by cycle."""

import sys
from itertools import pairwise
from pathlib import Path

from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.descriptor import Edge, Status

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import DATA, RESULTS, Bench, adder_image, descriptor

FLUSH = 4
"""Of the kernels here."""


def long_task(words, repeats, kernel, target, **header):
    """Row r adds to ``words`` operands of its own, all over again ``repeats`` times."""
    row = {"row_words": words, "rows": 2, "memory_row_stride": 4 * words}
    row["scratchpad_row_stride"] = 4 * words
    group = {"port_count": 2, "port_stride": 4 * words, "count0": words, "stride0": 4}
    group["count1"] = repeats
    out = 8 * words
    return descriptor(
        kernel,
        words * repeats,
        inputs=[row | {"memory_address": DATA}],
        outputs=[row | {"memory_address": target, "scratchpad_address": out}],
        streams=[group | {"edge": Edge.WEST_IN}, group | {"edge": Edge.WEST_OUT, "base": out}],
        half_scratchpad=1,
        **header,
    )


def gaps(bench):
    """Run the bench's tasks; idle clocks between neighbouring runs, and their array cycles."""
    unit, counts = bench.unit, []

    async def watch(context):
        context.set(unit.counter_index, CycleCounter.ADVANCE)
        async for _, _, count in context.tick().sample(unit.counter):
            counts.append(count)

    assert set(bench.run(40_000, extra=watch)) == {Status.OK}
    steps = "".join(str(after - before) for before, after in pairwise(counts))
    return steps.strip("0")


def check_results(bench, words, kernels):
    data = bench.memory.load(DATA, 2 * words)
    for number, kernel in enumerate(kernels):
        expected = [word + 10 * (kernel + 1) for word in data]
        assert bench.memory.load(RESULTS + 8 * words * number, 2 * words) == expected


def test_no_idle_cycle_between_tasks_of_one_kernel():
    """Operands are there in time, results leave in time: 12 runs in consecutive cycles."""
    words, repeats, tasks = 8, 20, 12
    bench = Bench()
    bench.memory.store(DATA, list(range(2 * words)))
    for number in range(tasks):
        bench.task(long_task(words, repeats, 0, RESULTS + 8 * words * number))
    steps = gaps(bench)
    run = words * repeats + FLUSH
    # what comes before the pipeline of tasks is full is not steady: two tasks
    steady = steps[-(tasks - 2) * run :]
    assert steady == "1" * len(steady)
    assert bench.completions[-1].array_cycles == run
    check_results(bench, words, [0] * tasks)


def test_switching_between_resident_kernels():
    """Kernels in turns, both resident: no idle cycle either; two where the skew changes."""
    words, repeats, tasks = 8, 20, 12
    bench = Bench()
    bench.memory.store(DATA, list(range(2 * words)))
    bench.add_kernel(1, adder_image(20, 1))
    bench.add_kernel(2, adder_image(30, 2, skew=1))
    kernels = [0, 1] * 4 + [1, 2, 1, 2]
    for number, kernel in enumerate(kernels):
        bench.task(long_task(words, repeats, kernel, RESULTS + 8 * words * number))
    steps = gaps(bench)
    run = "1" * (words * repeats + FLUSH)
    same, turns = steps[len(run) * 2 : len(run) * 8], steps[-4 * len(run) - 6 :]
    assert tasks == len(kernels)
    assert "0" not in same.strip("0")
    assert turns == "00".join([run] * 4)
    check_results(bench, words, kernels)


def test_a_kernel_loads_behind_the_run_of_another():
    """Every task needs a kernel that is not resident; its image comes while the array runs."""
    words, repeats = 8, 20
    kernels = [0, 1, 2, 3, 4, 5, 6, 7]
    bench = Bench()
    bench.memory.store(DATA, list(range(2 * words)))
    for number, kernel in enumerate(kernels):
        bench.task(long_task(words, repeats, kernel, RESULTS + 8 * words * number))
    steps = gaps(bench)
    run = words * repeats + FLUSH
    steady = steps[-(len(kernels) - 2) * run :]
    assert steady == "1" * len(steady)
    check_results(bench, words, kernels)
