"""cocotb bench of the Task Block Unit's overlap: gaps between runs of the array, cycle by cycle.

Memory answers at once. Tasks compute longer than their operands and results take to move, so that
nothing but the controller could make the array wait. What was measured goes to ``REPORT``, in the
folder of the run.
"""

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.descriptor import Status
from octopus.sched.kernels.task import Task

from .tbu_bench import Bench, configuration, seeded
from .tbu_repeated import WORDS, Repeated
from .tbu_scenarios import Scenario

RAMP = 3
"""Runs until every stage of the pipeline has a task."""

SHORT, LONG = 100, 400
"""Array cycles of a task, at least."""

TASKS = 40
"""Tasks of ``SHORT`` in a row."""

SHORT_CYCLES = range(100, 111)
"""What a task of ``SHORT`` may take in all."""

LOADING_RAMP = 4
"""``RAMP``, if a kernel is loaded while the pipeline fills: that load holds up the first tasks."""

REPORT = "overlap.json"
MEASURED: dict[str, dict[str, list[int]]] = {}


def task(constant: int, cycles: int = LONG, skew: bool = False) -> Task:
    """A task of at least ``cycles`` cycles; each constant is a kernel of its own."""
    return Repeated(configuration().pea, constant, -(-cycles // WORDS), skew)


class OverlapBench(Bench):
    """A bench that neither pauses nor makes the device wait, and notes when the array advances."""

    def __init__(self, device: Any, tasks: list[Task], name: str, domains: int) -> None:
        self.name = name
        scenario = Scenario(configuration(), seeded("overlap"), 0)  # the same tags for all
        scenario.add(tasks, domains)
        super().__init__(device, scenario, seeded("overlap"))
        self.pace = self.responder.eagerness = 1.0
        self.counts: list[int] = []

    async def count(self) -> None:
        """Sample the count of array cycles, clock by clock."""
        self.device.counter_index.value = CycleCounter.ADVANCE
        while True:
            await ReadOnly()
            self.counts.append(int(self.device.counter.value))
            await RisingEdge(self.device.clk)

    async def gaps(self) -> list[int]:
        """Run all tasks; the idle clocks between neighbouring runs once the pipeline is full."""
        await self.start()
        cocotb.start_soon(self.count())
        await self.run()
        for _ in range(4):
            await RisingEdge(self.device.clk)
        assert all(outcome.status is Status.OK for outcome in self.outcomes)
        cycles = [completion["array_cycles"] for completion in self.completions]
        ends = [sum(cycles[: number + 1]) for number in range(len(cycles))]
        reached = {count: clock for clock, count in reversed(list(enumerate(self.counts)))}
        self.stalls = [
            reached[end] - reached[end - length + 1] - (length - 1)
            for end, length in zip(ends, cycles, strict=True)
        ]
        gaps = [reached[end + 1] - reached[end] - 1 for end in ends[:-1]]
        MEASURED[self.name] = {"cycles": cycles, "gaps": gaps, "stalls": self.stalls}
        self.stalls = self.stalls[RAMP:]
        return gaps[RAMP:]


@cocotb.test()
async def one_kernel_back_to_back(device: Any) -> None:
    """Operands come and results leave behind the runs: 0 idle cycles between them."""
    bench = OverlapBench(device, [task(3)] * 10, "one kernel back to back", domains=1)
    gaps = await bench.gaps()
    assert gaps == [0] * len(gaps), gaps
    assert bench.stalls == [0] * len(bench.stalls), bench.stalls


@cocotb.test()
async def resident_kernels_in_turns(device: Any) -> None:
    """Switching between two resident kernels takes no idle cycle, two if the skew changes."""
    tasks = [task(3), task(5)] * 5
    bench = OverlapBench(device, tasks, "resident kernels in turns", domains=1)
    gaps = await bench.gaps()
    assert gaps == [0] * len(gaps), gaps
    tasks = [task(3), task(5, skew=True)] * 5
    bench = OverlapBench(device, tasks, "the same, skew in turns", domains=1)
    gaps = await bench.gaps()
    assert gaps == [2] * len(gaps), gaps


@cocotb.test()
async def a_kernel_loads_behind_a_short_task(device: Any) -> None:
    """Tasks of little more than 100 cycles; now and then one needs a kernel that is not resident.

    Its descriptor, its image and its operands come, and the results of others leave, behind the
    tasks before it: the array does not wait.
    """
    for kernels, name in ((1, "tasks of 100 cycles"), (8, "the same, every fifth loads a kernel")):
        numbers = [number * kernels // TASKS for number in range(TASKS)]
        bench = OverlapBench(device, [task(n, SHORT) for n in numbers], name, domains=1)
        gaps = await bench.gaps()
        cycles = {completion["array_cycles"] for completion in bench.completions}
        assert cycles <= set(SHORT_CYCLES), cycles
        later = gaps if kernels == 1 else gaps[LOADING_RAMP - RAMP :]
        assert later == [0] * len(later), gaps


@cocotb.test()
async def every_task_loads_a_kernel(device: Any) -> None:
    """Every task needs a kernel that is not resident."""
    tasks = [task(number) for number in range(12)]
    bench = OverlapBench(device, tasks, "every task loads", domains=1)
    gaps = await bench.gaps()
    assert gaps == [0] * len(gaps), gaps


@cocotb.test()
async def domains_in_turns(device: Any) -> None:
    """Halves of the scratchpad are zeroed and kernels loaded anew behind the runs of others."""
    bench = OverlapBench(device, [task(3)] * 12, "domains in turns", domains=3)
    gaps = await bench.gaps()
    assert gaps == [0] * len(gaps), gaps


@cocotb.test()
async def write_report(device: Any) -> None:
    """The last one: what the others measured."""
    del device
    assert MEASURED
    Path(REPORT).write_text(json.dumps(MEASURED, indent=1) + "\n")
