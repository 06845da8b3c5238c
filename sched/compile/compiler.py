"""Compiles a graph for an array: bounds, then schedules from the bound upward, then the image."""

import time as clock
from dataclasses import dataclass
from functools import cached_property

from octopus.hw.config import PeaConfig

from .bounds import UNREACHABLE, Bound, recurrence_bound, resource_bounds, stage_bound
from .capabilities import capable
from .emit import Emitter, Program, assemble
from .errors import CompileError
from .exact import limiting
from .graph import Graph, Role
from .lower import lower
from .mapping import Mapping
from .problem import Problem
from .split import split_words
from .streams import PortStream, port_streams
from .tries import Tries
from .validity import exposed_stores, guarded

ATTEMPTS = 4
"""Searches at an interval, unless told otherwise."""

EFFORT = 50.0
"""Work of the exact method at an interval, unless told otherwise: CP-SAT's deterministic time."""

SECONDS = 60.0
"""Seconds of a processor that a compilation may take, unless told otherwise."""

INTERVAL_SHARE = 0.75
"""Share of the time left that one interval may take, so that larger ones have their turn."""

LEAST_SECONDS = 5.0
"""Time for an interval when all is used up: a larger one is soon found."""


@dataclass(frozen=True)
class Compiled:
    """A kernel for one array.

    Attributes
    ----------
    interval: cycles an iteration takes. bounds: the lower bounds of it, the largest first.
    method: what found the schedule. seconds: of a processor that it took.
    limits: why no smaller interval was found, if it is above the bound.
    """

    graph: Graph
    mapping: Mapping
    pea: PeaConfig
    bounds: tuple[Bound, ...]
    method: str
    seconds: float
    limits: str

    @property
    def interval(self) -> int:
        """The initiation interval reached."""
        return self.mapping.interval

    @property
    def bound(self) -> int:
        """The largest lower bound of the interval."""
        return self.bounds[0].interval

    @cached_property
    def program(self) -> Program:
        """The instructions."""
        return Emitter(self.mapping, self.pea).program

    @cached_property
    def streams(self) -> list[PortStream]:
        """The streams that feed and drain the array."""
        return port_streams(self.mapping)

    def image(self, number: int) -> list[int]:
        """The kernel image, as entry ``number`` of a kernel table."""
        return assemble(self.program, self.pea, self.interval, self.graph.name, number)


def bounds_of(lowered: Graph, pea: PeaConfig) -> tuple[Bound, ...]:
    """All lower bounds of the interval of a lowered graph, the largest first."""
    bounds = [
        *resource_bounds(lowered, pea),
        recurrence_bound(lowered, pea),
        stage_bound(lowered, pea, window_of(lowered, pea)),
    ]
    return tuple(sorted(bounds, key=lambda bound: -bound.interval))


def window_of(lowered: Graph, pea: PeaConfig) -> int:
    """Stages to tell apart: one if words that mean nothing do no harm."""
    harmless = lowered.loops == 1 and not lowered.outer and not lowered.exits
    harmless = harmless and not exposed_stores(lowered)
    for node in lowered.nodes.values():
        if node.pair is not None or guarded(node):
            harmless = False
        if any(use.distance for use in node.uses):
            harmless = False
    return 1 if harmless else pea.stages


def compile_graph(
    graph: Graph,
    pea: PeaConfig,
    *,
    seconds: float = SECONDS,
    attempts: int = ATTEMPTS,
    effort: float = EFFORT,
    seed: int = 1,
) -> Compiled:
    """Map a graph to an array with the smallest interval that is found.

    The same arguments give the same result, unless time runs out.

    Parameters
    ----------
    seconds: of a processor, for all of it, about. attempts: searches of the heuristic at each
    interval, effort: of the exact method at each (0: it is not used), before the next one is tried.

    Raises:
        CompileError: the graph means nothing, or no interval that the array's context slots allow
            is found; the message names the operation that found no place, and why.
    """
    start = clock.process_time()
    lowered = lower(graph, pea)
    _check_array(lowered, pea)
    bounds = bounds_of(lowered, pea)
    if bounds[0].interval == UNREACHABLE:
        raise CompileError(f"kernel {graph.name}: too few {bounds[0].resource}")
    window = window_of(lowered, pea)
    limits: list[str] = []
    for interval in range(bounds[0].interval, pea.context_slots + 1):
        split = split_words(lowered, pea, interval)
        forms = [lowered] if split is None else [lowered, split]
        now = clock.process_time()
        deadline = now + max(INTERVAL_SHARE * (start + seconds - now), LEAST_SECONDS)
        problems = [Problem(form, pea, interval, window) for form in forms]
        tries = Tries(problems, deadline, seed)
        mapping, method = tries.run(attempts, effort)
        if mapping is not None:
            taken = clock.process_time() - start
            return Compiled(graph, mapping, pea, bounds, method, taken, "; ".join(limits))
        limits.append(f"interval {interval}: {tries.limit()}")
    needed = bounds[0]
    raise CompileError(
        f"kernel {graph.name} needs an interval of {needed.interval} at least ({needed.resource}); "
        f"the array has {pea.context_slots} context slots" + (f"; {limits[-1]}" if limits else "")
    )


def explain(compiled: Compiled, effort: float = EFFORT, seconds: float = SECONDS) -> str:
    """Why no smaller interval was found: the resources that the exact method finds in the way.

    Parameters
    ----------
    effort, seconds: of the exact method and of a processor, about, for finding out.
    """
    if compiled.interval == 1:
        return ""
    interval = compiled.interval - 1
    for bound in compiled.bounds:
        if bound.interval > interval:
            return bound.resource
    lowered = lower(compiled.graph, compiled.pea)
    problem = Problem(lowered, compiled.pea, interval, window_of(lowered, compiled.pea))
    found = limiting(problem, effort, seconds)
    if found:
        return f"interval {interval} for want of any of: {', '.join(found)}"
    return compiled.limits


def _check_array(lowered: Graph, pea: PeaConfig) -> None:
    for operations, features in pea.kinds:
        if features != "full":
            raise CompileError(
                f"kernel {lowered.name}: graphs need PEs with all features; the array has PEs with "
                f"the operations {operations} and the features {features}"
            )
    for node in lowered.of_role(Role.COMPUTE):
        if not capable(pea, node.operation).any():
            raise CompileError(
                f"kernel {lowered.name}: {node.name} is {node.operation.name}, which no PE of "
                f"the array has (operations {', '.join(pea.operation_sets)})"
            )
