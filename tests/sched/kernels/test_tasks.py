"""Every task gives its reference's results on the golden TBU, on arrays of several sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.reduction import ArgMax, Confidence
from octopus.sched.kernels.task import Task
from octopus.verify.bench.tbu_tasks import run_golden

LIMITS = {"int8": (-128, 128), "int32": (-(1 << 31), 1 << 31)}


def sized(rows: int, columns: int, latency: int = 2, slots: int = 16) -> OctopusConfig:
    """The ``default`` preset with another array."""
    config = OctopusConfig.load("default")
    array = {"rows": rows, "columns": columns, "pipeline_stages": latency, "context_slots": slots}
    return config.model_copy(update={"pea": config.pea.model_copy(update=array)})


def random_inputs(task: Task, seed: int) -> list[np.ndarray]:
    """Arrays over the whole range of every input."""
    generator = np.random.default_rng(seed)
    return [
        generator.integers(*LIMITS[operand.dtype], operand.shape).astype(operand.dtype)
        for operand in task.inputs
    ]


def check(config: OctopusConfig, task: Task, seed: int = 0) -> int:
    """Run a task on random inputs against its reference; the array's cycles."""
    arrays = random_inputs(task, seed)
    expected, result = task.reference(*arrays)
    outputs, outcome = run_golden(config, task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    for operand, output, wanted in zip(task.outputs, outputs, expected, strict=True):
        np.testing.assert_array_equal(output, wanted, operand.name)
        assert wanted.dtype == operand.dtype
    assert outcome.value == (result or 0)
    return outcome.array_cycles


ARRAYS = [(2, 2), (4, 4), (8, 8), (2, 4), (5, 3)]
SEEDS = st.integers(0, 2**32 - 1)
array_sizes = st.sampled_from(ARRAYS)
latencies = st.integers(1, 4)


@settings(max_examples=60, deadline=None)
@given(array_sizes, latencies, st.integers(1, 20), st.integers(1, 40), st.integers(1, 20), SEEDS)
def test_gemm(size, latency, rows, features_in, features_out, seed):
    check(sized(*size, latency), Gemm(features_in, features_out, rows=rows), seed)


@settings(max_examples=60, deadline=None)
@given(
    array_sizes,
    latencies,
    st.integers(1, 12),
    st.integers(1, 40),
    st.integers(1, 20),
    st.integers(0, 0xFFFF),
    st.integers(0, 63),
    st.integers(-128, 127),
    st.booleans(),
    SEEDS,
)
def test_dense(size, latency, rows, k, n, multiplier, shift, zero_point, relu, seed):
    task = Dense(
        k, n, rows=rows, multiplier=multiplier, shift=shift, zero_point=zero_point, relu=relu
    )
    arrays = random_inputs(task, seed)
    arrays[2] = arrays[2] >> seed % 20
    expected, _ = task.reference(*arrays)
    outputs, outcome = run_golden(sized(*size, latency), task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    np.testing.assert_array_equal(outputs[0], expected[0])


@settings(max_examples=40, deadline=None)
@given(array_sizes, latencies, st.integers(2, 40), st.sampled_from(["int8", "int32"]), SEEDS)
def test_reductions(size, latency, classes, dtype, seed):
    config = sized(*size, latency, 32)
    check(config, Confidence(classes, dtype), seed)
    check(config, ArgMax(classes, dtype), seed)


@pytest.mark.parametrize(
    ("logits", "result"), [([3, 9, 9], 1), ([-128, 127], 255 << 8 | 1), ([5, 5], 0)]
)
def test_confidence_of_known_logits(logits, result):
    task = Confidence(len(logits))
    values = np.array(logits, np.int8)
    assert task.reference(values) == ((), result)
    assert run_golden(sized(2, 2), task, [values])[1].value == result


@settings(max_examples=30, deadline=None)
@given(array_sizes, latencies, st.integers(1, 60), SEEDS)
def test_vector_add(size, latency, length, seed):
    check(sized(*size, latency), VectorAdd(length), seed)


@settings(max_examples=30, deadline=None)
@given(
    array_sizes,
    latencies,
    st.integers(1, 60),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, 31),
    SEEDS,
)
def test_scale(size, latency, length, multiplier, shift, seed):
    check(sized(*size, latency), Scale(length, multiplier, shift), seed)


def test_gemm_uses_the_array_fully():
    config = sized(4, 4)
    cycles = check(config, Gemm(256, 16, rows=16))
    assert 16 * 16 * 256 / (cycles * 16 * 4) >= 0.97
