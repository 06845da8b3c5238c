"""Irregular work: sparse matrix-vector product, histogram, breadth-first step, suppression."""

from typing import Any

import numpy as np

from ..compile.trace import Count, Input, Output, kernel, relu
from .python_kernel import PythonKernel, at_least, within, wrapped
from .registry import public_kernel
from .task import Array, TaskError


@kernel
def sparse_rows(  # type: ignore[no-untyped-def]
    values: Input(),  # type: ignore[valid-type]
    columns: Input(),  # type: ignore[valid-type]
    last: Input(),  # type: ignore[valid-type]
    vector: Input(),  # type: ignore[valid-type]
    products: Output(),  # type: ignore[valid-type]
    n: Count,
):
    """Sums up to the last entry of each row."""
    total = 0
    for i in range(n):
        total += values[i] * vector[columns[i]]
        if last[i]:
            products.append(total)
            total = 0


@public_kernel("sparse_matrix_vector", entries=48, rows=12, columns=16)
class SparseMatrixVector(PythonKernel):
    """The product of a sparse matrix and a vector; the vector's elements are gathered.

    The matrix's entries come row by row; ``last`` is 1 at the last of each row. Every row has at
    least one entry (a zero, if it is empty).

    Parameters
    ----------
    entries, rows, columns: at least 1, as many entries as rows or more.

    Operands: values, columns (column numbers), last int32 [entries], vector int32 [columns];
    result: products int32 [rows], wrapping.
    """

    def __init__(
        self, entries: int, rows: int, columns: int, name: str = "sparse_matrix_vector"
    ) -> None:
        at_least(name, rows=rows, columns=columns)
        at_least(name, rows, entries=entries)
        self.entries, self.rows, self.columns = entries, rows, columns
        line = (entries,)
        super().__init__(
            name,
            sparse_rows,
            [entries],
            {"values": line, "columns": line, "last": line, "vector": (columns,)},
            {"products": (rows,)},
            written=("products",),
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: a matrix of which every row has an entry."""
        generator = np.random.default_rng(seed)
        ends = np.sort(generator.choice(self.entries - 1, self.rows - 1, replace=False))
        last = np.zeros(self.entries, np.int32)
        last[[*ends, self.entries - 1]] = 1
        return [
            generator.integers(-1000, 1000, self.entries).astype(np.int32),
            generator.integers(0, self.columns, self.entries).astype(np.int32),
            last,
            generator.integers(-1000, 1000, self.columns).astype(np.int32),
        ]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        values, columns, last, vector = self.checked(arrays)
        if last.sum() != self.rows or not last[-1]:
            raise TaskError(f"{self.name}.last marks {int(last.sum())} rows; needed: {self.rows}")
        products = values.astype(np.int64) * vector[columns]
        starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
        return (wrapped(np.add.reduceat(products, starts)),), None


BINS_A_ROUND = 4


@kernel
def count_bins(  # type: ignore[no-untyped-def]
    values: Input(),  # type: ignore[valid-type]
    firsts: Input(),  # type: ignore[valid-type]
    counts: Output(),  # type: ignore[valid-type]
    n: Count,
    rounds: Count,
    together,
):
    """Counts a few bins a round, all values each time."""
    for b in range(rounds):
        count0 = 0
        count1 = 0
        count2 = 0
        count3 = 0
        for i in range(n):
            value = values[i] - firsts[b]
            count0 += value == 0
            count1 += value == 1
            count2 += value == 2
            count3 += value == 3
        counts[b * together] = count0
        counts[b * together + 1] = count1
        counts[b * together + 2] = count2
        counts[b * together + 3] = count3


@public_kernel("histogram", length=64, bins=8)
class Histogram(PythonKernel):
    """How often each of the values 0 .. bins - 1 occurs; other values are not counted.

    Bins are counted in registers, four in a pass over the values: no count waits for a memory.

    Parameters
    ----------
    length: values, at least 1. bins: a multiple of 4.

    Operands: values int32 [length], firsts int32 [bins / 4]: 0, 4, 8 ...;
    result: counts int32 [bins].
    """

    def __init__(self, length: int, bins: int, name: str = "histogram") -> None:
        at_least(name, length=length)
        if bins < 1 or bins % BINS_A_ROUND:
            raise TaskError(f"{name}.bins is {bins}; allowed: multiples of {BINS_A_ROUND}")
        self.length, self.bins = length, bins
        rounds = bins // BINS_A_ROUND
        super().__init__(
            name,
            count_bins,
            [length, rounds],
            {"values": (length,), "firsts": (rounds,)},
            {"counts": (bins,)},
            {"together": BINS_A_ROUND},
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: values about the bins."""
        generator = np.random.default_rng(seed)
        return [
            generator.integers(-1, self.bins + 1, self.length).astype(np.int32),
            np.arange(0, self.bins, BINS_A_ROUND, dtype=np.int32),
        ]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        values, firsts = self.checked(arrays)
        bins = (firsts[:, None] + np.arange(BINS_A_ROUND, dtype=np.int32)).ravel()
        return ((values[None, :] == bins[:, None]).sum(axis=1).astype(np.int32),), None


@kernel
def expand(  # type: ignore[no-untyped-def]
    sources: Input(),  # type: ignore[valid-type]
    targets: Input(),  # type: ignore[valid-type]
    frontier: Input(),  # type: ignore[valid-type]
    visited: Input(),  # type: ignore[valid-type]
    reached: Output(),  # type: ignore[valid-type]
    n: Count,
):
    """Marks what an edge from the frontier leads to."""
    for i in range(n):
        if frontier[sources[i]] > visited[targets[i]]:
            reached[targets[i]] = 1


@public_kernel("breadth_first_step", edges=32, vertices=16)
class BreadthFirstStep(PythonKernel):
    """One step of a breadth-first search over an edge list.

    A vertex is reached if an edge leads to it from the frontier and it was not visited.

    Parameters
    ----------
    edges, vertices: at least 1.

    Operands: sources, targets int32 [edges] (vertex numbers), frontier, visited, before
    int32 [vertices] (0 or 1); result: reached int32 [vertices]: ``before`` with new ones set.
    """

    def __init__(self, edges: int, vertices: int, name: str = "breadth_first_step") -> None:
        at_least(name, edges=edges, vertices=vertices)
        self.edges, self.vertices = edges, vertices
        points = (vertices,)
        super().__init__(
            name,
            expand,
            [edges],
            {
                "sources": (edges,),
                "targets": (edges,),
                "frontier": points,
                "visited": points,
                "before": points,
            },
            {"reached": points},
            starts={"reached": "before"},
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: a random graph."""
        generator = np.random.default_rng(seed)
        ends = [generator.integers(0, self.vertices, self.edges) for _ in range(2)]
        flags = [generator.integers(0, 2, self.vertices) for _ in range(2)]
        before = np.zeros(self.vertices)
        return [array.astype(np.int32) for array in (*ends, *flags, before)]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        sources, targets, frontier, visited, before = self.checked(arrays)
        reached = before.copy()
        reached[targets[frontier[sources] > visited[targets]]] = 1
        return (reached,), None


@kernel
def suppress(  # type: ignore[no-untyped-def]
    boxes: Input(),  # type: ignore[valid-type]
    chosen: Input(),  # type: ignore[valid-type]
    kept: Input(),  # type: ignore[valid-type]
    keep: Output(),  # type: ignore[valid-type]
    n: Count,
    numerator,
    denominator,
):
    """Drops the boxes that overlap the chosen one too much."""
    for i in range(n):
        left = boxes[4 * i]
        top = boxes[4 * i + 1]
        right = boxes[4 * i + 2]
        bottom = boxes[4 * i + 3]
        width = relu(min(right, chosen[2]) - max(left, chosen[0]))
        height = relu(min(bottom, chosen[3]) - max(top, chosen[1]))
        common = width * height
        union = (right - left) * (bottom - top) + chosen[4] - common
        keep[i] = kept[i] & (common * denominator <= union * numerator)


@public_kernel("non_maximum_suppression", boxes=24, numerator=1, denominator=2)
class NonMaximumSuppression(PythonKernel):
    """One round of non-maximum suppression: drop the boxes that overlap a chosen one.

    A box stays if it was kept and intersection / union <= numerator / denominator.

    Parameters
    ----------
    boxes: at least 1. numerator, denominator: 1 to 255.

    Operands: boxes int32 [boxes, 4] (left, top, right, bottom; coordinates below 2048),
    chosen int32 [5] (a box and its area), kept int32 [boxes] (0 or 1); result: keep int32 [boxes].
    """

    def __init__(
        self,
        boxes: int,
        numerator: int = 1,
        denominator: int = 2,
        name: str = "non_maximum_suppression",
    ) -> None:
        at_least(name, boxes=boxes)
        within(name, "numerator", numerator, 1, 255)
        within(name, "denominator", denominator, 1, 255)
        self.boxes, self.numerator, self.denominator = boxes, numerator, denominator
        super().__init__(
            name,
            suppress,
            [boxes],
            {"boxes": (boxes, 4), "chosen": (5,), "kept": (boxes,)},
            {"keep": (boxes,)},
            {"numerator": numerator, "denominator": denominator},
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: boxes in a small picture."""
        generator = np.random.default_rng(seed)
        corners = generator.integers(0, 20, (self.boxes + 1, 2))
        boxes = np.concatenate([corners, corners + generator.integers(1, 20, corners.shape)], 1)
        left, top, right, bottom = boxes[-1]
        chosen = [*boxes[-1], (right - left) * (bottom - top)]
        kept = generator.integers(0, 2, self.boxes)
        return [np.array(array, np.int32) for array in (boxes[:-1], chosen, kept)]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        boxes, chosen, kept = (array.astype(np.int64) for array in self.checked(arrays))
        low = np.maximum(boxes[:, :2], chosen[:2])
        high = np.minimum(boxes[:, 2:], chosen[2:4])
        common = np.maximum(high - low, 0).prod(axis=1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        union = areas + chosen[4] - common
        stays = common * self.denominator <= union * self.numerator
        return ((kept & stays).astype(np.int32),), None
