"""Runs measured pieces of simulation for ``simulation_benchmark.py``, in a process of its own.

    python scripts/simulation_worker.py CONFIG [--trace] [--threads N]

Requests are lines of JSON on the standard input, ``{"do": name, ...}``, answered by a line each.
The process runs whichever ``octopus`` package its path finds first, the one of a checkout or that
of an older commit, so it uses only what both have. Times are ``cpu`` (of all threads of this
process) and ``wall``, in seconds.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.counters import COUNTERS, CycleCounter
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    WORD_BYTES,
    ConfigurationRegion,
    address_of,
)
from octopus.sched.job import Job
from octopus.sched.kernels.matrix import Dense
from octopus.sched.lowering import lower
from octopus.sched.policies.placement import Place, Placement, clusters_of
from octopus.sched.runtime import Runtime
from octopus.sched.workflow import Instance, ReferenceExecutor, Workflow, WorkflowBuilder
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.trace import ActivityState, intervals

ROWS = FEATURES_OUT = 64
FEATURES_IN = 128
"""A product that fits each scratchpad, and of which the arrays have thousands of cycles to do."""

SCALING = {"multiplier": 39, "shift": 20}

SETTLE_CYCLES = 2_000_000
"""Cycles within which all arrays must have begun."""


@contextmanager
def timed(figures: dict[str, Any]) -> Iterator[None]:
    """Fills in ``cpu`` and ``wall`` of what runs inside."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    figures["cpu"] = time.process_time() - cpu
    figures["wall"] = time.perf_counter() - wall


def products(config: OctopusConfig, clusters: int) -> tuple[Workflow, Placement]:
    """A matrix product on each TBU of so many clusters, all at the same time."""
    builder = WorkflowBuilder("products")
    source = builder.source()
    places = {name: Place(0, 0) for name in ("source", "join", "end")}
    random = np.random.default_rng(1)
    task = Dense(FEATURES_IN, FEATURES_OUT, rows=ROWS, **SCALING)
    ends = []
    for x, y in clusters_of(config)[:clusters]:
        operands = {
            operand.name: builder.constant(
                f"{operand.name}_{x}_{y}",
                random.integers(-128, 128, operand.shape).astype(operand.dtype),
            )
            for operand in task.inputs
        }
        local = []
        for unit in range(config.cluster.task_block_units):
            name = f"product_{x}_{y}_{unit}"
            result = builder.tensor(f"{name}.result", (ROWS, FEATURES_OUT), result=True)
            local.append(source.task(name, task, **operands, outputs=result))
            places[name] = Place(x, y, 1 << unit)
        places[f"join_{x}_{y}"] = Place(x, y)
        ends.append(local[0].join(f"join_{x}_{y}", *local[1:]) if local[1:] else local[0])
    end = ends[0].join("join", *ends[1:]) if ends[1:] else ends[0]
    end.sink("end")
    return builder.build(), Placement(places)


class WindowDone(Exception):
    """The window is measured, and what follows it is not wanted."""


class Window:
    """A transport that lets a run come to where all arrays work, and measures cycles there.

    Parameters
    ----------
    chip: what runs. clusters: that work. cycles: to be measured.
    go_on: let the run come to its end; else it is left by :class:`WindowDone`.
    """

    def __init__(
        self, chip: Chip, config: OctopusConfig, clusters: int, cycles: int, go_on: bool
    ) -> None:
        self.chip, self.config, self.cycles_wanted, self.go_on = chip, config, cycles, go_on
        self.places = clusters_of(config)[:clusters]
        self.units = clusters * config.cluster.task_block_units
        self.figures: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chip, name)

    @property
    def cycles(self) -> int:
        """Of the chip."""
        return self.chip.cycles

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """As of the chip; the first time the window is measured before."""
        if not self.figures:
            self._measure()
            if not self.go_on:
                raise WindowDone
        return self.chip.wait_for_interrupt(limit_cycles)

    def _measure(self) -> None:
        """Wait until every array runs, count and time the window, and count again."""
        last = self.chip.cycles + SETTLE_CYCLES
        while len(self._running()) < self.units:
            if self.chip.cycles >= last:
                raise RuntimeError(f"only arrays {sorted(self._running())} run")
            self.chip.step(200)
        before, start = self._advances(), self.chip.cycles
        with timed(self.figures):
            self.chip.step(self.cycles_wanted)
        self.figures["cycles"] = self.cycles_wanted
        after, end = self._advances(), self.chip.cycles
        self.figures["advancing"] = (after - before) / ((end - start) * self.units)

    def _running(self) -> set[int]:
        """The units whose arrays run a task now."""
        now = self.chip.cycles
        last = intervals(self.chip.events(), now + 1)
        return {one.unit for one in last if one.end > now and one.state is ActivityState.RUN}

    def _advances(self) -> int:
        """Cycles that all arrays have done, by the hardware's counters."""
        total = 0
        base = 1 << CONFIGURATION_BIT | ConfigurationRegion.UNIT_COUNTERS
        for x, y in self.places:
            for unit in range(self.config.cluster.task_block_units):
                offset = base + WORD_BYTES * (COUNTERS * unit + CycleCounter.ADVANCE)
                total += self.chip.read_memory(address_of(x, y, offset), 1)[0]
        return total


class Worker:
    """One chip's measurements.

    Parameters
    ----------
    name: of the chip's configuration, or its file. options: for ``Chip.build``.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.name, self.config, self.options = name, OctopusConfig.load(name), options
        self.jobs: dict[Any, Job] = {}

    def build(self) -> dict[str, Any]:
        """Build or find the library."""
        steps: list[str] = []
        began = time.perf_counter()
        with Chip.build(self.config, progress=steps.append, **self.options) as chip:
            chip.step(1)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "wall": time.perf_counter() - began,
            "cpu": time.process_time() + children.ru_utime + children.ru_stime,
            "steps": steps,
        }

    def idle(self, cycles: int) -> dict[str, Any]:
        """Nothing but the clock, after reset."""
        figures: dict[str, Any] = {"cycles": cycles}
        with Chip.build(self.config, **self.options) as chip:
            chip.step(100)
            with timed(figures):
                chip.step(cycles)
        return figures

    def cascade(self, count: int, seed: int = 1, window: list[int] | None = None) -> dict[str, Any]:
        """The cascade through driver and runtime; ``window``: of an FST, in cycles of the run."""
        key = count, seed
        if key not in self.jobs:
            self.jobs[key] = Job.prepare("cascade", self.config, count=count, seed=seed)
        job, figures = self.jobs[key], {}
        with Chip.build(self.config, **self.options) as chip, tempfile.TemporaryDirectory() as out:
            runtime = Runtime(ChipDriver(chip), job.program)
            runtime.load()
            if window:
                first, end = (chip.cycles + cycle for cycle in window)
                chip.start_trace(Path(out) / "wave.fst", first, end)
            start = chip.cycles
            with timed(figures):
                report = runtime.run(job.instances)
            figures["cycles"] = chip.cycles - start
        figures["differences"] = len(report.differences(job.references))
        return figures

    def gemm(self, clusters: int, cycles: int, check: bool = True) -> dict[str, Any]:
        """Cycles in which every TBU of so many clusters works on a product of its own."""
        workflow, placement = products(self.config, clusters)
        program = lower(workflow, placement, self.config, slots=1)
        given = [Instance({})]
        differences = 0
        with Chip.build(self.config, **self.options) as chip:
            window = Window(chip, self.config, clusters, cycles, check)
            runtime = Runtime(ChipDriver(window), program)
            runtime.load()
            with suppress(WindowDone):
                report = runtime.run(given)
                differences = len(report.differences(ReferenceExecutor(workflow).run(given)))
        return window.figures | {"units": window.units, "differences": differences}

    def bare(self, count: int) -> dict[str, Any]:
        """All that a run needs and nothing that watches it: the whole, and the simulation of it."""
        whole: dict[str, Any] = {}
        simulation: dict[str, Any] = {}
        with timed(whole):
            job = Job.prepare("cascade", self.config, count=count)
            with Chip.build(self.config, **self.options) as chip:
                runtime = Runtime(ChipDriver(chip), job.program)
                runtime.load()
                with timed(simulation):
                    report = runtime.run(job.instances)
            report.differences(job.references)
        return whole | {"simulation": simulation["cpu"]}

    def report(self, count: int) -> dict[str, Any]:
        """The same as ``octopus run --report`` does it, and the report, in CPU seconds."""
        ran: dict[str, Any] = {}
        written: dict[str, Any] = {}
        with timed(ran):
            from octopus.sim.run import RunSettings
            from octopus.sim.run import run as run_workflow

            result = run_workflow(RunSettings("cascade", self.name, instances=count))
        with timed(written), tempfile.TemporaryDirectory() as folder:
            from octopus.sim.report import write_report

            write_report(result, Path(folder) / "report")
        return {"run": ran["cpu"], "write": written["cpu"]}

    def driver(self, count: int, repetitions: int) -> dict[str, Any]:
        """The cascade by the driver in Python and by a C++ host: see ``simulation_replay``."""
        from simulation_replay import compare

        job = Job.prepare("cascade", self.config, count=count)
        return compare(self.config, job, repetitions)


def main() -> int:
    """Answer requests until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--trace", action="store_true", help="a chip that can record FST")
    parser.add_argument("--threads", type=int, help="of the simulation")
    arguments = parser.parse_args()
    options: dict[str, Any] = {"trace": True} if arguments.trace else {}
    if arguments.threads:
        options["threads"] = arguments.threads
    worker = Worker(arguments.config, options)
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "build": worker.build,
        "idle": worker.idle,
        "cascade": worker.cascade,
        "gemm": worker.gemm,
        "bare": worker.bare,
        "report": worker.report,
        "driver": worker.driver,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = actions[request.pop("do")](**request)
        except Exception as error:  # whatever it is, the benchmark prints it and goes on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
