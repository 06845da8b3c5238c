"""Steps of a tiled Cholesky decomposition in fixed point."""

from typing import Any

import numpy as np

from ..compile.trace import Count, Input, Output, kernel
from .python_kernel import PythonKernel, at_least, within, wrapped
from .registry import public_kernel
from .task import Array


@kernel
def update(  # type: ignore[no-untyped-def]
    left: Input(),  # type: ignore[valid-type]
    right: Input(),  # type: ignore[valid-type]
    before: Input(),  # type: ignore[valid-type]
    after: Output(),  # type: ignore[valid-type]
    n: Count,
    columns: Count,
    rows: Count,
    inner,
    width,
    shift,
):
    """Takes a product of tiles from a tile."""
    for i in range(rows):
        for j in range(columns):
            total = 0
            for k in range(n):
                total += left[i * inner + k] * right[j * inner + k]
            after[i * width + j] = before[i * width + j] - (total >> shift)


@public_kernel("cholesky_update", rows=4, columns=4, inner=8, shift=10)
class CholeskyUpdate(PythonKernel):
    """The update of a tile: after = before - (left * right transposed >> shift).

    With ``left`` and ``right`` the same it is the symmetric update of a tile on the diagonal.

    Parameters
    ----------
    rows, columns, inner: sizes of the tiles, at least 1. shift: fraction bits, 0 to 31.

    Operands: left int32 [rows, inner], right int32 [columns, inner], before int32 [rows, columns];
    result: after int32 [rows, columns], wrapping.
    """

    def __init__(
        self, rows: int, columns: int, inner: int, shift: int = 10, name: str = "cholesky_update"
    ) -> None:
        at_least(name, rows=rows, columns=columns, inner=inner)
        within(name, "shift", shift, 0, 31)
        self.rows, self.columns, self.inner, self.shift = rows, columns, inner, shift
        super().__init__(
            name,
            update,
            [inner, columns, rows],
            {"left": (rows, inner), "right": (columns, inner), "before": (rows, columns)},
            {"after": (rows, columns)},
            {"inner": inner, "width": columns, "shift": shift},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        left, right, before = (array.astype(np.int64) for array in self.checked(arrays))
        product = wrapped(_product(left, right)).astype(np.int64) >> self.shift
        return (wrapped(before - product),), None


def _product(left: Array, right: Array) -> Array:
    """left * right transposed, modulo 2**32."""
    total = np.zeros((len(left), len(right)), np.int64)
    for k in range(left.shape[1]):
        total += wrapped(np.outer(left[:, k], right[:, k]))
    return total


@kernel
def scale(  # type: ignore[no-untyped-def]
    column: Input(),  # type: ignore[valid-type]
    reciprocal: Input(),  # type: ignore[valid-type]
    scaled: Output(),  # type: ignore[valid-type]
    n: Count,
    shift,
    half,
):
    """Divides a column by its diagonal element, whose reciprocal is given."""
    for i in range(n):
        scaled[i] = (column[i] * reciprocal[0] + half) >> shift


@public_kernel("cholesky_scale", length=32, shift=10)
class CholeskyScale(PythonKernel):
    """A column times the reciprocal of its pivot: scaled = round(column * reciprocal / 2^shift).

    Parameters
    ----------
    length: at least 1. shift: fraction bits, 0 to 31.

    Operands: column int32 [length], reciprocal int32 [1]; result: scaled int32 [length], wrapping.
    """

    def __init__(self, length: int, shift: int = 10, name: str = "cholesky_scale") -> None:
        at_least(name, length=length)
        within(name, "shift", shift, 0, 31)
        self.length, self.shift = length, shift
        half = 1 << shift - 1 if shift else 0
        super().__init__(
            name,
            scale,
            [length],
            {"column": (length,), "reciprocal": (1,)},
            {"scaled": (length,)},
            {"shift": shift, "half": half},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        column, reciprocal = (array.astype(np.int64) for array in self.checked(arrays))
        half = 1 << self.shift - 1 if self.shift else 0
        return (wrapped(column * reciprocal[0] + half) >> self.shift,), None
