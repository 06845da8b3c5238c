"""From recorded activity to intervals, and from those to a file that Perfetto opens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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


def perfetto(
    found: Iterable[Interval], config: OctopusConfig, names: Mapping[int, str]
) -> dict[str, Any]:
    """The trace in the JSON form that ui.perfetto.dev opens: a process a cluster, a thread a TBU.

    Parameters
    ----------
    names: of the blocks, by number. A cycle is shown as a microsecond.
    """
    units = config.cluster.task_block_units
    events: list[dict[str, Any]] = []
    for cluster in range(config.clusters):
        y, x = divmod(cluster, config.mesh.columns)
        events.append(_metadata("process_name", f"cluster ({x}, {y})", cluster, 0))
        for unit in range(units):
            events.append(_metadata("thread_name", f"TBU {unit}", cluster, unit))
    for interval in found:
        cluster, unit = divmod(interval.unit, units)
        block = names.get(interval.block, f"block {interval.block}")
        running = interval.state is ActivityState.RUN
        events.append(
            {
                "name": block if running else interval.state.name.lower(),
                "cat": interval.state.name.lower(),
                "ph": "X",
                "pid": cluster,
                "tid": unit,
                "ts": interval.start,
                "dur": interval.cycles,
                "args": {"block": block, "instance": interval.instance},
            }
        )
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _metadata(kind: str, name: str, process: int, thread: int) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}
