"""What is recorded of a run, what the hardware counts, and what the host sees are the same."""

from dataclasses import dataclass

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Stage, WordKind
from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    WORD_BYTES,
    ConfigurationRegion,
    address_of,
)
from octopus.hw.layouts.token import TokenKind
from octopus.sched.job import Job
from octopus.sched.report import RunReport
from octopus.sched.runtime import Runtime
from octopus.sim.chip import Chip
from octopus.sim.control import COMPLETION, TOKEN, control_events
from octopus.sim.driver import ChipDriver
from octopus.sim.recording import Recording
from octopus.sim.tasks import NEVER, NOBODY, UnitTasks, unit_cycles, unit_tasks

INSTANCES = 3


@dataclass(frozen=True)
class Ran:
    """A run, its recording, and the unit's counters read before and after."""

    recording: Recording
    report: RunReport
    before: list[int]
    after: list[int]
    tasks: UnitTasks


@pytest.fixture(scope="module")
def ran() -> Ran:
    """The control tour on the smallest chip: every kind of control block, wrong forecasts."""
    config = OctopusConfig.load("tiny")
    job = Job.prepare("control_tour", config, count=INSTANCES)
    words = max(CycleCounter) + 1
    base = address_of(0, 0, 1 << CONFIGURATION_BIT | ConfigurationRegion.UNIT_COUNTERS)
    with Chip.build(config) as chip:
        runtime = Runtime(ChipDriver(chip), job.program)
        runtime.load()
        before, moved = chip.read_memory(base, words), chip.words_moved()
        start = chip.cycles
        report = runtime.run(job.instances)
        end = chip.cycles
        recording = Recording(
            config,
            chip.recorded(),
            start,
            end,
            np.array(chip.link_flits()),
            (chip.words_moved() - moved).astype(np.int64),
        )
        idle = base + WORD_BYTES * CycleCounter.IDLE
        first, then = chip.read_memory(idle, 1)[0], chip.cycles
        # The unit rests: the counter tells how many cycles lie between two readings of it.
        assert chip.read_memory(idle, 1)[0] - first == chip.cycles - then
        after = chip.read_memory(base, words)
    return Ran(recording, report, before, after, unit_tasks(recording, 0))


def test_the_cycles_by_cause_are_those_that_the_unit_counted(ran):
    cycles = unit_cycles(ran.recording, ran.tasks)
    assert cycles.start[0] == ran.recording.start and cycles.end[-1] == ran.recording.end
    np.testing.assert_array_equal(cycles.start[1:], cycles.end[:-1])
    found = np.bincount(cycles.cause, cycles.cycles, minlength=max(CycleCounter) + 1)
    for cause in CycleCounter:
        if cause is not CycleCounter.IDLE:
            assert found[cause] == ran.after[cause] - ran.before[cause], cause.name
    # The rest of the run it was idle, and it still is while its counters are read.
    assert found.sum() == ran.recording.cycles
    assert (
        0
        <= ran.after[CycleCounter.IDLE] - ran.before[CycleCounter.IDLE] - found[CycleCounter.IDLE]
        < 60 * len(ran.after)
    )


def test_every_cycle_but_idle_ones_is_some_tasks(ran):
    cycles = unit_cycles(ran.recording, ran.tasks)
    np.testing.assert_array_equal(cycles.task == NOBODY, cycles.cause == CycleCounter.IDLE)


def test_tasks_are_those_that_completed_or_were_dropped(ran):
    tasks = ran.tasks
    ended = [ran.after[status.value] - ran.before[status.value] for status in Status]
    assert tasks.completed.sum() == sum(ended)
    assert tasks.dropped.sum() > 0, "the run has a wrong forecast"
    np.testing.assert_array_equal(tasks.completed, ~tasks.dropped)
    numbers = ran.report.program.numbers
    for name, figures in ran.report.figures.items():
        assert figures.completions == (tasks.completed & (tasks.block == numbers[name])).sum()


def test_tasks_pass_borders_in_order(ran):
    passed = ran.tasks.passed
    inner = passed[:, Stage.TAKEN : Stage.STORED + 1]
    assert (inner != NEVER).all()
    assert (np.diff(inner, axis=1) >= 0).all()
    assert (np.diff(inner, axis=0) > 0).all(), "tasks do not overtake each other"
    dispatched = passed[~ran.tasks.dropped, Stage.DISPATCHED]
    late = dispatched > passed[~ran.tasks.dropped, Stage.TAKEN]
    assert (ran.tasks.prepared[~ran.tasks.dropped] >= late).all()


def test_array_cycles_of_blocks_are_those_that_the_control_block_unit_counted(ran):
    tasks, cycles = ran.tasks, unit_cycles(ran.recording, ran.tasks)
    advances = cycles.cause == CycleCounter.ADVANCE
    blocks = tasks.block[cycles.task[advances]]
    found = np.bincount(blocks, cycles.cycles[advances], minlength=64)
    for name, figures in ran.report.figures.items():
        assert found[ran.report.program.numbers[name]] == figures.array_cycles


def test_control_events_are_arrivals_and_completions(ran):
    events = control_events(ran.recording)
    arrives = (events.event == TOKEN) & (events.kind == TokenKind.ARRIVE.value)
    numbers = ran.report.program.numbers
    for name, figures in ran.report.figures.items():
        mine = events.block == numbers[name]
        assert (arrives & mine).sum() == figures.arrivals
        assert ((events.event == COMPLETION) & mine).sum() == figures.completions
    assert events.task.sum() == (~ran.tasks.dropped).sum()
    assert (np.diff(events.cycle) > 0).all()
    assert events.chooses.sum() > 0


def test_descriptor_words_are_those_of_the_tasks_taken(ran):
    """Each task's descriptor is fetched; the program says how long it is."""
    program = ran.report.program
    sizes = {
        region.label.removeprefix("descriptor "): region.words
        for region in program.regions[0, 0]
        if region.label.startswith("descriptor ")
    }
    names = {number: name for name, number in program.numbers.items()}
    expected = sum(sizes[names[block]] for block in ran.tasks.block.tolist())
    assert ran.recording.words[0, WordKind.DESCRIPTOR] == expected


@pytest.mark.parametrize(
    ("cause", "enters", "leaves"),
    [
        (CycleCounter.INPUT, Stage.PLACED, Stage.FILLED),
        (CycleCounter.CONTEXT, Stage.FETCHED, Stage.LOADED),
        (CycleCounter.ADVANCE, Stage.STARTED, Stage.ENDED),
        (CycleCounter.OUTPUT, Stage.STARTED, Stage.STORED),
    ],
)
def test_cycles_lie_between_the_borders_of_the_task_that_they_are_for(ran, cause, enters, leaves):
    cycles = unit_cycles(ran.recording, ran.tasks)
    mine = cycles.cause == cause
    assert mine.any()
    passed = ran.tasks.passed[cycles.task[mine]]
    assert (cycles.start[mine] > passed[:, enters]).all()
    assert (cycles.end[mine] - 1 <= passed[:, leaves]).all()
