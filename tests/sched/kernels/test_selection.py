"""Largest elements, of windows and of vectors, and operations element by element."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octopus.sched.kernels.arithmetic import Binary, BinaryName, Unary, UnaryName
from octopus.sched.kernels.max_pool import MaxPool
from octopus.sched.kernels.task import TaskError
from octopus.sched.kernels.top_k import TopK

from .test_depthwise import arrays, windows
from .test_matrix_tiler import check, chip


@settings(max_examples=12, deadline=None)
@given(windows(), arrays, st.integers(0, 1000))
def test_any_pooling(sizes, size, seed):
    check(MaxPool(**sizes), chip(*size, scratchpad=256), seed)


def test_the_largest_of_a_window():
    image = np.arange(16, dtype=np.int8).reshape(4, 4, 1) - 8
    (found,), _ = MaxPool(4, 4, 1, window=2, stride=2).reference(image)
    assert found[..., 0].tolist() == [[-3, -1], [5, 7]]


@pytest.mark.parametrize(("length", "ranks"), [(1, 1), (9, 3), (40, 4)])
def test_top_k_on_the_golden_model(length, ranks):
    check(TopK(length, ranks), chip(4, 4, scratchpad=1024), seed=length)


def test_equal_elements_keep_their_order():
    values = np.array([-128, 5, 7, 5, 7, -128], np.int8)
    (found,), _ = TopK(6, 6).reference(values)
    assert [(int(w) >> 16, int(w) & 0xFFFF) for w in found] == [
        (7, 2), (7, 4), (5, 1), (5, 3), (-128, 0), (-128, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("operation", get_args(BinaryName))
def test_binary(operation):
    check(Binary(operation, 9), chip(4, 4, scratchpad=1024))


@pytest.mark.parametrize("operation", get_args(UnaryName))
def test_unary(operation):
    check(Unary(operation, 7), chip(4, 4, scratchpad=1024))


def test_long_vectors_are_cut():
    assert len(check(Binary("sub", 103), chip(4, 4, scratchpad=256)).steps) > 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPool(4, 4, 1, window=5, stride=1), r"max_pool\.window is 5; allowed: 1 to 4"),
        (lambda: TopK(3, 4), r"top_k\.ranks is 4; allowed: 1 to 3"),
        (lambda: Binary("add", 0), r"binary\.length is 0"),
        (
            lambda: MaxPool(64, 64, 4, window=20, stride=1).plan(chip(scratchpad=256)),
            "max_pool: no part of it fits 256 words",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(TaskError, match=message):
        make()
