"""What the report's page needs beside the figures: names, tasks, the workflow's picture, tables."""

from collections import Counter
from typing import Any

import numpy as np

from octopus.hw.layouts.activity import Stage

from .bound import causes_in_words
from .graph_layout import layout
from .profile import NO_INSTANCE, Profile
from .tasks import NEVER
from .trace import unit_name

MOST_TASKS = 50_000
"""Tasks that the page draws."""

COLUMNS = ("ready", "dispatched", "taken", "placed", "filled", "started", "left", "completed")
"""The cycles of a task that the page knows; -1 for what did not happen."""


def page_data(profile: Profile, figures: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page's script reads."""
    config = profile.recording.config
    columns = config.mesh.columns
    return {
        **{
            name: figures[name]
            for name in (
                "cycles",
                "causes",
                "words",
                "latency",
                "critical_paths",
                "time",
                "links",
                "processing_elements",
            )
        },
        "cause_texts": causes_in_words(),
        "mesh": {
            "columns": columns,
            "rows": config.mesh.rows,
            "units": config.cluster.task_block_units,
        },
        "cluster_names": [f"({i % columns}, {i // columns})" for i in range(config.clusters)],
        "unit_names": [unit_name(unit, config) for unit in range(config.task_block_units)],
        "block_names": profile.blocks,
        "instances": len(profile.outcomes),
        "tasks": _tasks(profile),
        "graph": _graph(profile, figures),
    }


def tasks_shown(profile: Profile) -> int:
    """How many tasks the run has that the page could draw."""
    return int((profile.tasks.at(Stage.TAKEN) >= profile.start).sum())


def _tasks(profile: Profile) -> dict[str, Any]:
    """The tasks by columns, cycles counted from the run's start."""
    tasks = profile.tasks
    mine = np.flatnonzero(tasks.at(Stage.TAKEN) >= profile.start)
    mine = mine[np.argsort(tasks.at(Stage.TAKEN)[mine], kind="stable")][:MOST_TASKS]
    numbers = {profile.program.numbers[name]: place for place, name in enumerate(profile.blocks)}
    times = {
        "ready": tasks.ready,
        "dispatched": tasks.at(Stage.DISPATCHED),
        "taken": tasks.at(Stage.TAKEN),
        "placed": tasks.at(Stage.PLACED),
        "filled": tasks.at(Stage.FILLED),
        "started": tasks.at(Stage.STARTED),
        "left": tasks.left_array,
        "completed": tasks.at(Stage.COMPLETED),
    }
    table = [
        tasks.unit[mine],
        np.array([numbers.get(int(block), -1) for block in tasks.block[mine]], np.int64),
        np.where(tasks.number[mine] == NO_INSTANCE, -1, tasks.number[mine]),
        tasks.dropped[mine].astype(np.int64),
    ]
    for name in COLUMNS:
        cycles = times[name][mine]
        table.append(np.where(cycles == NEVER, -1, np.maximum(cycles - profile.start, 0)))
    return {
        "columns": ["unit", "block", "number", "dropped", *COLUMNS],
        "rows": np.stack(table, axis=1).tolist(),
    }


def _graph(profile: Profile, figures: dict[str, Any]) -> dict[str, Any]:
    """The workflow's picture: places, and of task blocks their share of all cycles."""
    workflow = profile.program.workflow
    found = layout(workflow)
    cycles = {name: block["cycles"] for name, block in figures["blocks"].items()}
    total = max(1, sum(cycles.values()))
    return {
        "layers": found.layers,
        "width": found.width,
        "nodes": [
            {
                "name": block.name,
                "kind": block.kind.name.lower(),
                "layer": found.layer[block.name],
                "place": found.place[block.name],
                "cycles": cycles.get(block.name, 0),
                "share": cycles.get(block.name, 0) / total,
            }
            for block in workflow.blocks
        ],
        "flows": [[flow.origin, flow.target] for flow in workflow.flows],
    }


def path_tables(figures: dict[str, Any]) -> dict[str, list[list[str]]]:
    """Each critical path summed up by what took the time, longest first."""
    tables = {}
    for name, path in figures["critical_paths"].items():
        sums: Counter[str] = Counter()
        for step in path["steps"]:
            what = f"{step['block']}: {step['what']}" if step["block"] else step["what"]
            sums[what] += step["cycles"]
        tables[name] = [
            [what, f"{cycles:,}", f"{cycles / max(1, path['latency']):.1%}"]
            for what, cycles in sums.most_common(12)
        ]
    return tables


def word_rows(figures: dict[str, Any]) -> list[list[str]]:
    """The words by what they were for."""
    titles = {
        "activations": "operands: activations",
        "constants": "operands: constants",
        "dropped": "operands of tasks prepared in vain",
        "descriptors": "descriptors",
        "contexts": "kernels",
        "results": "results",
    }
    total = max(1, sum(figures["words"].values()))
    return [
        [title, f"{figures['words'][name]:,}", f"{figures['words'][name] / total:.1%}"]
        for name, title in titles.items()
    ]


def host_rows(figures: dict[str, Any]) -> list[list[str]]:
    """The host's accesses by kind."""
    cycles = max(1, figures["cycles"])
    return [
        [
            name,
            f"{sums['accesses']:,}",
            f"{sums['words']:,}",
            f"{sums['cycles']:,}",
            f"{sums['cycles'] / cycles:.1%}",
        ]
        for name, sums in figures["host"].items()
        if sums["accesses"]
    ]
