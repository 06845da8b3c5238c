"""The report of a run as files: HTML with Gantt chart and heat map, JSON, and a Perfetto trace."""

import base64
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
from matplotlib import pyplot

from .network_picture import network_load
from .pictures import detail, detail_window, heat_map, overview, unit_shares
from .run import RunResult
from .trace import perfetto


def write_report(result: RunResult, folder: Path) -> Path:
    """Write ``index.html``, the pictures in it as PNG, ``trace.json`` and ``run.json``.

    Returns:
        The page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {number: name for name, number in result.report.program.numbers.items()}
    found, config, start = result.intervals, result.config, result.start_cycle
    end = start + result.report.cycles
    figures = {
        "overview": overview(found, config, names, start, end),
        "gantt": detail(found, config, names, start, *detail_window(start, end)),
        "units": unit_shares(found, config, start, end),
        "network": network_load(result.link_flits, config, result.report.cycles),
        "utilisation": heat_map(found, config, start, end),
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
        "link_flits": result.link_flits,
        "latencies": [outcome.latency for outcome in report.outcomes],
    }
