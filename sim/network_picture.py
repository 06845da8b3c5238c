"""A picture of how much the links of both networks carried."""

from collections.abc import Sequence

import matplotlib

from octopus.hw.chip import STEP
from octopus.hw.cluster.cluster import MESSAGE_CLASSES, SIDES
from octopus.hw.config import OctopusConfig

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

LABELLED_CLUSTERS = 36
"""Up to so many clusters each link has its load written beside it."""

HALF = 0.27
"""Half of the side of a cluster's square; neighbours are 1 apart."""


def network_load(flits: Sequence[Sequence[int]], config: OctopusConfig, cycles: int) -> Figure:
    """The mesh, once a network, with an arrow a link, coloured by its flits a cycle.

    Parameters
    ----------
    flits: for each cluster, row by row: as ``Chip.link_flits`` counts them.
    """
    columns, rows = config.mesh.columns, config.mesh.rows
    figure, both = pyplot.subplots(
        1,
        len(MESSAGE_CLASSES),
        figsize=(2 * (1.6 + 1.5 * columns), 1.4 + 1.5 * rows),
        layout="constrained",
        squeeze=False,
    )
    for number, (axes, network) in enumerate(zip(both[0], MESSAGE_CLASSES, strict=True)):
        links = slice(number * len(SIDES), (number + 1) * len(SIDES))
        loads = [[count / max(1, cycles) for count in counts[links]] for counts in flits]
        _draw(axes, loads, columns, rows)
        axes.set_title(f"{network} network", fontsize=10)
        most = max(max(row) for row in loads)
        norm = Normalize(0, most or 1)
        figure.colorbar(
            ScalarMappable(norm, "viridis_r"), ax=axes, label="flits a cycle", shrink=0.7
        )
    return figure


def _draw(axes: Axes, loads: Sequence[Sequence[float]], columns: int, rows: int) -> None:
    """Squares for clusters, arrows for links; the host is west of (0, 0)."""
    most = max(max(row) for row in loads) or 1
    palette = matplotlib.colormaps["viridis_r"]
    for cluster, row in enumerate(loads):
        y, x = divmod(cluster, columns)
        axes.add_patch(
            Rectangle((x - HALF, y - HALF), 2 * HALF, 2 * HALF, fill=False, color="#5b6673")
        )
        axes.text(x, y, f"({x}, {y})", ha="center", va="center", fontsize=8)
        for side, load in zip(SIDES, row, strict=True):
            across, down = STEP[side]
            to_host = (x, y, across) == (0, 0, -1)
            if not to_host and not (0 <= x + across < columns and 0 <= y + down < rows):
                continue
            # Both directions between two clusters lie beside each other.
            left, up = x - 0.1 * down, y + 0.1 * across
            begin = (left + HALF * across, up + HALF * down)
            end = (left + (1 - HALF) * across, up + (1 - HALF) * down)
            arrow = {"arrowstyle": "-|>", "lw": 2.2, "color": palette(load / most)}
            axes.annotate("", end, begin, arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
            if len(loads) <= LABELLED_CLUSTERS:
                place = (left + 0.5 * across - 0.13 * down, up + 0.5 * down + 0.11 * across)
                axes.text(*place, f"{load:.3f}", ha="center", va="center", fontsize=6)
    axes.text(-0.88, 0, "host", ha="center", va="center", fontsize=8)
    axes.set_xlim(-1.05, columns - 0.4)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_aspect("equal")
    axes.axis("off")
