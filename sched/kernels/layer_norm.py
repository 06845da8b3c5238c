"""Integer layer normalisation: exact moments, square root and reciprocal bit by bit."""

from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from . import row_kernels
from .operand import Array, Operand, TaskError
from .plan import Computation, Plan
from .registry import public_kernel
from .row_plan import Stage, row_steps

MOST_COLUMNS = 256
"""With more, the squares' sum times their number would not fit 31 bits."""

ROOT_BITS = 16
RECIPROCAL_BITS = 26
SCORE_BITS = 10
"""Fraction bits of a normalised element."""


@public_kernel("layer_norm", rows=4, columns=16, shift=15)
class LayerNorm(Computation):
    """Each row less its mean, by its deviation, then outputs = clamp8((z gamma + beta) / 2^shift).

    Parameters
    ----------
    rows, columns: of the matrix; columns at most 256. shift: 1 to 31, rounded to the nearest.

    z has 10 fraction bits, so that gamma and beta are of ``shift`` - 10 and ``shift``. Moments are
    exact; the deviation is rounded down to a whole number of 1 / columns, and a row without
    any has z = 0. Sums wrap at 32 bits.

    Operands: x int8 [rows, columns], gamma int32 [columns], beta int32 [columns];
    result: outputs int8 [rows, columns].
    """

    has_result = False

    def __init__(self, rows: int, columns: int, *, shift: int, name: str = "layer_norm") -> None:
        for field, value, high in (
            ("rows", rows, None),
            ("columns", columns, MOST_COLUMNS),
            ("shift", shift, 31),
        ):
            if value < 1 or (high is not None and value > high):
                allowed = "at least 1" if high is None else f"1 to {high}"
                raise TaskError(f"{name}.{field} is {value}; allowed: {allowed}")
        self.name = name
        self.rows, self.columns, self.shift = rows, columns, shift
        self.inputs = (
            Operand("x", (rows, columns)),
            Operand("gamma", (columns,), "int32"),
            Operand("beta", (columns,), "int32"),
        )
        self.outputs = (Operand("outputs", (rows, columns)),)

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`; factors that use the results' range."""
        x, gamma, beta = super().random_inputs(seed)
        one = 1 << max(0, self.shift - SCORE_BITS)
        return [x, gamma % (64 * one + 1), beta >> 31 - min(31, self.shift + 4)]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Computation`."""
        x, gamma, beta = self.checked(arrays)
        values, n = x.astype(np.int64), self.columns
        total = values.sum(axis=1, keepdims=True)
        square = n * (values * values).sum(axis=1, keepdims=True) - total * total
        root = np.maximum(np.floor(np.sqrt(square.astype(np.float64))).astype(np.int64), 1)
        whole = 1 << RECIPROCAL_BITS
        quotient = np.minimum(whole // root, whole - 1)
        score = ((values * n - total) * quotient) >> (RECIPROCAL_BITS - SCORE_BITS)
        half = np.int64(1 << self.shift - 1)
        sums = (score * gamma + beta + half).astype(np.int32)
        return (np.clip(sums >> self.shift, -128, 127).astype(np.int8),), None

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`."""
        n, width = self.columns, self.inputs[0].row_words * WORD_BYTES
        sizes = {"width": width, "length": n}
        stages = [
            Stage(
                row_kernels.row_moments,
                n,
                {"x": width, "total": 1, "spread": 1},
                ("total", "spread"),
                sizes,
                bytes=("x",),
            ),
            Stage(
                row_kernels.row_root,
                ROOT_BITS,
                {"square": 1, "root": 1},
                ("root",),
                {"top": 1 << ROOT_BITS - 1},
            ),
            Stage(
                row_kernels.row_reciprocal,
                RECIPROCAL_BITS,
                {"divisor": 1, "quotient": 1},
                ("quotient",),
            ),
            Stage(
                row_kernels.row_normalise,
                n,
                {"x": width, "total": 1, "quotient": 1, "outputs": width},
                ("outputs",),
                sizes
                | {
                    "scale": RECIPROCAL_BITS - SCORE_BITS,
                    "half": 1 << self.shift - 1,
                    "shift": self.shift,
                },
                {"gamma": n, "beta": n},
                bytes=("x", "outputs"),
            ),
        ]
        names = {"square": "spread", "divisor": "root"}
        steps = row_steps(self.name, self.rows, stages, config, lambda a: names.get(a, a))
        scratch = tuple(
            Operand(array, (self.rows,), "int32")
            for array in ("total", "spread", "root", "quotient")
        )
        return Plan(steps, scratch)
