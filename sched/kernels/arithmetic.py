"""Elementwise operations of int32 vectors, compiled for several elements at a time."""

from functools import cache
from typing import Any, Literal

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.instruction import Operation
from octopus.hw.layouts.space import WORD_BYTES

from ..compile.graph import Access, Graph, Node, Role
from ..compile.interpret import compute
from .compiled import CompiledTask, GraphKernel
from .matrix_tiler import pieces
from .operand import Array, Operand
from .plan import Computation, Plan, Slice, Step
from .python_kernel import at_least, wrapped
from .registry import public_kernel

LANES = 4
"""Elements of an iteration."""

BinaryName = Literal[
    "add", "sub", "mul", "mulh", "min", "max", "and", "or", "xor", "shl", "shr", "sar",
    "eq", "ne", "lt", "ge", "ltu", "geu",
]  # fmt: skip
UnaryName = Literal["pass", "abs", "relu", "clamp8"]


@cache
def lanes_kernel(operation: str, operands: tuple[str, ...], lanes: int) -> GraphKernel:
    """One operation on ``lanes`` neighbouring elements an iteration."""
    graph = Graph(f"{operation}_{lanes}")
    for lane in range(lanes):
        loads = tuple(
            graph.add(Node(f"{array}_{lane}", Role.LOAD, access=Access(array, lane, (lanes,))))
            for array in operands
        )
        name = f"{operation}_{lane}"
        result = graph.add(Node(name, Role.COMPUTE, Operation[operation.upper()], loads))
        place = Access("outputs", lane, (lanes,))
        graph.add(Node(f"store_{lane}", Role.STORE, operands=(result,), access=place))
    graph.check()
    return GraphKernel(graph)


class _Elementwise(Computation):
    """What both families share: pieces that fit the scratchpad, and the rest by single elements."""

    has_result = False

    def __init__(self, name: str, operation: str, length: int, operands: tuple[str, ...]) -> None:
        at_least(name, length=length)
        self.name = name
        self.length = length
        self._operation = operation
        self._names = operands
        self.inputs = tuple(Operand(array, (length,), "int32") for array in operands)
        self.outputs = (Operand("outputs", (length,), "int32"),)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Computation`."""
        operation = Operation[self._operation.upper()]
        given = [array.astype(np.int64) & 0xFFFFFFFF for array in self.checked(arrays)]
        rows = zip(*(array.tolist() for array in given), strict=True)
        results = [compute(operation, row[0], row[-1], False) for row in rows]
        return (wrapped(results),), None

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`."""
        whole = self.length - self.length % LANES
        words = config.task_block_unit.scratchpad_words
        # Each lane may have its own copy of every operand.
        size = max(LANES, words // 2 // ((LANES + 1) * len(self._names) + 1) // LANES * LANES)
        cuts = [(start, length, LANES) for start, length in pieces(whole, size)]
        if whole < self.length:
            cuts.append((whole, self.length - whole, 1))
        return Plan([self._step(*cut) for cut in cuts])

    def _step(self, start: int, length: int, lanes: int) -> Step:
        """The task for some elements."""
        task = CompiledTask(
            lanes_kernel(self._operation, self._names, lanes),
            (length // lanes,),
            [Operand(array, (length,), "int32") for array in self._names],
            [Operand("outputs", (length,), "int32")],
            name=self.name,
        )
        names = [*self._names, "outputs"]
        return Step(task, {array: Slice(array, start * WORD_BYTES) for array in names})


@public_kernel("binary", operation="max", length=64)
class Binary(_Elementwise):
    """An operation of two int32 vectors, element by element.

    Parameters
    ----------
    operation: add, sub, mul (low word), mulh (high word), min, max, and, or, xor, shl, shr, sar
        (by the second modulo 32), eq, ne, lt, ge, ltu, geu (1 or 0). length: elements.

    Operands: left int32 [length], right int32 [length]; result: outputs int32 [length].
    """

    def __init__(self, operation: BinaryName, length: int, name: str = "binary") -> None:
        super().__init__(name, operation, length, ("left", "right"))
        self.operation = operation


@public_kernel("unary", operation="relu", length=64)
class Unary(_Elementwise):
    """An operation of one int32 vector, element by element.

    Parameters
    ----------
    operation: pass, abs, relu, clamp8 (to the range of int8). length: elements.

    Operands: values int32 [length]; result: outputs int32 [length].
    """

    def __init__(self, operation: UnaryName, length: int, name: str = "unary") -> None:
        super().__init__(name, operation, length, ("values",))
        self.operation = operation
