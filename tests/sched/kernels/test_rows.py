"""Softmax and layer normalisation, by rows that do not all fit at once."""

import numpy as np
import pytest

from octopus.sched.kernels.layer_norm import SCORE_BITS, LayerNorm
from octopus.sched.kernels.softmax import Softmax
from octopus.sched.kernels.task import TaskError

from .test_matrix_tiler import check, chip

SMALL = chip(4, 4, scratchpad=1024)


@pytest.mark.parametrize(("rows", "columns"), [(3, 7), (9, 33)])
def test_softmax_on_the_golden_model(rows, columns):
    check(Softmax(rows, columns, scale=0.05), SMALL, seed=rows)


def test_softmax_is_near_the_exact_one():
    task = Softmax(6, 50, scale=0.03)
    (x,) = task.random_inputs(5)
    (found,), _ = task.reference(x)
    powers = np.exp(0.03 * x.astype(float))
    exact = 128 * powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(found - np.minimum(exact, 127)).max() <= 1


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (12, 40)])
def test_layer_norm_on_the_golden_model(rows, columns):
    plan = check(LayerNorm(rows, columns, shift=14), SMALL, seed=rows)
    assert len(plan.steps) >= 4


def test_layer_norm_is_near_the_exact_one():
    shift = 12
    task = LayerNorm(8, 200, shift=shift)
    x = task.random_inputs(5)[0]
    x[3] = 7
    gamma = np.full(200, 40 << shift - SCORE_BITS, np.int32)
    beta = np.full(200, 5 << shift, np.int32)
    (found,), _ = task.reference(x, gamma, beta)
    values = x.astype(float)
    deviation = values.std(axis=1, keepdims=True)
    exact = (values - values.mean(axis=1, keepdims=True)) / np.maximum(deviation, 1e-9) * 40 + 5
    assert np.abs(found - np.clip(exact, -128, 127)).max() <= 1
    assert (found[3] == 5).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Softmax(0, 4, scale=1.0), r"softmax\.rows is 0"),
        (lambda: Softmax(1, 5000, scale=1.0), r"softmax\.columns is 5000; allowed: 1 to 4096"),
        (lambda: Softmax(1, 4, scale=0.0), r"softmax\.scale is 0\.0; allowed: above 0"),
        (lambda: LayerNorm(1, 257, shift=1), r"layer_norm\.columns is 257; allowed: 1 to 256"),
        (lambda: LayerNorm(1, 4, shift=0), r"layer_norm\.shift is 0; allowed: 1 to 31"),
        (lambda: Softmax(1, 2000, scale=1.0).plan(SMALL), "softmax: a row does not fit 1024 words"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(TaskError, match=message):
        make()
