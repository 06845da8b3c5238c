"""What the tasks whose kernels are Python functions share."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compile.graph import Graph
from ..compile.trace import KernelFunction
from .compiled import CompiledTask, GraphKernel
from .task import Array, Operand, TaskError

MOST_TRIPS = 0xFFFF
"""Iterations of a loop: what a stream's dimension counts."""

_KERNELS: dict[str, GraphKernel] = {}


def graph_kernel(
    function: KernelFunction,
    constants: Mapping[str, Any],
    counts: Mapping[str, int] | None = None,
) -> GraphKernel:
    """The kernel of a function with given constants and counts.

    The function is followed each time, and kernels are told apart by what their graphs are: one
    that was edited, or is of another module, never gets the image of another one.
    """
    graph = function.graph(function.name, counts=counts, **constants)
    key = _content(graph)
    if key not in _KERNELS:
        graph.name = f"{function.name}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        _KERNELS[key] = GraphKernel(graph)
    known = _KERNELS[key]
    # The image is the same, the function and its counts need not be.
    graph.name = known.graph.name
    return known.of(graph)


def _content(graph: Graph) -> str:
    """All that a graph is."""
    nodes = [repr(node) for node in graph.nodes.values()]
    return "\n".join([f"{graph.name} {graph.loops} {graph.outer} {graph.inner_loops}", *nodes])


class PythonKernel(CompiledTask):
    """A task of a kernel function.

    Parameters
    ----------
    function, constants: what is compiled. counts: by parameter; or of the loops' counts, innermost
    first, if every loop has a count of its own.
    inputs, outputs: shapes by name, or operands.
    result, starts, written: as for :class:`CompiledTask`.

    Raises:
        CompileError: the function cannot be compiled. TaskError: as :class:`CompiledTask`.
    """

    def __init__(
        self,
        name: str,
        function: KernelFunction,
        counts: Sequence[int] | Mapping[str, int],
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
        constants: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        dtypes = {
            parameter: getattr(annotation, "dtype", "int32")
            for parameter, annotation in function.parameters.items()
        }

        def operands(shapes: Mapping[str, tuple[int, ...]]) -> list[Operand]:
            return [Operand(n, shape, dtypes.get(n, "int32")) for n, shape in shapes.items()]

        named = _named(name, function, counts)
        kernel = graph_kernel(function, constants or {}, named)
        source = kernel.graph.source
        assert source is not None
        super().__init__(
            kernel,
            [named[count] if trips is None else trips for count, trips in source.loops],
            operands(inputs),
            operands(outputs),
            name=name,
            **more,
        )


def _named(
    name: str, function: KernelFunction, counts: Sequence[int] | Mapping[str, int]
) -> dict[str, int]:
    """The counts by parameter.

    Raises:
        TaskError: a count is missing or out of range.
    """
    if isinstance(counts, Mapping):
        named = dict(counts)
    else:
        order = function.counts if len(function.counts) < 2 else function.loop_counts()[::-1]
        if len(order) != len(counts) or set(order) != set(function.counts):
            raise TaskError(
                f"{name}.counts is {tuple(counts)}; allowed: one for each of "
                f"{', '.join(function.counts)}, by name"
            )
        named = dict(zip(order, counts, strict=True))
    for count in function.counts:
        if count not in named:
            raise TaskError(f"{name}: no value for the count {count}")
    for count, value in named.items():
        within(name, count, value, 1, MOST_TRIPS)
    return named


def at_least(name: str, low: int = 1, **values: int) -> None:
    """Refuse a size that is too small.

    Raises:
        TaskError: one is below ``low``.
    """
    for field, value in values.items():
        if value < low:
            raise TaskError(f"{name}.{field} is {value}; allowed: at least {low}")


def within(name: str, field: str, value: int, low: int, high: int) -> None:
    """Refuse a value outside [low, high].

    Raises:
        TaskError: it is outside.
    """
    if not low <= value <= high:
        raise TaskError(f"{name}.{field} is {value}; allowed: {low} to {high}")


def integers(name: str, field: str, text: str, low: int, high: int) -> list[int]:
    """The ``low`` to ``high`` integers, parted by commas, of a parameter.

    Raises:
        TaskError: not integers of 32 bits, or too few or many.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise TaskError(f"{name}.{field} is {text!r}; allowed: integers, commas between") from None
    within(name, f"number of {field}", len(numbers), low, high)
    for number in numbers:
        within(name, field, number, -(1 << 31), (1 << 31) - 1)
    return numbers


def wrapped(values: Any) -> Array:
    """Integers modulo 2**32, as int32."""
    low = np.asarray(values, np.int64) & 0xFFFFFFFF
    return low.astype(np.uint32).view(np.int32)
