"""Compiles many random data-flow graphs, runs each, and compares every bit with its meaning.

    python scripts/compiler_regression.py --graphs 300
    python scripts/compiler_regression.py --graphs 300 --rtl chip.toml

Without ``--rtl`` the golden model runs them, with it the Verilated chip of a configuration. Every
case has a seed of its own, which is printed if it fails; ``--first SEED --graphs 1`` replays it.
"""

import argparse
import random
import sys
import time
from pathlib import Path

import numpy as np
from rich.progress import track

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.errors import CompileError
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.verify.bench.random_graphs import random_arrays, random_task
from octopus.verify.bench.tbu_tasks import run_golden

SIZES = [(4, 4), (2, 2), (3, 2), (8, 8)]
LATENCIES = [2, 1, 3]
REPORT_EVERY = 25


def golden_config(seed: int) -> OctopusConfig:
    """An array that depends on the case, to try them all."""
    config = OctopusConfig.load("default")
    rows, columns = SIZES[seed % len(SIZES)]
    array = {
        "rows": rows,
        "columns": columns,
        "pipeline_stages": LATENCIES[seed // len(SIZES) % len(LATENCIES)],
        "context_slots": 32,
    }
    unit = config.task_block_unit.model_copy(update={"descriptor_words": 512})
    pea = config.pea.model_copy(update=array)
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


def differences(task, arrays, outputs) -> list[str]:
    """What is not as it means to be."""
    expected, _ = task.reference(*arrays)
    return [
        operand.name
        for operand, found, wanted in zip(task.outputs, outputs, expected, strict=True)
        if not np.array_equal(found, wanted)
    ]


def main() -> int:
    """Run the cases; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="seed of the first case")
    parser.add_argument("--operations", type=int, default=12, help="of a graph, at most")
    parser.add_argument("--attempts", type=int, default=4, help="of the heuristic")
    parser.add_argument("--effort", type=float, default=2.0, help="of the exact method")
    parser.add_argument("--rtl", type=Path, help="configuration of a chip with one TBU")
    arguments = parser.parse_args()
    chip = config = None
    if arguments.rtl:
        from octopus.sim.chip import Chip
        from octopus.sim.driver import ChipDriver
        from octopus.sim.toolchain import environment

        environment()
        config = OctopusConfig.load(arguments.rtl)
        chip = Chip.build(config, False, print)
    failed, refused, at_bound, begin = [], [], 0, time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.graphs)
    for seed in track(seeds, "graphs", disable=not sys.stderr.isatty()):
        source = random.Random(seed)
        task = random_task(
            source, arguments.operations, f"random_{seed}", arguments.attempts, arguments.effort
        )
        arrays = random_arrays(task, source)
        target = config or golden_config(seed)
        try:
            compiled = task.kernel.compiled(target.pea)
        except CompileError as error:
            refused.append((seed, str(error)))
            continue
        at_bound += compiled.interval == compiled.bound
        if chip is None:
            outputs, outcome = run_golden(target, task, arrays)
            wrong = differences(task, arrays, outputs)
            if outcome.status is not Status.OK:
                wrong = [f"{outcome.status.name} {outcome.reason}"]
        else:
            chip.reset()  # The case before has a kernel of the same number.
            ran = run(ChipDriver(chip), lay_out(task, target), arrays)
            wrong = differences(task, arrays, ran.outputs)
        ran_now = seed - arguments.first + 1
        if ran_now % REPORT_EVERY == 0:
            seconds = time.monotonic() - begin
            print(f"{ran_now} graphs, {len(failed)} wrong, {seconds:.0f} s", flush=True)
        if wrong:
            failed.append((seed, ", ".join(wrong)))
            print(f"seed {seed}: {failed[-1][1]}", flush=True)
    done = arguments.graphs - len(refused)
    where = "the RTL" if arguments.rtl else "the golden model"
    for seed, reason in refused:
        print(f"seed {seed} refused: {reason}")
    print(
        f"{done} of {arguments.graphs} graphs compiled ({at_bound} at the bound) and ran on "
        f"{where} in {time.monotonic() - begin:.0f} s; {len(failed)} wrong"
    )
    if chip is not None:
        chip.close()
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
