"""Every public kernel is documented, survives as text, and gives its reference's result."""

from pathlib import Path

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sched.kernels.registry import (
    KernelParameters,
    entry_of,
    find_kernel,
    kernels,
    public_kernel,
)
from octopus.sched.kernels.task import TaskError

from ..golden_driver import GoldenDriver

DEFAULT = OctopusConfig.load("default")


@pytest.mark.parametrize("name", kernels())
def test_example_runs_on_the_golden_model(name):
    entry = find_kernel(name)
    computation = entry.build(entry.example)
    arrays = computation.random_inputs(seed=7)
    outputs, value = computation.reference(*arrays)
    ran = run(GoldenDriver(DEFAULT), lay_out(computation, DEFAULT), arrays)
    for found, wanted in zip(ran.outputs, outputs, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert ran.value == value


@pytest.mark.parametrize("name", kernels())
def test_parameters_survive(name):
    entry = find_kernel(name)
    computation = entry.build(entry.example)
    assert entry_of(computation) is entry
    again = entry.build(entry.describe(computation))
    assert (again.inputs, again.outputs) == (computation.inputs, computation.outputs)
    text = {field: str(value) for field, value in entry.example.items()}
    assert entry.describe(entry.build_from_text(text)) == entry.describe(computation)
    assert entry.summary.endswith(".")
    for field in entry.parameters.model_fields:
        assert field in entry.description, field


def test_every_kernel_is_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "kernels.md").read_text()
    assert not [name for name in kernels() if f"`{name}`" not in text]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nothing", {}, "unknown kernel 'nothing'; allowed: argmax"),
        ("scale", {"size": "3"}, "kernel scale has no parameter size; allowed: length"),
        ("scale", {"length": "x"}, "kernel scale: parameter length: Input should be a valid int"),
        ("scale", {"length": "0"}, r"scale\.length is 0; allowed: at least 1"),
        ("argmax", {"dtype": "int16"}, "kernel argmax: parameter dtype: Input should be 'int8'"),
    ],
)
def test_refusals(name, text, message):
    with pytest.raises(TaskError, match=message):
        find_kernel(name).build_from_text(text)


def test_parameters_of_files_have_their_types():
    with pytest.raises(TaskError, match="parameter length: Input should be a valid integer"):
        find_kernel("scale").build({"length": "3", "multiplier": 1})
    with pytest.raises(TaskError, match="parameter multiplier: Field required"):
        find_kernel("scale").build({"length": 3})


def test_names_are_taken_once():
    with pytest.raises(ValueError, match="there are two kernels scale"):
        public_kernel("scale")(KernelParameters)
