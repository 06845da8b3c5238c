"""Lowered workflows on golden models against the reference executor, and the runtime's errors."""

import os

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import TokenKind
from octopus.sched.driver_protocol import Driver, DriverError, HostToken
from octopus.sched.lowering import lower
from octopus.sched.policies import find_policy
from octopus.sched.program import Program
from octopus.sched.runtime import FaultError, RunError, Runtime, TimeLimitError
from octopus.sched.workflow import Instance, ReferenceExecutor, Workflow, WorkflowError
from octopus.sched.workflow.generate import random_instances

from . import graphs
from .golden_driver import GoldenDriver

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
CONFIGS = {name: OctopusConfig.load(name) for name in ("tiny", "default")}


def program_of(workflow: Workflow, config: str = "tiny", **options: int) -> Program:
    placement = find_policy("indiscriminate").place(workflow, CONFIGS[config])
    return lower(workflow, placement, CONFIGS[config], **options)


@pytest.mark.parametrize("config", ["tiny", "default"])
@pytest.mark.parametrize("make", [graphs.branching, graphs.looping, graphs.fanning, graphs.nesting])
def test_results_equal_the_reference(make, config):
    print("seed", SEED)
    workflow = make()
    slots = min(4, program_of(workflow, config).slots)
    program = program_of(workflow, config, slots=slots)
    driver = GoldenDriver(CONFIGS[config])
    given = random_instances(workflow, 12, SEED)
    seen = []
    runtime = Runtime(driver, program, progress=lambda *figures: seen.append(figures))
    assert isinstance(driver, Driver)
    assert runtime.load() > 0
    report = runtime.run(given)
    assert report.differences(ReferenceExecutor(workflow).run(given)) == []
    assert driver.most_in_flight == slots
    assert seen[-1][:2] == (12, 12)
    assert 0 < report.array_utilisation < 1000
    assert all(outcome.latency > 0 for outcome in report.outcomes)


def test_a_wrong_result_is_found():
    workflow = graphs.branching()
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"]), program_of(workflow))
    runtime.load()
    given = random_instances(workflow, 3, SEED)
    report = runtime.run(given)
    references = ReferenceExecutor(workflow).run(given)
    references[1].value ^= 1
    references[2].tensors["y"] = references[2].tensors["y"] + 1
    references[0].sink = "elsewhere"
    references[0].activations["find"] += 1
    assert report.differences(references) == [
        "instance 0: ended in end, reference in elsewhere",
        f"instance 1: value {report.results[1].value:#x}, reference {references[1].value:#x}",
        "instance 2: tensor y differs from the reference",
        "block find: ran 3 times, reference 4",
    ]


def test_a_fault_names_block_and_status():
    workflow = graphs.looping()
    program = program_of(workflow)
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"], broken=[program.numbers["body"]]), program)
    runtime.load()
    with pytest.raises(FaultError, match="block body failed in instance 0: WATCHDOG"):
        runtime.run(random_instances(workflow, 2, SEED))


def test_faulty_instances_are_reported_and_keep_their_slots():
    workflow = graphs.branching()
    program = program_of(workflow)
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"], broken=[program.numbers["triple"]]), program)
    runtime.load()
    given = random_instances(workflow, 8, SEED)
    references = ReferenceExecutor(workflow).run(given)
    report = runtime.run(given, strict=False)
    for outcome, reference in zip(report.outcomes, references, strict=True):
        if reference.activations["triple"]:
            assert outcome.result is None
            assert (outcome.fault.block, outcome.fault.status) == ("triple", Status.WATCHDOG)
        else:
            assert outcome.result.value == reference.value
    assert {o.fault is None for o in report.outcomes} == {True, False}


def test_no_slot_left():
    workflow = graphs.looping()
    program = program_of(workflow, slots=2)
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"], broken=[program.numbers["body"]]), program)
    runtime.load()
    with pytest.raises(RunError, match=r"all 2 instance slots .* 3 instances could not start"):
        runtime.run(random_instances(workflow, 5, SEED), strict=False)


def test_the_time_limit_names_what_is_outstanding():
    workflow = graphs.looping()
    program = program_of(workflow, slots=2)
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"], lost=[program.numbers["body"]]), program)
    runtime.load()
    with pytest.raises(TimeLimitError) as caught:
        runtime.run(random_instances(workflow, 3, SEED), limit_cycles=5000)
    assert str(caught.value) == (
        "no end after 5000 cycles: instances 0, 1 are outstanding, 1 not started; "
        "task blocks with unfinished tasks: body (2)"
    )


def test_another_chip_is_refused():
    driver = GoldenDriver(CONFIGS["tiny"])
    driver.identity["mesh.rows"] = 4
    with pytest.raises(DriverError, match=r"chip has mesh\.rows = 4; the program needs 1"):
        Runtime(driver, program_of(graphs.looping())).load()


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({}, "instance 0: has no value for input x"),
        ({"x": [1, 2]}, "instance 0: x has shape"),
        ({"x": [1] * 6, "z": [1]}, "instance 0: z is no input"),
        ({"x": [1.5] * 6}, "instance 0: x has dtype float64"),
        ({"x": [1 << 40] * 6}, "instance 0: x has values from"),
    ],
)
def test_bad_inputs_are_refused_before_anything_runs(tensors, reason):
    driver = GoldenDriver(CONFIGS["tiny"])
    runtime = Runtime(driver, program_of(graphs.looping()))
    runtime.load()
    with pytest.raises(WorkflowError, match=reason):
        runtime.run([Instance(tensors)])
    assert driver.in_flight == 0


@pytest.mark.parametrize("kind", [TokenKind.COMPLETE, TokenKind.ARRIVE])
def test_a_token_out_of_nowhere_is_an_error(kind):
    program = program_of(graphs.looping())

    class Confused(GoldenDriver):
        def wait(self, limit_cycles):
            return [HostToken(0, 7, kind=kind)]

    runtime = Runtime(Confused(CONFIGS["tiny"]), program)
    runtime.load()
    with pytest.raises(RunError, match="slot 7, where no instance is running"):
        runtime.run(random_instances(program.workflow, 1, SEED))


def test_nothing_to_run():
    runtime = Runtime(GoldenDriver(CONFIGS["tiny"]), program_of(graphs.looping()))
    runtime.load()
    report = runtime.run([])
    assert (report.outcomes, report.cycles) == ([], 0)
