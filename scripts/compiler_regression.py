"""Compiles many random data-flow graphs, runs each, and compares every bit with its meaning.

    python scripts/compiler_regression.py --graphs 300
    python scripts/compiler_regression.py --graphs 300 --rtl chip.toml

Without ``--rtl`` the golden model runs them, on arrays from 1x1 to 8x8 of one to eight stages and
pipelines of one to six; with it the Verilated chip of a configuration, one program after the other
without a reset. The graphs have many words on few ports, strides of both signs, bytes, nested
loops and rounds, carried values, conditions, computed addresses and exits; lengths are 1, 2, 3, odd
and long. No stream may write what is not its own. Every case has a seed of its own, which is
printed if it fails; ``--first SEED --graphs 1`` replays it.
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
from octopus.sched.compile.compiler import compile_graph
from octopus.sched.compile.errors import CompileError
from octopus.sched.kernels.compiled import CompiledTask
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sched.kernels.task import TaskError
from octopus.verify.bench.hard_graphs import HardGraph
from octopus.verify.bench.random_graphs import random_arrays
from octopus.verify.bench.stream_check import trespasses
from octopus.verify.bench.tbu_tasks import run_golden

SIZES = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 2), (3, 2), (2, 3), (3, 3), (1, 4), (4, 4), (8, 8)]
LATENCIES = [(1, 1), (2, 1), (2, 1), (3, 1), (4, 1), (6, 1), (2, 2), (6, 2), (5, 3), (6, 6)]
"""``pipeline_stages`` and ``simple_latency``."""
STAGES = [1, 2, 4, 8, 8]
REPORT_EVERY = 25


def golden_config(source: random.Random) -> OctopusConfig:
    """An array that depends on the case, to try them all."""
    config = OctopusConfig.load("default")
    rows, columns = source.choice(SIZES)
    pipeline, simple = source.choice(LATENCIES)
    array = {
        "rows": rows,
        "columns": columns,
        "pipeline_stages": pipeline,
        "simple_latency": simple,
        "stages": source.choice(STAGES),
        "context_slots": 32,
    }
    memory = {"descriptor_words": 1024, "scratchpad_words": 8192}
    unit = config.task_block_unit.model_copy(update=memory)
    pea = config.pea.model_copy(update=array)
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


def differences(task: CompiledTask, expected, outputs) -> list[str]:
    """What is not as it means to be."""
    return [
        operand.name
        for operand, found, wanted in zip(task.outputs, outputs, expected, strict=True)
        if not np.array_equal(found, wanted)
    ]


class Regression:
    """Runs cases one after the other.

    Parameters
    ----------
    arguments: of the command line. rtl: driver and configuration of a chip, or None.
    """

    def __init__(self, arguments: argparse.Namespace, rtl) -> None:
        self.arguments, self.rtl = arguments, rtl
        self.at_bound = 0

    def case(self, seed: int) -> tuple[str, str]:
        """``right``, ``refused`` or ``wrong``, and why."""
        source = random.Random(seed)
        made = HardGraph(source, self.arguments.operations, f"random_{seed}")
        config = self.rtl[1] if self.rtl else golden_config(source)
        arguments = self.arguments
        try:
            task = made.task()
            compiled = compile_graph(
                task.graph,
                config.pea,
                seconds=arguments.seconds,
                attempts=arguments.attempts,
                effort=arguments.effort,
            )
            task.use(compiled)
            wrong = trespasses(config, task)
        except (CompileError, TaskError) as error:
            return "refused", str(error)
        arrays = random_arrays(task, source)
        expected, _ = task.reference(*arrays)
        self.at_bound += compiled.interval == compiled.bound
        if self.rtl is None:
            outputs, outcome = run_golden(config, task, arrays)
            if outcome.status is not Status.OK:
                wrong.append(f"{outcome.status.name} {outcome.reason}")
        else:
            outputs = run(self.rtl[0], lay_out(task, config), arrays).outputs
        wrong += differences(task, expected, outputs)
        return ("wrong", ", ".join(wrong)) if wrong else ("right", "")


def main() -> int:
    """Run the cases; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="seed of the first case")
    parser.add_argument("--operations", type=int, default=10, help="of a graph, at most")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a processor for a graph")
    parser.add_argument("--attempts", type=int, default=2, help="of the heuristic")
    parser.add_argument("--effort", type=float, default=0.0, help="of the exact method")
    parser.add_argument("--rtl", type=Path, help="configuration of a chip with one TBU")
    arguments = parser.parse_args()
    chip = rtl = None
    if arguments.rtl:
        from octopus.sim.chip import Chip
        from octopus.sim.driver import ChipDriver
        from octopus.sim.toolchain import environment

        environment()
        config = OctopusConfig.load(arguments.rtl)
        chip = Chip.build(config, False, print)
        rtl = (ChipDriver(chip), config)
    regression, begin = Regression(arguments, rtl), time.monotonic()
    counts = {"right": 0, "refused": 0, "wrong": 0}
    seeds = range(arguments.first, arguments.first + arguments.graphs)
    for seed in track(seeds, "graphs", disable=not sys.stderr.isatty()):
        result, why = regression.case(seed)
        counts[result] += 1
        if result != "right":
            print(f"seed {seed} {result}: {why}", flush=True)
        if sum(counts.values()) % REPORT_EVERY == 0:
            print(f"{counts}, {time.monotonic() - begin:.0f} s", flush=True)
    where = "the RTL" if arguments.rtl else "the golden model"
    print(
        f"{counts['right']} of {arguments.graphs} graphs right on {where} "
        f"({regression.at_bound} at the bound), {counts['refused']} refused, "
        f"{counts['wrong']} wrong in {time.monotonic() - begin:.0f} s"
    )
    if chip is not None:
        chip.close()
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
