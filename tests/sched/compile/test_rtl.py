"""General kernels on the RTL: a whole Task Block Unit in Amaranth's simulator, tasks in a row."""

import sys
from pathlib import Path

import numpy as np

from octopus.hw.layouts.descriptor import Status
from octopus.sched.kernels.registry import find_kernel
from octopus.verify.bench.tbu_tasks import TaskMemory

sys.path.insert(0, str(Path(__file__).parents[2] / "hw" / "tbu"))
from task_bench import CONFIG, MEMORY_WORDS, TABLE, Bench

KERNELS = {
    "fir": {"length": 6, "taps": "3,-5"},
    "prefix_sum": {"length": 6},
    "crc": {"length": 5},
    "string_search": {"length": 12, "width": 2},
    "sparse_matrix_vector": {"entries": 9, "rows": 3, "columns": 4},
    "histogram": {"length": 6, "bins": 8},
}
"""What is run: carried values, gathers, exits, conditional outputs and rounds are among them."""


def test_kernels_on_the_rtl():
    store = TaskMemory(CONFIG, MEMORY_WORDS)
    store.kernel_table_address = TABLE
    store._next += TABLE
    cases = []
    for seed, (name, parameters) in enumerate(KERNELS.items()):
        task = find_kernel(name).build(parameters)
        arrays = task.random_inputs(seed)
        number = store.kernel_number(task.kernel)
        buffers = store.place_operands(task, arrays)
        descriptor = store.place(task.descriptor(CONFIG, number, buffers))
        cases.append((name, task, arrays, buffers, descriptor))
    bench = Bench()
    bench.memory.store(0, store.memory.read_words(0, MEMORY_WORDS))
    for *_, descriptor in cases:
        bench.dispatch(descriptor)
    statuses = bench.run(cycles=12_000)
    memory = bench.memory
    for (name, task, arrays, buffers, _), status, completion in zip(
        cases, statuses, bench.completions, strict=True
    ):
        assert status is Status.OK, name
        expected, value = task.reference(*arrays)
        for operand, wanted in zip(task.outputs, expected, strict=True):
            words = memory.load(buffers[operand.name].address, operand.words)
            np.testing.assert_array_equal(operand.from_words(words), wanted, f"{name}")
        assert value is None or completion.value == value, name
