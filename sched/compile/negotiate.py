"""Negotiated congestion: the native search, attempt by attempt."""

import ctypes
import time as clock
from dataclasses import dataclass, replace

import numpy as np

from .fabric import ConflictError
from .mapping import Mapping
from .native_library import library
from .native_task import NativeTask
from .problem import Problem
from .validity import Validity


@dataclass(frozen=True)
class Manner:
    """How an attempt goes; ``search.hpp`` says what the fields mean.

    ``strict``: nothing may be done after the stages, where some nodes must act in the real
    iterations only. lenient: as of :class:`Problem`.
    """

    noise: float = 0.3
    slack: float = 1.0
    patience: float = 0.15
    ejection: float = 12.0
    pressure: float = 0.5
    growth: float = 1.02
    most: float = 5.0
    memory: float = 0.3
    lazily: bool = True
    strict: bool = False
    lenient: bool = False

    def numbers(self) -> list[float]:
        """In the order of ``search.hpp``."""
        sizes = [self.noise, self.slack, self.patience, self.ejection]
        return [*sizes, self.pressure, self.growth, self.most, self.memory, float(self.lazily)]


MANNERS = (
    Manner(lenient=True),
    Manner(noise=0.6, strict=True),
    Manner(slack=0.0, most=10.0, lenient=True),
    Manner(ejection=25.0, patience=0.3, strict=True),
    Manner(slack=0.5, pressure=1.0, growth=1.05, most=10.0, lenient=True),
    Manner(noise=0.8, lazily=False, memory=0.1),
)
"""Tried in turn."""

MOVES = (60, 120, 240)
"""Moves a node that attempts have: every round of manners more, then all again."""


def attempt(problem: Problem, seed: int, number: int, deadline: float) -> "Negotiated":
    """The attempt of a number, each of which goes in its own manner."""
    moves = MOVES[number // len(MANNERS) % len(MOVES)] * len(problem.graph.nodes)
    manner = MANNERS[number % len(MANNERS)]
    lenient = manner.lenient and problem.window > 1 and not problem.bounded
    return negotiate(
        replace(problem, lenient=lenient), (seed << 16) + number, moves, deadline, manner
    )


@dataclass(frozen=True)
class Negotiated:
    """What an attempt gave.

    ``moves`` it took, ``troubles`` left, ``complaint`` about the result.
    """

    mapping: Mapping | None
    moves: int
    troubles: int
    complaint: str = ""


def negotiate(
    problem: Problem, seed: int, moves: int, deadline: float, manner: Manner, split: bool = True
) -> Negotiated:
    """One attempt.

    Parameters
    ----------
    moves: of nodes, before it gives up. deadline: seconds that the process may have used.
    split: whether words of streams may come in through several ports.
    """
    native = library()
    assert native is not None, "no C++ compiler"
    task = NativeTask(problem, split, manner.strict)
    data = np.array(task.data, np.int32)
    numbers = np.array(manner.numbers(), np.float32)
    figures = np.zeros(2, np.int64)
    result = np.zeros(1 << 18, np.int32)
    seconds = max(deadline - clock.process_time(), 0.0)

    def pointer(array: np.ndarray, kind: type) -> object:  # type: ignore[type-arg]
        return array.ctypes.data_as(ctypes.POINTER(kind))

    size = native.octopus_search(
        pointer(data, ctypes.c_int32),
        pointer(numbers, ctypes.c_float),
        seed,
        moves,
        seconds,
        pointer(result, ctypes.c_int32),
        len(result),
        pointer(figures, ctypes.c_long),
    )
    made, left = (int(figure) for figure in figures)
    if size <= 0:
        return Negotiated(None, made, left, "too large" if size else "")
    try:
        mapping = task.mapping([int(number) for number in result[:size]])
    except ConflictError:
        return Negotiated(None, made, left, "a resource is taken twice")
    complaint = Validity(mapping).complaint()
    if complaint is not None:
        return Negotiated(None, made, left, complaint)
    return Negotiated(mapping, made, left)
