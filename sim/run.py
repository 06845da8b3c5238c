"""One run of a workload on the simulated chip, checked against the reference executor."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from octopus.hw.config import OctopusConfig
from octopus.sched.driver_protocol import Notice
from octopus.sched.lowering import lower
from octopus.sched.policies import find_policy
from octopus.sched.report import RunReport
from octopus.sched.runtime import RunError, Runtime
from octopus.sched.workflow import ReferenceExecutor
from octopus.sched.workloads import Summary, find_workload

from .build import Features, check_tools
from .chip import Chip
from .driver import ChipDriver
from .figures import figures
from .host_log import HostSpan, LoggingTransport
from .profile import Profile
from .recording import Counts


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
    ``incomplete``: the run raises an error or is interrupted, and this is known of it.
    """

    step: Callable[[str], None] = lambda step: None
    instances: Callable[[int, int, int], None] = lambda ended, total, cycles: None
    incomplete: "Callable[[RunResult], None]" = lambda result: None


@dataclass
class RunResult:
    """What came of it.

    Attributes
    ----------
    summary: the workload's own figures. differences: from the reference executor, one line each.
    profile: what the chip did. host: what the host did.
    load_cycles: to write the program. seconds: the simulation of the run itself.
    error: why the run ended early, "" if it did not.
    """

    workflow: str
    policy: str
    seed: int
    config: OctopusConfig
    report: RunReport
    summary: Summary
    differences: list[str]
    profile: Profile
    host: list[HostSpan]
    load_cycles: int
    seconds: float
    error: str = ""

    @cached_property
    def figures(self) -> dict[str, Any]:
        """All figures of the report, see :mod:`octopus.sim.figures`."""
        return figures(self.profile, self.host)

    @property
    def speed(self) -> float:
        """Simulated cycles a second."""
        return self.report.cycles / self.seconds if self.seconds else 0.0

    def summary_lines(self) -> list[tuple[str, str]]:
        """Names and values of the run's figures, as shown."""
        report, found = self.report, self.figures
        use, latency = found["utilisation"], found["latency"]
        ended = any(outcome.finished for outcome in report.outcomes)
        lines = [(name.replace("_", " "), _shown(value)) for name, value in self.summary.items()]
        if latency["count"]:
            lines += [
                ("latency, median", f"{latency['median']:,} cycles"),
                ("latency, 99th percentile", f"{latency['percentile_99']:,} cycles"),
            ]
        return [
            ("cycles", f"{report.cycles:,}"),
            ("cycles an instance", f"{report.cycles_per_instance:,.0f}" if ended else "none ended"),
            *lines,
            ("cycles to load the program", f"{self.load_cycles:,}"),
            ("TBUs at work", f"{use['tbu']:.1%}"),
            ("arrays advancing", f"{use['array']:.1%}"),
            ("multipliers used", f"{use['multiplier']:.2%}"),
            ("simulated cycles a second", f"{self.speed:,.0f}"),
            *self.notice_lines(),
        ]

    def notice_lines(self) -> list[tuple[str, str]]:
        """Events that clusters told of, and when."""
        return [(_told(notice), f"cycle {notice.cycle:,}") for notice in self.report.notices]

    @property
    def bound(self) -> str:
        """Which block bounds the run and why, in a sentence."""
        sentence: str = self.figures["bound"]["sentence"]
        return sentence

    def block_titles(self) -> list[str]:
        """Titles of the columns of :meth:`block_rows`."""
        return [
            "block",
            "cluster",
            "TBUs",
            "runs",
            "mean",
            "array",
            "waits",
            "load",
            "multipliers",
            "forecasts right + wrong",
            "faults",
        ]

    def block_rows(self) -> list[list[str]]:
        """Each task block: where, how often, and what its runs took on the mean."""
        rows = []
        for name, block in self.figures["blocks"].items():
            (x, y), forecasts = block["cluster"], block["forecasts"]
            runs = max(1, block["runs"])
            rows.append(
                [
                    name,
                    f"({x}, {y})",
                    _units(block["task_block_units"]),
                    f"{block['runs']:,}",
                    f"{block['mean_cycles']:,.0f}",
                    f"{block['array_cycles'] / runs:,.0f}",
                    f"{block['mean_wait']:,.0f}",
                    f"{block['load']:.0%}",
                    f"{block['multiplier_utilisation']:.1%}",
                    f"{forecasts['right']:,} + {forecasts['wrong']:,}",
                    f"{block['faults']:,}",
                ]
            )
        return rows


def _units(mask: int) -> str:
    """The numbers of a mask's TBUs: all in a row as first-last."""
    numbers = [unit for unit in range(mask.bit_length()) if mask >> unit & 1]
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


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
    check_tools(config, Features(trace=settings.waves is not None))
    progress.step(f"preparing {settings.workflow}")
    workload = workload_type(config)
    workflow = workload.workflow
    program = lower(workflow, policy.place(workflow, config), config)
    given = workload.instances(settings.instances, settings.seed)
    progress.step("computing the reference results")
    references = ReferenceExecutor(workflow).run(given)
    with Chip.build(config, settings.waves is not None, progress.step) as chip:
        transport = LoggingTransport(chip)
        counts = Counts(chip)
        driver = ChipDriver(transport)
        runtime = Runtime(driver, program, progress=progress.instances, edge=counts.note)
        progress.step("loading the program")
        load_cycles = runtime.load()
        if settings.waves is not None:
            first, end = (chip.cycles + cycle for cycle in settings.wave_cycles)
            chip.start_trace(settings.waves, first, end)
        progress.step("simulating")
        began = time.perf_counter()

        def result(report: RunReport, error: str = "") -> RunResult:
            """Of the run as far as it got."""
            seconds = time.perf_counter() - began
            finished = [o.result for o in report.outcomes if o.result is not None]
            labels = workload.labels(settings.instances, settings.seed)
            whole = not error
            return RunResult(
                workflow=settings.workflow,
                policy=settings.policy,
                seed=settings.seed,
                config=config,
                report=report,
                summary=workload.summarise(finished, labels) if whole else {},
                differences=report.differences(references) if whole else [],
                profile=Profile(counts.recording(config, report), program, report.outcomes),
                host=transport.spans,
                load_cycles=load_cycles,
                seconds=seconds,
                error=error,
            )

        try:
            return result(runtime.run(given))
        except (RunError, KeyboardInterrupt) as error:
            partial = runtime.partial_report()
            if partial is not None:
                reason = (
                    "it was interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
                )
                progress.incomplete(result(partial, reason))
            raise
