"""The searches at one interval, cheap ones first: heuristic, exact method, and both once more.

An attempt of the heuristic that works out mostly does so after few failures. So when the first,
patient ones found nothing, many *brief* ones find more in the same time.
"""

import time as clock
from collections.abc import Sequence

from .exact import SEARCHES, Outcome, is_small, solve
from .mapping import Mapping
from .problem import Problem
from .schedule_heuristic import PATIENCE, Tried, schedule

FIRST_EFFORT = SEARCHES[0].most
"""Work of the exact method before the heuristic has another go."""

BRIEF_PATIENCE = 1
"""Failures a node of the graph before a brief attempt gives up."""

BRIEF = (3, 9)
"""Brief attempts before each search of the exact method, times the patient ones; what is small for
the exact method has it first."""


class Tries:
    """What was tried at an interval.

    Parameters
    ----------
    problems: the forms of the problem. deadline: seconds that the process may have used.
    """

    def __init__(self, problems: Sequence[Problem], deadline: float, seed: int) -> None:
        self._problems, self._deadline, self._seed = problems, deadline, seed
        self._failures: dict[str, int] = {}
        self._wanted: dict[str, float] = {}
        self._tried: Tried | None = None
        self._outcome: Outcome | None = None

    def run(self, attempts: int, effort: float) -> tuple[Mapping | None, str]:
        """A mapping, if one is found, and what found it."""
        mapping = self._heuristic(0, attempts)
        if mapping is not None or not effort:
            return mapping, "heuristic"
        first = attempts
        counts = (0, sum(BRIEF)) if is_small(self._problems[-1]) else BRIEF
        for number, work in enumerate((min(effort, FIRST_EFFORT), effort - FIRST_EFFORT)):
            if work <= 0:
                break
            brief = counts[number] * attempts
            mapping = self._heuristic(first, brief, BRIEF_PATIENCE)
            if mapping is not None:
                return mapping, "heuristic"
            mapping = self._exact(number, work)
            if mapping is not None:
                break
            first += brief
        return mapping, "exact"

    def _heuristic(self, first: int, attempts: int, patience: int = PATIENCE) -> Mapping | None:
        for problem in self._problems:
            tried = schedule(problem, self._deadline, self._seed, attempts, first, patience)
            if tried.mapping is not None:
                return tried.mapping
            self._tried = tried
            for sums, found in ((self._failures, tried.failures), (self._wanted, tried.wanted)):
                for name, count in found.items():
                    sums[name] = sums.get(name, 0) + count  # type: ignore[assignment]
        return None

    def _exact(self, number: int, effort: float) -> Mapping | None:
        """The last form of the problem, with one of the exact method's freedoms."""
        if clock.process_time() > self._deadline:
            return None
        self._outcome = solve(
            self._problems[-1],
            effort,
            self._seed,
            self._tried.hints if self._tried is not None else None,
            SEARCHES[number : number + 1],
            self._deadline,
        )
        return self._outcome.mapping

    def limit(self) -> str:
        """What was in the way: the node, and the resource that was mostly wanted."""
        worst = max(self._failures, key=self._failures.__getitem__, default="nothing")
        text = f"{worst} found no place"
        if self._wanted:
            wanted = max(self._wanted, key=self._wanted.__getitem__)
            text += f", mostly for want of {wanted}"
        if self._outcome is not None:
            text += f" (exact method: {self._outcome.reason})"
        return text
