"""How long the array of one Task Block Unit waits, and for what.

    python scripts/tbu_benchmark.py                 # gaps between runs, and a matrix product
    python scripts/tbu_benchmark.py --skip-gemm     # only the gaps

Gaps: the emitted Verilog of one TBU (4 x 4 array) in cocotb, idle clocks between the last array
cycle of a run and the first of the next. Matrix product: 256 x 256 x 256 from and to cluster memory
on one TBU of a whole chip, cycles by cause as the unit itself counts them. Exit code 1 if a
figure is not reached or a result is wrong.
"""

import argparse
import json
import sys
from collections.abc import Callable

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.space import CONFIGURATION_BIT, WORD_BYTES, ConfigurationRegion
from octopus.hw.tbu import TaskBlockUnit
from octopus.sched.kernels.matrix import Dense
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.kernel_run import MACS_A_PE, one_cluster
from octopus.sim.toolchain import environment
from octopus.verify.bench.runner import run_bench
from octopus.verify.bench.tbu_overlap import RAMP, REPORT

SIZE = 256
GOAL = 0.90


def configuration(scratchpad_words: int) -> OctopusConfig:
    """The ``default`` preset with one cluster of one TBU, and this scratchpad."""
    config = one_cluster(OctopusConfig.load("default"), 1)
    unit = config.task_block_unit.model_copy(update={"scratchpad_words": scratchpad_words})
    name = f"benchmark_{scratchpad_words}"
    return config.model_copy(update={"name": name, "task_block_unit": unit})


def show_gaps(config: OctopusConfig, seed: int) -> None:
    """Print what the bench of overlap measures; it fails by itself if a figure is not reached."""
    folder = run_bench(
        TaskBlockUnit(config),
        "octopus.verify.bench.tbu_overlap",
        seed=seed,
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )
    measured = json.loads((folder / REPORT).read_text())
    print(f"{'':40} {'cycles a task':>13} {'gaps, steady':>14} {'while filling':>14} stalls")
    for name, figures in measured.items():
        gaps = figures["gaps"]
        steady = sorted(set(gaps[RAMP:]))
        stalls = sum(figures["stalls"][RAMP:])
        print(f"{name:40} {figures['cycles'][-1]:13} {steady!s:>14} {gaps[:RAMP]!s:>14} {stalls}")


def show_product(config: OctopusConfig, seed: int, step: Callable[[str], None]) -> bool:
    """Run the matrix product, print where its cycles went; whether it is right and fast enough."""
    environment()
    task = Dense(SIZE, SIZE, rows=SIZE, multiplier=39, shift=20)
    program = lay_out(task, config)
    arrays = task.random_inputs(seed)
    outputs, _ = task.reference(*arrays)
    with Chip.build(config, False, step) as chip:
        driver = ChipDriver(chip)
        ran = run(driver, program, arrays)
        base = 1 << CONFIGURATION_BIT | ConfigurationRegion.UNIT_COUNTERS
        causes = {
            cause.name: driver.read_memory(base + WORD_BYTES * cause, 1)[0]
            for cause in CycleCounter
        }
    right = all(np.array_equal(a, b) for a, b in zip(ran.outputs, outputs, strict=True))
    busy = sum(one.busy_cycles for one in ran.steps)
    peak = config.pea.rows * config.pea.columns * MACS_A_PE
    utilisation = SIZE**3 / (busy * peak)
    print(f"\n{SIZE} x {SIZE} x {SIZE}, int8, {len(program.plan.steps)} tasks: {busy:,} cycles")
    print(f"{utilisation:.1%} of {peak} MACs a cycle (goal {GOAL:.0%})")
    for cause, cycles in causes.items():
        if cause != CycleCounter.IDLE.name:
            print(f"  {cause.lower():12} {cycles:9,}  {cycles / busy:6.2%}")
    if not right:
        print("  THE RESULT IS WRONG")
    return right and utilisation >= GOAL


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratchpad-words", type=int, default=16384, help="a power of two")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-gemm", action="store_true")
    parser.add_argument("--skip-gaps", action="store_true")
    arguments = parser.parse_args()
    config = configuration(arguments.scratchpad_words)
    good = True
    if not arguments.skip_gaps:
        show_gaps(config, arguments.seed)
    if not arguments.skip_gemm:
        good = show_product(config, arguments.seed, lambda text: print(text, flush=True))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
