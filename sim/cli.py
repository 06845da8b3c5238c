"""The command line: ``octopus emit``, ``run``, ``lint``, ``kernel``, ``list`` and others."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from octopus.hw.config import PRESETS, ConfigurationError, OctopusConfig
from octopus.hw.host.register_documents import FORMATS

from .checks import given_path, writable_file, writable_folder
from .command import FAILURE, RefusedError, console, errors, run_command
from .kernel_cli import app as kernel_app
from .run_cli import ConfigOption, run
from .toolchain import ToolchainError

app = typer.Typer(
    help="Octopus: an open scale-out spatial accelerator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(kernel_app, name="kernel")
app.command()(run)


@app.command()
def emit(
    out: Annotated[
        Path,
        typer.Option("--out", parser=given_path, metavar="PATH", help="Folder for the Verilog."),
    ],
    config: ConfigOption = "default",
    force: Annotated[
        bool, typer.Option(help="Write into a folder that holds other files or changed ones.")
    ] = False,
    target: Annotated[
        str, typer.Option(help="Whose tools read it: generic, ecp5, gowin, xilinx, intel, ...")
    ] = "generic",
    port: Annotated[
        list[str] | None,
        typer.Option(help="KIND=NAME of a port: clock, reset, interrupt, registers or window."),
    ] = None,
    clock_mhz: Annotated[float, typer.Option(help="Clock in the constraints.")] = 100.0,
) -> None:
    """Emit the chip as Verilog, with file lists, constraints, headers and a core file."""
    from octopus.hw.emitted_folder import check_folder
    from octopus.hw.targets import find_target

    if not 0 < clock_mhz < float("inf"):
        raise RefusedError(f"--clock-mhz is {clock_mhz}; allowed: above 0")
    loaded = OctopusConfig.load(config)
    marks = find_target(target)
    check_folder(out, force)
    writable_folder("--out", out)
    from octopus.hw.chip import Chip
    from octopus.hw.emit import emit as emit_modules
    from octopus.hw.emit import write
    from octopus.hw.package_files import package_files
    from octopus.hw.wrapper import PortNames, wrap

    names = PortNames.parse(port or [])
    with console.status(f"emitting {loaded.name}"):
        chip = Chip(loaded)
        modules = emit_modules(chip)
        modules.append(wrap(chip, modules, names))
        others = package_files(chip, modules, names, clock_mhz)
        write(modules, out, loaded.model_dump(), marks, others)
    lines = sum(module.text.count("\n") for module in modules)
    console.print(
        f"{loaded.name}: {loaded.processing_elements:,} PEs, {len(modules)} modules, "
        f"{lines:,} lines of Verilog in {out}"
    )


@app.command()
def lint(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=given_path, metavar="FOLDER", help="A folder that octopus emit wrote."
        ),
    ],
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
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a report.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    output: Annotated[
        Path, typer.Option(parser=given_path, metavar="PATH", help="The page to write.")
    ] = Path("compare.html"),
) -> None:
    """Compare two runs by their reports: a table, and a page with more."""
    writable_file("--output", output)
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
    """Print the host's register map (document, C header, JSON), or all layouts (document)."""
    if form not in FORMATS:
        raise RefusedError(f"--format is {form!r}; allowed: {', '.join(FORMATS)}")
    print(FORMATS[form](), end="")


def _explained() -> tuple[type[Exception], ...]:
    """Errors that one line explains to the user."""
    from octopus.cache import CacheError
    from octopus.hw.emitted_folder import EmissionError
    from octopus.hw.targets import TargetError
    from octopus.hw.wrapper import PortNameError
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
        PortNameError,
        RefusedError,
        ReportError,
        RunError,
        TargetError,
        TaskError,
        ToolchainError,
        WorkflowError,
        WorkloadError,
    )


def main() -> None:
    """Entry point: errors that a user can mend are one line and exit code 2."""
    run_command(app, _explained)
