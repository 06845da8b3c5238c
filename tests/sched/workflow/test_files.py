"""Workflow files: what is written is read again, and every fault in a file is named."""

import json

import numpy as np
import pytest

from octopus.hw.layouts.block import BlockKind
from octopus.sched.kernels.elementwise import VectorAdd
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.reduction import ArgMax, Confidence
from octopus.sched.workflow import (
    Block,
    Distribution,
    ReferenceExecutor,
    WorkflowBuilder,
    WorkflowError,
    from_json,
    load,
    save,
    to_json,
)
from octopus.sched.workflow.generate import random_instances
from octopus.sched.workflow.tasks import build_task, describe_task

from .. import graphs


@pytest.mark.parametrize("make", [graphs.branching, graphs.looping, graphs.fanning, graphs.nesting])
def test_a_file_means_what_was_saved(make, tmp_path):
    workflow = make()
    save(workflow, tmp_path / "w.json")
    again = load(tmp_path / "w.json")
    assert to_json(again) == to_json(workflow)
    given = random_instances(workflow, 5, seed=2)
    ran, expected = ReferenceExecutor(again).run(given), ReferenceExecutor(workflow).run(given)
    for one, other in zip(ran, expected, strict=True):
        assert (one.sink, one.value, one.decisions) == (other.sink, other.value, other.decisions)


@pytest.mark.parametrize(
    "task",
    [
        Dense(8, 4, multiplier=77, shift=9, zero_point=-3, relu=True, rows=2),
        Gemm(8, 4, rows=3),
        Confidence(10),
        ArgMax(7, "int32"),
    ],
)
def test_tasks_survive(task):
    again = build_task(*describe_task(task))
    assert (again.inputs, again.outputs, again.kernel) == (task.inputs, task.outputs, task.kernel)


def test_declared_distributions_and_constants_survive():
    w = WorkflowBuilder("w")
    left = w.input("left", (2, 2), "int32")
    right = w.constant("right", np.array([[1, -2], [3, 4]], np.int32))
    fan = w.source().map("fan")
    time = Distribution(100, minimum=50)
    row, other = left.by_index(), right.by_index()
    body = fan.each.task("add", VectorAdd(2), left=row, right=other, sums=row, time=time)
    all_rows = fan.expect.gather("all", body)
    w.workflow.add_block(Block("end", BlockKind.SINK))
    all_rows.to("end", frequency=Distribution(1))
    workflow = from_json(to_json(w.build()))
    assert workflow.block("add").time == time
    assert workflow.flows_in("end")[0].frequency == Distribution(1)
    assert workflow.tensors["right"].value.tolist() == [[1, -2], [3, 4]]


def document():
    return json.loads(to_json(graphs.branching()))


def edit(*path, value):
    """The document with one place changed (value ``None`` removes it)."""
    content = document()
    place = content
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "w: Invalid JSON"),
        ("[]", "w: Input should be an object"),
        (edit("format", value="other"), "w: format: Input should be 'octopus.workflow'"),
        (edit("version", value=2), "w: version: Input should be 1"),
        (edit("name", value=None), "w: name: Field required"),
        (edit("extra", value=1), "w: extra: Extra inputs are not permitted"),
        (edit("blocks", 1, "kernel", value="fft"), "block find: unknown kernel 'fft'; allowed: "),
        (edit("blocks", 1, "kernel", value=None), "w: block find: : block find: a task, and only"),
        (edit("blocks", 0, "kernel", value="argmax"), "block source: a task, and only a task"),
        (edit("blocks", 1, "kind", value="fork"), "w: block find: kind: Input should be 'task'"),
        (
            edit("blocks", 1, "parameters", "classes", value=0),
            "block find: argmax.classes is 0",
        ),
        (
            edit("blocks", 1, "parameters", "depth", value=3),
            "block find: kernel argmax: parameter depth: Extra inputs",
        ),
        (
            edit("blocks", 1, "parameters", "classes", value="6"),
            "block find: kernel argmax: parameter classes: Input should be a valid integer",
        ),
        (edit("blocks", 1, "operands", "values", value="z"), "block find: operand values: tensor"),
        (edit("tensors", 0, "dtype", value="float"), "w: tensor x: dtype: Input should be"),
        (edit("tensors", 0, "values", value=[1]), "tensor x: has 1 values for shape"),
        (edit("flows", 0, "target", value="nowhere"), "block nowhere: a flow from source"),
        (edit("flows", 0, "arm", value=1), "block source: a flow leaves by arm 1"),
    ],
)
def test_faults_in_files(text, reason):
    with pytest.raises(WorkflowError) as caught:
        from_json(text, "w")
    assert reason in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(WorkflowError, match="No such file"):
        load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(WorkflowError, match="not a text file"):
        load(tmp_path / "binary.json")
