"""From recorded activity to intervals: what units did, by the stage closest to the array."""

from collections.abc import Iterable
from dataclasses import dataclass

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Activity, ActivityState
from octopus.hw.layouts.words import unpack

from .chip import ActivityEvent


@dataclass(frozen=True)
class Interval:
    """A time in which a Task Block Unit did one thing; ``end`` is the first cycle after it.

    ``block`` and ``instance`` are those of the task that runs, or ran last.
    """

    unit: int
    start: int
    end: int
    state: ActivityState
    block: int
    instance: int

    @property
    def cycles(self) -> int:
        """Length of the interval."""
        return self.end - self.start


def intervals(events: Iterable[ActivityEvent], end: int) -> list[Interval]:
    """What the units did from their first event on until cycle ``end``; idle times are left out.

    Parameters
    ----------
    events: as :meth:`Chip.events` gives them, oldest first.
    """
    last: dict[int, ActivityEvent] = {}
    found = []
    for event in events:
        found.append(_interval(last.get(event.unit), event.cycle))
        last[event.unit] = event
    found += [_interval(event, end) for event in last.values()]
    return [interval for interval in found if interval is not None]


def _interval(event: ActivityEvent | None, end: int) -> Interval | None:
    """The interval that an event began, unless it is idle or empty."""
    if event is None or event.cycle >= end:
        return None
    fields = unpack(Activity, [event.activity])
    state = ActivityState(fields["state"])
    if state is ActivityState.IDLE:
        return None
    return Interval(event.unit, event.cycle, end, state, fields["block"], fields["instance"])


def run_cycles(found: Iterable[Interval], units: int) -> list[int]:
    """Cycles in which each unit's array had a task to run."""
    cycles = [0] * units
    for interval in found:
        if interval.state is ActivityState.RUN:
            cycles[interval.unit] += interval.cycles
    return cycles


def unit_name(unit: int, config: OctopusConfig) -> str:
    """A unit as people say it: cluster's coordinates and number in the cluster."""
    cluster, number = divmod(unit, config.cluster.task_block_units)
    y, x = divmod(cluster, config.mesh.columns)
    return f"({x}, {y}) TBU {number}"
