"""The exact method: modulo schedule, placement and routes in one model for OR-tools CP-SAT.

What the model leaves out makes it too strict, never wrong: every solution is put into the same
resource table as the heuristic's, which refuses what is taken twice. Time is limited by CP-SAT's
own count of work, so that the same graph gives the same result on any machine. That count leaves
out the making of the model, which is bounded by its size; a deadline ends what takes too long
nevertheless.
"""

import math
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ortools.sat.python import cp_model

from octopus.hw.config import PeaConfig

from .bounds import resource_bounds
from .exact_facts import Facts, Literal, Relaxation
from .exact_nodes import Nodes
from .exact_routes import Routes
from .exact_solution import Solution
from .exact_validity import ExactValidity
from .exact_windows import Windows
from .fabric import ConflictError, Place
from .graph import Role
from .mapping import Mapping
from .problem import Problem
from .validity import Validity

Hints = dict[str, tuple[Place, int]]
"""Places and times to try first."""


@dataclass(frozen=True)
class Search:
    """How much freedom a model has.

    Parameters
    ----------
    width, slope: of the windows of time. copies: whether routes may pass instructions.
    most: effort for it.
    """

    width: int
    slope: float
    copies: bool
    most: float


SEARCHES = (Search(3, 0.5, False, 15.0), Search(5, 0.75, True, 1e9))
LARGEST = 100_000
"""Facts of the largest model that is built: larger ones are not solved in a minute either."""

SMALL = 20_000
"""Facts of a model that takes seconds."""

FACT_SECONDS = 1e-4
"""About what a fact takes until the solver starts: a model that would be late is not built."""


@dataclass(frozen=True)
class Outcome:
    """What a search gave.

    ``proven``: there is no mapping of this freedom. ``work``: spent. ``reason``: of a failure.
    """

    mapping: Mapping | None
    proven: bool
    work: float
    reason: str = ""


def solve(
    problem: Problem,
    effort: float,
    seed: int = 1,
    hints: Hints | None = None,
    searches: Sequence[Search] = SEARCHES,
    deadline: float = math.inf,
) -> Outcome:
    """A mapping, if one is found.

    Parameters
    ----------
    effort: CP-SAT's deterministic time, about seconds. hints: what the heuristic had placed.
    deadline: seconds that the process may have used.
    """
    work, last = 0.0, Outcome(None, False, 0.0, "the model is too large")
    side = least_side(problem) + (searches[:1] == SEARCHES[1:])
    for search in searches:
        left = min(effort - work, search.most)
        facts = size(problem, search, side)
        if left <= 0 or facts > LARGEST:
            break
        if clock.process_time() + facts * FACT_SECONDS > deadline:
            last = replace(last, mapping=None, proven=False, reason="no time left")
            break
        last = _run(problem, search, side, left, seed, hints, deadline)
        work += last.work
        if last.mapping is not None:
            break
        side = _whole(problem.pea) if last.reason == TOO_SMALL else side + 1
    return replace(last, work=work)


TOO_SMALL = "proven that none exists in a part of the array"

FILLED = 0.7
"""Share of the slots of a part of the array that operations may take."""


def _whole(pea: PeaConfig) -> int:
    """The side of the whole array."""
    return max(pea.rows, pea.columns)


def least_side(problem: Problem) -> int:
    """The side of a part of the array that has the resources for a graph, and some more."""
    graph, pea, interval = problem.graph, problem.pea, problem.interval
    operations = sum(1 for _ in graph.of_role(Role.COMPUTE))
    whole = _whole(pea)
    for side in range(2, whole):
        part = pea.model_copy(
            update={"rows": min(side, pea.rows), "columns": min(side, pea.columns)}
        )
        enough = operations <= FILLED * part.rows * part.columns * interval
        if enough and resource_bounds(graph, part)[0].interval <= interval:
            return side
    return whole


def _windows(problem: Problem, search: Search) -> Windows:
    """When the nodes may be done."""
    return Windows(problem.graph, problem.pea, problem.interval, search.width, search.slope)


def size(problem: Problem, search: Search, side: int) -> int:
    """About how many facts a model has."""
    pea, windows = problem.pea, _windows(problem, search)
    cycles = 0
    for a, users in Mapping(problem).users.items():
        if users:
            last = max(windows.times(sink[0])[-1] for sink, _ in users)
            cycles += last - windows.times(a)[0] + 1
    return cycles * min(side, pea.rows) * min(side, pea.columns) * (12 if search.copies else 7)


def is_small(problem: Problem) -> bool:
    """Whether the first search is a matter of seconds."""
    return size(problem, SEARCHES[0], least_side(problem)) <= SMALL


def _run(
    problem: Problem,
    search: Search,
    side: int,
    effort: float,
    seed: int,
    hints: Hints | None,
    deadline: float,
    relaxed: Relaxation = Relaxation(),  # noqa: B008
) -> Outcome:
    facts = Facts(problem, _windows(problem, search), side, relaxed)
    nodes = Nodes(facts)
    if nodes.homeless is not None:
        return Outcome(None, True, 0.0, f"stages: {nodes.homeless} would be done after the last")
    Routes(facts, search.copies)
    nodes.connect()
    ExactValidity(facts)
    facts.close()
    for name, (place, time) in (hints or {}).items():
        for (other, there, when), literal in facts.done.items():
            if other == name:
                facts.model.add_hint(literal, (there, when) == (place, time))
    work, cuts = 0.0, 0
    while True:
        solver, status = _solve(facts, effort - work, seed, deadline)
        work += solver.response_proto.deterministic_time
        if status == cp_model.INFEASIBLE:
            # What was cut off might have worked with other routes: then nothing is proven.
            whole = facts.whole and not cuts
            reason = "proven that none exists in its windows of time"
            return Outcome(None, whole, work, reason if whole else TOO_SMALL)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Outcome(None, False, work, "effort spent")
        if relaxed != Relaxation():
            return Outcome(facts.mapping, False, work)
        try:
            mapping = Solution(facts, partial(_holds, solver)).mapping()
        except ConflictError:
            return Outcome(None, False, work, "registers")
        validity = Validity(mapping)
        complaint = validity.complaint()
        if complaint is None:
            return Outcome(mapping, False, work)
        odds, _ = validity.at_odds()
        cuts += 1
        if not odds or cuts > CUTS:
            return Outcome(None, False, work, complaint)
        # Nodes that share a port start and end together: not at these times, then.
        facts.model.add_bool_or(
            [facts.bound[(name, *mapping.ports[name])].negated() for name in odds]
        )


def _solve(
    facts: Facts, effort: float, seed: int, deadline: float
) -> tuple[cp_model.CpSolver, cp_model.CpSolverStatus]:
    """Search for a solution of the model."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = max(effort, 0.01)
    solver.parameters.max_time_in_seconds = max(deadline - clock.process_time(), 0.1)
    # The model is clauses: linear relaxation, probing and symmetries cost more than they bring.
    solver.parameters.linearization_level = 0
    solver.parameters.cp_model_probing_level = 0
    solver.parameters.symmetry_level = 0
    return solver, solver.solve(facts.model)


def _holds(solver: cp_model.CpSolver, literal: Literal) -> bool:
    return bool(solver.boolean_value(literal))


CUTS = 20
"""Solutions whose shared ports do not go together that are cut off before a search ends."""

RESOURCES = {
    "slots": "operation slots",
    "links": "links",
    "turns": "the route of an instruction",
    "ports": "memory ports",
}
MOST_STAGES = 8
"""Software-pipeline stages that an instruction can name."""


def limiting(problem: Problem, effort: float, seconds: float, seed: int = 1) -> list[str]:
    """The resources each of which, were there more, would let the interval be reached.

    Parameters
    ----------
    effort, seconds: of CP-SAT and of the processor, about, for all of them.
    """
    search, side = SEARCHES[0], _whole(problem.pea)
    if size(problem, search, side) > LARGEST:
        return []
    found = []
    share, each = effort / (len(RESOURCES) + 1), seconds / (len(RESOURCES) + 1)

    def reached(problem: Problem, relaxed: Relaxation) -> bool:
        deadline = clock.process_time() + each
        ran = _run(problem, search, side, share, seed, None, deadline, relaxed)
        return ran.mapping is not None

    for field, name in RESOURCES.items():
        if reached(problem, Relaxation(**{field: True})):
            found.append(name)
    if 1 < problem.window < MOST_STAGES:
        pea = problem.pea.model_copy(update={"stages": MOST_STAGES})
        if reached(replace(problem, pea=pea, window=MOST_STAGES), Relaxation()):
            found.append(f"software-pipeline stages ({problem.pea.stages})")
    return found
