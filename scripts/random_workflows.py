"""Random workflows on the simulated chip against the reference executor.

    python scripts/random_workflows.py [--count 10000] [--first 1] [--size 25] [--instances 12]

Each has a seed of its own, which is printed if it fails; ``--count 1 --first SEED`` runs it again.
Without ``--config`` the chip is a mesh of 1 x 2 small clusters with large tables.
"""

import argparse
import sys

from rich.progress import track

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.sched.driver_protocol import DriverError
from octopus.sched.lowering import LoweringError, lower
from octopus.sched.policies.placement import random_placement
from octopus.sched.runtime import RunError, Runtime
from octopus.sched.workflow import ReferenceExecutor, WorkflowError
from octopus.sched.workflow.generate import RandomWorkflow, random_instances
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.toolchain import ToolchainError
from octopus.verify.bench.control_latency import small_chip

LIMIT_CYCLES = 1_000_000


def faults(
    chip: Chip, config: OctopusConfig, seed: int, size: int, instances: int
) -> tuple[list[str], int]:
    """What is wrong with one workflow's run (empty if nothing), and how many tasks it ran."""
    workflow = RandomWorkflow(seed, size).build()
    program = lower(workflow, random_placement(workflow, config, seed), config)
    given = random_instances(workflow, instances, seed)
    chip.reset()
    runtime = Runtime(ChipDriver(chip), program)
    try:
        runtime.load()
        report = runtime.run(given, limit_cycles=LIMIT_CYCLES)
    except (RunError, DriverError) as error:
        return [str(error)], 0
    tasks = sum(figures.completions for figures in report.figures.values())
    return report.differences(ReferenceExecutor(workflow).run(given)), tasks


def main() -> int:
    """Run them all; 1 if one fails, 2 for bad arguments or a missing tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="workflows (200)")
    parser.add_argument("--first", type=int, default=1, help="first seed (1)")
    parser.add_argument("--size", type=int, default=25, help="blocks, about (25)")
    parser.add_argument("--instances", type=int, default=12, help="of each workflow (12)")
    parser.add_argument("--config", help="preset or TOML file")
    arguments = parser.parse_args()
    failed, ran = 0, 0
    try:
        config = OctopusConfig.load(arguments.config) if arguments.config else small_chip()
        with Chip.build(config) as chip:
            seeds = range(arguments.first, arguments.first + arguments.count)
            for seed in track(seeds, description="workflows"):
                found, tasks = faults(chip, config, seed, arguments.size, arguments.instances)
                ran += tasks
                failed += bool(found)
                for line in found[:5]:
                    print(f"seed {seed}: {line}")
    except (ConfigurationError, LoweringError, WorkflowError, ToolchainError) as error:
        print(f"random_workflows: {error}", file=sys.stderr)
        return 2
    print(
        f"{arguments.count} workflows of {arguments.instances} instances, {ran} tasks: "
        f"{failed} failed"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
