"""The searches at one interval, cheap ones first: negotiation, heuristic, exact method.

Negotiation is the fastest by far, so it has the first word, and where the exact method has little
to offer also the second. An attempt of the heuristic that works out mostly does so after few
failures. So when the first, patient ones found nothing, many *brief* ones find more in the same
time.
"""

import time as clock
from collections.abc import Sequence
from functools import cached_property

from .exact import SEARCHES, Outcome, is_small, solve
from .mapping import Mapping
from .native_library import library
from .negotiate import attempt
from .problem import Problem
from .schedule_heuristic import PATIENCE, Tried, schedule

FIRST_EFFORT = SEARCHES[0].most
"""Work of the exact method before the heuristic has another go."""

BRIEF_PATIENCE = 1
"""Failures a node of the graph before a brief attempt gives up."""

BRIEF = (6, 6)
"""Brief attempts before each search of the exact method, times the patient ones; if its model is
small, both searches come after half of the first."""

NEGOTIATED = (12, 60)
"""Attempts of the negotiation before everything else, and later."""


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

    @cached_property
    def _small(self) -> bool:
        return is_small(self._problems[-1])

    def run(self, attempts: int, effort: float) -> tuple[Mapping | None, str]:
        """A mapping, if one is found, and what found it."""
        thorough = bool(effort)
        mapping = self._negotiate(0, NEGOTIATED[0])
        if mapping is None and thorough and not self._small:
            mapping = self._negotiate(*NEGOTIATED)
        if mapping is not None:
            return mapping, "negotiation"
        mapping, method = self._others(attempts, effort)
        if mapping is None and thorough and self._small:
            mapping, method = self._negotiate(*NEGOTIATED), "negotiation"
        return mapping, method

    def _negotiate(self, first: int, count: int) -> Mapping | None:
        """Attempts ``first`` and following of the negotiation."""
        if library() is None:
            return None
        for number in range(first, first + count):
            if clock.process_time() > self._deadline:
                return None
            mapping = attempt(self._problems[0], self._seed, number, self._deadline).mapping
            if mapping is not None:
                return mapping
        return None

    def _others(self, attempts: int, effort: float) -> tuple[Mapping | None, str]:
        """A mapping by the heuristic and the exact method in turn."""
        mapping = self._heuristic(0, attempts)
        if mapping is not None or not effort:
            return mapping, "heuristic"
        first, left = attempts, effort
        for brief, search, most in self._steps(effort):
            if brief:
                mapping = self._heuristic(first, brief * attempts, BRIEF_PATIENCE)
                first += brief * attempts
                if mapping is not None:
                    return mapping, "heuristic"
            if min(left, most) > 0:
                mapping = self._exact(search, min(left, most))
                if mapping is not None:
                    return mapping, "exact"
                left -= self._outcome.work if self._outcome is not None else 0.0
        return None, "exact"

    def _steps(self, effort: float) -> list[tuple[int, int, float]]:
        """In order: brief attempts, times the patient ones; number and most work of a search."""
        thorough = effort > FIRST_EFFORT
        if self._small:
            steps = [(BRIEF[0] // 2, 0, FIRST_EFFORT), (0, 1, FIRST_EFFORT)]
            return [*steps, (sum(BRIEF), 0, 0.0)] if thorough else steps
        steps = [(BRIEF[0], 0, FIRST_EFFORT)]
        return [*steps, (BRIEF[1], 1, effort)] if thorough else steps

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
        hints = None if self._tried is None else self._tried.hints
        self._outcome = solve(
            self._problems[-1],
            effort,
            self._seed,
            hints,
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
