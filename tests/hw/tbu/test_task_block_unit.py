"""Sequences of tasks on the whole Task Block Unit."""

import sys
from pathlib import Path

import pytest

from octopus.hw.layouts.descriptor import Status

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import DATA, RESULTS, Bench, adder_task


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize("half", [0, 1])
def test_tasks_in_a_row(pace, half):
    bench = Bench(pace)
    generator = bench.memory.generator
    data = [generator.getrandbits(31) for _ in range(512)]
    bench.memory.store(DATA, data)
    expected = []
    for number in range(10):
        kernel, trips = generator.randrange(4), generator.randint(1, 20)
        source, target = 64 * generator.randrange(16), 256 * number
        bench.task(
            adder_task(
                trips,
                DATA + source,
                RESULTS + target,
                kernel=kernel,
                half_scratchpad=half,
                has_result=1,
                result_address=8 * trips,
            )
        )
        first = source // 4
        expected.append([word + 10 * (kernel + 1) for word in data[first : first + 2 * trips]])
    assert set(bench.run()) == {Status.OK}
    for number, (result, completion) in enumerate(zip(expected, bench.completions, strict=True)):
        assert bench.memory.load(RESULTS + 256 * number, len(result)) == result
        assert completion.value == result[0]
