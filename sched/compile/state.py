"""The state of a kernel function that is followed symbolically: variables, lists, the path.

Values are Python objects that are known while the function is followed (integers, lists, tuples,
...), or stand for words of the array: a :class:`Use` or :class:`Constant` of the graph, an
:class:`Index` (a sum of loop variables), an :class:`Extent` (a count).

The path is the set of conditions that hold where a statement is: literals, each an operand and
whether it is not 0.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.instruction import Operation

from .building import Builder
from .errors import CompileError
from .graph import Constant, Operand, Use
from .int32 import wrap
from .language import ArrayName, Extent, Index

Literal = tuple[Operand, bool]
Path = frozenset[Literal]
EVERYWHERE: Path = frozenset()


@dataclass(frozen=True)
class Undecided:
    """A variable that cannot be used, and why."""

    reason: str


@dataclass(frozen=True)
class OuterValue:
    """What a variable holds when an iteration of a loop around another loop begins.

    The array keeps it only if nothing but the innermost loop uses and changes it.
    """

    cell: tuple[str | int, ...]
    level: int

    @property
    def name(self) -> str:
        """The variable."""
        return str(self.cell[0])


class Outside(list[Any]):
    """A list from outside of the function: a copy that must not change."""


@dataclass
class Snapshot:
    """A state kept: variables, the contents of every list they lead to, the path."""

    variables: dict[str, Any]
    lists: dict[int, tuple[list[Any], list[Any]]]
    path: Path


def is_word(value: Any) -> bool:
    """Whether a value is a word of the array, not known while the function is followed."""
    return isinstance(value, Use | Constant | Index)


def symbolic(value: Any) -> bool:
    """Whether a value is, or holds, what is not known."""
    if isinstance(value, list | tuple):
        return any(symbolic(part) for part in value)
    return is_word(value) or isinstance(value, Extent | ArrayName | Undecided | OuterValue)


class State:
    """Variables, path and graph, and how states come together."""

    def __init__(self, name: str, builder: Builder) -> None:
        self.name = name
        self.file = ""
        self.builder = builder
        self.variables: dict[str, Any] = {}
        self.callers: list[dict[str, Any]] = []
        self.path: Path = EVERYWHERE
        self.dead = False

    def error(self, where: ast.AST | None, message: str) -> CompileError:
        """The exception for a place of the function."""
        line = getattr(where, "lineno", 0)
        at = f", line {line}" if line else ""
        file = f" ({self.file})" if self.file else ""
        return CompileError(f"kernel {self.name}{at}: {message}{file}")

    # -- words -----------------------------------------------------------------------------

    def index_word(self, where: ast.AST, index: Index) -> Operand:
        """A sum of loop variables as a word."""
        raise NotImplementedError

    def word(self, where: ast.AST, value: Any, exact: bool = False) -> Operand:
        """A value as an operand of the graph.

        Parameters
        ----------
        exact: the operation looks at more than the lowest 32 bits of its result would show, so a
            number outside int32 is refused.
        """
        if isinstance(value, Extent):
            value = self.known_extent(where, value)
        if isinstance(value, Use | Constant):
            return value
        if isinstance(value, bool | int):
            if exact and wrap(value) != value:
                raise self.error(
                    where, f"{value} is no int32 here; allowed: {-(1 << 31)} to {(1 << 31) - 1}"
                )
            return Constant(int(value))
        if isinstance(value, Index) and not value.strides:
            return Constant(value.offset)
        if isinstance(value, Index):
            return self.index_word(where, value)
        if isinstance(value, Undecided):
            raise self.error(where, value.reason)
        if isinstance(value, OuterValue):
            raise self.error(
                where,
                f"{value.name} goes from one iteration of an outer loop to the next; only what "
                "the innermost loop alone changes and uses can",
            )
        if isinstance(value, float):
            raise self.error(where, f"{value} is no integer")
        raise self.error(where, f"a value of type {type(value).__name__} is no word of the array")

    def known_extent(self, where: ast.AST, extent: Extent) -> int:
        """The number that counts give."""
        if extent.value is None:
            names = ", ".join(extent.counts)
            raise self.error(
                where, f"{names} is used as a number: it must be known when the kernel is compiled"
            )
        return extent.value

    # -- paths -----------------------------------------------------------------------------

    def conjunction(self, path: Iterable[Literal]) -> Operand:
        """1 where all literals hold."""
        result: Operand | None = None
        for operand, holds in sorted(path, key=repr):
            own = self.builder.truth(operand) if holds else self.builder.negation(operand)
            result = own if result is None else self.builder.node(Operation.AND, result, own)
        return Constant(1) if result is None else result

    def disjunction(self, first: Path, second: Path) -> Path:
        """A path that is taken where one of two is."""
        common = first & second
        one, other = first - common, second - common
        if not one or not other:
            return common
        if len(one) == len(other) == 1:
            (left, holds), (right, also) = next(iter(one)), next(iter(other))
            if left == right and holds != also:
                return common
        # A literal that one path has and the other has negated is not needed in the other.
        for own, others in ((one, other), (other, one)):
            if len(own) == 1:
                operand, holds = next(iter(own))
                if (operand, not holds) in others:
                    rest = others - {(operand, not holds)}
                    both = self._either(own, rest)
                    return common | {(both, True)}
        return common | {(self._either(one, other), True)}

    def _either(self, first: Path, second: Path) -> Operand:
        return self.builder.node(Operation.OR, self.conjunction(first), self.conjunction(second))

    def apart(self, first: Path, second: Path) -> Literal | None:
        """What tells the first path from the second; None if nothing certain does."""
        for operand, holds in sorted(first - second, key=repr):
            if (operand, not holds) in second:
                return operand, holds
        return None

    # -- keeping and joining ---------------------------------------------------------------

    def snapshot(self) -> Snapshot | None:
        """The state now; None if this place is never reached."""
        if self.dead:
            return None
        lists: dict[int, tuple[list[Any], list[Any]]] = {}
        for scope in (*self.callers, self.variables):
            for value in scope.values():
                _collect(value, lists)
        return Snapshot(dict(self.variables), lists, self.path)

    def restore(self, kept: Snapshot) -> None:
        """Go back to a state."""
        self.variables.clear()
        self.variables.update(kept.variables)
        for place, contents in kept.lists.values():
            place[:] = contents
        self.path, self.dead = kept.path, False

    def join(self, where: ast.AST, states: Iterable[Snapshot | None]) -> None:
        """Go on where several ways meet, which exclude each other; the last is the fall-through."""
        alive = [state for state in states if state is not None]
        if not alive:
            self.dead = True
            return
        result = alive.pop()
        while alive:
            result = self._merged(where, alive.pop(), result)
        self.restore(result)

    def _merged(self, where: ast.AST, first: Snapshot, second: Snapshot) -> Snapshot:
        literal = self.apart(first.path, second.path)
        if literal is None:
            literal = (self.conjunction(first.path - second.path), True)
        choose = _Choice(self, where, literal, (first, second))
        names = dict.fromkeys([*first.variables, *second.variables])
        variables = {
            name: choose.of(
                name, first.variables.get(name, _MISSING), second.variables.get(name, _MISSING)
            )
            for name in names
        }
        lists = {}
        for key in dict.fromkeys([*first.lists, *second.lists]):
            one, other = first.lists.get(key), second.lists.get(key)
            if one is None or other is None:
                lists[key] = one or other
                continue
            if len(one[1]) != len(other[1]):
                raise self.error(where, "the length of a list depends on a value")
            merged = [choose.of("an element", a, b) for a, b in zip(one[1], other[1], strict=True)]
            lists[key] = (one[0], merged)
        found = {key: value for key, value in lists.items() if value is not None}
        return Snapshot(variables, found, self.disjunction(first.path, second.path))


class _Missing:
    """No value: the variable is not bound."""


_MISSING = _Missing()


@dataclass
class _Choice:
    """Chooses between the values of two states."""

    state: State
    where: ast.AST
    literal: Literal
    sides: tuple[Snapshot, Snapshot]

    def of(self, name: str, first: Any, second: Any) -> Any:
        """The value of a variable or element after both ways."""
        if same(first, second):
            return first
        for value in (first, second):
            if isinstance(value, Undecided):
                return value
        line = getattr(self.where, "lineno", 0)
        if isinstance(first, _Missing) or isinstance(second, _Missing):
            return Undecided(f"{name} may have no value, as the condition of line {line} has it")
        if isinstance(first, OuterValue) or isinstance(second, OuterValue):
            value = first if isinstance(first, OuterValue) else second
            return Undecided(
                f"{value.name} goes from one iteration of an outer loop to the next, under a "
                f"condition (line {line})"
            )
        if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
            return tuple(self.of(name, a, b) for a, b in zip(first, second, strict=True))
        sides = (first, second)
        if not all(isinstance(side, int | Extent) or is_word(side) for side in sides):
            return Undecided(f"what {name} is depends on the condition of line {line}")
        operand, holds = self.literal
        try:
            a, b = (self.state.word(self.where, side, exact=True) for side in sides)
        except CompileError as error:
            return Undecided(f"{name} cannot be chosen: {error}")
        return self.state.builder.select(operand, *((a, b) if holds else (b, a)))


def same(first: Any, second: Any) -> bool:
    """Whether two values are surely the same."""
    if first is second:
        return True
    if isinstance(first, int) and isinstance(second, int):
        return int(first) == int(second)
    if type(first) is not type(second) or isinstance(first, list):
        return False
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def _collect(value: Any, lists: dict[int, tuple[list[Any], list[Any]]]) -> None:
    if isinstance(value, list) and id(value) not in lists:
        lists[id(value)] = (value, list(value))
    if isinstance(value, list | tuple):
        for part in value:
            if isinstance(part, list | tuple):
                _collect(part, lists)
