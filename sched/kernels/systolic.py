"""Output-stationary matrix products: activations enter from the west, weights from the north.

One round of the outer loop computes one tile, one result a PE. Every PE multiplies and
accumulates four bytes a cycle while words pass east and south in a wave; then it drains its
accumulator and the result travels straight north. With the wave, the results of row r arrive
2 r cycles after those of row 0, so rows never meet at the edge. A result that passes a PE just
when that PE drains would be lost: where the inner dimension is short, idle slots stretch the
round until that cannot happen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.instruction import (
    OperandSource,
    Operation,
    OutputSelect,
    RequantiseParameters,
)
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import pack

from .assembler import Assembler, Instruction
from .launch import Launch
from .registry import public_kernel
from .task import Array, Buffer, Kernel, Operand, Task, TaskError

MAXIMUM_ROWS = 16
LONGEST_PERIOD = 2 * MAXIMUM_ROWS + 4
"""Rounds of at least this many cycles need no idle slots on any array."""


def round_period(needed: int, rows: int, latency: int) -> int:
    """The shortest round, in cycles, in which no result is lost on its way north.

    Parameters
    ----------
    needed: cycles of work in a round. rows: array rows in use. latency: pipeline stages.
    """
    period = needed
    while not _is_safe(period, rows, latency):
        period += 1
    return period


def _is_safe(period: int, rows: int, latency: int) -> bool:
    """Whether rounds of ``period`` cycles keep results apart and in order.

    The result of a PE d rows further south passes 2 d - 1 + latency cycles after a PE drains.
    """
    passing = [2 * d - 1 + latency for d in range(1, rows)]
    apart = all(cycle % period not in (0, latency - 1) for cycle in passing)
    return period > 2 * (rows - 1) and apart


@dataclass(frozen=True)
class SystolicKernel(Kernel):
    """Matrix product of byte matrices.

    Parameters
    ----------
    inner_words: words (four bytes) of the inner dimension, limited to ``LONGEST_PERIOD``:
        longer products share one kernel.
    rows: array rows in use, if the array has as many.
    parameters: ``RequantiseParameters`` as a word for int8 results (the bias follows the
        weights in the north stream); None for 32-bit results without bias.
    """

    inner_words: int
    rows: int
    parameters: int | None

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        length = "" if self.inner_words >= LONGEST_PERIOD else f"_k{self.inner_words}"
        kind = "gemm" if self.parameters is None else f"dense_{self.parameters:08x}"
        return f"{kind}_r{self.rows}{length}"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        latency = pea.pipeline_stages
        rows = min(self.rows, pea.rows)
        needed = self.inner_words + 1
        idle = round_period(needed, rows, latency) - needed
        drained = 2 * (rows - 1) + pea.columns - 1 + latency
        flush = max(drained, pea.rows + pea.columns - 2)
        assembler = Assembler(pea, self.name, body=1, tail=1 + idle, skew=True, flush=flush)
        straight = OutputSelect.STRAIGHT
        multiply = Instruction(
            Operation.DOT4,
            OperandSource.WEST,
            OperandSource.NORTH,
            east=straight,
            south=straight,
            north=straight,
        )
        assembler.place_everywhere(0, multiply)
        assembler.place_everywhere(1, self._drain())
        for slot in range(2, 2 + idle):
            assembler.place_everywhere(slot, Instruction(north=straight))
        return assembler.image(number)

    def _drain(self) -> Instruction:
        if self.parameters is None:
            return Instruction(Operation.READ_ACCUMULATOR, north=OutputSelect.RESULT)
        return Instruction(
            Operation.REQUANTISE,
            OperandSource.NORTH,
            OperandSource.CONSTANT,
            constant=self.parameters,
            south=OutputSelect.STRAIGHT,
            north=OutputSelect.RESULT,
        )


def requantise(accumulated: Array, parameters: Mapping[str, int]) -> Array:
    """int32 accumulators (bias included) to int8, by the fields of ``RequantiseParameters``."""
    multiplier, shift = parameters["multiplier"], parameters["shift"]
    zero_point = parameters["zero_point"]
    half = (1 << shift - 1) if shift else 0
    # Python integers: the product of 32 by 16 bits plus a rounding of up to 2**62 is exact.
    scaled = (accumulated.astype(object) * multiplier + half) // (1 << shift)
    low = zero_point if parameters["relu"] else -128
    return np.clip(scaled + zero_point, low, 127).astype(np.int8)


class MatrixTask(Task):
    """What :class:`Dense` and :class:`Gemm` share: tiling, scratchpad layout and streams.

    The array computes tiles of up to rows x columns results; tile sizes are balanced so that
    little is computed beyond the edges, where streams read and results fill spare scratchpad.
    """

    has_result = False

    def __init__(self, name: str, rows: int, features_in: int, features_out: int) -> None:
        for field, value in (
            ("rows", rows),
            ("features_in", features_in),
            ("features_out", features_out),
        ):
            if value < 1:
                raise TaskError(f"{name}.{field} is {value}; allowed: at least 1")
        self.name = name
        self.rows = rows
        self.features_in = features_in
        self.features_out = features_out
        self._activations = Operand("activations", (rows, features_in))
        self._weights = Operand("weights", (features_out, features_in))
        self.macs = rows * features_in * features_out

    @property
    def inner_words(self) -> int:
        """Words of the inner dimension."""
        return self._activations.row_words

    def accumulate(self, activations: Array, weights: Array) -> Array:
        """The exact product activations x weights transposed, wrapped to int32."""
        product = activations.astype(np.int64) @ weights.astype(np.int64).T
        return product.astype(np.int32)

    def _tiles(self, pea: PeaConfig) -> tuple[int, int, int, int]:
        """Row tiles, array rows used, column tiles, array columns used."""
        row_tiles = -(-self.rows // pea.rows)
        column_tiles = -(-self.features_out // pea.columns)
        return (
            row_tiles,
            -(-self.rows // row_tiles),
            column_tiles,
            -(-self.features_out // column_tiles),
        )

    def _used_rows(self) -> int:
        """Rows of the largest array that the task can use."""
        return min(self.rows, MAXIMUM_ROWS)

    def _launch(
        self, config: OctopusConfig, buffers: Mapping[str, Buffer], bias: Operand | None
    ) -> Launch:
        """Scratchpad, transfers and streams; everything but the header."""
        launch = Launch(config, self, buffers)
        row_tiles, used_rows, column_tiles, used_columns = self._tiles(config.pea)
        words = self.inner_words
        fed = words + (bias is not None)
        output = self.outputs[0]
        element = Element.WORD if output.dtype == "int32" else Element.BYTE_SIGNED
        result_bytes = WORD_BYTES if output.dtype == "int32" else 1
        out_stride = -(-column_tiles * used_columns * result_bytes // WORD_BYTES)
        all_rows, all_columns = row_tiles * used_rows, column_tiles * used_columns
        total = all_rows * (words + out_stride) + all_columns * fed
        # An even stride spreads the ports of a skewed wave over the banks; it is worth a word a
        # row only if there is room.
        spare = launch.free_words - total
        spread = spare >= all_rows + all_columns
        row_stride = words + words % 2 if spread else words
        column_stride = fed + fed % 2 if spread else fed
        activations = launch.allocate("activations", all_rows * row_stride)
        weights = launch.allocate("weights", all_columns * column_stride)
        result = launch.allocate(output.name, all_rows * out_stride)
        launch.load(self._activations, activations, row_stride)
        launch.load(self._weights, weights, column_stride)
        if bias is not None:
            launch.load(bias, weights + words * WORD_BYTES, column_stride)
        launch.store(output, result, out_stride)
        row_bytes, column_bytes = row_stride * WORD_BYTES, column_stride * WORD_BYTES
        launch.stream(
            Edge.WEST_IN,
            activations,
            [(words, WORD_BYTES), (column_tiles, 0), (row_tiles, used_rows * row_bytes)],
            port_count=used_rows,
            port_stride=row_bytes,
        )
        launch.stream(
            Edge.NORTH_IN,
            weights,
            [(fed, WORD_BYTES), (column_tiles, used_columns * column_bytes), (row_tiles, 0)],
            port_count=used_columns,
            port_stride=column_bytes,
        )
        out_bytes = out_stride * WORD_BYTES
        launch.stream(
            Edge.NORTH_OUT,
            result,
            [
                (used_rows, out_bytes),
                (column_tiles, used_columns * result_bytes),
                (row_tiles, used_rows * out_bytes),
            ],
            port_count=used_columns,
            port_stride=result_bytes,
            element=element,
        )
        return launch

    def _words(
        self, launch: Launch, config: OctopusConfig, kernel_number: int, domain: int, limit: int
    ) -> list[int]:
        row_tiles, _, column_tiles, _ = self._tiles(config.pea)
        return launch.words(
            kernel_number,
            body_trips=self.inner_words,
            outer_trips=row_tiles * column_tiles,
            domain=domain,
            cycle_limit=limit,
        )


@public_kernel("dense", features_in=64, features_out=16, rows=16, multiplier=39, shift=20)
class Dense(MatrixTask):
    """A fully connected int8 layer, requantised: int8 = clamp((x W^T + bias) * m / 2^s + z).

    Parameters
    ----------
    features_in, features_out: k and n. rows: activation vectors.
    multiplier: 0 to 65535. shift: 0 to 63. zero_point: -128 to 127.
    relu: results below the zero point become the zero point.

    Operands: activations int8 [rows, k], weights int8 [n, k], bias int32 [n];
    result: outputs int8 [rows, n].

    Raises:
        TaskError: a parameter out of its range.
    """

    def __init__(
        self,
        features_in: int,
        features_out: int,
        *,
        multiplier: int,
        shift: int,
        rows: int = 1,
        zero_point: int = 0,
        relu: bool = False,
        name: str = "dense",
    ) -> None:
        super().__init__(name, rows, features_in, features_out)
        for field, value, low, high in (
            ("multiplier", multiplier, 0, 0xFFFF),
            ("shift", shift, 0, 63),
            ("zero_point", zero_point, -128, 127),
        ):
            if not low <= value <= high:
                raise TaskError(f"{name}.{field} is {value}; allowed: {low} to {high}")
        self.parameters = {
            "multiplier": multiplier,
            "shift": shift,
            "relu": int(relu),
            "zero_point": zero_point,
        }
        self.multiplier, self.shift = multiplier, shift
        self.zero_point, self.relu = zero_point, relu
        self._bias = Operand("bias", (features_out, 1), "int32")
        self.inputs = (
            self._activations,
            self._weights,
            Operand("bias", (features_out,), "int32"),
        )
        self.outputs = (Operand("outputs", (rows, features_out)),)

    @property
    def kernel(self) -> SystolicKernel:
        """As :class:`Task`."""
        word = pack(RequantiseParameters, self.parameters)[0]
        return SystolicKernel(min(self.inner_words, LONGEST_PERIOD), self._used_rows(), word)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        activations, weights, bias = self.checked(arrays)
        # Arrays of int32 wrap, as the accumulator does.
        accumulated = self.accumulate(activations, weights) + bias
        return (requantise(accumulated, self.parameters),), None

    def descriptor(
        self,
        config: OctopusConfig,
        kernel_number: int,
        buffers: Mapping[str, Buffer],
        *,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """As :class:`Task`."""
        launch = self._launch(config, buffers, self._bias)
        return self._words(launch, config, kernel_number, domain, cycle_limit)


@public_kernel("gemm", features_in=64, features_out=16, rows=16)
class Gemm(MatrixTask):
    """The int32 product of int8 matrices: products = left x right transposed.

    Parameters
    ----------
    features_in, features_out: k and n. rows: rows of the left matrix.

    Operands: activations int8 [rows, k], weights int8 [n, k]; result: products int32 [rows, n].
    """

    def __init__(
        self, features_in: int, features_out: int, *, rows: int = 1, name: str = "gemm"
    ) -> None:
        super().__init__(name, rows, features_in, features_out)
        self.inputs = (self._activations, self._weights)
        self.outputs = (Operand("products", (rows, features_out), "int32"),)

    @property
    def kernel(self) -> SystolicKernel:
        """As :class:`Task`."""
        return SystolicKernel(min(self.inner_words, LONGEST_PERIOD), self._used_rows(), None)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        activations, weights = self.checked(arrays)
        return (self.accumulate(activations, weights),), None

    def descriptor(
        self,
        config: OctopusConfig,
        kernel_number: int,
        buffers: Mapping[str, Buffer],
        *,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """As :class:`Task`."""
        launch = self._launch(config, buffers, None)
        return self._words(launch, config, kernel_number, domain, cycle_limit)
