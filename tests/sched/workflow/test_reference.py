"""The reference executor against what the specification says, on graphs small enough to see."""

import numpy as np
import pytest

from octopus.hw.layouts.block import BlockKind, Combine, Comparison
from octopus.sched.kernels.elementwise import Scale
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.workflow import Instance, ReferenceExecutor, WorkflowBuilder, WorkflowError
from octopus.sched.workflow.graph import Block
from octopus.sched.workflow.semantics import combined, decide, holds

from .. import graphs

MINUS_ONE = 0xFFFFFFFF


def run(workflow, value=0, **tensors):
    (result,) = ReferenceExecutor(workflow).run([Instance(tensors, value)])
    return result


@pytest.mark.parametrize(
    ("comparison", "value", "operand", "truth"),
    [
        (Comparison.ALWAYS, 0, 1, True),
        (Comparison.EQ, 5, 5, True),
        (Comparison.EQ, MINUS_ONE, -1, True),
        (Comparison.NE, 5, 5, False),
        (Comparison.LT, MINUS_ONE, 0, True),
        (Comparison.LT, 0, 0, False),
        (Comparison.GE, MINUS_ONE, 0, False),
        (Comparison.GE, 0, 0, True),
        (Comparison.LTU, MINUS_ONE, 0, False),
        (Comparison.LTU, 3, 4, True),
        (Comparison.GEU, MINUS_ONE, 0, True),
        (Comparison.GEU, 3, 4, False),
    ],
)
def test_comparisons(comparison, value, operand, truth):
    assert holds(comparison, value, operand) is truth


@pytest.mark.parametrize(("rounds", "truth"), [(0, True), (1, True), (2, False)])
def test_count_compares_rounds(rounds, truth):
    assert holds(Comparison.COUNT, 99, 2, rounds) is truth


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Combine.SUM, 2),
        (Combine.MINIMUM, MINUS_ONE),
        (Combine.MAXIMUM, 3),
        (Combine.AND, 3),
        (Combine.OR, MINUS_ONE),
    ],
)
def test_combining_wraps_and_is_signed(how, expected):
    assert combined(how, MINUS_ONE, 3) == expected


def test_a_switch_clamps():
    switch = Block("s", BlockKind.SWITCH, operand=3)
    assert [decide(switch, value, 0) for value in (0, 2, 3, MINUS_ONE)] == [0, 2, 2, 2]


def test_a_branch_takes_one_way_and_its_tensor_is_a_result():
    x = np.array([1, 9, 2, 3, 4, 5], np.int32)
    result = run(graphs.branching(), x=x)
    assert (result.sink, result.value, result.decisions) == ("end", 1, [("is_early", 1)])
    assert (result.activations["double"], result.activations["triple"]) == (1, 0)
    assert np.array_equal(result.tensors["y"], 2 * x)
    assert np.array_equal(run(graphs.branching(), x=x[::-1]).tensors["y"], 3 * x[::-1])


def test_a_counting_loop_goes_round_operand_times_more():
    x = np.arange(6, dtype=np.int32) * 8
    result = run(graphs.looping(3), x=x)
    for _ in range(4):
        x = x * 3 >> 1
    assert np.array_equal(result.tensors["x"], x)
    assert result.activations["body"] == 4
    assert result.decisions == [("rounds", 1)] * 3 + [("rounds", 0)]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_map_visits_the_slices_it_counts(count):
    rows = np.arange(24, dtype=np.int32).reshape(4, 6)
    result = run(graphs.fanning(), count, rows=rows, v=np.zeros(6, np.int32))
    expected = rows.copy()
    expected[:count] *= 5
    assert np.array_equal(result.tensors["rows"], expected)
    assert result.activations["scale"] == count
    # The best index of each row is 5 (binary 101): arms 0 and 2 of the multicast.
    assert result.activations["arms"] == 1
    arms = [result.activations[f"arm_{arm}"] for arm in range(3)]
    assert arms == ([1, 0, 1] if count else [0, 0, 0])
    assert (result.sink, result.value) == (("direct", 5) if count else ("joined", 0))


def test_nested_fan_outs():
    matrix, sums = np.arange(1, 13).reshape(2, 3, 2), np.array([[1, 5], [7, 2]])
    result = run(graphs.nesting(), matrix=matrix, sums=sums, rows=np.array([0, 1, 2]))
    # Row 0 has its largest number at 1: one inner token; row 1 at 0: none. The inner token's item
    # is doubled twice and has its largest number at 1; the join adds the fan-out's value 1 to that.
    expected = matrix.copy()
    expected[0, 0] *= 4
    assert result.tensors["matrix"].tolist() == expected.tolist()
    assert result.tensors["sums"].tolist() == (sums * 10).tolist()
    assert (result.sink, result.value) == ("end", 2)
    fired = {name: result.activations[name] for name in ("size", "body", "both", "row_end", "all")}
    assert fired == {"size": 2, "body": 2, "both": 1, "row_end": 2, "all": 1}


@pytest.mark.parametrize(("value", "limit"), [(3, 2), (4097, 0)])
def test_a_fan_out_beyond_its_limit(value, limit):
    w = WorkflowBuilder("w")
    x = w.input("x", (2,), "int32")
    fan = w.source().map("fan", limit)
    body = fan.each.task("body", ArgMax(2, "int32"), values=x)
    fan.expect.gather("all", body).sink("end")
    with pytest.raises(WorkflowError, match=f"block fan: a fan-out of {value}; allowed: up to"):
        run(w.build(), value, x=np.zeros(2, int))


def test_result_tensors_that_nothing_wrote_are_undefined():
    w = WorkflowBuilder("w")
    x = w.input("x", (2,), "int32")
    y = w.tensor("y", (2,), "int32", result=True)
    yes, no = w.source().branch("b", Comparison.NE, 0)
    written = yes.task("t", Scale(2, 1), values=x, scaled=y)
    written.merge("m", no).sink("end")
    workflow = w.build()
    assert run(workflow, 0, x=np.zeros(2, int)).tensors == {"y": None}
    assert run(workflow, 1, x=np.ones(2, int)).tensors["y"].tolist() == [1, 1]


def test_an_index_outside_its_tensor():
    with pytest.raises(WorkflowError, match="block scale: index 4 is outside tensor rows"):
        run(graphs.fanning(), 5, rows=np.zeros((4, 6), int), v=np.zeros(6, int))


def test_an_instance_that_does_not_end(monkeypatch):
    monkeypatch.setattr("octopus.sched.workflow.reference.TOKEN_LIMIT", 100)
    w = WorkflowBuilder("w")
    x = w.input("x", (2,), "int32")
    body = w.source().merge("begin").task("body", ArgMax(2, "int32"), values=x)
    loop = body.loop("l", Comparison.GE, 0)
    loop.again.to("begin")
    loop.leave.sink("end")
    with pytest.raises(WorkflowError, match="an instance does not end"):
        run(w.build(), x=np.zeros(2, int))


def test_missing_and_unknown_inputs():
    with pytest.raises(WorkflowError, match="tensor x: an instance has no value"):
        run(graphs.looping())
    with pytest.raises(WorkflowError, match="tensor z: the workflow has no such input"):
        run(graphs.looping(), x=np.zeros(6, int), z=np.zeros(6, int))
