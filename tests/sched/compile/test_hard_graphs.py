"""Random graphs that are hard on streams: right, refused, or a fault that is found here.

``scripts/compiler_regression.py`` does thousands of them, on the RTL too.
"""

import os
import random

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.compiler import compile_graph
from octopus.sched.compile.errors import CompileError
from octopus.sched.kernels.task import TaskError
from octopus.verify.bench.hard_graphs import HardGraph
from octopus.verify.bench.random_graphs import random_arrays
from octopus.verify.bench.stream_check import trespasses
from octopus.verify.bench.tbu_tasks import run_golden

FIRST, COUNT = map(int, os.environ.get("OCTOPUS_GRAPHS", "0,24").split(","))
SIZES = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 2), (3, 2), (2, 3), (3, 3), (1, 4), (4, 4)]


def chip(source):
    config = OctopusConfig.load("default")
    rows, columns = source.choice(SIZES)
    array = {
        "rows": rows,
        "columns": columns,
        "pipeline_stages": source.choice([1, 2, 2, 3, 4, 6]),
        "stages": source.choice([1, 2, 4, 8, 8]),
        "context_slots": 32,
    }
    memory = {"descriptor_words": 1024, "scratchpad_words": 8192}
    unit = config.task_block_unit.model_copy(update=memory)
    pea = config.pea.model_copy(update=array)
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_right_or_refused(seed):
    source = random.Random(seed)
    made = HardGraph(source, 8, f"hard_{seed}")
    config = chip(source)
    try:
        task = made.task()
        task.use(compile_graph(task.graph, config.pea, seconds=4, attempts=2, effort=0))
        assert trespasses(config, task) == []
    except (CompileError, TaskError) as error:
        pytest.skip(str(error))
    arrays = random_arrays(task, source)
    expected, _ = task.reference(*arrays)
    outputs, outcome = run_golden(config, task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    for operand, found, wanted in zip(task.outputs, outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted, operand.name)
