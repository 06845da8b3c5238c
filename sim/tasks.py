"""The tasks that went through each Task Block Unit, and what its cycles went to.

The chip shows which borders tasks pass (``hw.layouts.activity.Stage``). Tasks never overtake each
other, so the n-th that passes a border is the n-th that was taken; only a prepared task that was
dropped has neither dispatch nor completion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.activity import Activity, Progress, Stage, TakenTask
from octopus.hw.layouts.counters import CycleCounter

from .recording import Cycles, Recording, field_of

NEVER = -1
"""Stands for the cycle of what did not happen while it was recorded."""

NOBODY = -1
"""Stands for the task of cycles that belong to none."""


@dataclass(frozen=True)
class UnitTasks:
    """The tasks of one TBU, oldest first; arrays have an entry a task.

    Attributes
    ----------
    unit: counted through the clusters row by row.
    block, instance, index, shard: numbers, as on the chip (``instance`` is the slot).
    prepared: it was taken before it was dispatched. dropped: and then another one was dispatched.
    passed: (tasks, ``Stage``), the cycle in which it passed each border, or ``NEVER``.
    left_array: the cycle in which the array was done with it.
    loads: bursts that its context took, 0 if its kernel was resident.
    """

    unit: int
    block: NDArray[np.int64]
    instance: NDArray[np.int64]
    index: NDArray[np.int64]
    shard: NDArray[np.int64]
    prepared: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    passed: NDArray[np.int64]
    left_array: Cycles
    loads: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.block)

    @property
    def completed(self) -> NDArray[np.bool_]:
        """Whether the Control Block Unit was told of its end."""
        return self.passed[:, Stage.COMPLETED] != NEVER


@dataclass(frozen=True)
class UnitCycles:
    """What the cycles of one TBU went to: stretches, one after the other, without gaps.

    Attributes
    ----------
    start, end: cycles; ``end`` is the first after it. cause: ``CycleCounter``.
    task: the place among the unit's tasks of the one it was for, or ``NOBODY``.
    """

    unit: int
    start: Cycles
    end: Cycles
    cause: NDArray[np.int64]
    task: NDArray[np.int64]

    @property
    def cycles(self) -> Cycles:
        """Their lengths."""
        return self.end - self.start


def _passes(flips: NDArray[np.uint32], cycles: Cycles, bit: int) -> Cycles:
    """The cycles in which a bit of a word was turned over; the word shows it a cycle later."""
    found: Cycles = cycles[(flips >> np.uint32(bit)) & 1 == 1] - 1
    return found


def unit_tasks(recording: Recording, unit: int) -> UnitTasks:
    """The tasks that a TBU took since the chip's reset."""
    progress = recording.changes(recording.places.progress(unit))
    flips, base = progress.flips(), len(Stage)
    passes = {stage: _passes(flips, progress.cycles, stage) for stage in Stage}
    loads, drops = (_passes(flips, progress.cycles, base + extra) for extra in (0, 1))
    taken = passes[Stage.TAKEN]
    count = len(taken)
    words = recording.changes(recording.places.taken(unit)).at(taken + 1)
    columns = {
        name: field_of(TakenTask, name, words).astype(np.int64)
        for name in ("block", "instance", "index", "prepared")
    }
    shard = field_of(Progress, "shard", progress.at(taken + 1)).astype(np.int64)
    times = np.full((count, len(Stage)), NEVER, np.int64)
    for stage in Stage:
        if stage not in (Stage.DISPATCHED, Stage.COMPLETED):
            times[: len(passes[stage]), stage] = passes[stage]
    prepared = columns["prepared"] == 1
    dropped = np.isin(times[:, Stage.STARTED], drops) & prepared
    # Of a prepared task that still waits, nobody knows: it counts as dispatched.
    real = np.flatnonzero(~dropped)
    for stage in (Stage.DISPATCHED, Stage.COMPLETED):
        found = passes[stage][: len(real)]
        times[real[: len(found)], stage] = found
    draining = field_of(Progress, "draining", progress.values)
    before = np.concatenate([[0], draining[:-1]])
    rises = progress.cycles[(draining == 1) & (before == 0)] - 2
    left = np.full(count, NEVER, np.int64)
    left[: len(rises)] = rises[:count]
    owner = np.searchsorted(passes[Stage.FETCHED], loads) - 1
    return UnitTasks(
        unit=unit,
        block=columns["block"],
        instance=columns["instance"],
        index=columns["index"],
        shard=shard,
        prepared=prepared,
        dropped=dropped,
        passed=times,
        left_array=left,
        loads=np.bincount(owner[owner >= 0], minlength=count)[:count].astype(np.int64),
    )


def unit_cycles(recording: Recording, tasks: UnitTasks) -> UnitCycles:
    """What the TBU's cycles went to during the run, and for which task.

    A stretch ends where the cause changes or a task passes a border.
    """
    start, end = recording.start, recording.end
    shown = recording.changes(tasks.unit)
    cause = field_of(Activity, "cause", shown.values).astype(np.int64)
    changes = np.flatnonzero(np.diff(cause, prepend=0))
    begins, causes = shown.cycles[changes] - 1, cause[changes]
    borders = tasks.passed[tasks.passed >= start] + 1
    edges = np.unique(np.concatenate([[start], begins, borders]))
    edges = edges[(edges >= start) & (edges < max(end, start + 1))]
    places = np.searchsorted(begins, edges, side="right") - 1
    # Before the first change the unit was idle: nothing has been dispatched to it.
    found = np.where(places < 0, CycleCounter.IDLE, causes[places] if len(causes) else 0)
    owner = _owners(tasks, edges, found)
    fresh = np.ones(len(edges), bool)
    fresh[1:] = (np.diff(found) != 0) | (np.diff(owner) != 0)
    edges, found, owner = edges[fresh], found[fresh], owner[fresh]
    return UnitCycles(tasks.unit, edges, np.append(edges[1:], end), found, owner)


def _owners(tasks: UnitTasks, cycles: Cycles, cause: NDArray[np.int64]) -> NDArray[np.int64]:
    """For which task each of these cycles was, given its cause: ``docs/report.md``, Causes."""
    passed = {}
    for stage in Stage:
        times = tasks.passed[:, stage]
        passed[stage] = np.searchsorted(np.sort(times[times != NEVER]), cycles, side="left")
    newest = {stage: count - 1 for stage, count in passed.items()}

    def inside(enters: Stage, leaves: Stage, otherwise: NDArray[np.intp]) -> NDArray[np.intp]:
        """The task between two borders, else another one."""
        return np.where(newest[enters] >= passed[leaves], newest[enters], otherwise)

    in_array = newest[Stage.STARTED]
    owners = {
        CycleCounter.SET_UP: inside(Stage.FILLED, Stage.CONFIGURED, newest[Stage.PLACED]),
        CycleCounter.INPUT: newest[Stage.PLACED],
        CycleCounter.SCRATCHPAD: passed[Stage.ROOM],
        CycleCounter.CONTEXT: newest[Stage.FETCHED],
        CycleCounter.FETCH: inside(Stage.TAKEN, Stage.FETCHED, passed[Stage.TAKEN]),
        CycleCounter.OUTPUT: inside(Stage.ENDED, Stage.STORED, passed[Stage.ENDED]),
    }
    for counter in (
        CycleCounter.ADVANCE,
        CycleCounter.STALL_IN,
        CycleCounter.STALL_OUT,
        CycleCounter.GAP,
    ):
        owners[counter] = in_array
    found = np.full(len(cycles), NOBODY, np.int64)
    for counter, owner in owners.items():
        found = np.where(cause == counter, owner, found)
    return np.where((found >= 0) & (found < len(tasks)), found, NOBODY)
