"""What the accesses of a graph's real iterations touch, against the arrays of a task."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.descriptor import Element

from ..compile.graph import Access, Graph, Node, Role
from .operand import Operand, TaskError

READS = (Role.LOAD, Role.GATHER)
WRITES = (Role.STORE, Role.SCATTER)


def span_of(access: Access, counts: Sequence[int]) -> tuple[int, int]:
    """The first and the last element that an affine access touches."""
    low = high = access.offset
    for count, stride in zip(counts, access.strides, strict=False):
        low, high = low + min(0, (count - 1) * stride), high + max(0, (count - 1) * stride)
    return low, high


def elements_of(access: Access, counts: Sequence[int]) -> NDArray[np.int64]:
    """All elements that an affine access touches."""
    found = np.array([access.offset], np.int64)
    for count, stride in zip(counts, access.strides, strict=False):
        if stride:
            found = np.unique(np.add.outer(found, np.arange(count, dtype=np.int64) * stride))
    return found


def check_accesses(
    task: str,
    graph: Graph,
    counts: Sequence[int],
    inputs: Mapping[str, Operand],
    outputs: Mapping[str, Operand],
    whole: Sequence[str],
) -> frozenset[str]:
    """Refuse accesses that do not fit the arrays.

    Parameters
    ----------
    task: for errors. whole: outputs of which parts may be left alone.

    Returns:
        Outputs of which streams leave parts alone that they would reach in further iterations.

    Raises:
        TaskError: an array is missing, read as well as written, or of another element; an access
            leaves it; two nodes write one element; an output has elements that nothing writes.
    """
    lines = _Lines(task, graph)
    for node in graph.nodes.values():
        if node.access is not None:
            _check_array(lines, node, counts, inputs, outputs)
    partial = set()
    for name, operand in outputs.items():
        writers = [
            node
            for node in graph.nodes.values()
            if node.role in WRITES and node.access is not None and node.access.array == name
        ]
        if _check_writers(lines, operand, writers, counts, name in whole):
            partial.add(name)
    return frozenset(partial)


class _Lines:
    """Where nodes are written, for errors. ``function``: the graph is of a function, to which an
    array is its elements in a row."""

    def __init__(self, task: str, graph: Graph) -> None:
        self.task, self.exits = task, bool(graph.exits)
        self.function = graph.source is not None
        self._lines = graph.source.lines if graph.source else {}
        self._guarded = graph.source.guarded if graph.source else frozenset()

    def of(self, *nodes: str) -> str:
        """The task and the line of the last node that has one."""
        found = [self._lines[node] for node in nodes if node in self._lines]
        return f"{self.task}, line {found[-1]}" if found else self.task

    def guarded(self, node: Node) -> bool:
        """Whether what the node reads only means something under a condition."""
        return node.name in self._guarded


def _check_array(
    lines: _Lines,
    node: Node,
    counts: Sequence[int],
    inputs: Mapping[str, Operand],
    outputs: Mapping[str, Operand],
) -> None:
    access = node.access
    assert access is not None
    task = lines.of(node.name)
    arrays, others = (outputs, inputs) if node.role in WRITES else (inputs, outputs)
    if access.array not in arrays:
        if access.array in others:
            does = "writes an input" if node.role in WRITES else "reads an output"
            raise TaskError(f"{task}: {node.name} {does}, {access.array}; memory is not ordered")
        raise TaskError(f"{task} has no array {access.array}")
    operand = arrays[access.array]
    size = 4 if operand.dtype == "int32" else 1
    if size != (4 if access.element is Element.WORD else 1):
        raise TaskError(
            f"{task}: {node.name} takes {access.element.name} of {operand.name}, which is of "
            f"{operand.dtype}"
        )
    limit = operand.bytes // size
    if lines.function:
        limit = prod(operand.shape)
        if operand.rows > 1 and limit != operand.bytes // size:
            raise TaskError(
                f"{task}: rows of {operand.name} are padded; allowed: rows of whole words, or one "
                "dimension"
            )
    low = high = access.offset
    if node.role in (Role.LOAD, Role.STORE) and node.predicate is None:
        low, high = span_of(access, counts)
    if (low < 0 or high >= limit) and not lines.guarded(node):
        where = low if low < 0 else high
        raise TaskError(
            f"{task}: {node.name} touches {operand.name}[{where}]; allowed: 0 to {limit - 1}"
        )


def _check_writers(
    lines: _Lines, operand: Operand, writers: Sequence[Node], counts: Sequence[int], whole: bool
) -> bool:
    """Refuse what cannot be right; whether a stream is next to elements that nothing writes."""
    open_ended = [n for n in writers if n.role is Role.SCATTER or n.predicate is not None]
    task = lines.of(*(node.name for node in writers))
    if open_ended and len(writers) > 1:
        names = " and ".join(node.name for node in writers)
        raise TaskError(
            f"{task}: {names} write {operand.name} at addresses that are not known; allowed: one"
        )
    if open_ended:
        if not whole:
            raise TaskError(f"{task}: {operand.name} needs an input as which it starts")
        return False
    if lines.exits and not whole and any(any(n.access.strides) for n in writers if n.access):
        raise TaskError(
            f"{task}: the loop may end before all of {operand.name} is written; it needs an input "
            "as which it starts"
        )
    touched = {node.name: elements_of(node.access, counts) for node in writers if node.access}
    for (one, first), (other, second) in combinations(touched.items(), 2):
        both = np.intersect1d(first, second)
        if both.size:
            raise TaskError(
                f"{lines.of(one, other)}: {one} and {other} write {operand.name}[{both[0]}]; "
                "allowed: one of them"
            )
    gap = _gap(operand, list(touched.values()))
    if gap is not None and not whole:
        raise TaskError(
            f"{task}: nothing writes {operand.name}[{gap}]; allowed: all of it, or an input as "
            "which it starts"
        )
    limit = operand.bytes // (4 if operand.dtype == "int32" else 1)
    return gap is not None and any(
        _goes_on(node.access, counts, limit) for node in writers if node.access
    )


def _goes_on(access: Access, counts: Sequence[int], limit: int) -> bool:
    """Whether the array has elements where a stream would go on before its first or after its
    last iteration."""
    stride = access.strides[0] if access.strides else 0
    last = access.offset + (counts[0] - 1) * stride
    return stride != 0 and (0 <= access.offset - stride < limit or 0 <= last + stride < limit)


def _gap(operand: Operand, touched: Sequence[NDArray[np.int64]]) -> int | None:
    """An element that nothing writes, if there is one; the padding of rows of bytes is none."""
    size = 4 if operand.dtype == "int32" else 1
    written = sum(elements.size for elements in touched)
    if written == operand.bytes // size:
        return None
    left = np.ones((operand.rows, operand.bytes // operand.rows // size), bool)
    flat = left.reshape(-1)
    for elements in touched:
        flat[elements] = False
    last = operand.shape[-1] if operand.shape else 1
    gaps = np.argwhere(left[:, :last])
    return int(gaps[0][0]) * left.shape[1] + int(gaps[0][1]) if gaps.size else None
