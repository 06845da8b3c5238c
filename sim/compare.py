"""A page that compares two runs by their reports."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from .figures import LATENCY_BINS
from .report import embedded, inlined, template


class ReportError(ValueError):
    """A folder holds no report that can be read; the message names it."""


FIGURES = (
    ("cycles", ("cycles",)),
    ("cycles an instance", ("cycles_per_instance",)),
    ("latency, median", ("latency", "median")),
    ("latency, 99th percentile", ("latency", "percentile_99")),
    ("TBUs at work", ("utilisation", "tbu")),
    ("arrays advancing", ("utilisation", "array")),
    ("multipliers used", ("utilisation", "multiplier")),
    ("cycles to load the program", ("load_cycles",)),
    ("operand words: activations", ("words", "activations")),
    ("operand words: constants", ("words", "constants")),
    ("descriptor words", ("words", "descriptors")),
    ("simulated cycles a second", ("simulated_cycles_per_second",)),
)
"""What is compared, and where in ``run.json`` it is."""

SAME = (("workflow", "workflow"), ("instances", "instances"), ("seed", "seed"))
"""Where two runs that differ hardly can be compared."""


def load_report(folder: Path) -> dict[str, Any]:
    """The figures of a report.

    Parameters
    ----------
    folder: of the report, or its ``run.json``.

    Raises:
        ReportError: there is none, or another program wrote it.
    """
    path = folder / "run.json" if folder.is_dir() else folder
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{folder} holds no report: {error}") from None
    if not isinstance(found, dict) or "bound" not in found or "causes" not in found:
        raise ReportError(f"{path} is no report of this version: it lacks 'bound' or 'causes'")
    return found


def ratio(first: float, second: float) -> str:
    """The second over the first; empty if that means nothing."""
    return f"{second / first:.2f}" if first else ""


def figure_rows(runs: tuple[dict[str, Any], dict[str, Any]]) -> list[list[str]]:
    """Name, both values and their ratio, of every figure that both runs have."""
    rows = []
    for title, keys in FIGURES:
        values: list[Any] = list(runs)
        for key in keys:
            values = [value.get(key) if isinstance(value, dict) else None for value in values]
        if None in values:
            continue
        first, second = values
        small = keys[0] == "utilisation"
        shown = [f"{value:.2%}" if small else f"{value:,.0f}" for value in values]
        rows.append([title, *shown, ratio(first, second)])
    return rows


def compare_page(folders: tuple[Path, Path]) -> str:
    """The page, as HTML that needs nothing from outside.

    Raises:
        ReportError: see :func:`load_report`.
    """
    first, second = runs = load_report(folders[0]), load_report(folders[1])
    latencies = [[value for value in run["latencies"] if value is not None] for run in runs]
    every = [value for values in latencies for value in values] or [0]
    edges = np.histogram_bin_edges(every, LATENCY_BINS)
    names = [*first["blocks"], *(name for name in second["blocks"] if name not in first["blocks"])]
    nothing = {"cycles": 0, "mean_cycles": 0.0, "mean_wait": 0.0}
    pairs = {name: [run["blocks"].get(name, nothing) for run in runs] for name in names}
    causes = [run["causes"]["chip"] for run in runs]
    return template("compare.html.j2").render(
        titles=[str(folder) for folder in folders],
        origins=_origins(folders, runs),
        warnings=_warnings(runs),
        bounds=[run["bound"]["sentence"] for run in runs],
        figures=figure_rows(runs),
        causes=[
            [
                name,
                f"{causes[0][name]:,}",
                f"{causes[1][name]:,}",
                ratio(causes[0][name], causes[1][name]),
            ]
            for name in causes[0]
        ],
        blocks=[_block_row(name, a, b) for name, (a, b) in pairs.items()],
        css=inlined("report.css"),
        charts=inlined("charts.js"),
        script=inlined("compare.js"),
        data=embedded(
            {
                "causes": causes,
                "words": [run["words"] for run in runs],
                "blocks": {
                    name: [run["causes"]["block"].get(name, {}) for run in runs] for name in names
                },
                "edges": edges.round(2).tolist(),
                "latency": [
                    {**run["latency"], "counts": np.histogram(values, edges)[0].tolist()}
                    for run, values in zip(runs, latencies, strict=True)
                ],
            }
        ),
    )


def _origins(
    folders: tuple[Path, Path], runs: tuple[dict[str, Any], dict[str, Any]]
) -> list[list[str]]:
    """What was run."""
    rows = [["report", *map(str, folders)]]
    rows.append(["configuration", *(run["configuration"]["name"] for run in runs)])
    for title in ("workflow", "policy", "instances", "seed"):
        rows.append([title, *(str(run[title]) for run in runs)])
    return rows


def _warnings(runs: tuple[dict[str, Any], dict[str, Any]]) -> list[str]:
    """Why the comparison may say little."""
    first, second = runs
    found = [
        f"The runs differ in {title}: {first[key]} and {second[key]}."
        for title, key in SAME
        if first[key] != second[key]
    ]
    for letter, run in zip("AB", runs, strict=True):
        if run["error"]:
            found.append(f"{letter} ended early: {run['error']}.")
    return found


def _block_row(name: str, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{first['cycles']:,}",
        f"{second['cycles']:,}",
        ratio(first["cycles"], second["cycles"]),
        f"{first['mean_cycles']:,.0f}",
        f"{second['mean_cycles']:,.0f}",
        ratio(first["mean_cycles"], second["mean_cycles"]),
        f"{first['mean_wait']:,.0f}",
        f"{second['mean_wait']:,.0f}",
    ]
