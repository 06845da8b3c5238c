"""The report of a run as files: a page, its figures as JSON, and a Perfetto trace."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .page_data import MOST_TASKS, host_rows, page_data, path_tables, tasks_shown, word_rows
from .perfetto_trace import write_perfetto
from .run import RunResult

PAGE = Path(__file__).with_name("page")
TRACE_NAME = "trace.perfetto-trace"


def write_report(result: RunResult, folder: Path) -> Path:
    """Write ``index.html``, ``run.json`` and ``trace.perfetto-trace``; the run may be incomplete.

    Returns:
        The page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = as_json(result)
    (folder / "run.json").write_text(json.dumps(figures) + "\n", encoding="utf-8")
    write_perfetto(result.profile, result.host, folder / TRACE_NAME)
    path = folder / "index.html"
    path.write_text(page(result, figures), encoding="utf-8")
    return path


def as_json(result: RunResult) -> dict[str, Any]:
    """The run's figures as plain values: ``docs/report.md`` explains each."""
    report = result.report
    return {
        "workflow": result.workflow,
        "policy": result.policy,
        "seed": result.seed,
        "configuration": result.config.model_dump(),
        "instances": len(report.outcomes),
        "finished": sum(outcome.result is not None for outcome in report.outcomes),
        "error": result.error,
        "differences": result.differences,
        "summary": {key: float(value) for key, value in result.summary.items()},
        "load_cycles": result.load_cycles,
        "cycles_per_instance": report.cycles_per_instance,
        "simulated_cycles_per_second": result.speed,
        "notices": [f"{name}: {value}" for name, value in result.notice_lines()],
        **result.figures,
        "latencies": [
            outcome.latency if outcome.result is not None else None for outcome in report.outcomes
        ],
    }


@cache
def template(name: str) -> jinja2.Template:
    """A page of the folder ``page``."""
    text = (PAGE / name).read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True).from_string(text)


def inlined(name: str) -> Markup:
    """A script or style sheet of the folder ``page``, to stand in a page as it is."""
    return Markup((PAGE / name).read_text(encoding="utf-8"))


def embedded(value: Any) -> Markup:
    """JSON that may stand inside a script element, whatever its texts are."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def page(result: RunResult, figures: dict[str, Any]) -> str:
    """The report as one HTML page that needs nothing from outside."""
    cut = MOST_TASKS if tasks_shown(result.profile) > MOST_TASKS else 0
    return template("report.html.j2").render(
        run=figures,
        figures=figures,
        tiles=[(name, value) for name, value in result.summary_lines()],
        block_titles=result.block_titles(),
        block_rows=result.block_rows(),
        path_tables=path_tables(figures),
        word_rows=word_rows(figures),
        host_rows=host_rows(figures),
        cut=cut,
        css=inlined("report.css"),
        data=embedded(page_data(result.profile, figures)),
        charts=inlined("charts.js"),
        gantt=inlined("gantt.js"),
        script=inlined("report.js"),
    )
