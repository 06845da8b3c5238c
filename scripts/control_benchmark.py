"""Prints what control costs: in hardware, and when the host takes the same decisions.

    python scripts/control_benchmark.py [--config FILE]

Cycles from the completion of a task to the first step of its successor's array, through a branch.
Without ``--config`` the chip is that of ``random_workflows.py``.
"""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.toolchain import ToolchainError
from octopus.verify.bench.control_latency import HERE, ControlProbe, latency, small_chip

RUNS = 3


def measure(
    chip: Chip, config: OctopusConfig, hops: int, announced: bool, host_driven: bool
) -> int:
    """The cycles in the steady state."""
    chip.reset()
    probe = ControlProbe(
        ChipDriver(chip), config, (HERE[0] + hops, HERE[1]), announced, host_driven
    )
    for _ in range(RUNS):
        probe.run()
        chip.step(200)
    return latency(chip.events()).cycles


def main() -> int:
    """Measure and print; 2 for bad arguments or a missing tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", help="preset or TOML file")
    arguments = parser.parse_args()
    table = Table("hops", "announced", "not announced", "host decides", "host / announced")
    try:
        config = OctopusConfig.load(arguments.config) if arguments.config else small_chip()
        with Chip.build(config) as chip:
            for hops in range(config.mesh.columns):
                found = [
                    measure(chip, config, hops, announced, host_driven)
                    for announced, host_driven in ((True, False), (False, False), (False, True))
                ]
                table.add_row(str(hops), *map(str, found), f"{found[2] / found[0]:.1f}")
    except (ConfigurationError, ToolchainError) as error:
        print(f"control_benchmark: {error}", file=sys.stderr)
        return 2
    Console().print("cycles from a task's completion to its successor's first array cycle")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
