"""The report's pages: complete, also of runs that ended early, and drawn by a browser."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from rich.console import Console

from octopus.sched.lowering import lower
from octopus.sched.runtime import FaultError
from octopus.sim.compare import ReportError, compare_page
from octopus.sim.report import write_report
from octopus.sim.run import Progress, RunSettings, run
from octopus.sim.terminal import SHOWN_COLUMNS, show_result

CHROMIUM = shutil.which("chromium")
WIDTHS = (1280, 500)
"""Of a desktop's window, and the narrowest that the browser makes."""

PROBE = """<script>
addEventListener("error", (event) => document.body.dataset.error = event.message);
addEventListener("load", () => {
  document.body.dataset.wide = document.documentElement.scrollWidth - innerWidth;
  document.body.dataset.empty = [...document.querySelectorAll(".chart")]
    .filter((place) => !place.querySelector("rect, path, canvas"))
    .map((place) => place.id).join(" ");
});
</script>"""


@pytest.fixture(scope="module")
def folder(tour, tmp_path_factory):
    """A report."""
    path = tmp_path_factory.mktemp("report")
    assert write_report(tour, path) == path / "index.html"
    return path


@pytest.fixture(scope="module")
def interrupted():
    """The same run, ended by Ctrl-C after its first instance."""
    found = []

    def ended(count, total, cycles):
        raise KeyboardInterrupt

    progress = Progress(instances=ended, incomplete=found.append)
    with pytest.raises(KeyboardInterrupt):
        run(RunSettings("control_tour", "tiny", instances=3), progress)
    assert len(found) == 1
    return found[0]


def drawn(page, tmp_path, width):
    """The page's body as the browser leaves it, with what the probe found."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    path = tmp_path / "page.html"
    path.write_text(page.replace("<body>", "<body>" + PROBE, 1), encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},900",
        "--virtual-time-budget=4000",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = re.search(r"<body[^>]*>", done.stdout)
    return done.stdout, dict(re.findall(r'data-(\w+)="([^"]*)"', body[0]))


def test_a_report_is_three_files_that_need_nothing_else(folder):
    assert {path.name for path in folder.iterdir()} == {
        "index.html",
        "run.json",
        "trace.perfetto-trace",
    }
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(https?:)?//(?!ui\.perfetto\.dev)', page)
    assert "fetch(" not in page and "import " not in page


def test_the_page_says_what_bounds_the_run(folder, tour):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert f'<p class="bound" id="bound">{tour.bound}</p>' in page
    figures = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert figures["bound"]["sentence"] == tour.bound
    assert figures["latencies"] == [outcome.latency for outcome in tour.report.outcomes]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_draws_every_chart(folder, tmp_path, width):
    dom, found = drawn((folder / "index.html").read_text(encoding="utf-8"), tmp_path, width)
    assert found.get("ready") == "yes" and "error" not in found
    assert found["empty"] == ""
    assert int(found["wide"]) <= 0, "the page itself does not scroll sideways"
    assert dom.count("<rect") > 100


def test_an_interrupted_run_has_a_report(interrupted, tmp_path):
    assert interrupted.error == "it was interrupted"
    ended = [outcome for outcome in interrupted.report.outcomes if outcome.result is not None]
    assert len(ended) == 1
    causes = interrupted.figures["causes"]["chip"]
    assert sum(causes.values()) == interrupted.report.cycles > 0
    page = write_report(interrupted, tmp_path).read_text(encoding="utf-8")
    assert "The run ended early: it was interrupted. 1 of its instances had ended" in page
    _, found = drawn(page, tmp_path, 1280)
    assert found.get("ready") == "yes" and "error" not in found and found["empty"] == ""


def test_a_run_that_fails_has_a_report(monkeypatch, tmp_path):
    """A workload whose tasks may take hardly any cycle: the watchdog ends the first."""
    from octopus.sim import run as module

    monkeypatch.setattr(module, "lower", lambda *given: lower(*given, cycle_limit=3), raising=True)
    found = []
    with pytest.raises(FaultError, match="WATCHDOG"):
        run(RunSettings("control_tour", "tiny", instances=1), Progress(incomplete=found.append))
    (result,) = found
    assert "WATCHDOG" in result.error
    assert sum(block["faults"] for block in result.figures["blocks"].values()) == 1
    page = write_report(result, tmp_path).read_text(encoding="utf-8")
    assert "No instance ended with a result." in page
    _, found = drawn(page, tmp_path, 1280)
    assert found.get("ready") == "yes" and "error" not in found


def test_names_cannot_break_out_of_the_page(tour, tmp_path):
    named = replace(tour, workflow="</script><b>x", differences=["<i>y</i>"])
    page = write_report(named, tmp_path).read_text(encoding="utf-8")
    assert "</script><b>x" not in page and "<i>y" not in page


def test_two_runs_are_compared(folder, interrupted, tmp_path):
    other = tmp_path / "other"
    write_report(interrupted, other)
    page = compare_page((folder, other))
    assert "B ended early: it was interrupted." in page
    first = json.loads((folder / "run.json").read_text())
    second = json.loads((other / "run.json").read_text())
    cells = [f"{run['cycles']:,}" for run in (first, second)]
    cells.append(f"{second['cycles'] / first['cycles']:.2f}")
    assert "<td>cycles</td>" + "".join(f"<td>{cell}</td>" for cell in cells) in page
    for width in WIDTHS:
        _, found = drawn(page, tmp_path, width)
        assert found.get("ready") == "yes" and "error" not in found and found["empty"] == ""
        assert int(found["wide"]) <= 0


def test_what_is_no_report_cannot_be_compared(tmp_path):
    with pytest.raises(ReportError, match="holds no report"):
        compare_page((tmp_path, tmp_path))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ReportError, match="lacks 'bound'"):
        compare_page((tmp_path, tmp_path))


def test_nothing_is_cut_at_80_columns(tour):
    shown = io.StringIO()
    show_result(tour, Console(file=shown, width=80))
    text = shown.getvalue()
    assert "…" not in text
    for row in tour.block_rows():
        assert re.search(" +".join(map(re.escape, row[:SHOWN_COLUMNS])), text)
    for name, value in tour.summary_lines():
        assert re.search(rf"{re.escape(name)} +{re.escape(value)}", text)
    assert " ".join(text.split()).count(tour.bound) == 1
