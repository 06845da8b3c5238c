"""The command line: ``octopus emit``, ``run``, ``lint``, ``kernel``, ``list`` and others."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table

from octopus.hw.config import PRESETS, ConfigurationError, OctopusConfig
from octopus.hw.host.register_documents import FORMATS

from .kernel_cli import app as kernel_app
from .toolchain import ToolchainError

FAILURE = 1
"""Exit code if results differ from the reference, or Verilog does not pass."""

MISUSE = 2
"""Exit code of an error that one line explains."""

console = Console()
errors = Console(stderr=True, highlight=False)
app = typer.Typer(
    help="Octopus: an open scale-out spatial accelerator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(kernel_app, name="kernel")

ConfigOption = Annotated[
    str, typer.Option("--config", help=f"A TOML file or a preset: {', '.join(PRESETS)}.")
]


class RefusedError(ValueError):
    """What the command line was asked for cannot be done; the message says why."""


@app.command()
def emit(
    out: Annotated[Path, typer.Option("--out", help="Folder for the Verilog.")],
    config: ConfigOption = "default",
    force: Annotated[
        bool, typer.Option(help="Write into a folder that holds other files or changed ones.")
    ] = False,
) -> None:
    """Emit the chip as Verilog: one file a module, a file list, a manifest."""
    from octopus.hw.emitted_folder import check_folder

    loaded = OctopusConfig.load(config)
    check_folder(out, force)
    from octopus.hw.chip import Chip
    from octopus.hw.emit import emit as emit_modules
    from octopus.hw.emit import write

    with console.status(f"emitting {loaded.name}"):
        modules = emit_modules(Chip(loaded))
        write(modules, out, loaded.model_dump())
    lines = sum(module.text.count("\n") for module in modules)
    console.print(
        f"{loaded.name}: {loaded.processing_elements:,} PEs, {len(modules)} modules, "
        f"{lines:,} lines of Verilog in {out}"
    )


@app.command()
def lint(
    folder: Annotated[Path, typer.Argument(help="A folder that octopus emit wrote.")],
) -> None:
    """Check emitted Verilog with every installed tool: Verilator, Yosys, Icarus, slang."""
    from octopus.hw.emitted_folder import read_manifest

    from .lint import LintError
    from .lint import lint as check

    manifest = read_manifest(folder)
    if manifest is None:
        raise RefusedError(f"{str(folder)!r} holds no manifest.json of octopus emit")
    top = manifest.top
    try:
        ran = check(folder, top, lambda step: console.print(step))
    except LintError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(FAILURE) from None
    console.print(f"{top} passes {', '.join(ran)}")


@app.command()
def run(
    workflow: Annotated[str, typer.Argument(help="Name of a workflow: see octopus list.")],
    config: ConfigOption = "default",
    policy: Annotated[str, typer.Option(help="Scheduling policy.")] = "indiscriminate",
    instances: Annotated[int, typer.Option(min=1, help="Instances of the workflow.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of inputs.")] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a report with pictures and a Perfetto trace.")
    ] = None,
    waves: Annotated[Path | None, typer.Option(help="File for an FST waveform.")] = None,
    wave_cycles: Annotated[
        str, typer.Option(help="Cycles of the run to record: FIRST:END.")
    ] = "0:10000",
) -> None:
    """Run a workflow on the simulated chip and check every result bit for bit."""
    from .run import Progress, RunResult, RunSettings
    from .run import run as run_workflow
    from .terminal import show_result

    window = _window(wave_cycles)
    settings = RunSettings(workflow, config, policy, instances, seed, waves, window)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cycles]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None, cycles="")

        def step(name: str) -> None:
            bar.update(task, description=name, total=None)
            if not console.is_terminal:
                console.print(f"{name} …")

        def ended(count: int, total: int, cycles: int) -> None:
            bar.update(task, completed=count, total=total, cycles=f"cycle {cycles:,}")

        def incomplete(partial: RunResult) -> None:
            if report is not None:
                from .report import write_report

                errors.print(f"report of what was run: {write_report(partial, report)}")

        result = run_workflow(settings, Progress(step, ended, incomplete))
    show_result(result, console)
    if report is not None:
        from .report import write_report

        console.print(f"report: {write_report(result, report)}")
    if result.differences:
        for line in result.differences[:10]:
            errors.print(line, markup=False)
        errors.print(f"{len(result.differences)} differences from the reference executor")
        raise typer.Exit(FAILURE)
    console.print(f"all {instances} results equal the reference executor's, bit for bit")


def _window(text: str) -> tuple[int, int]:
    """Two cycles from FIRST:END."""
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise RefusedError(f"--wave-cycles is {text!r}; allowed: FIRST:END with FIRST below END")
    return int(first), int(end)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a report.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
) -> None:
    """Compare two runs by their reports: a table, and a page with more."""
    from .compare import compare_page, figure_rows, load_report
    from .terminal import show_comparison

    page = compare_page((first, second))
    rows = figure_rows((load_report(first), load_report(second)))
    show_comparison(first, second, rows, console)
    output.write_text(page, encoding="utf-8")
    console.print(f"page: {output}", highlight=False, markup=False, soft_wrap=True)


@app.command("list")
def list_workflows() -> None:
    """List workflows and presets."""
    from octopus.sched.workloads import WORKLOADS

    table = Table("workflow", "what it is")
    for name, workload in WORKLOADS.items():
        table.add_row(name, workload.description)
    console.print(table)
    console.print(f"presets: {', '.join(PRESETS)}")


@app.command("config")
def show_config(config: Annotated[str, typer.Argument(help="A TOML file or preset.")]) -> None:
    """Validate a configuration and show every value."""
    loaded = OctopusConfig.load(config)
    table = Table("field", "value", title=loaded.name)
    for section, values in loaded.model_dump().items():
        for name, value in values.items() if isinstance(values, dict) else ():
            table.add_row(f"{section}.{name}", str(value))
    table.add_row("PEs", f"{loaded.processing_elements:,}")
    console.print(table)


@app.command()
def registers(
    form: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = "markdown",
) -> None:
    """Print the host's register map: as a document, a C header or JSON."""
    if form not in FORMATS:
        raise RefusedError(f"--format is {form!r}; allowed: {', '.join(FORMATS)}")
    print(FORMATS[form](), end="")


def _explained() -> tuple[type[Exception], ...]:
    """Errors that one line explains to the user."""
    from octopus.cache import CacheError
    from octopus.hw.emitted_folder import EmissionError
    from octopus.sched.driver_protocol import DriverError
    from octopus.sched.kernels.plan_program import PlanError
    from octopus.sched.kernels.task import TaskError
    from octopus.sched.policies.placement import PlacementError
    from octopus.sched.program import LoweringError
    from octopus.sched.runtime import RunError
    from octopus.sched.workflow import WorkflowError
    from octopus.sched.workloads import WorkloadError

    from .compare import ReportError

    return (
        CacheError,
        ConfigurationError,
        DriverError,
        EmissionError,
        LoweringError,
        OSError,
        PlacementError,
        PlanError,
        RefusedError,
        ReportError,
        RunError,
        TaskError,
        ToolchainError,
        WorkflowError,
        WorkloadError,
    )


def main() -> None:
    """Entry point: errors that a user can mend are one line and exit code 2."""
    try:
        app()
    except SystemExit:
        raise  # before all errors below are imported only to be compared with it
    except _explained() as error:
        errors.print(f"octopus: {error}", markup=False, soft_wrap=True)
        sys.exit(MISUSE)
