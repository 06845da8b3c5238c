"""Builds the graph of a kernel function node by node: folding, sharing, ranges of values."""

from collections.abc import Sequence
from typing import Any

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation

from .graph import Access, Constant, Graph, Node, Operand, Role, Use
from .interpret import compute
from .language import ArrayName, Index

Range = tuple[int, int]
FULL: Range = (-(1 << 31), (1 << 31) - 1)
BOOLEAN: Range = (0, 1)
BYTE: Range = (-128, 127)
_TRUTHS = frozenset(
    {Operation.EQ, Operation.NE, Operation.LT, Operation.GE, Operation.LTU, Operation.GEU}
)
_RIGHT_NEUTRAL = {
    Operation.ADD: 0,
    Operation.SUB: 0,
    Operation.OR: 0,
    Operation.XOR: 0,
    Operation.SHL: 0,
    Operation.SAR: 0,
    Operation.SHR: 0,
    Operation.MUL: 1,
    Operation.AND: 0xFFFFFFFF,
}
_LEFT_NEUTRAL = {
    Operation.ADD: 0,
    Operation.OR: 0,
    Operation.XOR: 0,
    Operation.MUL: 1,
    Operation.AND: 0xFFFFFFFF,
}


def signed(pattern: int) -> int:
    """The signed word of a pattern."""
    return pattern - (1 << 32) if pattern & 0x80000000 else pattern


class Builder:
    """The graph so far.

    Attributes
    ----------
    loops: the nested loops' names, outermost first. level: by node, how many of them its value
    depends on, counted from outside. lines: by node of an access, where it is written.
    guarded: loads that only mean something under a condition, which may lie outside their array.
    counters: nodes that are loop variables.
    """

    def __init__(self, name: str, loops: Sequence[str]) -> None:
        self.graph = Graph(name, loops=max(1, len(loops)))
        self.loops = list(loops)
        self.level: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self.guarded: set[str] = set()
        self.counters: list[str] = []
        self._ranges: dict[Use, Range] = {}
        self._known: dict[object, Use] = {}
        self._inverse: dict[Operand, Operand] = {}

    # -- facts -----------------------------------------------------------------------------

    def level_of(self, operand: Operand) -> int:
        """How many loops, from outside, a value depends on."""
        if isinstance(operand, Constant):
            return 0
        if operand.distance:
            return len(self.loops)
        return self.level.get(operand.producer, len(self.loops))

    def range_of(self, operand: Operand) -> Range:
        """Least and largest value, as a signed word."""
        if isinstance(operand, Constant):
            value = signed(operand.value)
            return value, value
        return self._ranges.get(operand, FULL)

    def is_truth(self, operand: Operand) -> bool:
        """Whether it is surely 0 or 1."""
        low, high = self.range_of(operand)
        return low >= 0 and high <= 1

    # -- operations ------------------------------------------------------------------------

    def fresh(
        self, operation: Operation, operands: tuple[Operand, ...], predicate: Use | None = None
    ) -> Use:
        """A new node."""
        name = self.graph.fresh(operation.name.lower())
        use = self.graph.add(Node(name, Role.COMPUTE, operation, operands, predicate=predicate))
        parts = [*operands, *([predicate] if predicate else [])]
        self.level[name] = max(self.level_of(part) for part in parts)
        self._ranges[use] = self._range(operation, operands)
        return use

    def node(self, operation: Operation, *operands: Operand) -> Operand:
        """A node, or what it comes to if its operands are known, or the same node again."""
        values = [o.value for o in operands if isinstance(o, Constant)]
        if len(values) == len(operands):
            return Constant(compute(operation, values[0], (*values, 0)[1], False))
        if len(operands) == 2:
            left, right = operands
            if isinstance(right, Constant) and _RIGHT_NEUTRAL.get(operation) == right.value:
                return left
            if isinstance(left, Constant) and _LEFT_NEUTRAL.get(operation) == left.value:
                return right
            annihilated = operation in (Operation.MUL, Operation.AND) and Constant(0) in operands
            if annihilated:
                return Constant(0)
        key = (operation, operands)
        if key not in self._known:
            self._known[key] = self.fresh(operation, operands)
        return self._known[key]

    def select(self, condition: Operand, first: Operand, second: Operand) -> Operand:
        """``first`` where the condition is not 0, else ``second``."""
        if first == second:
            return first
        if isinstance(condition, Constant):
            return first if condition.value else second
        if self.is_truth(condition) and (first, second) == (Constant(1), Constant(0)):
            return condition
        if (first, second) == (Constant(0), Constant(1)):
            return self.negation(condition)
        if self.is_truth(condition) and self.is_truth(first) and self.is_truth(second):
            if second in (condition, Constant(0)):
                return self.node(Operation.AND, condition, first)
            if first in (condition, Constant(1)):
                return self.node(Operation.OR, condition, second)
        key = (Operation.SELECT, first, second, condition)
        if key not in self._known:
            self._known[key] = self.fresh(Operation.SELECT, (first, second), condition)
        return self._known[key]

    def truth(self, operand: Operand) -> Operand:
        """1 where the operand is not 0."""
        return operand if self.is_truth(operand) else self.node(Operation.NE, operand, Constant(0))

    def negation(self, operand: Operand) -> Operand:
        """1 where the operand is 0."""
        if isinstance(operand, Constant):
            return Constant(operand.value == 0)
        if operand in self._inverse and self.is_truth(self._inverse[operand]):
            return self._inverse[operand]
        result = self.node(Operation.EQ, operand, Constant(0))
        self._inverse[result] = operand
        return result

    def negated(self, operand: Operand) -> Operand | None:
        """What ``operand`` is the negation of, if it is one."""
        return self._inverse.get(operand)

    def _range(self, operation: Operation, operands: tuple[Operand, ...]) -> Range:
        if operation in _TRUTHS:
            return BOOLEAN
        (low, high), *others = [self.range_of(operand) for operand in operands]
        other = others[0] if others else (low, high)
        if operation is Operation.PASS:
            return low, high
        if operation in (Operation.SELECT, Operation.MIN, Operation.MAX):
            if operation is Operation.MIN:
                return min(low, other[0]), min(high, other[1])
            if operation is Operation.MAX:
                return max(low, other[0]), max(high, other[1])
            return min(low, other[0]), max(high, other[1])
        if operation is Operation.AND:
            tops = [top for bottom, top in ((low, high), other) if bottom >= 0]
            return (0, min(tops)) if tops else FULL
        if operation in (Operation.OR, Operation.XOR) and low >= 0 and other[0] >= 0:
            return 0, (1 << max(high, other[1]).bit_length()) - 1
        if operation is Operation.CLAMP8:
            return BYTE
        if operation is Operation.RELU:
            return max(low, 0), max(high, 0)
        exact = {
            Operation.ADD: (low + other[0], high + other[1]),
            Operation.SUB: (low - other[1], high - other[0]),
        }.get(operation, FULL)
        return exact if exact[0] >= FULL[0] and exact[1] <= FULL[1] else FULL

    # -- accesses --------------------------------------------------------------------------

    def access(self, array: ArrayName, index: Index) -> Access:
        """The access of an index that is a sum of loop variables."""
        strides = dict(index.strides)
        by_loop = tuple(strides.get(name, 0) for name in reversed(self.loops))
        return Access(array.name, index.offset, by_loop, array.element)

    def index_level(self, index: Index) -> int:
        """How many loops, from outside, an index depends on."""
        return max((self.loops.index(name) + 1 for name, _ in index.strides), default=0)

    def load(self, array: ArrayName, index: Index, line: int, guarded: bool) -> Use:
        """An element at a place that moves regularly."""
        access = self.access(array, index)
        key = ("load", access)
        if key not in self._known:
            name = self.graph.fresh(array.name)
            use = self.graph.add(Node(name, Role.LOAD, access=access))
            self._known[key] = use
            self._note(use, array, self.index_level(index), line)
            if guarded:
                self.guarded.add(name)
        elif not guarded:
            name = self._known[key].producer
            if name in self.guarded:
                self.guarded.discard(name)
                self.lines[name] = line
        return self._known[key]

    def gather(self, array: ArrayName, index: Operand, line: int) -> Use:
        """An element at a computed place."""
        key = ("gather", array.name, index)
        if key not in self._known:
            name = self.graph.fresh(array.name)
            access = Access(array.name, 0, (), array.element)
            node = Node(name, Role.GATHER, operands=(self.offset(array, index),), access=access)
            self._known[key] = self.graph.add(node)
            self._note(self._known[key], array, self.level_of(index), line)
        return self._known[key]

    def has_gather(self, array: ArrayName, index: Operand) -> bool:
        """Whether that element is gathered already, whatever the condition."""
        return ("gather", array.name, index) in self._known

    def offset(self, array: ArrayName, index: Operand) -> Operand:
        """The offset in bytes of an element."""
        return index if array.size == 1 else self.node(Operation.SHL, index, Constant(2))

    def store(self, role: Role, array: ArrayName, line: int, **fields: Any) -> None:
        """A STORE or SCATTER node."""
        name = self.graph.fresh(array.name)
        self.graph.add(Node(name, role, **fields))
        self.lines[name] = line

    def counter(self, index: Index) -> Use:
        """A loop variable as a value: counted along."""
        key = ("counter", index)
        if key not in self._known:
            (name, stride), *_ = index.strides
            counter = self.graph.fresh(name)
            start = (index.offset - stride) & 0xFFFFFFFF
            operands = (Use(counter, 1, start), Constant(stride))
            self._known[key] = self.graph.add(Node(counter, Role.COMPUTE, Operation.ADD, operands))
            self.level[counter] = self.loops.index(name) + 1
            self.counters.append(counter)
        return self._known[key]

    def first(self) -> Use:
        """1 in the first iteration, of a round if there are rounds."""
        if "first" not in self._known:
            zero = self.fresh(Operation.PASS, (Constant(0),))
            self._known["first"] = Use(zero.producer, 1, 1)
        return self._known["first"]

    def forget(self) -> None:
        """Share no node that is not in the graph any more."""
        self._known = {
            key: use for key, use in self._known.items() if use.producer in self.graph.nodes
        }

    def _note(self, use: Use, array: ArrayName, level: int, line: int) -> None:
        self.level[use.producer] = level
        self.lines[use.producer] = line
        if array.element is Element.BYTE_SIGNED:
            self._ranges[use] = BYTE
