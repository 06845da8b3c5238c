"""Random data-flow graphs: compiled, run on the golden TBU, against what they mean.

``scripts/compiler_regression.py`` does hundreds of them, on the RTL too.
"""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.verify.bench.random_graphs import random_arrays, random_task
from octopus.verify.bench.tbu_tasks import run_golden

LATENCIES = [(1, 1), (2, 1), (3, 2), (3, 3), (6, 1)]
"""``pipeline_stages`` and ``simple_latency``."""


def sized(rows, columns, latency, simple=1):
    config = OctopusConfig.load("default")
    array = {"rows": rows, "columns": columns, "context_slots": 32}
    array |= {"pipeline_stages": latency, "simple_latency": simple}
    unit = config.task_block_unit.model_copy(update={"descriptor_words": 512})
    pea = config.pea.model_copy(update=array)
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.integers(0, 1 << 32), st.sampled_from([(4, 4), (3, 3)]), st.sampled_from(LATENCIES))
def test_graphs_do_what_they_mean(seed, size, latencies):
    source = random.Random(seed)
    config = sized(*size, *latencies)
    task = random_task(source, operations=5, attempts=2)
    arrays = random_arrays(task, source)
    expected, _ = task.reference(*arrays)
    outputs, outcome = run_golden(config, task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    for operand, found, wanted in zip(task.outputs, outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted, operand.name)


@pytest.mark.parametrize("seed", [26, 28])
def test_graphs_that_were_wrong_once(seed):
    """Two stores of one value at once."""
    source = random.Random(seed)
    task = random_task(source, 12)
    arrays = random_arrays(task, source)
    expected, _ = task.reference(*arrays)
    outputs, outcome = run_golden(sized(4, 4, 2), task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    for found, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
