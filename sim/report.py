"""The report of a run as files: HTML with Gantt chart and heat map, JSON, and a Perfetto trace."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityState

from .run import RunResult
from .trace import Interval, perfetto, run_cycles, unit_name

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.patches import Patch

WAITING_COLOUR = "#d4d8dd"
"""Of the time in which a unit fetches, loads or stores, but no array runs."""


def write_report(result: RunResult, folder: Path) -> Path:
    """Write ``index.html``, ``gantt.png``, ``utilisation.png``, ``trace.json``, ``run.json``.

    Returns:
        The page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {number: name for name, number in result.report.program.numbers.items()}
    figures = {
        "gantt": gantt(result.intervals, result.config, names, result.start_cycle),
        "utilisation": heat_map(result.intervals, result.config, result.report.cycles),
    }
    pictures = {}
    for name, figure in figures.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
        pyplot.close(figure)
        (folder / f"{name}.png").write_bytes(buffer.getvalue())
        pictures[name] = base64.b64encode(buffer.getvalue()).decode()
    trace = perfetto(result.intervals, result.config, names)
    (folder / "trace.json").write_text(json.dumps(trace))
    (folder / "run.json").write_text(json.dumps(as_json(result), indent=2) + "\n")
    template = Path(__file__).with_name("report.html.j2").read_text()
    page = jinja2.Environment(autoescape=True).from_string(template)
    path = folder / "index.html"
    path.write_text(page.render(result=result, report=result.report, pictures=pictures))
    return path


def as_json(result: RunResult) -> dict[str, Any]:
    """The run's figures as plain values."""
    report = result.report
    return {
        "workflow": result.workflow,
        "policy": result.policy,
        "seed": result.seed,
        "configuration": result.config.model_dump(),
        "instances": len(report.outcomes),
        "differences": result.differences,
        "summary": {key: float(value) for key, value in result.summary.items()},
        "load_cycles": result.load_cycles,
        "cycles": report.cycles,
        "cycles_per_instance": report.cycles_per_instance,
        "unit_utilisation": report.unit_utilisation,
        "array_utilisation": report.array_utilisation,
        "simulated_cycles_per_second": result.speed,
        "blocks": {name: asdict(figures) for name, figures in report.figures.items()},
        "latencies": [outcome.latency for outcome in report.outcomes],
    }


def gantt(
    found: Sequence[Interval], config: OctopusConfig, names: dict[int, str], start: int
) -> Figure:
    """One row a TBU; colours are blocks, grey is preparation without a running array.

    Parameters
    ----------
    start: cycle that is drawn as 0.
    """
    units = config.task_block_units
    figure, axes = pyplot.subplots(figsize=(12, 1.6 + 0.28 * units), layout="constrained")
    blocks = sorted({item.block for item in found if item.state is ActivityState.RUN})
    colours = matplotlib.colormaps["tab10" if len(blocks) <= 10 else "tab20"]
    shade = {block: colours(index % colours.N) for index, block in enumerate(blocks)}
    for unit in range(units):
        mine = [item for item in found if item.unit == unit and item.end > start]
        bars = [(item.start - start, item.cycles) for item in mine]
        running = [item.state is ActivityState.RUN for item in mine]
        fill = [
            shade[item.block] if runs else WAITING_COLOUR
            for item, runs in zip(mine, running, strict=True)
        ]
        axes.broken_barh(bars, (unit - 0.4, 0.8), facecolors=fill, linewidth=0)
    axes.set_yticks(range(units), [unit_name(unit, config) for unit in range(units)])
    axes.set_ylim(units - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("clock cycle")
    axes.spines[["top", "right"]].set_visible(False)
    entries = [
        Patch(color=shade[block], label=names.get(block, f"block {block}")) for block in blocks
    ]
    entries.append(Patch(color=WAITING_COLOUR, label="fetching, loading, storing"))
    axes.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, fontsize=8
    )
    return figure


def heat_map(found: Sequence[Interval], config: OctopusConfig, cycles: int) -> Figure:
    """The mesh with, in each cluster, the share of time in which its arrays ran."""
    units = config.cluster.task_block_units
    rows, columns = config.mesh.rows, config.mesh.columns
    ran = np.array(run_cycles(found, config.task_block_units), dtype=float)
    shares = ran.reshape(rows, columns, units).mean(axis=2) / max(1, cycles)
    figure, axes = pyplot.subplots(
        figsize=(2.2 + 1.1 * columns, 1.2 + 1.1 * rows), layout="constrained"
    )
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    for (y, x), share in np.ndenumerate(shares):
        axes.text(x, y, f"{share:.0%}", ha="center", va="center", color="w" if share < 0.6 else "k")
    axes.set_xticks(range(columns), [f"x = {x}" for x in range(columns)])
    axes.set_yticks(range(rows), [f"y = {y}" for y in range(rows)])
    figure.colorbar(image, ax=axes, format="{x:.0%}", label="arrays running")
    return figure
