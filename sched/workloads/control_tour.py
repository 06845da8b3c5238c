"""An example, not an application: a tour of the control blocks that ``cascade`` does not use.

A fan-out over a run-time number of rows, a loop whose length depends on data, and a multicast
to a subset chosen by data, each with small integer kernels on random numbers.
"""

from collections.abc import Sequence

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import Combine, Comparison

from ..kernels.elementwise import Scale
from ..kernels.reduction import ArgMax
from ..workflow import Instance, InstanceResult, Workflow, WorkflowBuilder
from .workload import Summary, Workload

ROWS, LENGTH, ARMS = 4, 6, 2


class ControlTour(Workload):
    """See the module. The source's value is the number of rows to visit, 0 to 4."""

    name = "control_tour"
    description = "example with random numbers: fan-out, data-dependent loop, multicast"

    def __init__(self, config: OctopusConfig) -> None:
        super().__init__(config)
        self._workflow = _build(self.name)

    @property
    def workflow(self) -> Workflow:
        """As :class:`Workload`."""
        return self._workflow

    def instances(self, count: int, seed: int) -> list[Instance]:
        """As :class:`Workload`."""
        random = np.random.default_rng(seed)
        return [
            Instance(
                {
                    "rows": random.integers(-1000, 1000, (ROWS, LENGTH), np.int32),
                    "shrinking": random.integers(0, 100, LENGTH, np.int32),
                    "choice": random.integers(-1000, 1000, LENGTH, np.int32),
                },
                int(random.integers(0, ROWS + 1)),
            )
            for _ in range(count)
        ]

    def labels(self, count: int, seed: int) -> list[int]:
        """As :class:`Workload`: the final value, computed without a workflow."""
        answers = []
        for instance in self.instances(count, seed):
            mask = int(np.argmax(instance.tensors["choice"]))
            answers.append(mask * (mask & (1 << ARMS) - 1).bit_count())
        return answers

    def summarise(self, results: Sequence[InstanceResult], labels: Sequence[int]) -> Summary:
        """As :class:`Workload`."""
        right = [result.value == label for result, label in zip(results, labels, strict=True)]
        return {"right values": float(np.mean(right))}


def _build(name: str) -> Workflow:
    builder = WorkflowBuilder(name)
    rows = builder.input("rows", (ROWS, LENGTH), "int32", result=True)
    shrinking = builder.input("shrinking", (LENGTH,), "int32", result=True)
    choice = builder.input("choice", (LENGTH,), "int32")

    fan = builder.source().map("each_row")
    row = rows.by_index()
    scaled = fan.each.task("scale_row", Scale(LENGTH, -3, 1), values=row, scaled=row)
    best = scaled.task("best_of_row", ArgMax(LENGTH, "int32"), values=row)
    visited = fan.expect.gather("all_rows", best)

    # Halving numbers that are not negative leads to zeros, of which the first is the largest.
    begin = visited.merge("begin")
    halved = begin.task("halve", Scale(LENGTH, 1, 1), values=shrinking, scaled=shrinking)
    peak = halved.task("peak", ArgMax(LENGTH, "int32"), values=shrinking)
    loop = peak.loop("until_first", Comparison.NE, 0)
    loop.again.to("begin")

    chosen = loop.leave.task("choose", ArgMax(LENGTH, "int32"), values=choice)
    some = chosen.multicast("some", ARMS)
    arms = [
        arm.task(f"arm_{number}", Scale(LENGTH, number + 2), values=choice)
        for number, arm in enumerate(some.arms)
    ]
    some.expect.gather("arms", *arms, combine=Combine.SUM).sink("end")
    return builder.build()
