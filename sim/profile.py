"""Where the time of a run went: the recording joined with program and outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.activity import Stage
from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS
from octopus.sched.program import Program
from octopus.sched.report import Outcome

from .control import ControlEvents, control_events
from .recording import Cycles, Recording
from .tasks import NEVER, NOBODY, UnitCycles, UnitTasks, unit_cycles, unit_tasks

CAUSES = tuple(CycleCounter)
"""In the order of the columns of all tables of causes."""

FIRST_CAUSE = CAUSES[0].value
IDLE = CycleCounter.IDLE - FIRST_CAUSE
ADVANCE = CycleCounter.ADVANCE - FIRST_CAUSE
NO_INSTANCE = -1


@dataclass(frozen=True)
class Tasks:
    """The tasks of all units that were at work in the run; arrays have an entry a task.

    As in :class:`UnitTasks`; besides:

    Attributes
    ----------
    number: of the instance in the run, or ``NO_INSTANCE``. ready: the cycle in which its Control
        Block Unit had all its tokens, or ``NEVER``. causes: (tasks, ``CAUSES``), its cycles.
    """

    unit: NDArray[np.int64]
    block: NDArray[np.int64]
    slot: NDArray[np.int64]
    number: NDArray[np.int64]
    index: NDArray[np.int64]
    shard: NDArray[np.int64]
    prepared: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    passed: NDArray[np.int64]
    left_array: Cycles
    loads: NDArray[np.int64]
    ready: Cycles
    causes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.unit)

    def at(self, stage: Stage) -> Cycles:
        """When each passed a border."""
        times: Cycles = self.passed[:, stage]
        return times

    @property
    def completed(self) -> NDArray[np.bool_]:
        """Whether the Control Block Unit was told of its end."""
        return self.at(Stage.COMPLETED) != NEVER


@dataclass(frozen=True)
class Profile:
    """A run as the report sees it. Tables of cycles have the columns ``CAUSES``."""

    recording: Recording
    program: Program
    outcomes: Sequence[Outcome]

    @property
    def start(self) -> int:
        """The cycle of the chip's clock with which the run, and every axis, begins."""
        return self.recording.start

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return self.recording.cycles

    @property
    def blocks(self) -> list[str]:
        """The task blocks' names, in the workflow's order."""
        return [block.name for block in self.program.workflow.tasks]

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of all blocks, by number."""
        return {number: name for name, number in self.program.numbers.items()}

    @cached_property
    def control(self) -> ControlEvents:
        """The control events of the run."""
        return control_events(self.recording)

    @cached_property
    def _units(self) -> list[tuple[UnitTasks, UnitCycles]]:
        found = []
        for unit in range(self.recording.config.task_block_units):
            tasks = unit_tasks(self.recording, unit)
            found.append((tasks, unit_cycles(self.recording, tasks)))
        return found

    @cached_property
    def stretches(self) -> UnitCycles:
        """The stretches of all units, unit by unit; ``task`` counts through :attr:`tasks`.

        ``unit`` is that of none: it is in ``task_unit``.
        """
        first = np.cumsum([0, *(len(tasks) for tasks, _ in self._units)])
        cycles = [cycles for _, cycles in self._units]
        owners = [
            np.where(item.task == NOBODY, NOBODY, item.task + first[unit])
            for unit, item in enumerate(cycles)
        ]
        return UnitCycles(
            unit=NOBODY,
            start=np.concatenate([item.start for item in cycles]),
            end=np.concatenate([item.end for item in cycles]),
            cause=np.concatenate([item.cause for item in cycles]) - FIRST_CAUSE,
            task=np.concatenate(owners),
        )

    @cached_property
    def stretch_unit(self) -> NDArray[np.int64]:
        """The unit of each of :attr:`stretches`."""
        counts = [len(cycles.start) for _, cycles in self._units]
        return np.repeat(np.arange(len(counts)), counts)

    @cached_property
    def tasks(self) -> Tasks:
        """All tasks that the units took since the chip's reset."""
        parts = [tasks for tasks, _ in self._units]

        def joined(name: str) -> NDArray[np.int64]:
            return np.concatenate([getattr(part, name) for part in parts])

        unit = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        stretches = self.stretches
        causes = np.zeros((len(unit), len(CAUSES)), np.int64)
        owned = stretches.task != NOBODY
        np.add.at(causes, (stretches.task[owned], stretches.cause[owned]), stretches.cycles[owned])
        passed = joined("passed")
        block, slot, index = joined("block"), joined("instance"), joined("index")
        dispatched = passed[:, Stage.DISPATCHED]
        ready = self._ready(unit, block, slot, index, dispatched)
        return Tasks(
            unit=unit,
            block=block,
            slot=slot,
            number=self._numbers(slot, np.where(ready == NEVER, dispatched, ready)),
            index=index,
            shard=joined("shard"),
            prepared=joined("prepared").astype(bool),
            dropped=joined("dropped").astype(bool),
            passed=passed,
            left_array=joined("left_array"),
            loads=joined("loads"),
            ready=ready,
            causes=causes,
        )

    def _ready(
        self,
        unit: NDArray[np.int64],
        block: NDArray[np.int64],
        slot: NDArray[np.int64],
        index: NDArray[np.int64],
        dispatched: Cycles,
    ) -> Cycles:
        """When the tokens of each task were there: the last such event before its dispatch."""
        control, units = self.control, self.recording.config.cluster.task_block_units
        made = control.task
        span = np.int64(max(self.recording.end, 1) + 1)

        def key(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
            total = np.zeros(len(columns[0]), np.int64)
            for column, bits in zip(
                columns, (0, BLOCK_BITS, INSTANCE_BITS, INDEX_BITS), strict=True
            ):
                total = (total << bits) + column
            return total

        events = key(
            control.cluster[made], control.block[made], control.instance[made], control.index[made]
        )
        wanted = key(unit // units, block, slot, index)
        # Few keys occur: numbered, they and the cycle fit into one integer.
        _, numbers = np.unique(np.concatenate([events, wanted]), return_inverse=True)
        moments = np.sort(numbers[: len(events)] * span + control.cycle[made])
        sought = numbers[len(events) :] * span + np.maximum(dispatched, 0)
        places = np.searchsorted(moments, sought, side="right") - 1
        hits = moments[np.maximum(places, 0)] if len(moments) else np.full(len(sought), -1)
        fits = (places >= 0) & (hits // span == sought // span) & (dispatched != NEVER)
        return np.where(fits, hits % span, NEVER)

    def _numbers(self, slot: NDArray[np.int64], cycles: Cycles) -> NDArray[np.int64]:
        """The instance that had a slot in these cycles."""
        found = np.full(len(slot), NO_INSTANCE, np.int64)
        holders: dict[int, list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.slot >= 0:
                holders.setdefault(outcome.slot, []).append(outcome)
        for number, outcomes in holders.items():
            mine = np.flatnonzero(slot == number)
            outcomes = sorted(outcomes, key=lambda outcome: outcome.started)
            started = np.array([outcome.started for outcome in outcomes])
            places = np.searchsorted(started, cycles[mine], side="right") - 1
            numbers = np.array([outcome.number for outcome in outcomes])
            found[mine] = np.where(places >= 0, numbers[np.maximum(places, 0)], NO_INSTANCE)
        return found

    @cached_property
    def by_unit(self) -> NDArray[np.int64]:
        """(units, causes): cycles of each unit; every row's sum is :attr:`cycles`."""
        stretches, units = self.stretches, len(self._units)
        places = self.stretch_unit * len(CAUSES) + stretches.cause
        sums = np.bincount(places, stretches.cycles, minlength=units * len(CAUSES))
        return sums.astype(np.int64).reshape(units, len(CAUSES))

    @cached_property
    def by_cluster(self) -> NDArray[np.int64]:
        """(clusters, causes): cycles of the units of each cluster."""
        return self.by_unit.reshape(self.recording.config.clusters, -1, len(CAUSES)).sum(axis=1)

    @cached_property
    def by_block(self) -> dict[str, NDArray[np.int64]]:
        """By task block: cycles of all units for its tasks, and for what was prepared in vain."""
        tasks, numbers = self.tasks, self.program.numbers
        return {
            name: tasks.causes[tasks.block == numbers[name]].sum(axis=0) for name in self.blocks
        }

    def task_mask(self, name: str) -> NDArray[np.bool_]:
        """Which of the tasks are a block's, and began in the run or were at work in it."""
        tasks = self.tasks
        return (tasks.block == self.program.numbers[name]) & (
            tasks.at(Stage.TAKEN) >= self.recording.start
        )


def binned(starts: Cycles, ends: Cycles, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many of the stretches there are at a time, as the mean between neighbouring edges.

    Its sum times the widths is exactly the stretches' cycles between first and last edge.
    """

    def before(times: Cycles) -> NDArray[np.float64]:
        """Sum over ``times`` of how far each edge lies behind them."""
        ordered = np.sort(times).astype(np.float64)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        counts = np.searchsorted(ordered, edges)
        return counts * edges - sums[counts]

    return np.diff(before(starts) - before(ends)) / np.diff(edges)
