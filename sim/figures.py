"""Every figure of a run's report as plain values: what ``run.json`` holds and the page shows."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.activity import Stage
from octopus.hw.layouts.descriptor import Status
from octopus.sched.report import Outcome

from .bound import block_loads, find_bound
from .control import COMPLETION
from .critical_path import critical_path, finished
from .host_log import HostAction, HostSpan
from .operands import fetched_words, multiplications, task_words
from .processing_elements import issued
from .profile import ADVANCE, CAUSES, IDLE, Profile, binned
from .tasks import NEVER

TIME_BINS = 400
"""Columns of the figures over time."""

NETWORKS = ("control", "data")
STEPS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
"""Links that leave a cluster, in the order in which they are counted, and where they lead to.

As in ``hw.cluster.cluster`` and ``hw.chip``, which would take the whole hardware to import.
"""

LATENCY_BINS = 40
MACS = 4
"""Multiplications of int8 values that a PE does in a cycle."""


def by_cause(cycles: NDArray[np.int64]) -> dict[str, int]:
    """A row of a table of causes, by name."""
    return {cause.name: int(count) for cause, count in zip(CAUSES, cycles, strict=True)}


def figures(profile: Profile, host: Sequence[HostSpan] = ()) -> dict[str, Any]:
    """All figures of a run; the keys are explained in ``docs/report.md``.

    Parameters
    ----------
    host: the accesses of the host, as ``LoggingTransport`` notes them.
    """
    config = profile.recording.config
    units, cycles = config.task_block_units, max(1, profile.cycles)
    chip = profile.by_unit.sum(axis=0)
    macs = sum(multiplications(profile).values())
    peak = units * config.pea.rows * config.pea.columns * MACS
    counts = issued(profile)
    return {
        "cycles": profile.cycles,
        "bound": asdict(find_bound(profile, list(host))),
        "utilisation": {
            "tbu": 1 - int(chip[IDLE]) / (cycles * units),
            "array": int(chip[ADVANCE]) / (cycles * units),
            "multiplier": macs / (cycles * peak),
        },
        "causes": {
            "chip": by_cause(chip),
            "cluster": [by_cause(row) for row in profile.by_cluster],
            "tbu": [by_cause(row) for row in profile.by_unit],
            "block": {name: by_cause(row) for name, row in profile.by_block.items()},
        },
        "words": asdict(fetched_words(profile)),
        "blocks": _blocks(profile),
        "latency": _latency(profile.outcomes),
        "critical_paths": _critical_paths(profile),
        "time": _over_time(profile),
        "links": _links(profile),
        "host": _host(profile, host),
        "processing_elements": (counts / cycles).round(5).tolist(),
    }


def _blocks(profile: Profile) -> dict[str, dict[str, Any]]:
    """By task block: what it did."""
    tasks, loads, macs = profile.tasks, block_loads(profile), multiplications(profile)
    config, found = profile.recording.config, {}
    control = profile.control
    failed = (control.event == COMPLETION) & (control.status != Status.OK.value)
    peak = config.pea.rows * config.pea.columns * MACS
    for name in profile.blocks:
        mine = profile.task_mask(name)
        ran = mine & tasks.completed
        runs = int(ran.sum())
        place, causes = profile.program.placement[name], profile.by_block[name]
        waits = (tasks.at(Stage.DISPATCHED) - tasks.ready)[ran & (tasks.ready != NEVER)]
        busy = int(causes.sum())
        found[name] = {
            "cluster": place.cluster,
            "task_block_units": place.units or (1 << config.cluster.task_block_units) - 1,
            "runs": runs,
            "cycles": busy,
            "mean_cycles": busy / runs if runs else 0.0,
            "array_cycles": int(causes[ADVANCE]),
            "mean_wait": float(waits.mean()) if len(waits) else 0.0,
            "load": loads[name],
            "faults": int(
                np.count_nonzero(failed & (control.block == profile.program.numbers[name]))
            ),
            "multiplier_utilisation": macs[name] / (busy * peak) if busy else 0.0,
            "words_a_task": asdict(task_words(profile.program, name)),
            "kernel_loads": int(np.count_nonzero(tasks.loads[mine])),
            "forecasts": {
                "right": int((mine & tasks.prepared & tasks.completed).sum()),
                "wrong": int((mine & tasks.dropped).sum()),
                "none": int((ran & ~tasks.prepared).sum()),
            },
        }
    return found


def _latency(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Of the instances that ended with a result."""
    latencies = [outcome.latency for outcome in finished(list(outcomes))]
    if not latencies:
        return {"count": 0}
    counts, edges = np.histogram(latencies, bins=min(LATENCY_BINS, max(1, len(latencies))))
    return {
        "count": len(latencies),
        "least": latencies[0],
        "median": latencies[len(latencies) // 2],
        "percentile_99": latencies[len(latencies) * 99 // 100],
        "most": latencies[-1],
        "mean": float(np.mean(latencies)),
        "edges": edges.round(2).tolist(),
        "counts": counts.tolist(),
    }


def _critical_paths(profile: Profile) -> dict[str, Any]:
    """Of the slowest and of the median instance."""
    done = finished(list(profile.outcomes))
    if not done:
        return {}
    chosen = {"slowest": done[-1], "median": done[len(done) // 2]}
    paths = {name: critical_path(profile, outcome) for name, outcome in chosen.items()}
    return {
        name: {
            **asdict(path),
            "steps": [{**asdict(step), "start": step.start - profile.start} for step in path.steps],
        }
        for name, path in paths.items()
    }


def _over_time(profile: Profile) -> dict[str, Any]:
    """Mean numbers of waiting tasks, tasks in units, running arrays and instances, over time."""
    tasks, end = profile.tasks, profile.recording.end
    edges = np.linspace(profile.start, max(end, profile.start + 1), TIME_BINS + 1)
    edges = np.unique(edges.round()).astype(np.float64)

    def shape(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[float]:
        """Of stretches that began; those without an end last until the end."""
        began = starts != NEVER
        until = np.where(ends == NEVER, end, ends)
        return binned(starts[began], until[began], edges).round(4).tolist()

    first = (tasks.shard == 0) & ~tasks.dropped
    dispatched = tasks.at(Stage.DISPATCHED)
    waiting, inside, running = {}, {}, {}
    for name in profile.blocks:
        mine = profile.task_mask(name)
        queue = mine & first
        waiting[name] = shape(tasks.ready[queue], dispatched[queue])
        here = mine & ~tasks.dropped & (dispatched != NEVER)
        inside[name] = shape(dispatched[here], tasks.at(Stage.COMPLETED)[here])
        running[name] = shape(tasks.at(Stage.STARTED)[here], tasks.left_array[here])
    begun = [outcome for outcome in profile.outcomes if outcome.slot >= 0]
    return {
        "edges": (edges - profile.start).tolist(),
        "waiting": waiting,
        "in_units": inside,
        "running": running,
        "instances": shape(
            np.array([outcome.started for outcome in begun], np.int64),
            np.array([outcome.finished or NEVER for outcome in begun], np.int64),
        ),
    }


def _links(profile: Profile) -> list[dict[str, Any]]:
    """Every link between clusters and to the host: flits, and their share of its capacity."""
    config, found = profile.recording.config, []
    columns, rows = config.mesh.columns, config.mesh.rows
    names = [(network, side) for network in NETWORKS for side in STEPS]
    for cluster, counts in enumerate(profile.recording.link_flits.tolist()):
        y, x = divmod(cluster, columns)
        for (network, side), flits in zip(names, counts, strict=True):
            across, down = STEPS[side]
            to_host = (x, y, across) == (0, 0, -1)
            if not to_host and not (0 <= x + across < columns and 0 <= y + down < rows):
                continue
            found.append(
                {
                    "network": network,
                    "x": x,
                    "y": y,
                    "side": side,
                    "flits": flits,
                    "load": flits / max(1, profile.cycles),
                }
            )
    return found


def _host(profile: Profile, host: Sequence[HostSpan]) -> dict[str, dict[str, int]]:
    """Accesses, words and cycles of the host in the run, by kind."""
    start, end = profile.recording.start, profile.recording.end
    found = {action.value: {"accesses": 0, "words": 0, "cycles": 0} for action in HostAction}
    for span in host:
        if span.start >= start and span.end <= end:
            sums = found[span.action.value]
            sums["accesses"] += 1
            sums["words"] += span.words
            sums["cycles"] += span.end - span.start
    return found
