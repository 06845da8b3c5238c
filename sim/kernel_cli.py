"""``octopus kernel list``, ``show`` and ``run``: the public kernels on the command line."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from octopus.hw.config import PRESETS, OctopusConfig
from octopus.sched.kernels.registry import KernelEntry, find_kernel, kernels
from octopus.sched.kernels.task import Kernel, TaskError

from .checks import MAXIMUM_SEED, whole_number
from .command import FAILURE, console, errors

app = typer.Typer(help="The public kernels.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of a kernel: see octopus kernel list.")]
ParametersArgument = Annotated[
    list[str] | None, typer.Argument(help="Parameters in place of the example's: name=value …")
]
ConfigOption = Annotated[
    str, typer.Option("--config", help=f"A TOML file or a preset: {', '.join(PRESETS)}.")
]


@app.command("list")
def list_kernels() -> None:
    """List the public kernels with their parameters and operands."""
    from .kernel_view import listing

    console.print(listing(kernels()))
    console.print("Parameters are shown with the values of octopus kernel run NAME.")


@app.command()
def show(
    name: NameArgument,
    parameters: ParametersArgument = None,
    config: ConfigOption = "default",
    pictures: Annotated[bool, typer.Option(help="Draw the array.")] = True,
) -> None:
    """Show a kernel: operands, tasks, resources, the array's picture and the listing."""
    from octopus.verify.golden.disassembler import disassemble

    from .kernel_view import ImageView, signature

    entry = find_kernel(name)
    chip = OctopusConfig.load(config)
    computation = entry.build_from_text(_pairs(entry, parameters))
    steps = computation.plan(chip).steps
    console.print(entry.description, markup=False)
    console.print()
    console.print(signature(computation), markup=False)
    tasks = sum(step.shards for step in steps)
    used = list(dict.fromkeys(step.task.kernel for step in steps))
    console.print(f"on {chip.name}: {tasks} tasks, {len(used)} kernels")
    for kernel in used:
        view = ImageView(kernel, chip)
        _print_resources(kernel, view.resources())
        if pictures:
            console.print(view.picture())
        console.print(disassemble(view.image), markup=False, highlight=False)


@app.command()
def run(
    name: NameArgument,
    parameters: ParametersArgument = None,
    config: ConfigOption = "default",
    units: Annotated[
        int,
        typer.Option(
            parser=whole_number(1, 8), metavar="INTEGER", help="TBUs of the cluster it gets."
        ),
    ] = 1,
    seed: Annotated[
        int,
        typer.Option(
            parser=whole_number(0, MAXIMUM_SEED), metavar="INTEGER", help="Of the random inputs."
        ),
    ] = 1,
) -> None:
    """Run a kernel on one simulated cluster and check every result bit for bit."""
    from .kernel_run import one_cluster, run_kernel

    entry = find_kernel(name)
    chip = one_cluster(OctopusConfig.load(config), units)
    with console.status(f"{name}") as status:

        def step(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(f"{text} …")

        result = run_kernel(name, _pairs(entry, parameters), chip, seed, step)
    table = Table("figure", "value", title=f"{name} on {chip.name}, seed {seed}")
    table.columns[1].justify = "right"
    for figure, value in result.figures():
        table.add_row(figure, value)
    console.print(table)
    if result.differences:
        for line in result.differences:
            errors.print(line, markup=False)
        raise typer.Exit(FAILURE)
    console.print("all results equal the reference, bit for bit")


def _pairs(entry: KernelEntry, parameters: Iterable[str] | None) -> dict[str, str]:
    """The parameters given as ``name=value``.

    Raises:
        TaskError: one has another form.
    """
    pairs = {}
    for text in parameters or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise TaskError(f"kernel {entry.name}: parameter {text!r}; allowed: name=value")
        pairs[name] = value
    return pairs


def _print_resources(kernel: Kernel, resources: list[tuple[str, str]]) -> None:
    table = Table("resource", "use", title=kernel.name)
    for name, value in resources:
        table.add_row(name, value)
    console.print(table)
