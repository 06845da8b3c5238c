"""Compiles random kernel functions, runs each, and compares every bit with Python's results.

    python scripts/program_regression.py --programs 1000
    python scripts/program_regression.py --programs 10000 --graphs
    python scripts/program_regression.py --programs 300 --rtl chip.toml

Without ``--rtl`` the golden model runs them, on arrays of 1x1 to 8x8 with 1 to 8 stages and
pipelines of 1 to 6, with it the Verilated chip of a configuration; ``--graphs`` maps nothing and
evaluates the graphs that functions become, which takes milliseconds a program. Every program has a
seed of its own: ``--first SEED --programs 1 --show`` replays it. One that differs is shrunk and
printed. Exit code 1 if one differs, or if fewer than half of the programs run.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from rich.progress import track

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.plan_program import PlanError, lay_out
from octopus.sched.kernels.plan_program import run as run_plan
from octopus.verify.bench.program_trial import (
    Run,
    Trial,
    Verdict,
    kind_of,
    on_golden_model,
    on_graph,
    random_config,
    random_program,
    shrink,
    try_program,
)
from octopus.verify.bench.random_programs import Program

REPORT_EVERY = 250
LEAST_SHARE = 0.5


def on_chip(config: OctopusConfig) -> Run:
    """Runs tasks on the Verilated chip."""
    from octopus.sim.chip import Chip
    from octopus.sim.driver import ChipDriver
    from octopus.sim.toolchain import environment

    environment()
    chip = Chip.build(config, False, print)

    def run(task, arrays):
        chip.reset()  # Whatever the program before left shall not matter.
        try:
            return run_plan(ChipDriver(chip), lay_out(task, config), arrays).outputs
        except PlanError as error:
            raise RuntimeError(str(error)) from None

    return run


def attempt(program: Program, seed: int, config: OctopusConfig | None, run: Run | None) -> Trial:
    """Try a program with ``run``, or on a golden model that depends on the seed."""
    if run is not None:
        return try_program(program, seed, config, run)
    own = random_config(seed)
    return try_program(program, seed, own, on_golden_model(own))


def main() -> int:
    """Try the programs; 1 if one differs or too few ran."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="seed of the first program")
    parser.add_argument("--rtl", type=Path, help="configuration of a chip with one TBU")
    parser.add_argument("--graphs", action="store_true", help="evaluate graphs, map nothing")
    parser.add_argument("--show", action="store_true", help="print every program")
    parser.add_argument("--reasons", type=int, default=12, help="reasons to print, at most")
    arguments = parser.parse_args()
    config = OctopusConfig.load(arguments.rtl) if arguments.rtl else None
    run = on_chip(config) if config else on_graph if arguments.graphs else None
    found: Counter[Verdict] = Counter()
    reasons: dict[Verdict, Counter[str]] = {verdict: Counter() for verdict in Verdict}
    begin = time.process_time()
    seeds = range(arguments.first, arguments.first + arguments.programs)
    for seed in track(seeds, "programs", disable=not sys.stderr.isatty()):
        program = random_program(seed)
        trial = attempt(program, seed, config, run)
        found[trial.verdict] += 1
        reasons[trial.verdict][kind_of(trial.reason)] += 1
        if arguments.show:
            print(f"{program.text}{program.counts} {trial.verdict.value} {trial.reason}")
        if trial.verdict is Verdict.DIFFERENT:
            print(f"seed {seed}: {trial.reason}")
            less = shrink(
                program,
                lambda p, seed=seed: attempt(p, seed, config, run).verdict is Verdict.DIFFERENT,
            )
            print(f"{less.text}{less.counts}", flush=True)
        if found.total() % REPORT_EVERY == 0:
            print(_counts(found), f"{time.process_time() - begin:.0f} s", flush=True)
    for verdict in (Verdict.REFUSED, Verdict.MEANINGLESS, Verdict.UNMAPPED):
        for reason, count in reasons[verdict].most_common(arguments.reasons):
            print(f"{count:6} {verdict.value}: {reason}")
    where = "the RTL" if arguments.rtl else "their graphs" if run else "the golden model"
    share = found[Verdict.RIGHT] / found.total()
    print(f"{found.total()} programs on {where}: {_counts(found)} ({share:.0%} ran)")
    return 1 if found[Verdict.DIFFERENT] or share < LEAST_SHARE else 0


def _counts(found: Counter[Verdict]) -> str:
    return ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Verdict)


if __name__ == "__main__":
    raise SystemExit(main())
