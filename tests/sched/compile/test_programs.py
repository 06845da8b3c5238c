"""Random kernel functions: Python's results against the golden model's.

``scripts/program_regression.py`` does thousands of them, on the RTL too.
"""

import os
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from octopus.hw.config import OctopusConfig
from octopus.sched.compile.bounds import UNREACHABLE
from octopus.sched.compile.compiler import bounds_of
from octopus.sched.compile.lower import lower
from octopus.sched.kernels.python_kernel import PythonKernel
from octopus.sched.kernels.registry import kernels
from octopus.sched.kernels.task import TaskError
from octopus.verify.bench.kernel_text import kernel_of
from octopus.verify.bench.program_trial import (
    Verdict,
    on_golden_model,
    random_config,
    random_program,
    try_program,
)
from octopus.verify.bench.random_programs import ProgramMaker

SEED = int(os.environ.get("OCTOPUS_SEED", Random().randrange(1 << 30)))
CONFIG = OctopusConfig.load("default")


def trial(seed):
    config = random_config(seed)
    return try_program(random_program(seed), seed, config, on_golden_model(config))


@pytest.mark.parametrize("seed", [8, 8942, 14, 18, 28])
def test_programs_that_showed_something(seed):
    assert trial(seed).verdict is not Verdict.DIFFERENT


def test_programs_of_a_new_seed():
    print(f"OCTOPUS_SEED={SEED}")
    run = on_golden_model(CONFIG)
    for seed in range(SEED, SEED + 12):
        program = ProgramMaker(Random(seed), 2, 5).make()
        found = try_program(program, seed, CONFIG, run)
        assert found.verdict is not Verdict.DIFFERENT, f"{program.text}{found.reason}"


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_small_programs(source, length):
    program = ProgramMaker(source, 2, length).make()
    note(program.text)
    found = try_program(program, 1, CONFIG, on_golden_model(CONFIG))
    note(found.reason)
    assert found.verdict is not Verdict.DIFFERENT


@pytest.mark.parametrize("name", kernels())
def test_public_kernels_mean_what_their_formulas_say(name):
    """The function run by Python against the numpy formula beside it."""
    entry = kernels()[name]
    task = entry.build(entry.example)
    if not isinstance(task, PythonKernel):
        pytest.skip("no single kernel function")
    arrays = task.random_inputs(3)
    formula, word = task.reference(*arrays)
    function, value = PythonKernel.reference(task, *arrays)
    for left, right in zip(formula, function, strict=True):
        np.testing.assert_array_equal(left, right)
    assert word == value


def task_of(text, sizes, counts=None, starts=None, **scope):
    inputs = {name: (size,) for name, size in sizes.items() if name != "y"}
    outputs = {"y": (sizes["y"],)}
    kernel = kernel_of(text, **scope)
    return PythonKernel("task", kernel, counts or {"n": 4}, inputs, outputs, starts=starts)


COPY = "def program(x: Input(), y: Output(), n: Count):\n    for i in range(n): y[i] = {}\n"


def test_functions_of_one_name_have_their_own_images():
    """Edited under its name, in another module, or with another global."""
    texts = [COPY.format("x[i] + 1"), COPY.format("x[i] + 2")]
    kernels = [task_of(text, {"x": 4, "y": 4}).kernel for text in texts]
    kernels += [task_of(COPY.format("x[i] + K"), {"x": 4, "y": 4}, K=K).kernel for K in (3, 4)]
    assert len({kernel.name for kernel in kernels}) == len(kernels)
    assert len(set(kernels)) == len(kernels)
    assert task_of(texts[0], {"x": 4, "y": 4}).kernel == kernels[0]


@pytest.mark.parametrize("counts", [{"n": 0}, {"n": -1}, {"n": 65536}, {}])
def test_counts_that_are_refused(counts):
    with pytest.raises(TaskError, match=r"allowed: 1 to 65535|no value for the count n"):
        task_of(COPY.format("x[i]"), {"x": 4, "y": 4}, counts or {"k": 1})


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        ("i", "x[i + 1]", r"line 2: x\w* touches x\[4\]"),
        ("i + 1", "x[i]", r"line 2: y\w* touches y\[4\]"),
        ("2 * i", "x[i]", r"line 2: y\w* touches y\[6\]"),
        ("i - 1", "x[i]", r"line 2: y\w* touches y\[-1\]"),
        ("0", "x[i]", r"line 2: nothing writes y\[1\]"),
        ("x[i] & 3", "1", r"line 2: y needs an input as which it starts|y needs an input"),
    ],
)
def test_accesses_that_leave_their_arrays(index, value, message):
    text = COPY.format(value).replace("y[i]", f"y[{index}]")
    with pytest.raises(TaskError, match=message):
        task_of(text, {"x": 4, "y": 4})


def test_a_loop_that_may_end_early_needs_a_start():
    text = (
        "def program(x: Input(), y: Output(), n: Count):\n    for i in range(n):\n"
        "        if x[i]: break\n        y[i] = 1\n"
    )
    with pytest.raises(TaskError, match="needs an input as which it starts"):
        task_of(text, {"x": 4, "y": 4})


def test_more_kinds_of_words_than_ports_have_no_interval():
    """The bound was looked for without end."""
    text = (
        "def program(x: Input(), z: Input('int8'), y: Output(), n: Count):\n"
        "    for i in range(n): y[i] = x[i] + z[i] + x[2 * i]\n"
    )
    graph = task_of(text, {"x": 8, "z": 4, "y": 4}).graph
    one = CONFIG.pea.model_copy(update={"rows": 1, "columns": 1})
    assert bounds_of(lower(graph, one), one)[0].interval == UNREACHABLE
