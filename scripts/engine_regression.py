"""Random workflows and kernels on the partitioned engine and on Verilator's whole model.

    python scripts/engine_regression.py [--count 20] [--first 1] [--config FILE] [--threads 1 2]

Answers with their cycles, changes of activity, flits, memories and counters are compared, see
``verify/bench/engine_equality.py``. A seed that differs is printed; ``--count 1 --first SEED`` runs
it again. Without ``--config`` the chips are ``tiny``, ``ulx3s`` and a row of two small clusters.
"""

import argparse
import sys

from rich.progress import track

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.sched.kernels.registry import kernels
from octopus.sched.kernels.task import TaskError
from octopus.sched.program import LoweringError
from octopus.sched.workflow import WorkflowError
from octopus.sim.chip import Chip
from octopus.sim.toolchain import ToolchainError
from octopus.verify.bench.control_latency import small_chip
from octopus.verify.bench.engine_equality import (
    Scenario,
    aborts,
    first_difference,
    kernel,
    nothing,
    reset_in_flight,
    workflow,
)

SCENARIOS: dict[str, Scenario] = {
    "workflow": workflow,
    "reset in flight": reset_in_flight,
    "aborts": aborts,
    "nothing": nothing,
}
UNFIT = (TaskError, LoweringError, WorkflowError)
"""What a chip is too small for."""


def compare(config: OctopusConfig, scenario: Scenario, seed: int, threads: list[int]) -> list[str]:
    """What differs, by number of threads."""
    with Chip.build(config, engine="plain") as whole:
        expected = scenario(whole, config, seed)
    found = []
    for count in threads:
        with Chip.build(config, threads=count) as parts:
            difference = first_difference(expected, scenario(parts, config, seed))
        if difference:
            found.append(f"{count} threads: {difference}")
    return found


def main() -> int:
    """Run all; 1 if something differs, 2 for bad arguments or a missing tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="seeds of each scenario (20)")
    parser.add_argument("--first", type=int, default=1, help="first seed (1)")
    parser.add_argument("--config", help="preset or TOML file")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--skip-kernels", action="store_true")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    work = [(name, scenario, seed) for name, scenario in SCENARIOS.items() for seed in seeds]
    if not arguments.skip_kernels:
        work += [(name, kernel(name), arguments.first) for name in kernels()]
    ran = unfit = failed = 0
    try:
        given = [OctopusConfig.load(arguments.config)] if arguments.config else None
        configs = given or [OctopusConfig.load("tiny"), OctopusConfig.load("ulx3s"), small_chip()]
        for config in configs:
            for name, scenario, seed in track(work, description=config.name):
                try:
                    found = compare(config, scenario, seed, arguments.threads)
                except UNFIT:
                    unfit += 1
                    continue
                ran += 1
                failed += bool(found)
                for line in found:
                    print(f"{config.name}, {name}, seed {seed}: {line}")
    except (ConfigurationError, ToolchainError) as error:
        print(f"engine_regression: {error}", file=sys.stderr)
        return 2
    print(f"{ran} comparisons ({unfit} did not fit their chip): {failed} differ")
    return int(failed > 0 or not ran)


if __name__ == "__main__":
    sys.exit(main())
