"""MAC utilisation of the tensor kernels on the simulated RTL, beside the goals.

One cluster, one TBU. ``resident``: multiplications done, of those that the array can do from the
first to the last cycle of its run, stalls included. ``end to end``: in the cycles from the first
dispatch to the last completion, with all transfers from and to cluster memory.

    python scripts/kernel_benchmark.py

Exit code 1 if a result differs from its reference or a figure is below its goal.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.convolution import Conv2d
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.plan import Computation
from octopus.sched.kernels.task import Task
from octopus.sim.kernel_run import KernelResult, one_cluster, run_computation

console = Console()


@dataclass(frozen=True)
class Case:
    """A measurement: what is run, what of it counts, and the goal."""

    title: str
    computation: Computation
    cycles: Callable[[KernelResult], int]
    goal: float


@dataclass(frozen=True)
class Measurement:
    """What a case came to."""

    case: Case
    result: KernelResult

    @property
    def cycles(self) -> int:
        """Those that count."""
        return self.case.cycles(self.result)

    @property
    def utilisation(self) -> float:
        """Of the multipliers, in these cycles."""
        return self.result.utilisation(self.cycles)

    @property
    def met(self) -> bool:
        """The goal is reached, and every bit is right."""
        return self.utilisation >= self.case.goal and not self.result.differences


def resident(result: KernelResult) -> int:
    """Cycles of the array's runs."""
    return result.run_cycles


def end_to_end(result: KernelResult) -> int:
    """Cycles of the TBU."""
    return result.busy_cycles


def one_task(task: Task) -> Task:
    """The task without its plan: all operands lie in the scratchpad before the array starts."""
    task.plan = partial(Task.plan, task)  # type: ignore[method-assign]
    return task


REQUANTISED = {"multiplier": 39, "shift": 20}
CASES = [
    Case("GEMM 32×256×32 to int32, resident", one_task(Gemm(256, 32, rows=32)), resident, 0.97),
    Case(
        "GEMM 32×256×32 to int8, resident",
        one_task(Dense(256, 32, rows=32, **REQUANTISED)),
        resident,
        0.97,
    ),
    Case(
        "GEMM 32×512×32 to int8, resident",
        one_task(Dense(512, 32, rows=32, **REQUANTISED)),
        resident,
        0.97,
    ),
    Case(
        "GEMM 256×256×256 to int8, end to end",
        Dense(256, 256, rows=256, **REQUANTISED),
        end_to_end,
        0.90,
    ),
    Case(
        "convolution 3×3, 32×32×32 → 32, end to end",
        Conv2d(32, 32, 32, 32, padding=1, **REQUANTISED),
        end_to_end,
        0.85,
    ),
]


def chip(scratchpad_words: int | None) -> OctopusConfig:
    """The ``default`` preset with one TBU, and with this scratchpad if one is given."""
    config = one_cluster(OctopusConfig.load("default"), 1)
    if scratchpad_words is None:
        return config
    unit = config.task_block_unit.model_copy(update={"scratchpad_words": scratchpad_words})
    name = f"benchmark_{scratchpad_words}"
    return config.model_copy(update={"name": name, "task_block_unit": unit})


def measure(config: OctopusConfig, seed: int) -> Iterator[Measurement]:
    """Run the cases one by one, and say so."""
    for case in CASES:
        console.print(f"{case.title} …")
        result = run_computation(case.computation, config, seed, console.print)
        for line in result.differences:
            console.print(line, markup=False)
        yield Measurement(case, result)


def main(
    scratchpad_words: Annotated[
        int | None, typer.Option(help="A power of two; as the preset has it if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the operands.")] = 1,
) -> None:
    """Measure, print, compare with the goals."""
    config = chip(scratchpad_words)
    pea, unit = config.pea, config.task_block_unit
    title = (
        f"{pea.rows} × {pea.columns} array, {pea.rows * pea.columns * 4} MACs a cycle, "
        f"{unit.scratchpad_words:,} words of scratchpad in {unit.scratchpad_banks} banks, "
        f"seed {seed}"
    )
    table = Table("kernel", "tasks", "cycles", "MAC utilisation", "goal", "", title=title)
    for column in table.columns[1:5]:
        column.justify = "right"
    good = True
    for measured in measure(config, seed):
        good = good and measured.met
        case, tasks = measured.case, measured.result.tasks
        row = [case.title, str(tasks), f"{measured.cycles:,}", f"{measured.utilisation:.2%}"]
        table.add_row(*row, f"≥ {case.goal:.0%}", "ok" if measured.met else "FAILED")
    console.print(table)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
