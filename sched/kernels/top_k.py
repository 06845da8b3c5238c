"""The largest elements of a vector in order: a chain of comparisons, one a rank."""

from functools import lru_cache
from typing import Any

import numpy as np

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation

from ..compile.graph import Access, Constant, Graph, Node, Role, Use
from .compiled import CompiledTask, GraphKernel
from .operand import Array, Operand
from .python_kernel import within
from .registry import public_kernel

INDEX_BITS = 16
INDEX_MASK = (1 << INDEX_BITS) - 1
LOWEST = 1 << 31
MOST_RANKS = 8


@lru_cache(maxsize=MOST_RANKS)
def top_k_kernel(ranks: int) -> GraphKernel:
    """Every iteration lets one element sink along the ranks to its place.

    Element and index make one word, so that a rank is a maximum, and what goes on a minimum; of
    equals the one with the lower index is the larger word.
    """
    graph = Graph(f"top_{ranks}")

    def add(name: str, operation: Operation, *operands: Use | Constant) -> Use:
        return graph.add(Node(name, Role.COMPUTE, operation, operands))

    values = Access("values", element=Element.BYTE_SIGNED)
    value = graph.add(Node("value", Role.LOAD, access=values))
    start = INDEX_MASK + 1
    count = add("left", Operation.SUB, Use("left", 1, start), Constant(1))
    high = add("high", Operation.SHL, value, Constant(INDEX_BITS))
    item = add("item", Operation.OR, high, count)
    for rank in range(ranks):
        before = Use(f"best_{rank}", 1, LOWEST)
        best = add(f"best_{rank}", Operation.MAX, before, item)
        if rank + 1 < ranks:
            item = add(f"lesser_{rank}", Operation.MIN, before, item)
        word = add(f"word_{rank}", Operation.XOR, best, Constant(INDEX_MASK))
        place = Access("best", rank, (0,))
        graph.add(Node(f"store_{rank}", Role.STORE, operands=(word,), access=place))
    graph.check()
    return GraphKernel(graph)


@public_kernel("top_k", length=64, ranks=4)
class TopK(CompiledTask):
    """The largest elements of a vector, in order: best[r] = element * 2^16 + index.

    Parameters
    ----------
    length: elements, up to 65536. ranks: how many are wanted, 1 to 8, at most ``length``.

    Of equal elements the one with the lower index comes first.

    Operands: values int8 [length]; result: best int32 [ranks].
    """

    def __init__(self, length: int, ranks: int, name: str = "top_k") -> None:
        within(name, "length", length, 1, INDEX_MASK + 1)
        within(name, "ranks", ranks, 1, min(MOST_RANKS, length))
        self.length, self.ranks = length, ranks
        super().__init__(
            top_k_kernel(ranks),
            (length,),
            [Operand("values", (length,))],
            [Operand("best", (ranks,), "int32")],
            name=name,
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (values,) = self.checked(arrays)
        order = np.argsort(-values.astype(np.int32), kind="stable")[: self.ranks]
        return ((values[order].astype(np.int32) << INDEX_BITS | order).astype(np.int32),), None
