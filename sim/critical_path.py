"""What an instance's time went to: the chain of tasks that its end waited for."""

from dataclasses import dataclass

import numpy as np

from octopus.hw.layouts.activity import Stage
from octopus.sched.report import Outcome
from octopus.sched.workflow import Workflow

from .profile import Profile, Tasks
from .tasks import NEVER

STEPS = (
    ("waits for a TBU", Stage.DISPATCHED),
    ("waits in the TBU", Stage.TAKEN),
    ("descriptor", Stage.FETCHED),
    ("kernel", Stage.LOADED),
    ("waits for scratchpad", Stage.PLACED),
    ("operands", Stage.FILLED),
    ("set-up", Stage.CONFIGURED),
    ("waits for the array", Stage.STARTED),
    ("array", None),
    ("results", Stage.STORED),
    ("completion", Stage.COMPLETED),
)
"""What a task does until it passes a border (None: until it leaves the array)."""

CONTROL, HOST_IN, HOST_OUT = "control and network", "host writes, source", "sink, host reads"


@dataclass(frozen=True)
class Step:
    """A piece of a critical path: ``cycles`` that ``what`` took; ``block`` is empty between tasks.

    ``start`` is a cycle of the chip's clock.
    """

    block: str
    what: str
    start: int
    cycles: int


@dataclass(frozen=True)
class CriticalPath:
    """The steps of one instance, without gaps; their sum is its latency."""

    number: int
    latency: int
    steps: list[Step]


def finished(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that ended with a result, fastest first."""
    done = [outcome for outcome in outcomes if outcome.result is not None]
    return sorted(done, key=lambda outcome: (outcome.latency, outcome.number))


def critical_path(profile: Profile, outcome: Outcome) -> CriticalPath:
    """Follow an instance back from its end: before each task, its last predecessor to end."""
    tasks, workflow = profile.tasks, profile.program.workflow
    mine = np.flatnonzero((tasks.number == outcome.number) & tasks.completed)
    steps: list[Step] = []
    until, following = outcome.finished, None
    what = HOST_OUT
    while True:
        ended = tasks.at(Stage.COMPLETED)
        before = mine[ended[mine] <= until]
        if following is not None:
            earlier = ancestors(workflow, following)
            names = [profile.names[int(block)] for block in tasks.block[before]]
            before = before[[name in earlier for name in names]]
        if not len(before):
            break
        task = int(before[np.argmax(ended[before])])
        block = profile.names[int(tasks.block[task])]
        ready = int(tasks.ready[task])
        if ready == NEVER:
            break
        _prepend(steps, "", what, int(ended[task]), until)
        _task_steps(steps, tasks, task, block, ready)
        until, following, what = ready, block, CONTROL
    _prepend(steps, "", HOST_IN, outcome.started, until)
    return CriticalPath(outcome.number, outcome.latency, steps)


def ancestors(workflow: Workflow, block: str) -> set[str]:
    """The blocks from which a way along the flows leads to a block, and itself."""
    found, open_blocks = {block}, [block]
    while open_blocks:
        for flow in workflow.flows_in(open_blocks.pop()):
            if flow.origin not in found:
                found.add(flow.origin)
                open_blocks.append(flow.origin)
    return found


def _prepend(steps: list[Step], block: str, what: str, start: int, end: int) -> None:
    if end > start:
        steps.insert(0, Step(block, what, start, end - start))


def _task_steps(steps: list[Step], tasks: Tasks, task: int, block: str, ready: int) -> None:
    """The steps of a task, from when it was ready to its completion.

    What was prepared before it was ready took none of the instance's time.
    """
    now, found = ready, []
    for what, stage in STEPS:
        end = int(tasks.left_array[task] if stage is None else tasks.passed[task, stage])
        if end > now:
            found.append(Step(block, what, now, end - now))
            now = end
    steps[:0] = found
