"""Cycles per image of the cascade on the simulated chip, and the speed of the simulation.

    python scripts/benchmark_cascade.py [--config default] [--count 300] [--seeds 1 2 3]

Cycle counts are exact and do not depend on the machine; seconds do.
"""

import argparse
import sys
import time

import numpy as np

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.sched.job import Job, JobReport
from octopus.sched.lowering import LoweringError
from octopus.sched.workloads import WorkloadError
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.toolchain import ToolchainError


def run(config: OctopusConfig, count: int, seed: int) -> JobReport:
    """One run, printed as a line."""
    job = Job.prepare("cascade", config, count=count, seed=seed)
    with Chip.build(config) as chip:
        driver = ChipDriver(chip)
        start, begin = time.perf_counter(), chip.cycles
        report = job.run(driver)
        seconds, cycles = time.perf_counter() - start, chip.cycles - begin
    latencies = [outcome.latency for outcome in report.run.outcomes]
    print(
        f"seed {seed}: {report.run.cycles_per_instance:8.1f} cycles/image, latency "
        f"{np.mean(latencies):7.0f} mean {np.percentile(latencies, 99):7.0f} p99, arrays "
        f"{report.run.array_utilisation:6.1%} busy, TBUs {report.run.unit_utilisation:6.1%} busy, "
        f"{len(report.differences)} differences, {cycles / seconds / 1000:6.1f} kcycles/s"
    )
    return report


def main() -> int:
    """Run all seeds; 1 if a result differs from the reference, 2 for bad arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="default", help="preset or TOML file (default)")
    parser.add_argument("--count", type=int, default=300, help="images of a run (300)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    try:
        config = OctopusConfig.load(arguments.config)
        reports = [run(config, arguments.count, seed) for seed in arguments.seeds]
    except (ConfigurationError, WorkloadError, LoweringError, ToolchainError) as error:
        print(f"benchmark_cascade: {error}", file=sys.stderr)
        return 2
    print(f"{'block':18} {'runs':>6} {'busy cycles':>12} {'array cycles':>13}  (a task, last seed)")
    for name, figures in reports[-1].run.figures.items():
        runs = max(1, figures.completions)
        print(
            f"{name:18} {figures.completions:6} {figures.busy_cycles / runs:12.1f} "
            f"{figures.array_cycles / runs:13.1f}"
        )
    return int(any(report.differences for report in reports))


if __name__ == "__main__":
    sys.exit(main())
