"""Draws a mapping: PEs across, the cycles of an iteration down."""

from pathlib import Path

from matplotlib.figure import Figure

from .compiler import Compiled
from .fabric import Copy, Turn, Wire

_COLOURS = {"operation": "#4477aa", "copy": "#ccbb44", "route": "#dddddd"}


def draw(compiled: Compiled, path: Path) -> None:
    """Write the picture of a mapping; the file's ending says the format.

    Every box is what a PE does in a cycle of one iteration: an operation, a copy (a PASS that the
    router put in), or only forwarding. A line marks each interval: what lies one interval apart
    shares its instruction.
    """
    mapping, columns = compiled.mapping, compiled.pea.columns
    boxes: dict[tuple[int, int], tuple[str, str]] = {}

    def add(place: tuple[int, int], time: int, kind: str, text: str) -> None:
        key = (place[0] * columns + place[1], time)
        if kind != "route" or key not in boxes:
            boxes[key] = (kind, text)

    for net, tree in mapping.trees.items():
        for step in tree.sinks:
            if isinstance(step, Copy):
                add(step.place, step.time, "copy", net[0])
            elif isinstance(step, Turn):
                add(step.place, step.time, "route", "")
            elif isinstance(step, Wire) and step.how != "result":
                add(step.place, step.slot_time, "route", "")
    for name, (place, time) in mapping.places.items():
        add(place, time, "operation", name)
    last = max((time for _, time in boxes), default=0) + 1
    elements = compiled.pea.rows * columns
    figure = Figure(figsize=(2 + 0.8 * elements, 2 + 0.35 * last), layout="constrained")
    axes = figure.add_subplot()
    for (element, time), (kind, text) in boxes.items():
        axes.barh(time, 0.94, 0.9, element - 0.47, color=_COLOURS[kind])
        axes.text(element, time, text[:12], ha="center", va="center", fontsize=6)
    for time in range(0, last + 1, compiled.interval):
        axes.axhline(time - 0.5, color="black", linewidth=0.6)
    axes.set_xticks(
        range(elements), [f"{n // columns},{n % columns}" for n in range(elements)], fontsize=7
    )
    axes.set_ylim(last - 0.5, -0.5)
    axes.set_xlabel("PE (row, column)")
    axes.set_ylabel("cycle of the iteration")
    axes.set_title(f"{compiled.graph.name}: interval {compiled.interval}, bound {compiled.bound}")
    figure.savefig(path)
