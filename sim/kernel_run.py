"""One public kernel on the simulated chip: random inputs in, compared with its reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.plan import Computation
from octopus.sched.kernels.plan_program import PlanProgram, PlanRun, lay_out, run
from octopus.sched.kernels.registry import find_kernel

from .build import check_tools
from .chip import Chip
from .driver import ChipDriver
from .trace import intervals, run_cycles

MACS_A_PE = 4
"""Multiplications of bytes that a PE does in a cycle."""


@dataclass(frozen=True)
class KernelResult:
    """What came of a run.

    Attributes
    ----------
    run_cycles: in which arrays had a task to run, stalls included.
    differences: from the reference, one line each.
    """

    computation: Computation
    config: OctopusConfig
    program: PlanProgram
    run: PlanRun
    seed: int
    run_cycles: int
    differences: list[str]

    @property
    def tasks(self) -> int:
        """Tasks that ran."""
        return sum(step.shards for step in self.program.plan.steps)

    @property
    def busy_cycles(self) -> int:
        """Cycles from a task's dispatch to its completion, over all tasks and TBUs."""
        return sum(step.busy_cycles for step in self.run.steps)

    def utilisation(self, cycles: int) -> float:
        """Multiplications of bytes done, of those that one array can do in ``cycles``."""
        pea = self.config.pea
        return self.computation.macs / (cycles * pea.rows * pea.columns * MACS_A_PE)

    def figures(self) -> list[tuple[str, str]]:
        """Names and values, as shown."""
        ran = self.run
        lines = [
            ("tasks", f"{self.tasks:,}"),
            ("cycles as the host sees them", f"{ran.cycles:,}"),
            ("cycles of the TBUs, transfers included", f"{self.busy_cycles:,}"),
            ("cycles of the arrays' runs", f"{self.run_cycles:,}"),
            ("of these, arrays advancing", f"{ran.array_cycles / self.run_cycles:.1%}"),
            ("TBUs running an array", f"{self.run_cycles / self.busy_cycles:.1%}"),
        ]
        if self.computation.macs:
            lines += [
                ("MAC utilisation of the runs", f"{self.utilisation(self.run_cycles):.1%}"),
                ("MAC utilisation end to end", f"{self.utilisation(self.busy_cycles):.1%}"),
            ]
        return lines


def one_cluster(config: OctopusConfig, units: int) -> OctopusConfig:
    """The configuration with a single cluster of ``units`` TBUs (1 to 8), enough for a kernel."""
    if config.clusters == 1 and config.cluster.task_block_units == units:
        return config
    mesh = config.mesh.model_copy(update={"rows": 1, "columns": 1})
    cluster = config.cluster.model_copy(update={"task_block_units": units})
    name = f"{config.name}_cluster_{units}"
    return config.model_copy(update={"name": name, "mesh": mesh, "cluster": cluster})


def run_kernel(
    name: str,
    parameters: Mapping[str, str],
    config: OctopusConfig,
    seed: int,
    step: Callable[[str], None] = lambda step: None,
) -> KernelResult:
    """Build the kernel and the chip, run it on random inputs, compare every bit.

    Parameters
    ----------
    parameters: as text; the kernel's example stands for those left out.
    step: told the steps.

    Raises:
        TaskError: unknown kernel, or a parameter or the chip does not suit.
        ToolchainError: the chip cannot be built. DriverError, PlanError: it misbehaves.
    """
    return run_computation(find_kernel(name).build_from_text(parameters), config, seed, step)


def run_computation(
    computation: Computation,
    config: OctopusConfig,
    seed: int,
    step: Callable[[str], None] = lambda step: None,
) -> KernelResult:
    """As :func:`run_kernel`, of a kernel with its parameters."""
    program = lay_out(computation, config)
    check_tools(config)
    arrays = computation.random_inputs(seed)
    outputs, value = computation.reference(*arrays)
    with Chip.build(config, False, step) as chip:
        step("simulating")
        ran = run(ChipDriver(chip), program, arrays)
        units = run_cycles(intervals(chip.events(), chip.cycles), config.task_block_units)
    differences = []
    for operand, found, wanted in zip(computation.outputs, ran.outputs, outputs, strict=True):
        places = np.argwhere(found != wanted)
        if len(places):
            where = tuple(int(i) for i in places[0])
            differences.append(
                f"{operand.name}: {len(places)} of {found.size} elements differ, first {where}: "
                f"{found[where]}, expected {wanted[where]}"
            )
    if ran.value != value:
        differences.append(f"result word is {ran.value}, expected {value}")
    return KernelResult(computation, config, program, ran, seed, sum(units), differences)
