"""One run of a workload on the simulated chip, checked against the reference executor."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from octopus.hw.config import OctopusConfig
from octopus.sched.driver_protocol import Notice
from octopus.sched.lowering import lower
from octopus.sched.policies import find_policy
from octopus.sched.report import RunReport
from octopus.sched.runtime import Runtime
from octopus.sched.workflow import ReferenceExecutor
from octopus.sched.workloads import Summary, find_workload

from .chip import Chip
from .driver import ChipDriver
from .toolchain import environment
from .trace import Interval, intervals


@dataclass(frozen=True)
class RunSettings:
    """What to run.

    Parameters
    ----------
    workflow: name of a workload. config: a preset's name or a file. policy: a policy's name.
    instances: how many, at least one. seed: of their choice.
    waves: file for an FST waveform, or None. wave_cycles: first cycle of the run and the one before
        which it ends.
    """

    workflow: str
    config: str = "default"
    policy: str = "indiscriminate"
    instances: int = 300
    seed: int = 1
    waves: Path | None = None
    wave_cycles: tuple[int, int] = (0, 10_000)


@dataclass
class Progress:
    """Who is told what a run does; replace what you want to know.

    ``step``: a new step begins. ``instances``: instances ended, in all, and cycles so far.
    """

    step: Callable[[str], None] = lambda step: None
    instances: Callable[[int, int, int], None] = lambda ended, total, cycles: None


@dataclass
class RunResult:
    """What came of it.

    Attributes
    ----------
    summary: the workload's own figures. differences: from the reference executor, one line each.
    intervals: what the TBUs did. start_cycle: of the chip's clock, when the run began.
    link_flits: a cluster's, as of :meth:`Chip.link_flits`, during the run.
    load_cycles: to write the program. seconds: the simulation of the run itself.
    """

    workflow: str
    policy: str
    seed: int
    config: OctopusConfig
    report: RunReport
    summary: Summary
    differences: list[str]
    intervals: list[Interval]
    start_cycle: int
    link_flits: list[list[int]]
    load_cycles: int
    seconds: float

    @property
    def speed(self) -> float:
        """Simulated cycles a second."""
        return self.report.cycles / self.seconds if self.seconds else 0.0

    def summary_lines(self) -> list[tuple[str, str]]:
        """Names and values of the run's figures, as shown."""
        report = self.report
        lines = [(name.replace("_", " "), _shown(value)) for name, value in self.summary.items()]
        latencies = sorted(outcome.latency for outcome in report.outcomes)
        return [
            *lines,
            ("cycles", f"{report.cycles:,}"),
            ("cycles an instance", f"{report.cycles_per_instance:,.0f}"),
            ("latency, median", f"{latencies[len(latencies) // 2]:,} cycles"),
            ("latency, 99th percentile", f"{latencies[len(latencies) * 99 // 100]:,} cycles"),
            ("cycles to load the program", f"{self.load_cycles:,}"),
            ("TBUs busy", f"{report.unit_utilisation:.1%}"),
            ("arrays advancing", f"{report.array_utilisation:.1%}"),
            ("simulated cycles a second", f"{self.speed:,.0f}"),
            *((_told(notice), f"cycle {notice.cycle:,}") for notice in report.notices),
        ]

    def block_titles(self) -> list[str]:
        """Titles of the columns of :meth:`block_rows`."""
        return ["block", "cluster", "TBUs", "runs", "mean cycles", "busy", "array", "faults"]

    def block_rows(self) -> list[list[str]]:
        """Statistics of each task block, as the Control Block Units counted them."""
        rows = []
        for name, figures in self.report.figures.items():
            place = self.report.program.placement[name]
            rows.append(
                [
                    name,
                    f"({place.x}, {place.y})",
                    f"{place.units:b}".zfill(self.config.cluster.task_block_units),
                    f"{figures.completions:,}",
                    f"{figures.mean_cycles:,}",
                    f"{figures.busy_cycles:,}",
                    f"{figures.array_cycles:,}",
                    f"{figures.faults:,}",
                ]
            )
        return rows


def _told(notice: Notice) -> str:
    """A notice, as shown."""
    x, y = notice.cluster
    return f"cluster ({x}, {y}): {notice.event.name.lower().replace('_', ' ')}"


def _shown(value: float | int) -> str:
    """Fractions as per cent, counts as they are."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2%}"


def run(settings: RunSettings, progress: Progress | None = None) -> RunResult:
    """Build the chip (or take it from the cache), run the workload on it, and check every result.

    Raises:
        ConfigurationError, WorkloadError, PlacementError: no such thing; the message says what
            there is.
        ToolchainError: the chip cannot be built.
        LoweringError, WorkflowError: the workflow does not fit the chip.
        DriverError, RunError: the chip misbehaves.
    """
    progress = progress or Progress()
    config = OctopusConfig.load(settings.config)
    workload_type = find_workload(settings.workflow)
    policy = find_policy(settings.policy)
    environment()
    progress.step(f"preparing {settings.workflow}")
    workload = workload_type(config)
    workflow = workload.workflow
    program = lower(workflow, policy.place(workflow, config), config)
    given = workload.instances(settings.instances, settings.seed)
    progress.step("computing the reference results")
    references = ReferenceExecutor(workflow).run(given)
    with Chip.build(config, settings.waves is not None, progress.step) as chip:
        runtime = Runtime(ChipDriver(chip), program, progress=progress.instances)
        progress.step("loading the program")
        load_cycles = runtime.load()
        if settings.waves is not None:
            first, end = (chip.cycles + cycle for cycle in settings.wave_cycles)
            chip.start_trace(settings.waves, first, end)
        progress.step("simulating")
        before = chip.link_flits()
        start, began = chip.cycles, time.perf_counter()
        report = runtime.run(given)
        seconds = time.perf_counter() - began
        found = intervals(chip.events(), chip.cycles)
        flits = [
            [now - then for now, then in zip(*pair, strict=True)]
            for pair in zip(chip.link_flits(), before, strict=True)
        ]
    finished = [outcome.result for outcome in report.outcomes if outcome.result is not None]
    return RunResult(
        workflow=settings.workflow,
        policy=settings.policy,
        seed=settings.seed,
        config=config,
        report=report,
        summary=workload.summarise(finished, workload.labels(settings.instances, settings.seed)),
        differences=report.differences(references),
        intervals=found,
        start_cycle=start,
        link_flits=flits,
        load_cycles=load_cycles,
        seconds=seconds,
    )
