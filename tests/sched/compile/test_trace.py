"""Kernels written as Python functions: compiled, run on the golden TBU, against plain Python."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.errors import CompileError
from octopus.sched.compile.trace import Count, Input, Output, kernel
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.task import Operand
from octopus.verify.bench.tbu_tasks import run_golden

LENGTH = 17


def sized(rows: int, columns: int) -> OctopusConfig:
    config = OctopusConfig.load("default")
    array = config.pea.model_copy(update={"rows": rows, "columns": columns})
    return config.model_copy(update={"pea": array})


@kernel
def prefix(x: Input(), y: Output(), n: Count):
    total = 0
    for i in range(n):
        total += x[i]
        y[i] = total


@kernel
def largest(x: Input(), y: Output(), n: Count):
    best = -2147483648
    where = 0
    for i in range(n):
        if x[i] > best:
            best = x[i]
            where = i
        y[0] = where


@kernel
def rows(a: Input(), b: Input(), y: Output(), n: Count, m: Count, width):
    for i in range(m):
        total = 0
        for j in range(n):
            total += a[i * width + j] * b[j]
        y[i] = total


@kernel
def search(x: Input(), y: Output(), n: Count, key):
    for i in range(n):
        y[0] = i
        if x[i] == key:
            break


@kernel
def compact(x: Input(), y: Output(), n: Count):
    for i in range(n):
        if x[i] > 0:
            y.append(x[i] * 3)


@kernel
def permute(x: Input(), t: Input(), y: Output(), n: Count):
    for i in range(n):
        if t[x[i]] > 0:
            y[x[i]] = t[x[i]]


def run(graph, counts, inputs, outputs, starts=None):
    config = sized(4, 4)
    task = CompiledTask(
        GraphKernel(graph, attempts=2),
        counts,
        [Operand(name, array.shape, "int32") for name, array in inputs.items()],
        [Operand(name, shape, "int32") for name, shape in outputs.items()],
        starts=starts,
    )
    expected, _ = task.reference(*inputs.values())
    got, outcome = run_golden(config, task, list(inputs.values()))
    assert outcome.status is Status.OK, outcome.reason
    for left, right in zip(got, expected, strict=True):
        np.testing.assert_array_equal(left, right)
    return got


def values(low=-99, high=99, shape=(LENGTH,), seed=1):
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.int32)


def test_carried_value():
    x = values()
    (y,) = run(prefix.graph(), (LENGTH,), {"x": x}, {"y": (LENGTH,)})
    np.testing.assert_array_equal(y, np.cumsum(x))


def test_condition_and_initial_value():
    x = values()
    (y,) = run(largest.graph(), (LENGTH,), {"x": x}, {"y": (1,)})
    assert y[0] == x.argmax()


def test_rounds():
    a, b = values(shape=(5 * LENGTH,)), values(seed=2)
    (y,) = run(rows.graph(width=LENGTH), (LENGTH, 5), {"a": a, "b": b}, {"y": (5,)})
    np.testing.assert_array_equal(y, a.reshape(5, LENGTH) @ b)


def test_exit():
    x = np.arange(LENGTH, dtype=np.int32)
    (y,) = run(search.graph(key=7), (LENGTH,), {"x": x}, {"y": (1,)})
    assert y[0] == 7


def test_conditional_output():
    x, before = values(), values(seed=3)
    inputs = {"before": before, "x": x}
    (y,) = run(compact.graph(), (LENGTH,), inputs, {"y": (LENGTH,)}, {"y": "before"})
    kept = 3 * x[x > 0]
    np.testing.assert_array_equal(y, np.concatenate([kept, before[len(kept) :]]))


def test_computed_accesses():
    x = np.random.default_rng(4).permutation(LENGTH).astype(np.int32)
    table, before = values(seed=5), values(seed=6)
    inputs = {"before": before, "x": x, "t": table}
    (y,) = run(permute.graph(), (LENGTH,), inputs, {"y": (LENGTH,)}, {"y": "before"})
    np.testing.assert_array_equal(y, np.where(table > 0, table, before))


@kernel
def unknown(x: Input(), y: Output(), n: Count):
    for i in range(n):
        y[i] = z[i]  # noqa: F821


def test_errors_name_kernel_and_line():
    with pytest.raises(CompileError, match=r"kernel unknown, line \d+: z is not known here"):
        unknown.graph()
    with pytest.raises(CompileError, match="no value for the constant key"):
        search.graph()
