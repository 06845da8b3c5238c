"""A workload on a chip from end to end: place, lower, run, check against the reference."""

from collections.abc import Sequence
from dataclasses import dataclass

from octopus.hw.config import OctopusConfig

from .driver_protocol import Driver
from .lowering import lower
from .policies import find_policy
from .program import Program
from .report import RunReport
from .runtime import CYCLE_LIMIT, Progress, Runtime
from .workflow import Instance, InstanceResult, ReferenceExecutor
from .workloads import Summary, Workload, find_workload


@dataclass(frozen=True)
class JobReport:
    """What came of a job.

    Attributes
    ----------
    load_cycles: cycles that loading the program took; the run's own do not include them.
    differences: where chip and reference executor disagree; empty if nowhere.
    summary: the workload's figures, of the chip's results.
    """

    run: RunReport
    load_cycles: int
    differences: Sequence[str]
    summary: Summary


@dataclass(frozen=True)
class Job:
    """A workload made ready for a chip; independent of how the chip is reached."""

    workload: Workload
    program: Program
    instances: Sequence[Instance]
    labels: Sequence[int]
    references: Sequence[InstanceResult]

    @classmethod
    def prepare(
        cls,
        name: str,
        config: OctopusConfig,
        *,
        count: int,
        seed: int = 1,
        policy: str = "indiscriminate",
        slots: int | None = None,
    ) -> "Job":
        """Make workload ``name`` ready for ``count`` instances and run the reference executor.

        Parameters
        ----------
        seed: chooses the inputs. policy: by name. slots: instances in flight, None for all.

        Raises:
            WorkloadError: unknown workload, or it cannot be made for this chip.
            PlacementError: unknown policy. LoweringError, WorkflowError: it does not fit.
        """
        chosen = find_policy(policy)
        workload = find_workload(name)(config)
        placement = chosen.place(workload.workflow, config)
        program = lower(workload.workflow, placement, config, slots=slots)
        instances = workload.instances(count, seed)
        references = ReferenceExecutor(workload.workflow).run(instances)
        return cls(workload, program, instances, workload.labels(count, seed), references)

    def run(
        self,
        driver: Driver,
        *,
        limit_cycles: int = CYCLE_LIMIT,
        progress: Progress | None = None,
    ) -> JobReport:
        """Run on a chip and check every result.

        Raises:
            RunError, DriverError: as :meth:`Runtime.run`.
        """
        runtime = Runtime(driver, self.program, progress=progress)
        load_cycles = runtime.load()
        report = runtime.run(self.instances, limit_cycles=limit_cycles)
        results = [result for result in report.results if result is not None]
        return JobReport(
            report,
            load_cycles,
            report.differences(self.references),
            self.workload.summarise(results, self.labels),
        )
