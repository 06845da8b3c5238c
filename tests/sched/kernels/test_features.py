"""Arrays whose PEs are for inference only: what runs on them, and how the rest is refused."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.convolution import Conv2d
from octopus.sched.kernels.depthwise import Depthwise
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.max_pool import MaxPool
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.kernels.task import TaskError

from ..golden_driver import GoldenDriver
from .test_tasks import check, sized


def inference(latency: int = 6, **fields: object) -> OctopusConfig:
    """A 4 x 4 array of PEs for inference only."""
    config = sized(4, 4, latency)
    changes = {"operations": "mac", "features": "systolic"} | fields
    return config.model_copy(update={"pea": config.pea.model_copy(update=changes)})


@pytest.mark.parametrize(
    "task",
    [
        Gemm(20, 9, rows=7),
        Dense(32, 8, rows=6, multiplier=39, shift=9, zero_point=-3, relu=True),
        Conv2d(4, 4, 4, 5, padding=1, multiplier=39, shift=12),
        Depthwise(4, 4, 4, padding=1, multiplier=39, shift=10),
        VectorAdd(32),
    ],
    ids=lambda task: task.name,
)
def test_inference_array(task):
    check(inference(), task)


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        (Scale(16, 3, 1), {}, r"needs MUL on PE \(0, 0\), which has the operations mac"),
        (
            Scale(16, 3, 1),
            {"operations": "all"},
            r"needs a from WEST on PE \(0, 0\), which has the features systolic",
        ),
        (
            ArgMax(8),
            {"operations": "all"},
            r"needs a from CONSTANT on PE \(0, 0\), which has the features systolic",
        ),
    ],
)
def test_a_kernel_that_needs_more_is_refused(task, changes, reason):
    with pytest.raises(TaskError, match=reason):
        check(inference(4, **changes), task)


def test_max_pool_on_an_array_with_one_column_of_all_features():
    """Column 0 compares and has registers, the other columns only multiply."""
    kinds = {
        "operations": [["ai", "mac", "mac", "mac"]],
        "features": [["full", "systolic", "systolic", "systolic"]],
    }
    config = inference(**kinds)
    for pool in (MaxPool(8, 8, 4, window=2, stride=2), Gemm(20, 9, rows=7)):
        arrays = pool.random_inputs(seed=3)
        expected, _ = pool.reference(*arrays)
        ran = run(GoldenDriver(config), lay_out(pool, config), arrays)
        np.testing.assert_array_equal(ran.outputs[0], expected[0])
