"""The sentence that says what bounds a run follows from the run."""

from dataclasses import replace

import numpy as np
import pytest

from octopus.hw.layouts.activity import WordKind
from octopus.hw.layouts.counters import CycleCounter
from octopus.sched.workflow import Role
from octopus.sim import bound
from octopus.sim.critical_path import critical_path
from octopus.sim.host_log import HostAction, HostSpan
from octopus.sim.run import RunSettings, run

IMAGES = 6


@pytest.fixture(scope="module")
def cascade():
    """A network whose weights are fetched again for every task."""
    return run(RunSettings("cascade", "tiny", instances=IMAGES))


def test_the_block_that_bounds_the_run_and_why(cascade):
    found = cascade.figures["bound"]
    assert (found["block"], found["cause"]) == ("small_1", "INPUT")
    expected = "`small_1` bounds it: its one TBU loads the same weights again for every image."
    assert found["sentence"] == cascade.bound == expected
    causes = cascade.figures["causes"]["block"]["small_1"]
    assert found["share"] == pytest.approx(causes["INPUT"] / sum(causes.values()))


def test_constants_are_all_operands_but_activations(cascade):
    """Counted from the workflow's tensors alone; rows are padded to whole words in none of them."""
    workflow, blocks = cascade.profile.program.workflow, cascade.figures["blocks"]
    expected = {Role.CONSTANT: 0, Role.INTERNAL: 0, Role.INPUT: 0}
    for block in workflow.tasks:
        for operand in block.task.inputs:
            tensor = workflow.tensors[block.bindings[operand.name].tensor]
            expected[tensor.role] += blocks[block.name]["runs"] * tensor.operand.words
    words = cascade.figures["words"]
    assert words["constants"] == expected[Role.CONSTANT] > 0
    assert words["activations"] == expected[Role.INTERNAL] + expected[Role.INPUT]
    moved = cascade.profile.recording.words.sum(axis=0)
    assert words["dropped"] == moved[WordKind.OPERAND] - words["constants"] - words["activations"]


def test_multiplications_are_those_of_the_layers(cascade):
    """By hand: rows and columns of the weights, once an image that reaches the layer."""
    workflow, total = cascade.profile.program.workflow, 0
    for name, block in cascade.figures["blocks"].items():
        weights = workflow.block(name).bindings.get("weights")
        if weights is not None:
            total += block["runs"] * int(np.prod(workflow.tensors[weights.tensor].shape))
    pea, cycles = cascade.config.pea, cascade.report.cycles
    peak = cascade.config.task_block_units * pea.rows * pea.columns * 4
    assert cascade.figures["utilisation"]["multiplier"] == pytest.approx(total / (cycles * peak))


def test_a_single_instance_has_no_throughput_to_bound(cascade):
    """Nothing is loaded again for it."""
    first = cascade.report.outcomes[0]
    found = bound.find_bound(replace(cascade.profile, outcomes=[first]), [])
    assert found.block == "" and "again" not in found.sentence
    sums: dict[str, int] = {}
    for step in critical_path(cascade.profile, first).steps:
        what = f"`{step.block}`, {step.what}" if step.block else step.what
        sums[what] = sums.get(what, 0) + step.cycles
    most = max(sums, key=lambda what: sums[what])
    part = f"the largest part, {sums[most] / first.latency:.0%}, went to {most}."
    assert found.sentence.endswith(f"of its {first.latency:,} cycles {part}")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (CycleCounter.FETCH, "its one TBU fetches the same descriptor again for every image"),
        (CycleCounter.ADVANCE, "its one TBU computes in 40% of its cycles"),
        (CycleCounter.OUTPUT, "its one TBU is held up by results on their way to memory in 40%"),
    ],
)
def test_another_cause_is_another_reason(cascade, cause, words):
    assert bound._why(cascade.profile, "small_1", cause, 0.4).startswith(words)


def test_activations_are_no_constants(cascade):
    found = bound._why(cascade.profile, "small_confidence", CycleCounter.INPUT, 0.9)
    assert found == "its one TBU waits for activations, 3 words a task"


def test_where_no_block_bounds_the_run_something_else_does(cascade):
    start, end = cascade.profile.start, cascade.profile.recording.end

    def found(cycles):
        span = HostSpan(HostAction.WRITE_MEMORY, start, start + cycles, 1, 0)
        return bound._unbound(cascade.profile, [span], "small_1", 0.4)

    assert found(end - start).startswith("The host bounds it: it reads and writes in 100% of")
    in_flight = found(0)
    assert "instances are under way at a time" in in_flight or "instance slots" in in_flight
    assert in_flight.endswith("the busiest units, those of `small_1`, work in 40% of the cycles.")
