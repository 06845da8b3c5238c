"""Every public kernel on the simulated RTL, with several random inputs, compared bit for bit.

    python scripts/kernel_regression.py [NAME ...] [--seeds 3] [--config default] [--large]

One chip of one cluster and one TBU runs them all; with ``--large`` also shapes that the scratchpad
does not hold at once, with edges, strides, borders and partial sums. Exit code 1 if a result
differs or a kernel does not run.
"""

import sys
from typing import Annotated, Any

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
LARGE: list[tuple[str, dict[str, Any]]] = [
    ("gemm", {"rows": 37, "features_in": 3001, "features_out": 30, "bias": True}),
    (
        "dense",
        {"rows": 101, "features_in": 999, "features_out": 79, "multiplier": 21, "shift": 20},
    ),
    (
        "conv2d",
        {
            "height": 21, "width": 19, "channels": 64, "filters": 48, "window": 5, "stride": 2,
            "padding": 2, "multiplier": 30, "shift": 20,
        },
    ),
    (
        "conv2d",
        {
            "height": 7, "width": 7, "channels": 256, "filters": 20, "padding": 1,
            "multiplier": 30, "shift": 20, "relu": True, "zero_point": -5,
        },
    ),
    (
        "depthwise",
        {
            "height": 30, "width": 31, "channels": 70, "stride": 2, "padding": 1,
            "multiplier": 70, "shift": 14,
        },
    ),
    (
        "max_pool",
        {"height": 33, "width": 29, "channels": 50, "window": 3, "stride": 2, "padding": 1},
    ),
    ("average_pool", {"height": 14, "width": 14, "channels": 96, "window": 7, "stride": 7}),
    ("softmax", {"rows": 30, "columns": 150, "scale": 0.04}),
    ("layer_norm", {"rows": 40, "columns": 256, "shift": 13}),
    ("binary", {"operation": "mulh", "length": 3001}),
]  # fmt: skip


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Kernels; all if none.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Inputs of each.")] = 3,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "default",
    large: Annotated[bool, typer.Option(help="Also large shapes.")] = False,
) -> None:
    """Run, compare, print."""
    chip = one_cluster(OctopusConfig.load(config), 1)
    table = Table("kernel", "tasks", "TBU cycles", "array cycles", "", title=chip.name)
    for column in table.columns[1:4]:
        column.justify = "right"
    failures = 0
    wanted = names or list(kernels())
    cases = [(name, find_kernel(name).example) for name in wanted]
    cases += [case for case in LARGE if large and case[0] in wanted]
    for name, parameters in cases:
        entry = find_kernel(name)
        verdict, row = "ok", ["", "", ""]
        for seed in range(1, seeds + 1):
            console.print(f"{name} {dict(parameters)}, seed {seed}", markup=False)
            try:
                computation = entry.build(parameters)
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
