"""The reference of data-flow graphs: what it means, iteration by iteration, on bytes.

Written apart from the compiler: of it, only the graph's data structure is known here. Values are
Python integers, signed, brought to 32 bits after each operation; arrays are bytes as memory has
them; nothing outside an array can be touched.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import product

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode

from ..compile.graph import Constant, Graph, Node, Operand, Role, Use


class DataFlowError(ValueError):
    """A graph does what has no meaning; the message names node and iteration."""


def _wrap(value: int) -> int:
    """The signed integer whose 32-bit pattern ends a value's."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def _natural(value: int) -> int:
    """The unsigned integer of the same 32-bit pattern."""
    return value % (1 << 32)


MEANING: dict[Operation, Callable[[int, int], int]] = {
    Operation.ADD: lambda a, b: a + b,
    Operation.SUB: lambda a, b: a - b,
    Operation.MUL: lambda a, b: a * b,
    Operation.MULH: lambda a, b: (a * b) // (1 << 32),
    Operation.SHL: lambda a, b: a * 2 ** (b % 32),
    Operation.SHR: lambda a, b: _natural(a) // 2 ** (b % 32),
    Operation.SAR: lambda a, b: a // 2 ** (b % 32),
    Operation.AND: lambda a, b: a & b,
    Operation.OR: lambda a, b: a | b,
    Operation.XOR: lambda a, b: a ^ b,
    Operation.MIN: min,
    Operation.MAX: max,
    Operation.EQ: lambda a, b: 1 if a == b else 0,
    Operation.NE: lambda a, b: 0 if a == b else 1,
    Operation.LT: lambda a, b: 1 if a < b else 0,
    Operation.GE: lambda a, b: 0 if a < b else 1,
    Operation.LTU: lambda a, b: 1 if _natural(a) < _natural(b) else 0,
    Operation.GEU: lambda a, b: 0 if _natural(a) < _natural(b) else 1,
}
"""Operations of two operands, on signed integers."""

MEANING_OF_ONE: dict[Operation, Callable[[int], int]] = {
    Operation.PASS: lambda a: a,
    Operation.ABS: abs,
    Operation.RELU: lambda a: a if a > 0 else 0,
    Operation.CLAMP8: lambda a: sorted((-128, a, 127))[1],
}
"""Operations of one operand."""


def evaluate(graph: Graph, counts: Sequence[int], memory: Mapping[str, bytearray]) -> int:
    """Do all iterations of a graph; returns how many were begun.

    Parameters
    ----------
    counts: iterations of each loop, innermost first, at least 1. memory: the bytes of every array.

    Raises:
        DataFlowError: values that depend on themselves, an operation without meaning, a value that
            was not computed, or an access outside its array.
    """
    return _Evaluation(graph, counts, memory).run()


class _Evaluation:
    def __init__(
        self, graph: Graph, counts: Sequence[int], memory: Mapping[str, bytearray]
    ) -> None:
        self.graph, self.counts, self.memory = graph, tuple(counts), memory
        self.appended = dict.fromkeys(graph.nodes, 0)
        needs = {
            name: {use.producer for use in _uses(node) if not use.distance}
            for name, node in graph.nodes.items()
        }
        # Of nodes that do not need each other, those that come first in the graph act first.
        sorter = TopologicalSorter(needs)
        place = {name: number for number, name in enumerate(graph.nodes)}
        self.sequence: list[str] = []
        try:
            sorter.prepare()
        except CycleError as error:
            raise DataFlowError(f"{graph.name}: {error.args[1]} depend on each other") from None
        ready: list[str] = []
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=place.__getitem__)
            self.sequence.append(ready.pop(0))
            sorter.done(self.sequence[-1])
        uses = [use for node in graph.nodes.values() for use in _uses(node)]
        self.depth = max((use.distance for use in uses), default=0) + 1

    def run(self) -> int:
        begun = 0
        inner: tuple[int, ...] = self.counts
        outer: tuple[int, ...] = ()
        if self.graph.outer:
            within = self.graph.inner_loops
            inner, outer = self.counts[:within], self.counts[within:]
        for outside in _nest(outer):
            past: deque[dict[str, int]] = deque(maxlen=self.depth)
            for inside in _nest(inner):
                begun += 1
                past.append({})
                if self._iteration((*inside, *outside), past):
                    break
        return begun

    def _iteration(self, indices: tuple[int, ...], past: deque[dict[str, int]]) -> bool:
        """Whether the loop ends with it."""
        leaves = False
        for name in self.sequence:
            node = self.graph.nodes[name]
            holds = None
            if node.predicate is not None:
                holds = self._value(name, node.predicate, past) != 0
                wanted = node.when is PredicateMode.IF_TRUE
                if node.operation is not Operation.SELECT and holds is not wanted:
                    continue
            operands = [self._value(name, operand, past) for operand in node.operands]
            result = self._result(node, operands, holds, indices)
            if result is not None:
                past[-1][name] = _wrap(result)
                leaves = leaves or (node.exit and past[-1][name] != 0)
        return leaves

    def _value(self, user: str, operand: Operand, past: deque[dict[str, int]]) -> int:
        if isinstance(operand, Constant):
            return _wrap(operand.value)
        if operand.distance >= len(past):
            return _wrap(operand.initial)
        values = past[-1 - operand.distance]
        if operand.producer not in values:
            raise DataFlowError(
                f"{self.graph.name}: {user} uses {operand.producer}, which was not computed then"
            )
        return values[operand.producer]

    def _result(
        self, node: Node, operands: list[int], holds: bool | None, indices: tuple[int, ...]
    ) -> int | None:
        if node.role is not Role.COMPUTE:
            return self._access(node, operands, indices)
        if node.operation is Operation.SELECT:
            return operands[0] if holds else operands[1]
        if node.operation in MEANING_OF_ONE:
            return MEANING_OF_ONE[node.operation](operands[0])
        if node.operation in MEANING:
            return MEANING[node.operation](*operands)
        raise DataFlowError(f"{self.graph.name}: {node.name} is {node.operation.name}")

    def _access(self, node: Node, operands: list[int], indices: tuple[int, ...]) -> int | None:
        access = node.access
        assert access is not None
        size = 4 if access.element is Element.WORD else 1
        if node.role in (Role.GATHER, Role.SCATTER):
            number = access.offset + operands[0] // size
        elif node.role is Role.STORE and node.predicate is not None:
            number = access.offset + self.appended[node.name]
            self.appended[node.name] += 1
        else:
            number = access.offset
            for index, stride in zip(indices, access.strides, strict=False):
                number += index * stride
        array = self.memory[access.array]
        if not 0 <= number < len(array) // size:
            raise DataFlowError(
                f"{self.graph.name}: {node.name} touches {access.array}[{number}] in iteration "
                f"{indices}; allowed: 0 to {len(array) // size - 1}"
            )
        place = slice(number * size, (number + 1) * size)
        if node.role in (Role.LOAD, Role.GATHER):
            signed = access.element is not Element.BYTE_UNSIGNED
            return int.from_bytes(array[place], "little", signed=signed)
        array[place] = (operands[-1] % (1 << (8 * size))).to_bytes(size, "little")
        return None


def _uses(node: Node) -> list[Use]:
    uses = [operand for operand in node.operands if isinstance(operand, Use)]
    return uses + ([node.predicate] if node.predicate is not None else [])


def _nest(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The indices of nested loops, the innermost first in each and fastest."""
    return (indices[::-1] for indices in product(*map(range, counts[::-1])))
