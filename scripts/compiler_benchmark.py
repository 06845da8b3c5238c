"""How close the compiler comes to the bounds, on data-flow graphs and on the project's kernels.

    python scripts/compiler_benchmark.py graphs other/graph.dot --check

Prints a line for each graph and array: nodes, the bounds by resources (operation slots, edge ports,
predicates), by recurrences and by the array's software-pipeline stages, the interval reached, what
found it, seconds of a processor, and what limits it: the resource of the bound, or where the
interval lies above, what was in the way (``--explain``: what the exact method finds to be in the
way). The last lines are the shares at max(ResMII, RecMII), and at the bound with the stages too.
``--check`` runs every mapping on the golden model, those of files at each of ``--lengths``, and
compares the results with what the graph means. ``--only`` and ``--part`` choose some of the graphs.
``--simple-latency 2`` compiles for the default array as it is without early results.
Ends with 1 if a graph could not be mapped or a result is wrong.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mapping_check import LENGTHS, is_right, task_of

from octopus.hw.config import OctopusConfig, PeaConfig
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
from octopus.sched.compile.graph import Graph
from octopus.sched.compile.listing import listing
from octopus.sched.compile.lower import lower
from octopus.sched.compile.picture import draw
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.registry import kernels
from octopus.sched.kernels.task import TaskError

GOAL_SECONDS = 60
"""Of a processor, for each graph."""

GOAL_SHARE = 0.95
"""Of the graphs at max(ResMII, RecMII)."""

HEADER = f"{'graph':24} size nodes ResMII RecMII stages   II method    seconds  limit"
"""Titles of what ``benchmark`` prints."""

LATENCIES = ("pipeline_stages", "simple_latency")
"""Fields of the array that can be given."""

DESCRIPTOR_WORDS = 512
"""A graph with many arrays needs more than the preset's descriptors hold."""


@dataclass(frozen=True)
class Options:
    """How graphs are compiled, and what becomes of the mappings.

    ``check``: run them on the golden model. ``output``: a folder for listings and pictures.
    ``only``: a part of the names of the graphs that are wanted; ``part``: every how many-th of
    them, from which one on. ``lengths``: iterations in checks of graphs from files. ``explain``:
    what is in the way of smaller intervals, by the exact method.
    """

    seconds: float = GOAL_SECONDS
    attempts: int = ATTEMPTS
    effort: float = EFFORT
    check: bool = False
    output: Path | None = None
    only: str = ""
    part: tuple[int, int] = (0, 1)
    lengths: list[int] = field(default_factory=lambda: list(LENGTHS))
    explain: bool = False


@dataclass
class Score:
    """How many graphs there were, and at how many ...

    ``at_both``: the interval is max(ResMII, RecMII). ``at_bound``: it is the bound with the stages
    too. ``slow``: it took longer than the goal. ``failed``: there is no mapping. ``wrong``: the
    mapping gives a wrong result. ``unchecked``: no inputs were found for which the graph means
    anything, or it does not fit the chip's descriptors.
    """

    total: int = 0
    at_both: int = 0
    at_bound: int = 0
    slow: int = 0
    failed: int = 0
    wrong: int = 0
    unchecked: int = 0

    @property
    def share(self) -> float:
        """Of the graphs, those at max(ResMII, RecMII)."""
        return self.at_both / max(self.total, 1)

    @property
    def met(self) -> bool:
        """Enough are at the bounds, all in time and, as far as was checked, right."""
        return self.share >= GOAL_SHARE and not (self.slow or self.failed or self.wrong)


def graphs(paths: list[Path]) -> Iterator[tuple[str, Graph]]:
    """Those of files and folders of files; what is not understood is said."""
    for path in paths:
        for file in sorted(path.glob("*.dot")) if path.is_dir() else [path]:
            try:
                yield file.stem, read_dot(file)
            except CompileError as error:
                print(f"{file.stem} is not read: {error}")


def tasks(paths: list[Path], lengths: list[int]) -> Iterator[tuple[str, list[CompiledTask]]]:
    """Uses of the graphs of files, at every length, and of the public kernels."""
    for name, graph in graphs(paths):
        kernel = GraphKernel(graph)
        yield name, [task_of(graph, length, kernel) for length in lengths]
    for name, entry in kernels().items():
        computation = entry.build(entry.example)
        if isinstance(computation, CompiledTask):
            yield name, [computation]


def least(pea: PeaConfig, compiled: Compiled) -> tuple[int, int, int]:
    """ResMII, RecMII, and what the stages ask."""
    lowered = lower(compiled.graph, pea)
    return (
        resource_bounds(lowered, pea)[0].interval,
        recurrence_bound(lowered, pea).interval,
        stage_bound(lowered, pea, window_of(lowered, pea)).interval,
    )


def report(name: str, pea: PeaConfig, compiled: Compiled, thorough: bool) -> str:
    """One line."""
    resources, recurrence, stages = least(pea, compiled)
    above = compiled.interval > compiled.bound
    limit = compiled.limits if above and not thorough else explain(compiled)
    return (
        f"{name:24} {pea.rows}x{pea.columns} {len(compiled.mapping.graph.nodes):5} "
        f"{resources:6} {recurrence:6} {stages:6} {compiled.interval:4} {compiled.method:9} "
        f"{compiled.seconds:7.1f}  {limit}"
    )


def score_one(
    name: str, uses: list[CompiledTask], config: OctopusConfig, options: Options, score: Score
) -> None:
    """Compile one graph, print its line, add it to the score."""
    pea = config.pea
    score.total += 1
    start = time.process_time()
    try:
        compiled = compile_graph(
            uses[0].graph,
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
    print(report(name, pea, compiled, options.explain), flush=True)
    if options.check:
        check(name, uses, config, compiled, score)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        stem = options.output / f"{name}_{pea.rows}x{pea.columns}"
        stem.with_suffix(".txt").write_text(listing(compiled))
        draw(compiled, stem.with_suffix(".png"))


def check(
    name: str,
    uses: list[CompiledTask],
    config: OctopusConfig,
    compiled: Compiled,
    score: Score,
) -> None:
    """Run a mapping on the golden model."""
    where = f"{name:24} {config.pea.rows}x{config.pea.columns}"
    for task in uses:
        try:
            right = is_right(config, task, compiled)
        except TaskError as error:
            print(f"{where} cannot be run: {error}")
            right = None
        if right is None:
            score.unchecked += 1
            return
        if not right:
            score.wrong += 1
            print(f"{where} gives a WRONG result on the golden model, counts {task.counts}")
            return


def benchmark(
    paths: list[Path], size: int, latencies: dict[str, int], options: Options, score: Score
) -> None:
    """Compile everything for an array of ``size`` x ``size`` with these fields changed."""
    base = OctopusConfig.load("default")
    unit = base.task_block_unit.model_copy(update={"descriptor_words": DESCRIPTOR_WORDS})
    pea = base.pea.model_copy(update={"rows": size, "columns": size} | latencies)
    config = base.model_copy(update={"task_block_unit": unit, "pea": pea})
    for number, (name, uses) in enumerate(tasks(paths, options.lengths)):
        part, parts = options.part
        if options.only in name and number % parts == part:
            score_one(name, uses, config, options, score)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", type=Path, nargs="*", help="DOT files, or folders of them")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8])
    for name in LATENCIES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="of the array")
    parser.add_argument(
        "--seconds", type=float, default=GOAL_SECONDS, help="of a processor, for each graph"
    )
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="of the heuristic")
    parser.add_argument("--effort", type=float, default=EFFORT, help="of the exact method")
    parser.add_argument("--check", action="store_true", help="on the golden model")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="of a check")
    parser.add_argument("--explain", action="store_true", help="what is in the way, by proof")
    parser.add_argument("--only", default="", help="part of a graph's name")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), help="from which on, every how many-th"
    )
    parser.add_argument("--output", type=Path, help="folder for listings and pictures")
    return parser.parse_args()


def main() -> int:
    """Run it; 1 if a mapping fails."""
    arguments = vars(parsed())
    paths, sizes = arguments.pop("paths"), arguments.pop("sizes")
    fields = {name: arguments.pop(name) for name in LATENCIES}
    latencies = {name: value for name, value in fields.items() if value is not None}
    score = Score()
    print(HEADER)
    for size in sizes:
        benchmark(paths, size, latencies, Options(**arguments), score)
    print(
        f"{score.at_both} of {score.total} at max(ResMII, RecMII) ({score.share:.1%}; "
        f"goal {GOAL_SHARE:.0%}), {score.failed} failed"
    )
    print(
        f"{score.at_bound} at the bound with the stages; "
        f"{score.slow} took more than {GOAL_SECONDS} s"
    )
    if arguments["check"]:
        right = score.total - score.failed - score.wrong - score.unchecked
        print(
            f"{right} right on the golden model, {score.wrong} wrong, {score.unchecked} not checked"
        )
    return 1 if score.failed or score.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
