"""Products of any size: panels, edges and chunks of the inner dimension, on small chips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.accumulate import Accumulate
from octopus.sched.kernels.banks import spread
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.matrix_tiler import pieces
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sched.kernels.requantisation import requantise
from octopus.sched.kernels.task import TaskError

from ..golden_driver import GoldenDriver


def chip(rows: int = 2, columns: int = 2, latency: int = 2, scratchpad: int = 256) -> OctopusConfig:
    """The ``default`` preset with another array and a small scratchpad."""
    config = OctopusConfig.load("default")
    array = {"rows": rows, "columns": columns, "pipeline_stages": latency}
    unit = {"scratchpad_words": scratchpad}
    return config.model_copy(
        update={
            "pea": config.pea.model_copy(update=array),
            "task_block_unit": config.task_block_unit.model_copy(update=unit),
        }
    )


def check(computation, config, seed=1, narrow=0):
    """Run on the golden models and compare; the plan."""
    arrays = computation.random_inputs(seed)
    if computation.inputs[-1].name == "bias":
        arrays[-1] >>= narrow
    program = lay_out(computation, config)
    ran = run(GoldenDriver(config), program, arrays)
    expected, _ = computation.reference(*arrays)
    for found, wanted in zip(ran.outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    return program.plan


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 70),
    st.integers(1, 30),
    st.sampled_from([(2, 2), (4, 4), (3, 2)]),
    st.booleans(),
    st.integers(0, 2**20),
)
def test_any_product(rows, inner, columns, size, requantised, seed):
    if requantised:
        task = Dense(inner, columns, rows=rows, multiplier=3 + seed % 60, shift=14)
    else:
        task = Gemm(inner, columns, rows=rows, bias=seed % 2 == 1)
    check(task, chip(*size, scratchpad=256), seed, narrow=14)


@pytest.mark.parametrize("latency", [1, 2, 5])
@pytest.mark.parametrize("requantised", [False, True])
def test_long_inner_dimensions_are_split(latency, requantised):
    sizes = {"features_in": 1001, "features_out": 7, "rows": 5}
    task = Dense(multiplier=9, shift=12, **sizes) if requantised else Gemm(bias=True, **sizes)
    plan = check(task, chip(2, 2, latency), narrow=12)
    assert len(plan.scratch) > 1
    assert any(isinstance(step.task, Accumulate) for step in plan.steps)


def test_panels_cover_the_result_once():
    task = Gemm(64, 50, rows=37)
    plan = task.plan(chip(4, 4, scratchpad=1024))
    covered = np.zeros((37, 50), int)
    for step in plan.steps:
        start = step.slices["products"]
        for shard in range(step.shards):
            row, column = divmod((start.offset + shard * start.shard_stride) // 4, 50)
            covered[row : row + step.task.rows, column : column + step.task.features_out] += 1
    assert (covered == 1).all()


def test_default_plan_lets_tasks_overlap():
    config = chip(4, 4, scratchpad=16384)
    plan = Dense(256, 256, rows=256, multiplier=1, shift=0).plan(config)
    needed = max(step.task.scratchpad_words(config.pea) for step in plan.steps)
    assert 2 * needed <= config.task_block_unit.scratchpad_words
    assert sum(step.shards for step in plan.steps) > 2


@pytest.mark.parametrize(
    "task", [Gemm(256, 16, rows=16), Dense(256, 16, rows=16, multiplier=1, shift=0)]
)
def test_ports_of_a_wave_do_not_meet_in_a_bank(task):
    config = chip(4, 4, scratchpad=16384)
    unit = config.task_block_unit
    place = spread(
        lambda padding: task._west(config.pea, padding),
        lambda padding: task._north(config.pea, padding),
        unit,
        unit.scratchpad_words,
    )
    west = task._west(config.pea, place.west_padding)
    north = task._north(config.pea, place.north_padding)
    banks, ahead = unit.scratchpad_banks, unit.stream_fifo_depth + 1
    cycles, found = west.reads(banks, ahead)
    other_cycles, other = north.reads(banks, ahead)
    other = (other + west.words + place.gap) % banks
    asked = np.stack([np.append(cycles, other_cycles), np.append(found, other)])
    assert asked.shape[1] > 4000
    assert np.unique(asked, axis=1).shape == asked.shape


def test_what_does_not_fit_is_refused():
    with pytest.raises(TaskError, match=r"accumulate\.partials is 1; allowed: at least 2"):
        Accumulate(1, 1, 1, None)
    task = Gemm(4096, 2000, rows=1)
    with pytest.raises(TaskError, match="gemm: a row of partial sums does not fit"):
        task.plan(chip())
    with pytest.raises(TaskError, match=r"gemm needs more than 65536 words of memory"):
        lay_out(Gemm(1024, 512, rows=16), chip(4, 4, scratchpad=16384))


def test_pieces():
    assert list(pieces(10, 4)) == [(0, 4), (4, 4), (8, 2)]


@settings(deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 65535),
    st.integers(0, 63),
    st.integers(-128, 127),
    st.booleans(),
)
def test_requantisation_is_exact(value, multiplier, shift, zero_point, relu):
    fields = {"multiplier": multiplier, "shift": shift, "zero_point": zero_point, "relu": int(relu)}
    half = (1 << shift - 1) if shift else 0
    exact = (value * multiplier + half >> shift) + zero_point
    expected = max(zero_point if relu else -128, min(127, exact))
    assert requantise(np.array([value], np.int32), fields).tolist() == [expected]


def test_partial_sums_do_not_crowd_the_memory():
    config = OctopusConfig.load("default")
    task = Dense(999, 79, rows=101, multiplier=1, shift=0)
    assert lay_out(task, config).words <= config.cluster.memory_words
    assert not task.plan(config).scratch
    assert Gemm(3001, 16, rows=16).plan(config).scratch
