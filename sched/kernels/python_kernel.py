"""What the tasks whose kernels are Python functions share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compile.trace import KernelFunction
from .compiled import CompiledTask, GraphKernel
from .task import Array, Operand, TaskError

_KERNELS: dict[tuple[object, ...], GraphKernel] = {}


def graph_kernel(function: KernelFunction, constants: Mapping[str, Any]) -> GraphKernel:
    """The kernel of a function with given constants, traced once."""
    frozen = tuple((name, _frozen(value)) for name, value in sorted(constants.items()))
    key = (function.name, frozen)
    if key not in _KERNELS:
        parts = [function.name, *(_text(value) for _, value in frozen)]
        _KERNELS[key] = GraphKernel(function.graph("_".join(parts), **constants))
    return _KERNELS[key]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _text(value: Any) -> str:
    return "_".join(map(str, value)) if isinstance(value, tuple) else str(value)


class PythonKernel(CompiledTask):
    """A task of a traced function.

    Parameters
    ----------
    function, constants: what is traced. counts: iterations of its loops, innermost first.
    inputs, outputs: shapes by name (int32), or operands.
    result, starts, written: as for :class:`CompiledTask`.
    """

    def __init__(
        self,
        name: str,
        function: KernelFunction,
        counts: Sequence[int],
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

        super().__init__(
            graph_kernel(function, constants or {}),
            counts,
            operands(inputs),
            operands(outputs),
            name=name,
            **more,
        )


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
