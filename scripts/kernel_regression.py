"""Every public kernel on the simulated RTL, with several random inputs, compared bit for bit.

    python scripts/kernel_regression.py [NAME ...] [--seeds 3] [--config default]

One chip of one cluster and one TBU runs them all. Exit code 1 if a result differs or a kernel
does not run.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from octopus.hw.config import OctopusConfig
from octopus.sched.driver_protocol import DriverError
from octopus.sched.kernels.plan_program import PlanError
from octopus.sched.kernels.registry import find_kernel, kernels
from octopus.sched.kernels.task import TaskError
from octopus.sim.kernel_run import one_cluster, run_computation

console = Console()


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Kernels; all if none.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Inputs of each.")] = 3,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "default",
) -> None:
    """Run, compare, print."""
    chip = one_cluster(OctopusConfig.load(config), 1)
    table = Table("kernel", "tasks", "TBU cycles", "array cycles", "", title=chip.name)
    for column in table.columns[1:4]:
        column.justify = "right"
    failures = 0
    for name in names or kernels():
        entry = find_kernel(name)
        verdict, row = "ok", ["", "", ""]
        for seed in range(1, seeds + 1):
            console.print(f"{name}, seed {seed}")
            try:
                computation = entry.build(entry.example)
                result = run_computation(computation, chip, seed, console.print)
            except (TaskError, PlanError, DriverError) as error:
                console.print(str(error), markup=False)
                verdict = "fails"
                break
            for line in result.differences:
                console.print(line, markup=False)
                verdict = "differs"
            row = [str(result.tasks), f"{result.busy_cycles:,}", f"{result.run.array_cycles:,}"]
        failures += verdict != "ok"
        table.add_row(name, *row, verdict)
    console.print(table)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    typer.run(main)
