"""Integer softmax: the exponential from a table, the division by a reciprocal."""

from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from . import row_kernels
from .operand import Array, Operand, TaskError
from .plan import Computation, Plan
from .registry import public_kernel
from .row_plan import Stage, row_steps

TABLE_LENGTH = 256
POWER_BITS = 15
"""The exponential of 0 is 2^15 - 1."""

RECIPROCAL_BITS = 30
RESULT_BITS = 7
MOST_COLUMNS = 4096


@public_kernel("softmax", rows=4, columns=16, scale=0.0625)
class Softmax(Computation):
    """The softmax of every row: outputs = round(128 * exp(s x) / sum of exp(s x)), at most 127.

    Parameters
    ----------
    rows, columns: of the matrix; columns at most 4096. scale: s, above 0.

    exp(s (x - max)) comes from a table of 15 bits, the sum's reciprocal is of 30 bits rounded
    down, so that a result may be one below the exact one.

    Operands: x int8 [rows, columns]; result: outputs int8 [rows, columns], in 1/128.
    """

    has_result = False

    def __init__(self, rows: int, columns: int, *, scale: float, name: str = "softmax") -> None:
        for field, value, high in (("rows", rows, None), ("columns", columns, MOST_COLUMNS)):
            if value < 1 or (high is not None and value > high):
                allowed = "at least 1" if high is None else f"1 to {high}"
                raise TaskError(f"{name}.{field} is {value}; allowed: {allowed}")
        if not 0 < scale < float("inf"):
            raise TaskError(f"{name}.scale is {scale}; allowed: above 0")
        self.name = name
        self.rows, self.columns, self.scale = rows, columns, scale
        self.inputs = (Operand("x", (rows, columns)),)
        self.outputs = (Operand("outputs", (rows, columns)),)

    @property
    def table(self) -> Array:
        """exp(-s d) for d = 0 … 255."""
        distances = np.arange(TABLE_LENGTH)
        one = (1 << POWER_BITS) - 1
        return np.round(one * np.exp(-self.scale * distances)).astype(np.int32)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Computation`."""
        (x,) = self.checked(arrays)
        values = x.astype(np.int64)
        powers = self.table.astype(np.int64)[values.max(axis=1, keepdims=True) - values]
        whole = 1 << RECIPROCAL_BITS
        quotient = np.minimum(whole // powers.sum(axis=1, keepdims=True), whole - 1)
        shift = RECIPROCAL_BITS - RESULT_BITS
        shares = (powers * quotient + (1 << shift - 1)) >> shift
        return (np.minimum(shares, 127).astype(np.int8),), None

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`."""
        n, width = self.columns, self.inputs[0].row_words * WORD_BYTES
        shift = RECIPROCAL_BITS - RESULT_BITS
        sizes = {"width": width, "length": n}
        stages = [
            Stage(
                row_kernels.row_maximum,
                n,
                {"x": width, "largest": 1},
                ("largest",),
                {"width": width},
                bytes=("x",),
            ),
            Stage(
                row_kernels.row_exponentials,
                n,
                {"x": width, "largest": 1, "powers": n},
                ("powers",),
                sizes,
                {"table": TABLE_LENGTH},
                bytes=("x",),
            ),
            Stage(row_kernels.row_total, n, {"powers": n, "total": 1}, ("total",), {"length": n}),
            Stage(
                row_kernels.row_reciprocal,
                RECIPROCAL_BITS,
                {"divisor": 1, "quotient": 1},
                ("quotient",),
            ),
            Stage(
                row_kernels.row_shares,
                n,
                {"powers": n, "quotient": 1, "outputs": width},
                ("outputs",),
                sizes | {"half": 1 << shift - 1, "shift": shift},
                bytes=("outputs",),
            ),
        ]
        steps = row_steps(
            self.name, self.rows, stages, config, lambda a: "total" if a == "divisor" else a
        )
        words = {"largest": 1, "powers": n, "total": 1, "quotient": 1}
        scratch = tuple(Operand(a, (self.rows * size,), "int32") for a, size in words.items())
        table = Operand("table", (TABLE_LENGTH,), "int32")
        return Plan(steps, scratch, {table: self.table})
