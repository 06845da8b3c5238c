"""Draws docs/images/architecture.svg: the chip, a cluster and a Task Block Unit."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

INK = "#1d2b3a"
COLOURS = {
    "host": "#ffd8a8",
    "cluster": "#e7f0fa",
    "router": "#b9d4f1",
    "control": "#cdeac0",
    "unit": "#f5dff0",
    "array": "#e0aaff",
    "memory": "#fff3bf",
}


def box(
    axes: Axes, place: tuple[float, float, float, float], text: str, colour: str, size: float = 8
) -> None:
    """A rounded box (x, y, width, height) with centred text."""
    x, y, width, height = place
    shape = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=COLOURS[colour],
        edgecolor=INK,
        linewidth=0.9,
    )
    axes.add_patch(shape)
    axes.text(
        x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size, color=INK
    )


def link(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A double arrow."""
    style = {"arrowstyle": "<->", "color": INK, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def title(axes: Axes, x: float, y: float, text: str) -> None:
    """A heading, left aligned."""
    axes.text(x, y, text, fontsize=10, weight="bold", color=INK, va="bottom")


def draw_chip(axes: Axes) -> None:
    """Left: the mesh and the host bridge."""
    title(axes, 0, 6.35, "Chip: 2D mesh of clusters")
    box(axes, (0, 4.7, 1.2, 1.2), "host\nbridge\n\nAXI4\nAXI4-Lite", "host", 7)
    for row in range(2):
        for column in range(2):
            x, y = 1.8 + 2.0 * column, 4.4 - 2.4 * row
            box(axes, (x, y, 1.5, 1.8), "", "cluster")
            axes.text(
                x + 0.75, y + 1.55, f"cluster ({column}, {row})", ha="center", fontsize=7, color=INK
            )
            box(axes, (x + 0.1, y + 0.95, 0.6, 0.4), "routers", "router", 6)
            box(axes, (x + 0.8, y + 0.95, 0.6, 0.4), "CBU", "control", 6)
            box(axes, (x + 0.1, y + 0.5, 1.3, 0.35), "cluster memory", "memory", 6)
            for index in range(4):
                box(axes, (x + 0.1 + 0.33 * index, y + 0.1, 0.3, 0.3), "TBU", "unit", 4.6)
    link(axes, (1.2, 5.3), (1.8, 5.3))
    for row in range(2):
        link(axes, (3.3, 5.3 - 2.4 * row), (3.8, 5.3 - 2.4 * row))
    for column in range(2):
        link(axes, (2.55 + 2.0 * column, 4.4), (2.55 + 2.0 * column, 3.8))
    axes.text(
        0,
        1.35,
        "each link: a control network (single-flit tokens)\nand a data network (wormhole packets)",
        fontsize=7,
        color=INK,
        va="top",
    )


def draw_cluster(axes: Axes) -> None:
    """Middle: what a cluster holds and how it is joined."""
    title(axes, 6.1, 6.35, "Cluster")
    box(axes, (6.1, 5.0, 1.9, 1.0), "control router\n+ endpoint", "router")
    box(axes, (8.5, 5.0, 1.9, 1.0), "data router\n+ endpoint", "router")
    box(
        axes,
        (6.1, 3.3, 1.9, 1.2),
        "Control Block Unit\nblock table, tokens,\nTBU choice",
        "control",
    )
    box(axes, (8.5, 3.6, 1.9, 0.9), "interconnect\npackets, addresses", "router")
    box(axes, (8.5, 2.2, 1.9, 0.9), "cluster memory\nbanked", "memory")
    box(axes, (6.1, 1.0, 4.3, 0.8), "Task Block Units 0 … n - 1", "unit")
    link(axes, (7.05, 5.0), (7.05, 4.5))
    link(axes, (9.45, 5.0), (9.45, 4.5))
    link(axes, (9.45, 3.6), (9.45, 3.1))
    link(axes, (7.05, 3.3), (7.05, 1.8))
    link(axes, (8.25, 1.8), (8.55, 3.6))
    link(axes, (8.0, 3.95), (8.5, 3.95))
    axes.text(6.95, 2.55, "dispatch,\ncompletion", fontsize=6.5, color=INK, ha="right", va="center")


def draw_unit(axes: Axes) -> None:
    """Right: a Task Block Unit and its array."""
    title(axes, 11.1, 6.35, "Task Block Unit")
    box(axes, (11.1, 4.9, 2.0, 1.1), "controller\ndescriptors,\ncontexts, DMA", "unit")
    box(axes, (13.5, 4.9, 2.0, 1.1), "sequencer\nhead, body, tail", "unit")
    box(axes, (11.1, 1.0, 1.1, 3.4), "scratch-\npad\n\nbanked", "memory")
    box(axes, (12.4, 3.8, 3.1, 0.6), "column streams", "control", 7)
    box(axes, (12.4, 1.0, 0.7, 2.6), "row\nstreams", "control", 7)
    for row in range(4):
        for column in range(4):
            place = (13.3 + 0.57 * column, 3.08 - 0.69 * row, 0.45, 0.52)
            box(axes, place, "PE", "array", 6)
            if column:
                link(axes, (place[0] - 0.12, place[1] + 0.26), (place[0], place[1] + 0.26))
            if row:
                middle = place[0] + 0.22
                link(axes, (middle, place[1] + 0.52), (middle, place[1] + 0.69))
    link(axes, (12.1, 4.9), (12.1, 4.4))
    link(axes, (13.1, 5.45), (13.5, 5.45))
    link(axes, (14.5, 4.9), (14.5, 4.4))
    link(axes, (12.2, 4.1), (12.4, 4.1))
    link(axes, (12.2, 2.3), (12.4, 2.3))


def main() -> None:
    """Write the picture to the path given, or to its place in the documentation."""
    default = Path(__file__).parent.parent / "docs" / "images" / "architecture.svg"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    figure, axes = pyplot.subplots(figsize=(15.7, 6.2))
    axes.set_xlim(-0.1, 15.6)
    axes.set_ylim(0.8, 6.8)
    axes.axis("off")
    draw_chip(axes)
    draw_cluster(axes)
    draw_unit(axes)
    figure.savefig(
        path,
        bbox_inches="tight",
        dpi=110,
        metadata={"Date": None} if path.suffix == ".svg" else None,
    )


if __name__ == "__main__":
    main()
