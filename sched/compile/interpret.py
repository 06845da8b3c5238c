"""Does what a graph means, in plain Python: the reference of kernels that are graphs."""

from collections.abc import Mapping, Sequence
from math import prod

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode
from octopus.hw.layouts.words import WORD_MASK

from .graph import Constant, Graph, Node, Operand, Role, Use


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value


def compute(operation: Operation, a: int, b: int, predicate: bool) -> int:
    """The result of an operation on 32-bit patterns."""
    x, y = _signed(a), _signed(b)
    shift = b % 32
    results = {
        Operation.PASS: lambda: a,
        Operation.ADD: lambda: a + b,
        Operation.SUB: lambda: a - b,
        Operation.MUL: lambda: a * b,
        Operation.MULH: lambda: x * y >> 32,
        Operation.SHL: lambda: a << shift,
        Operation.SHR: lambda: a >> shift,
        Operation.SAR: lambda: x >> shift,
        Operation.AND: lambda: a & b,
        Operation.OR: lambda: a | b,
        Operation.XOR: lambda: a ^ b,
        Operation.MIN: lambda: min(x, y),
        Operation.MAX: lambda: max(x, y),
        Operation.EQ: lambda: int(a == b),
        Operation.NE: lambda: int(a != b),
        Operation.LT: lambda: int(x < y),
        Operation.GE: lambda: int(x >= y),
        Operation.LTU: lambda: int(a < b),
        Operation.GEU: lambda: int(a >= b),
        Operation.SELECT: lambda: a if predicate else b,
        Operation.ABS: lambda: abs(x),
        Operation.RELU: lambda: max(x, 0),
        Operation.CLAMP8: lambda: min(max(x, -128), 127),
    }
    return results[operation]() & WORD_MASK


class Interpreter:
    """Runs a graph (before lowering) iteration by iteration.

    Parameters
    ----------
    counts: iterations of each loop, innermost first.
    arrays: elements of each array by name, patterns of 32 bits (or bytes); stores change them.
    """

    def __init__(self, graph: Graph, counts: Sequence[int], arrays: Mapping[str, list[int]]):
        self.graph, self.counts, self.arrays = graph, tuple(counts), arrays
        self.appended: dict[str, int] = {}
        self._order = graph.order()
        self.iterations = 0

    def run(self) -> None:
        """All rounds and iterations."""
        within = self.graph.inner_loops if self.graph.outer else len(self.counts)
        inner, rounds = prod(self.counts[:within]), prod(self.counts[within:])
        for number in range(rounds):
            history: list[dict[str, int]] = []
            for i in range(inner):
                history.append({})
                if self._iterate(number * inner + i, history):
                    break

    def _iterate(self, flat: int, history: list[dict[str, int]]) -> bool:
        self.iterations += 1
        indices = []
        for count in self.counts:
            indices.append(flat % count)
            flat //= count
        values, leave = history[-1], False
        for name in self._order:
            node = self.graph.nodes[name]
            if node.predicate is not None and node.operation is not Operation.SELECT:
                agrees = bool(self._value(node.predicate, history))
                if agrees != (node.when is PredicateMode.IF_TRUE):
                    continue
            values[name] = self._node(node, history, indices)
            leave |= node.exit and values[name] != 0
        return leave

    def _value(self, operand: Operand, history: list[dict[str, int]]) -> int:
        if isinstance(operand, Constant):
            return operand.value
        index = len(history) - 1 - operand.distance
        return history[index][operand.producer] if index >= 0 else operand.initial & WORD_MASK

    def _node(self, node: Node, history: list[dict[str, int]], indices: list[int]) -> int:
        operands = [self._value(operand, history) for operand in node.operands]
        if node.role is Role.COMPUTE:
            predicate = bool(self._value(node.predicate, history)) if node.predicate else False
            return compute(node.operation, operands[0], (*operands, 0)[1], predicate)
        assert node.access is not None
        array = self.arrays[node.access.array]
        size = 4 if node.access.element is Element.WORD else 1
        if node.role in (Role.GATHER, Role.SCATTER):
            index = _signed(operands[0]) // size + node.access.offset
        elif node.role is Role.STORE and node.predicate is not None:
            index = node.access.offset + self.appended.get(node.name, 0)
            self.appended[node.name] = self.appended.get(node.name, 0) + 1
        else:
            steps = zip(node.access.strides, indices, strict=False)
            index = node.access.offset + sum(stride * i for stride, i in steps)
        if node.role in (Role.LOAD, Role.GATHER):
            return _extend(array[index], node.access.element)
        array[index] = operands[-1]
        return 0


def _extend(value: int, element: Element) -> int:
    if element is Element.WORD:
        return value & WORD_MASK
    byte = value & 0xFF
    signed = element is Element.BYTE_SIGNED and byte & 0x80
    return (byte - 256 if signed else byte) & WORD_MASK


__all__ = ["Interpreter", "Use", "compute"]
