"""Functional coverage of the array: operation x operand source x predicate x stall."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import OperandSource, Operation, PredicateMode
from octopus.verify.golden.instruction import DecodedInstruction, decode

Point = tuple[str, Operation, OperandSource, PredicateMode, bool]


def declared_points(pea: PeaConfig) -> frozenset[Point]:
    """Every point that some PE of the array can meet."""
    places = ((row, column) for row in range(pea.rows) for column in range(pea.columns))
    return frozenset().union(*(points_at(pea, *place) for place in places))


@lru_cache(maxsize=256)
def points_at(pea: PeaConfig, row: int, column: int) -> frozenset[Point]:
    """The points that PE (row, column) can meet: for operands a and b (of the operations that use
    them), every operation it has, source that can be valid there and predicate mode, in a cycle
    that had to wait and in one that had not."""
    points = set()
    for operation in pea.operations_at(row, column):
        probe = decode(operation.value, 0, 0)
        for operand, used in (("a", probe.uses_a), ("b", probe.uses_b)):
            for source in _sources(pea, row, column) if used else ():
                for predicate in PredicateMode:
                    points |= {
                        (operand, operation, source, predicate, stalled)
                        for stalled in (False, True)
                    }
    return frozenset(points)


def _sources(pea: PeaConfig, row: int, column: int) -> list[OperandSource]:
    """Sources that can be valid: east and south need a neighbour."""
    absent = set()
    if column == pea.columns - 1:
        absent.add(OperandSource.EAST)
    if row == pea.rows - 1:
        absent.add(OperandSource.SOUTH)
    return [source for source in OperandSource if source not in absent]


class Coverage:
    """Counts how often each declared point was met by an instruction on valid operands."""

    def __init__(self, pea: PeaConfig) -> None:
        self.declared = declared_points(pea)
        self.hits: Counter[Point] = Counter()

    def record(self, executed: Iterable[DecodedInstruction | None], stalled: bool) -> None:
        """The instructions that acted in one cycle; ``stalled``: the cycle had to wait."""
        for instruction in executed:
            if instruction is None:
                continue
            tag = (instruction.operation, instruction.predicate, stalled)
            if instruction.uses_a:
                self.hits["a", tag[0], instruction.a, *tag[1:]] += 1
            if instruction.uses_b:
                self.hits["b", tag[0], instruction.b, *tag[1:]] += 1

    @property
    def missing(self) -> list[Point]:
        """Declared points that were never met."""
        return sorted(self.declared - self.hits.keys(), key=str)

    @property
    def fraction(self) -> float:
        """Part of the declared points that were met."""
        return 1 - len(self.missing) / len(self.declared)

    def __str__(self) -> str:
        met = len(self.declared) - len(self.missing)
        return f"{met} of {len(self.declared)} points ({100 * self.fraction:.1f} %)"
