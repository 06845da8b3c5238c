"""The pictures of a run's report: what the Task Block Units did, over time and on the mesh."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityState

from .trace import Interval, unit_name

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

WAITING_COLOUR = "#c3c9d1"
"""Of the time in which a unit fetches, loads or stores, but no array runs."""
WAITING_LABEL = "fetching, loading, storing"

COLUMNS = 1200
"""Columns of the overview's raster."""

DETAIL_CYCLES = 4000
"""Cycles that the detailed Gantt chart shows."""


def block_colours(found: Sequence[Interval]) -> dict[int, tuple[float, float, float]]:
    """A colour for each block that ran."""
    blocks = sorted({item.block for item in found if item.state is ActivityState.RUN})
    palette = matplotlib.colormaps["tab10" if len(blocks) <= 10 else "tab20"]
    return {block: to_rgb(palette(index % palette.N)) for index, block in enumerate(blocks)}


def _shares(
    found: Sequence[Interval], units: int, start: int, end: int, columns: int, run_block: int | None
) -> NDArray[np.float64]:
    """The share of each of ``columns`` equal times in which units ran a block (None: waited)."""
    width = (end - start) / columns
    # Of the time before each edge of a column, how much the unit did it: then the differences.
    edges = start + width * np.arange(columns + 1)
    shares = np.zeros((units, columns))
    for unit in range(units):
        mine = [
            item
            for item in found
            if item.unit == unit
            and item.end > start
            and item.start < end
            and (item.state is ActivityState.RUN) == (run_block is not None)
            and run_block in (None, item.block)
        ]
        if not mine:
            continue
        begins = np.clip([item.start for item in mine], start, end)
        ends = np.clip([item.end for item in mine], start, end)
        corners = np.ravel(np.column_stack([begins, ends]))
        before = np.concatenate([[0.0], np.cumsum(ends - begins)])
        levels = np.ravel(np.column_stack([before[:-1], before[1:]]))
        shares[unit] = np.diff(np.interp(edges, corners, levels)) / width
    return shares


def overview(
    found: Sequence[Interval],
    config: OctopusConfig,
    names: Mapping[int, str],
    start: int,
    end: int,
) -> Figure:
    """The whole run: a row a unit, colours mixed as the times are; below, how many units run.

    Parameters
    ----------
    found: in order of time for each unit. start: cycle that is drawn as 0. end: last cycle.
    """
    units, end = config.task_block_units, max(end, start + 1)
    colours = block_colours(found)
    columns = min(COLUMNS, end - start)
    picture = np.ones((units, columns, 3))
    running = np.zeros(columns)
    layers = [(colours[block], block) for block in colours]
    for colour, block in [*layers, (to_rgb(WAITING_COLOUR), None)]:
        share = _shares(found, units, start, end, columns, block)
        picture += share[:, :, None] * (np.array(colour) - 1)
        if block is not None:
            running += share.sum(axis=0)
    figure, (top, bottom) = pyplot.subplots(
        2,
        1,
        sharex=True,
        figsize=(12, 2.6 + 0.22 * units),
        height_ratios=[max(2, 0.24 * units), 1.1],
        layout="constrained",
    )
    extent = (0, end - start, units - 0.5, -0.5)
    top.imshow(np.clip(picture, 0, 1), aspect="auto", extent=extent, interpolation="nearest")
    _name_rows(top, config)
    times = np.linspace(0, end - start, columns)
    bottom.fill_between(times, running, color="#4c78a8", alpha=0.35, linewidth=0)
    bottom.plot(times, running, color="#4c78a8", linewidth=0.8)
    bottom.set_ylim(0, units)
    bottom.set_ylabel("units\nrunning")
    bottom.set_xlabel("clock cycle of the run")
    bottom.spines[["top", "right"]].set_visible(False)
    _legend(top, colours, names)
    return figure


def detail(
    found: Sequence[Interval],
    config: OctopusConfig,
    names: Mapping[int, str],
    start: int,
    first: int,
    last: int,
) -> Figure:
    """A Gantt chart of the cycles from ``first`` to ``last``; numbers are instances.

    Parameters
    ----------
    start: cycle that is drawn as 0.
    """
    units = config.task_block_units
    colours = block_colours(found)
    figure, axes = pyplot.subplots(figsize=(12, 1.6 + 0.28 * units), layout="constrained")
    for item in found:
        if item.end <= first or item.start >= last:
            continue
        runs = item.state is ActivityState.RUN
        colour = colours[item.block] if runs else WAITING_COLOUR
        left, right = max(item.start, first) - start, min(item.end, last) - start
        axes.barh(
            item.unit,
            right - left,
            left=left,
            height=0.8,
            color=colour,
            edgecolor="white",
            linewidth=0.4,
        )
        if runs and right - left > (last - first) / 50:
            axes.text(
                (left + right) / 2,
                item.unit,
                str(item.instance),
                ha="center",
                va="center",
                fontsize=6,
                color="white",
            )
    _name_rows(axes, config)
    axes.set_ylim(units - 0.5, -0.5)
    axes.set_xlim(first - start, last - start)
    axes.set_xlabel("clock cycle of the run")
    _legend(axes, colours, names)
    return figure


def detail_window(start: int, end: int) -> tuple[int, int]:
    """A stretch from the middle of the run, where it is under way."""
    if end - start <= DETAIL_CYCLES:
        return start, end
    middle = (start + end) // 2
    return middle - DETAIL_CYCLES // 2, middle + DETAIL_CYCLES // 2


def unit_shares(found: Sequence[Interval], config: OctopusConfig, start: int, end: int) -> Figure:
    """For each unit: the share of the run in which its array ran, it prepared, it was idle."""
    units = config.task_block_units
    totals = {True: np.zeros(units), False: np.zeros(units)}
    for item in found:
        overlap = min(item.end, end) - max(item.start, start)
        if overlap > 0:
            totals[item.state is ActivityState.RUN][item.unit] += overlap
    cycles = max(1, end - start)
    ran, waited = totals[True] / cycles, totals[False] / cycles
    figure, axes = pyplot.subplots(figsize=(7, 1.3 + 0.26 * units), layout="constrained")
    rows = np.arange(units)
    axes.barh(rows, ran, color="#4c78a8", label="array runs")
    axes.barh(rows, waited, left=ran, color=WAITING_COLOUR, label=WAITING_LABEL)
    axes.barh(rows, 1 - ran - waited, left=ran + waited, color="#f3f4f6", label="idle")
    for row, share in enumerate(ran):
        axes.text(1.01, row, f"{share:.0%}", va="center", fontsize=8)
    _name_rows(axes, config)
    axes.set_ylim(units - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8)
    return figure


def heat_map(found: Sequence[Interval], config: OctopusConfig, start: int, end: int) -> Figure:
    """The mesh with, in each cluster, the share of time in which its arrays ran."""
    units = config.cluster.task_block_units
    rows, columns = config.mesh.rows, config.mesh.columns
    ran = np.zeros(config.task_block_units)
    for item in found:
        if item.state is ActivityState.RUN:
            ran[item.unit] += max(0, min(item.end, end) - max(item.start, start))
    shares = ran.reshape(rows, columns, units).mean(axis=2) / max(1, end - start)
    figure, axes = pyplot.subplots(
        figsize=(2.4 + 1.1 * columns, 1.4 + 1.1 * rows), layout="constrained"
    )
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    for (y, x), share in np.ndenumerate(shares):
        axes.text(x, y, f"{share:.0%}", ha="center", va="center", color="w" if share < 0.6 else "k")
    axes.set_xticks(range(columns), [f"x = {x}" for x in range(columns)])
    axes.set_yticks(range(rows), [f"y = {y}" for y in range(rows)])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, label="arrays running", shrink=0.8)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def _name_rows(axes: Axes, config: OctopusConfig) -> None:
    """A row a unit, a line between clusters."""
    units = config.task_block_units
    axes.set_yticks(range(units), [unit_name(unit, config) for unit in range(units)], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    for edge in range(config.cluster.task_block_units, units, config.cluster.task_block_units):
        axes.axhline(edge - 0.5, color="#8b95a1", linewidth=0.6)


def _legend(
    axes: Axes, colours: Mapping[int, tuple[float, float, float]], names: Mapping[int, str]
) -> None:
    entries = [
        Patch(color=colour, label=names.get(block, f"block {block}"))
        for block, colour in colours.items()
    ]
    entries.append(Patch(color=WAITING_COLOUR, label=WAITING_LABEL))
    axes.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, fontsize=8
    )
