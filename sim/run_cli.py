"""``octopus run``: a workflow on the simulated chip, with its progress, figures and report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar

from octopus.hw.config import PRESETS

from .checks import (
    MAXIMUM_INSTANCES,
    MAXIMUM_SEED,
    cycle_window,
    given_path,
    whole_number,
    writable_file,
    writable_folder,
)
from .command import FAILURE, RefusedError, console, errors

if TYPE_CHECKING:
    from .run import RunResult, RunSettings

ALL_WAVES = "0:10000"

ConfigOption = Annotated[
    str, typer.Option("--config", help=f"A TOML file or a preset: {', '.join(PRESETS)}.")
]


def run(
    workflow: Annotated[str, typer.Argument(help="Name of a workflow: see octopus list.")],
    config: ConfigOption = "default",
    policy: Annotated[str, typer.Option(help="Scheduling policy.")] = "indiscriminate",
    instances: Annotated[
        int,
        typer.Option(
            parser=whole_number(1, MAXIMUM_INSTANCES),
            metavar="INTEGER",
            help="Instances of the workflow.",
        ),
    ] = 300,
    seed: Annotated[
        int,
        typer.Option(
            parser=whole_number(0, MAXIMUM_SEED), metavar="INTEGER", help="Of the choice of inputs."
        ),
    ] = 1,
    report: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            metavar="PATH",
            help="Folder for a report with pictures and a Perfetto trace.",
        ),
    ] = None,
    waves: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="File for an FST waveform."),
    ] = None,
    wave_cycles: Annotated[
        str | None,
        typer.Option(help=f"Cycles of the run to record, FIRST:END; without it {ALL_WAVES}."),
    ] = None,
) -> None:
    """Run a workflow on the simulated chip and check every result bit for bit."""
    if wave_cycles is not None and waves is None:
        raise RefusedError("--wave-cycles needs --waves with a file for the waveform")
    window = cycle_window("--wave-cycles", wave_cycles or ALL_WAVES)
    if report is not None:
        writable_folder("--report", report)
    if waves is not None:
        writable_file("--waves", waves)
    from .run import RunSettings
    from .terminal import show_result

    settings = RunSettings(workflow, config, policy, instances, seed, waves, window)
    result = _simulate(settings, report)
    show_result(result, console)
    if report is not None:
        _report(result, report, "report")
    if result.differences:
        for line in result.differences[:10]:
            errors.print(line, markup=False)
        errors.print(f"{len(result.differences)} differences from the reference executor")
        raise typer.Exit(FAILURE)
    console.print(f"all {instances} results equal the reference executor's, bit for bit")


def _report(result: "RunResult", folder: Path, what: str) -> None:
    """Write the report and say where it is."""
    from .report import write_report

    console.print(f"{what}: {write_report(result, folder)}", soft_wrap=True, markup=False)


def _simulate(settings: "RunSettings", report: Path | None) -> "RunResult":
    """The run, with a bar of its progress on a terminal.

    If it is interrupted or fails, a report of what was simulated is written, if one is wanted.
    """
    from .run import Progress
    from .run import run as run_workflow

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

        def incomplete(partial: "RunResult") -> None:
            ran = [outcome for outcome in partial.report.outcomes if outcome.result is not None]
            console.print(f"{len(ran)} of {settings.instances} instances had ended")
            if report is not None:
                _report(partial, report, "report of what was simulated")

        return run_workflow(settings, Progress(step, ended, incomplete))
