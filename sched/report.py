"""What came of a run: outcomes of the instances, figures of the blocks, and their check."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from octopus.hw.layouts.descriptor import Status

from .driver_protocol import Notice
from .program import Program
from .workflow import InstanceResult


@dataclass(frozen=True)
class Fault:
    """A block that failed. ``instance`` is None if it belongs to no running instance."""

    block: str
    status: Status
    instance: int | None
    index: int = 0

    def __str__(self) -> str:
        """The fault in one line."""
        return f"block {self.block} failed in instance {self.instance}: {self.status.name}"


@dataclass
class Outcome:
    """How one instance ended: with a result or a fault.

    ``started`` and ``finished`` are clock cycles of the driver.
    """

    number: int
    slot: int = -1
    started: int = 0
    finished: int = 0
    result: InstanceResult | None = None
    fault: Fault | None = None

    @property
    def latency(self) -> int:
        """Cycles from the first write of its inputs until the host knew the result."""
        return self.finished - self.started


@dataclass(frozen=True)
class BlockFigures:
    """The counters of a task block, as the Control Block Unit keeps them."""

    arrivals: int = 0
    completions: int = 0
    busy_cycles: int = 0
    array_cycles: int = 0
    mean_cycles: int = 0
    faults: int = 0

    def since(self, before: "BlockFigures") -> "BlockFigures":
        """The counts since ``before``, modulo the counters' 32 bits; the mean is the latest."""

        def difference(name: str) -> int:
            return (getattr(self, name) - getattr(before, name)) % (1 << 32)

        counted = ("arrivals", "completions", "busy_cycles", "array_cycles", "faults")
        return BlockFigures(
            **{name: difference(name) for name in counted}, mean_cycles=self.mean_cycles
        )

    @property
    def outstanding(self) -> int:
        """Tasks that arrived and did not end."""
        return self.arrivals - self.completions - self.faults


@dataclass
class RunReport:
    """A whole run.

    Attributes
    ----------
    outcomes: in the order of the instances. figures: of the task blocks, by name.
    start_cycle: of the driver's clock, when the first instance could start. cycles: from then until
        the last instance ended.
    notices: events that clusters told of: tables that were full.
    """

    program: Program
    outcomes: list[Outcome]
    figures: dict[str, BlockFigures] = field(default_factory=dict)
    cycles: int = 0
    notices: list[Notice] = field(default_factory=list)
    start_cycle: int = 0

    @property
    def results(self) -> list[InstanceResult | None]:
        """The results, in the order of the instances; None where one failed."""
        return [outcome.result for outcome in self.outcomes]

    @property
    def array_utilisation(self) -> float:
        """Cycles in which a PEA advanced, over all cycles of all PEAs of the chip."""
        advanced = sum(figures.array_cycles for figures in self.figures.values())
        return advanced / max(1, self.cycles * self.program.config.task_block_units)

    @property
    def unit_utilisation(self) -> float:
        """Cycles in which a TBU was busy with a task, over all cycles of all TBUs of the chip."""
        busy = sum(figures.busy_cycles for figures in self.figures.values())
        return busy / max(1, self.cycles * self.program.config.task_block_units)

    @property
    def cycles_per_instance(self) -> float:
        """The run's cycles over the instances that ended."""
        return self.cycles / max(1, sum(outcome.finished > 0 for outcome in self.outcomes))

    def differences(self, references: Sequence[InstanceResult]) -> list[str]:
        """Where the run and the reference executor disagree, one line each; empty if nowhere.

        Compares sink, value and result tensors of every instance, and how often each task block
        ran. Result tensors whose content the reference says means nothing are left out.
        """
        found = []
        for outcome, expected in zip(self.outcomes, references, strict=True):
            found += [f"instance {outcome.number}: {line}" for line in _differ(outcome, expected)]
        ran: Counter[str] = Counter()
        for expected in references:
            ran.update(expected.activations)
        for name, figures in self.figures.items():
            if figures.completions != ran[name]:
                found.append(
                    f"block {name}: ran {figures.completions} times, reference {ran[name]}"
                )
        return found


def _differ(outcome: Outcome, expected: InstanceResult) -> list[str]:
    """The differences of one instance."""
    result = outcome.result
    if result is None:
        return [str(outcome.fault) if outcome.fault else "did not run"]
    lines = []
    if result.sink != expected.sink:
        lines.append(f"ended in {result.sink}, reference in {expected.sink}")
    if result.value != expected.value:
        lines.append(f"value {result.value:#x}, reference {expected.value:#x}")
    for name, wanted in expected.tensors.items():
        found = result.tensors.get(name)
        if wanted is not None and not (found is not None and np.array_equal(found, wanted)):
            lines.append(f"tensor {name} differs from the reference")
    return lines
