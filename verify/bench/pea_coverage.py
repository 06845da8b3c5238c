"""Functional coverage of the array: kind of PE x operation x operand source x predicate x stall."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import (
    SIMPLE_OPERATIONS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from octopus.verify.golden.instruction import DecodedInstruction, decode

Kind = tuple[str, str]
"""A PE's operation set and feature set."""

Point = tuple[Kind, str, Operation, OperandSource, PredicateMode, bool]


def places(pea: PeaConfig) -> list[tuple[int, int]]:
    """Row and column of every PE, row-major."""
    return [(row, column) for row in range(pea.rows) for column in range(pea.columns)]


def kind_at(pea: PeaConfig, row: int, column: int) -> Kind:
    """The kind of PE (row, column)."""
    return pea.operation_set(row, column), pea.feature_set(row, column)


def declared_points(pea: PeaConfig) -> frozenset[Point]:
    """Every point that some PE of the array can meet."""
    return frozenset().union(*(points_at(pea, *place) for place in places(pea)))


@lru_cache(maxsize=256)
def points_at(pea: PeaConfig, row: int, column: int) -> frozenset[Point]:
    """The points that PE (row, column) can meet: for operands a and b (of the operations that use
    them), every operation it has, source that can be valid there and predicate mode, in a cycle
    that had to wait and in one that had not."""
    points = set()
    kind = kind_at(pea, row, column)
    features = pea.features_at(row, column)
    modes = tuple(PredicateMode) if features.predication else (PredicateMode.ALWAYS,)
    for operation in pea.operations_at(row, column):
        probe = decode(operation.value, 0, 0)
        for operand, used, have in (
            ("a", probe.uses_a, features.a),
            ("b", probe.uses_b, features.b),
        ):
            for source in _sources(pea, row, column) & have if used else ():
                for predicate in modes:
                    points |= {
                        (kind, operand, operation, source, predicate, stalled)
                        for stalled in (False, True)
                    }
    return frozenset(points)


def _sources(pea: PeaConfig, row: int, column: int) -> frozenset[OperandSource]:
    """Sources that can be valid: a neighbour must be there and able to send."""
    absent = set()
    neighbours = {
        OperandSource.NORTH: (row - 1, column, "south"),
        OperandSource.EAST: (row, column + 1, "west"),
        OperandSource.SOUTH: (row + 1, column, "north"),
        OperandSource.WEST: (row, column - 1, "east"),
    }
    for source, (other_row, other_column, side) in neighbours.items():
        if other_row < 0 or other_column < 0:
            continue  # a stream
        outside = other_row == pea.rows or other_column == pea.columns
        silent = frozenset({OutputSelect.NONE})
        if outside or pea.features_at(other_row, other_column).output(side) == silent:
            absent.add(source)
    return frozenset(OperandSource) - absent


Meeting = tuple[Kind, str]
"""Two results that land at once in a kind of PE: what both want, or that they want nothing both."""


def meetings(pea: PeaConfig) -> frozenset[Meeting]:
    """Every meeting of an early result and an older one that the array can have."""
    points = set()
    for place in places(pea):
        operations = pea.operations_at(*place) - {Operation.NOP}
        if pea.has_early and operations & SIMPLE_OPERATIONS and operations - SIMPLE_OPERATIONS:
            wanted = ["nothing", "link"]
            if pea.features_at(*place).predication:
                wanted += ["register", "predicate"]
            points |= {(kind_at(pea, *place), want) for want in wanted}
    return frozenset(points)


def wanted_by_both(older: DecodedInstruction, early: DecodedInstruction) -> list[str]:
    """What two instructions both want for their results; ``nothing`` if there is no such thing."""
    results = zip(older.outputs, early.outputs, strict=True)
    both = {
        "link": any(OutputSelect.RESULT is one is other for one, other in results),
        "register": older.write_register and early.write_register,
        "predicate": older.write_predicate and early.write_predicate,
    }
    return [name for name, wanted in both.items() if wanted] or ["nothing"]


class Coverage:
    """Counts how often each declared point was met by an instruction on valid operands, and each
    declared meeting of two results."""

    def __init__(self, pea: PeaConfig) -> None:
        self.declared = declared_points(pea)
        self.hits: Counter[Point] = Counter()
        self._order = {point: place for place, point in enumerate(sorted(self.declared, key=str))}
        self._left = set(self.declared)
        self.unmet = set(meetings(pea))
        self._kinds = [kind_at(pea, *place) for place in places(pea)]

    def record(self, executed: Sequence[DecodedInstruction | None], stalled: bool) -> None:
        """What each PE, row-major, executed in one cycle; ``stalled``: the cycle had to wait."""
        for kind, instruction in zip(self._kinds, executed, strict=True):
            if instruction is None:
                continue
            tag = (instruction.operation, instruction.predicate, stalled)
            if instruction.uses_a:
                self._hit((kind, "a", tag[0], instruction.a, *tag[1:]))
            if instruction.uses_b:
                self._hit((kind, "b", tag[0], instruction.b, *tag[1:]))

    def record_landed(self, landed: Sequence[Sequence[DecodedInstruction]]) -> None:
        """Whose results landed in each PE, row-major, at the end of one cycle."""
        for kind, instructions in zip(self._kinds, landed, strict=True):
            if len(instructions) == 2:
                self.unmet -= {(kind, want) for want in wanted_by_both(*instructions)}

    @property
    def complete(self) -> bool:
        """Whether every declared point and meeting was met."""
        return not self._left and not self.unmet

    def _hit(self, point: Point) -> None:
        self.hits[point] += 1
        self._left.discard(point)

    @property
    def missing(self) -> list[Point]:
        """Declared points that were never met."""
        return sorted(self._left, key=self._order.__getitem__)

    @property
    def fraction(self) -> float:
        """Part of the declared points that were met."""
        return 1 - len(self.missing) / len(self.declared)

    def __str__(self) -> str:
        met = len(self.declared) - len(self.missing)
        return f"{met} of {len(self.declared)} points ({100 * self.fraction:.1f} %)"
