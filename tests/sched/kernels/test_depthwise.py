"""Depthwise convolutions and averages, cut into tasks by channels where the array is narrow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octopus.sched.kernels.depthwise import AveragePool, Depthwise, depthwise_weights

from .test_matrix_tiler import check, chip


@st.composite
def windows(draw):
    """Sizes of an image and its windows."""
    window = draw(st.integers(1, 4))
    padding = draw(st.integers(0, window - 1))
    least = max(1, window - 2 * padding)
    return {
        "height": draw(st.integers(least, 9)),
        "width": draw(st.integers(least, 9)),
        "channels": draw(st.integers(1, 13)),
        "window": window,
        "stride": draw(st.integers(1, 3)),
        "padding": padding,
    }


arrays = st.sampled_from([(2, 2), (4, 4), (3, 3), (2, 8), (2, 1)])


@settings(max_examples=20, deadline=None)
@given(windows(), arrays, st.integers(0, 1000))
def test_any_depthwise_convolution(sizes, size, seed):
    task = Depthwise(**sizes, multiplier=77, shift=14)
    check(task, chip(*size, scratchpad=256), seed, narrow=14)


@settings(max_examples=10, deadline=None)
@given(windows(), arrays, st.integers(0, 1000))
def test_any_average(sizes, size, seed):
    check(AveragePool(**sizes), chip(*size, scratchpad=512), seed)


def test_reference_agrees_with_loops():
    task = Depthwise(5, 5, 6, window=3, multiplier=1, shift=0)
    generator = np.random.default_rng(3)
    image = generator.integers(-4, 5, (5, 5, 6)).astype(np.int8)
    filters = generator.integers(-4, 5, (3, 3, 6)).astype(np.int8)
    bias = np.arange(6)
    (found,), _ = task.reference(image, depthwise_weights(filters), bias)
    for y in range(3):
        for x in range(3):
            patch = image[y : y + 3, x : x + 3].astype(int)
            expected = (patch * filters).sum(axis=(0, 1)) + bias
            np.testing.assert_array_equal(found[y, x], np.clip(expected, -128, 127))


@pytest.mark.parametrize("window", range(1, 9))
def test_averages_are_rounded_means(window):
    task = AveragePool(8, 8, 4, window=window, stride=1)
    (image,) = task.random_inputs(window)
    (found,), _ = task.reference(image)
    means = task._task.windows.gather(image).mean(axis=(2, 3))
    assert (np.abs(found - means) <= 0.5 + 2**-9).all()


def test_large_averages_are_split_and_added():
    sizes = {"height": 16, "width": 16, "channels": 4, "window": 16, "stride": 16}
    plan = check(AveragePool(**sizes), chip(2, 2, scratchpad=256))
    assert len(plan.scratch) == 16
