"""The cells of a function's variables: numbers, and the elements of lists and tuples."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .language import Index

Cell = tuple[str | int, ...]
"""A variable's name, then the numbers of elements within it."""


def cells(variables: Mapping[str, Any]) -> Iterator[tuple[Cell, Any]]:
    """All cells with what they hold."""
    for name, value in variables.items():
        yield from _within((name,), value)


def _within(cell: Cell, value: Any) -> Iterator[tuple[Cell, Any]]:
    if isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _within((*cell, number), part)
    else:
        yield cell, value


def put(variables: dict[str, Any], cell: Cell, value: Any) -> None:
    """Let a cell hold a value: lists are changed in place, tuples replaced."""
    name = str(cell[0])
    variables[name] = _replaced(variables.get(name), cell[1:], value)


def _replaced(place: Any, rest: Cell, value: Any) -> Any:
    if not rest:
        return value
    number, *others = rest
    assert isinstance(number, int)
    part = _replaced(place[number], tuple(others), value)
    if isinstance(place, list):
        place[number] = part
        return place
    return (*place[:number], part, *place[number + 1 :])


def shapes(variables: Mapping[str, Any], names: Iterable[str]) -> dict[str, object]:
    """How the lists of variables are built, and which of them are one and the same."""
    seen: dict[int, int] = {}
    return {name: _shape(variables.get(name), seen) for name in names}


def _shape(value: Any, seen: dict[int, int]) -> object:
    if not isinstance(value, list | tuple):
        return None
    kind = type(value).__name__
    if isinstance(value, list):
        if id(value) in seen:
            return seen[id(value)]
        seen[id(value)] = len(seen)
    return (kind, *(_shape(part, seen) for part in value))


def step_of(before: Any, after: Any) -> int | None:
    """By which constant a value moved; None if by none."""
    sides = []
    for value in (before, after):
        if isinstance(value, bool) or not isinstance(value, int | Index):
            return None
        sides.append(value if isinstance(value, Index) else Index((), int(value)))
    moved = sides[1].plus(sides[0], -1)
    return None if moved.strides else moved.offset
