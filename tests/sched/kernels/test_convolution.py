"""Convolutions of any size, window, stride and padding, cut as the scratchpad asks for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octopus.sched.kernels.convolution import Conv2d
from octopus.sched.kernels.task import TaskError

from .test_matrix_tiler import check, chip


def test_reference_agrees_with_loops():
    task = Conv2d(5, 6, 3, 2, window=3, stride=2, padding=1, multiplier=1, shift=0)
    image, weights, bias, border = task.random_inputs(seed=3)
    image, weights, bias = image // 32, weights // 32, bias >> 28
    (found,), _ = task.reference(image, weights, bias, border)
    for y in range(3):
        for x in range(3):
            for n in range(2):
                total = int(bias[n])
                for j in range(3):
                    for i in range(3):
                        row, column = 2 * y + j - 1, 2 * x + i - 1
                        inside = 0 <= row < 5 and 0 <= column < 6
                        pixel = image[row, column] if inside else border
                        total += int(pixel.astype(int) @ weights[n, j, i].astype(int))
                assert found[y, x, n] == np.clip(total, -128, 127)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_convolution(data):
    draw = data.draw
    window = draw(st.integers(1, 4))
    padding = draw(st.integers(0, window - 1))
    least = max(1, window - 2 * padding)
    task = Conv2d(
        draw(st.integers(least, 9)),
        draw(st.integers(least, 9)),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 11)),
        window=window,
        stride=draw(st.integers(1, 3)),
        padding=padding,
        multiplier=draw(st.integers(1, 300)),
        shift=14,
        relu=draw(st.booleans()),
    )
    config = chip(*draw(st.sampled_from([(2, 2), (4, 4), (3, 3), (2, 8)])), scratchpad=512)
    check(task, config, draw(st.integers(0, 1000)), narrow=14)


@pytest.mark.parametrize(
    ("scratchpad", "parts"), [(2048, 1), (512, 1), (256, 3)], ids=["whole", "panels", "lines"]
)
def test_large_filters_are_cut(scratchpad, parts):
    task = Conv2d(5, 5, 36, 10, window=3, padding=1, multiplier=9, shift=14)
    plan = check(task, chip(2, 2, scratchpad=scratchpad), narrow=14)
    assert max(1, len(plan.scratch)) == parts


def test_windows_of_one_pixel_are_a_matrix_product():
    task = Conv2d(6, 7, 12, 9, window=1, multiplier=9, shift=10)
    plan = check(task, chip(4, 4, scratchpad=1024), narrow=14)
    assert {step.task.kernel.name.partition("_")[0] for step in plan.steps} == {"systolic"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"height": 0}, r"conv2d\.height is 0; allowed: at least 1"),
        ({"padding": 3}, r"conv2d\.padding is 3; allowed: 0 to 2"),
        ({"window": 9}, r"conv2d\.window is 9; allowed: 1 to 8"),
        ({"stride": 0}, r"conv2d\.stride is 0"),
        ({"filters": 0}, r"conv2d\.filters is 0"),
        ({"shift": 64}, r"conv2d\.shift is 64"),
    ],
)
def test_refusals(fields, message):
    sizes = {"height": 8, "width": 8, "channels": 4, "filters": 4, "multiplier": 1, "shift": 0}
    with pytest.raises(TaskError, match=message):
        Conv2d(**sizes | fields)


def test_one_task_has_one_row_of_results_an_array_row():
    task = Conv2d(8, 8, 4, 4, multiplier=1, shift=0)
    buffers = {operand.name: None for operand in task.operands}
    with pytest.raises(TaskError, match="6 rows of results in one task; allowed: 4"):
        task.descriptor(chip(4, 4), 0, buffers)
