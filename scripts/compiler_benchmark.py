"""How close the compiler comes to the bounds, on data-flow graphs and on the project's kernels.

    python scripts/compiler_benchmark.py ../shared/data/dfg

Prints a line for each graph and array: nodes, the bounds by resources (operation slots, edge ports,
predicates), by recurrences and by the array's software-pipeline stages, the interval reached, what
found it, seconds of a processor, and what limits it: the resource of the bound, or where the
interval lies above, what the exact method finds in the way. The last lines are the shares at
max(ResMII, RecMII), and at the bound with the stages too. ``--check`` runs every mapping on
the golden model with random inputs and compares the results with the graph's meaning. Ends with 1
if a graph could not be mapped or a result is wrong.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.bounds import recurrence_bound, resource_bounds, stage_bound
from octopus.sched.compile.compiler import (
    ATTEMPTS,
    EFFORT,
    Compiled,
    compile_graph,
    explain,
    window_of,
)
from octopus.sched.compile.dot import read_dot
from octopus.sched.compile.errors import CompileError
from octopus.sched.compile.graph import Graph, Role
from octopus.sched.compile.listing import listing
from octopus.sched.compile.lower import lower
from octopus.sched.compile.picture import draw
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.operand import Operand
from octopus.sched.kernels.registry import kernels
from octopus.verify.bench.tbu_tasks import run_golden

GOAL_SECONDS = 60
"""Of a processor, for each graph."""

GOAL_SHARE = 0.95
"""Of the graphs at max(ResMII, RecMII)."""

HEADER = f"{'graph':24} size nodes ResMII RecMII stages   II method    seconds  limit"
"""Titles of what ``benchmark`` prints."""

LENGTH = 11
"""Elements of the arrays in a check."""

DESCRIPTOR_WORDS = 512
"""A graph with many arrays needs more than the preset's descriptors hold."""


@dataclass(frozen=True)
class Options:
    """How graphs are compiled, and what becomes of the mappings.

    ``check``: run them on the golden model. ``output``: a folder for listings and pictures.
    ``only``: a part of the names of the graphs that are wanted.
    """

    seconds: float = GOAL_SECONDS
    attempts: int = ATTEMPTS
    effort: float = EFFORT
    check: bool = False
    output: Path | None = None
    only: str = ""


@dataclass
class Score:
    """How many graphs there were, and at how many ...

    ``at_both``: the interval is max(ResMII, RecMII). ``at_bound``: it is the bound with the stages
    too. ``slow``: it took longer than the goal. ``failed``: there is no mapping. ``wrong``: the
    mapping gives a wrong result.
    """

    total: int = 0
    at_both: int = 0
    at_bound: int = 0
    slow: int = 0
    failed: int = 0
    wrong: int = 0

    @property
    def share(self) -> float:
        """Of the graphs, those at max(ResMII, RecMII)."""
        return self.at_both / max(self.total, 1)

    @property
    def met(self) -> bool:
        """Enough are at the bounds, all in time and, as far as was checked, right."""
        return self.share >= GOAL_SHARE and not (self.slow or self.failed or self.wrong)


def task_of(graph: Graph) -> CompiledTask:
    """A use of a graph from a file: all arrays are vectors of one length."""
    groups: list[list[Operand]] = []
    for role in (Role.LOAD, Role.STORE):
        arrays = [node.access.array for node in graph.of_role(role) if node.access is not None]
        groups.append([Operand(name, (LENGTH,), "int32") for name in dict.fromkeys(arrays)])
    return CompiledTask(GraphKernel(graph), (LENGTH,), *groups)


def tasks(folder: Path | None) -> list[tuple[str, CompiledTask]]:
    """Uses of the graphs of a folder and of the public kernels."""
    found = []
    if folder is not None:
        paths = sorted(folder.glob("*.dot"))
        found += [(path.stem, task_of(read_dot(path))) for path in paths]
    for name, entry in kernels().items():
        computation = entry.build(entry.example)
        if isinstance(computation, CompiledTask):
            found.append((name, computation))
    return found


def is_right(config: OctopusConfig, task: CompiledTask, compiled: Compiled) -> bool:
    """Whether the golden model gets what the task's graph means."""
    task.use(compiled)
    inputs = task.random_inputs(1)
    found, outcome = run_golden(config, task, inputs)
    wanted, _ = task.reference(*inputs)
    same = all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
    return same and outcome.status is Status.OK


def least(pea: PeaConfig, compiled: Compiled) -> tuple[int, int, int]:
    """ResMII, RecMII, and what the stages ask."""
    lowered = lower(compiled.graph, pea)
    return (
        resource_bounds(lowered, pea)[0].interval,
        recurrence_bound(lowered, pea).interval,
        stage_bound(lowered, pea, window_of(lowered, pea)).interval,
    )


def report(name: str, pea: PeaConfig, compiled: Compiled) -> str:
    """One line."""
    resources, recurrence, stages = least(pea, compiled)
    return (
        f"{name:24} {pea.rows}x{pea.columns} {len(compiled.mapping.graph.nodes):5} "
        f"{resources:6} {recurrence:6} {stages:6} {compiled.interval:4} {compiled.method:9} "
        f"{compiled.seconds:7.1f}  {explain(compiled)}"
    )


def score_one(
    name: str, task: CompiledTask, config: OctopusConfig, options: Options, score: Score
) -> None:
    """Compile one graph, print its line, add it to the score."""
    pea = config.pea
    score.total += 1
    start = time.process_time()
    try:
        compiled = compile_graph(
            task.graph,
            pea,
            seconds=options.seconds,
            attempts=options.attempts,
            effort=options.effort,
        )
    except CompileError as error:
        score.failed += 1
        seconds = time.process_time() - start
        print(f"{name:24} {pea.rows}x{pea.columns} failed after {seconds:.1f} s: {error}")
        return
    score.at_bound += compiled.interval == compiled.bound
    score.at_both += compiled.interval == max(least(pea, compiled)[:2])
    score.slow += compiled.seconds > GOAL_SECONDS
    print(report(name, pea, compiled), flush=True)
    if options.check and not is_right(config, task, compiled):
        score.wrong += 1
        print(f"{name:24} {pea.rows}x{pea.columns} gives a WRONG result on the golden model")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        stem = options.output / f"{name}_{pea.rows}x{pea.columns}"
        stem.with_suffix(".txt").write_text(listing(compiled))
        draw(compiled, stem.with_suffix(".png"))


def benchmark(folder: Path | None, size: int, options: Options, score: Score) -> None:
    """Compile everything for an array of ``size`` x ``size``."""
    base = OctopusConfig.load("default")
    unit = base.task_block_unit.model_copy(update={"descriptor_words": DESCRIPTOR_WORDS})
    pea = base.pea.model_copy(update={"rows": size, "columns": size})
    config = base.model_copy(update={"task_block_unit": unit, "pea": pea})
    for name, task in tasks(folder):
        if options.only in name:
            score_one(name, task, config, options, score)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of DOT files")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8])
    parser.add_argument(
        "--seconds", type=float, default=GOAL_SECONDS, help="of a processor, for each graph"
    )
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="of the heuristic")
    parser.add_argument("--effort", type=float, default=EFFORT, help="of the exact method")
    parser.add_argument("--check", action="store_true", help="on the golden model")
    parser.add_argument("--only", default="", help="part of a graph's name")
    parser.add_argument("--output", type=Path, help="folder for listings and pictures")
    return parser.parse_args()


def main() -> int:
    """Run it; 1 if a mapping fails."""
    arguments = vars(parsed())
    folder, sizes = arguments.pop("folder"), arguments.pop("sizes")
    score = Score()
    print(HEADER)
    for size in sizes:
        benchmark(folder, size, Options(**arguments), score)
    print(
        f"{score.at_both} of {score.total} at max(ResMII, RecMII) ({score.share:.1%}; "
        f"goal {GOAL_SHARE:.0%}), {score.failed} failed"
    )
    print(
        f"{score.at_bound} at the bound with the stages; "
        f"{score.slow} took more than {GOAL_SECONDS} s"
    )
    if arguments["check"]:
        right = score.total - score.failed - score.wrong
        print(f"{right} right on the golden model, {score.wrong} wrong")
    return 1 if score.failed or score.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
