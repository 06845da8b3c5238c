"""Matrix products of int8: tasks on the systolic kernel, and their plans for any size."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.space import WORD_BYTES

from .banks import WavePorts, spread
from .launch import Launch
from .matrix_tiler import tile_matrix
from .plan import Plan
from .registry import public_kernel
from .requantisation import Requantisation
from .systolic import LONGEST_PERIOD, MAXIMUM_ROWS, SystolicKernel
from .task import Array, Buffer, Operand, Task, TaskError


class MatrixTask(Task):
    """What :class:`Dense` and :class:`Gemm` share: tiling, scratchpad layout and streams.

    The array computes tiles of up to rows x columns results; tile sizes are balanced so that
    little is computed beyond the edges, where streams read and results fill spare scratchpad.
    What does not fit the scratchpad is planned as several tasks.
    """

    has_result = False

    def __init__(
        self,
        name: str,
        rows: int,
        features_in: int,
        features_out: int,
        requantisation: Requantisation | None,
        bias: bool,
    ) -> None:
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
        self.requantisation = requantisation
        self.bias = bias
        self.macs = rows * features_in * features_out
        self._activations = Operand("activations", (rows, features_in))
        self._weights = Operand("weights", (features_out, features_in))
        biases = (Operand("bias", (features_out,), "int32"),) if bias else ()
        self.inputs = (self._activations, self._weights, *biases)

    @abstractmethod
    def part(self, rows: int, features_in: int, features_out: int) -> "MatrixTask":
        """The same task on other sizes."""

    def partial(self, with_bias: bool) -> "MatrixTask":
        """The 32-bit product; ``with_bias``: and the bias, if this task has one."""
        sizes = self.features_in, self.features_out
        return Gemm(*sizes, rows=self.rows, bias=with_bias and self.bias, name=self.name)

    @property
    def inner_words(self) -> int:
        """Words of the inner dimension."""
        return self._activations.row_words

    @property
    def kernel(self) -> SystolicKernel:
        """As :class:`Task`."""
        return SystolicKernel(
            min(self.inner_words, LONGEST_PERIOD),
            min(self.rows, MAXIMUM_ROWS),
            None if self.requantisation is None else self.requantisation.word,
            self.bias,
        )

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`: as many tasks as the scratchpad and the transfers ask for."""
        return tile_matrix(self, config)

    def accumulate(self, activations: Array, weights: Array) -> Array:
        """The exact product activations x weights transposed, wrapped to int32."""
        product = activations.astype(np.int64) @ weights.astype(np.int64).T
        return product.astype(np.int32)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        activations, weights, *bias = self.checked(arrays)
        # Arrays of int32 wrap, as the accumulator does.
        accumulated = self.accumulate(activations, weights) + sum(bias)
        if self.requantisation is None:
            return (accumulated.astype(np.int32),), None
        return (self.requantisation.apply(accumulated),), None

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

    def _west(self, pea: PeaConfig, padding: int) -> WavePorts:
        """The activations' stream, with rows so many words longer."""
        row_tiles, used_rows, column_tiles, _ = self._tiles(pea)
        row_bytes = (self.inner_words + padding) * WORD_BYTES
        return WavePorts(
            row_tiles * used_rows * row_bytes // WORD_BYTES,
            used_rows,
            row_bytes,
            [(self.inner_words, WORD_BYTES), (column_tiles, 0), (row_tiles, used_rows * row_bytes)],
            self.inner_words,
            self._period(pea),
        )

    def _north(self, pea: PeaConfig, padding: int) -> WavePorts:
        """The stream of the weights with their bias."""
        row_tiles, _, column_tiles, used_columns = self._tiles(pea)
        fed = self.inner_words + self.bias
        column_bytes = (fed + padding) * WORD_BYTES
        return WavePorts(
            column_tiles * used_columns * column_bytes // WORD_BYTES,
            used_columns,
            column_bytes,
            [(fed, WORD_BYTES), (column_tiles, used_columns * column_bytes), (row_tiles, 0)],
            fed,
            self._period(pea),
        )

    def _period(self, pea: PeaConfig) -> int:
        """Cycles of a round."""
        kernel = self.kernel
        return kernel.period(pea) + self.inner_words - kernel.inner_words

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
        launch = Launch(config, self, buffers)
        row_tiles, used_rows, column_tiles, used_columns = self._tiles(config.pea)
        output = self.outputs[0]
        size = WORD_BYTES if output.dtype == "int32" else 1
        out_words = -(-column_tiles * used_columns * size // WORD_BYTES)
        out_total = row_tiles * used_rows * out_words
        place = spread(
            lambda padding: self._west(config.pea, padding),
            lambda padding: self._north(config.pea, padding),
            config.task_block_unit,
            launch.budget(self.scratchpad_words(config.pea)) - out_total,
        )
        west = self._west(config.pea, place.west_padding)
        north = self._north(config.pea, place.north_padding)
        activations = launch.allocate("activations", west.words)
        launch.allocate("the gap before the weights", place.gap)
        weights = launch.allocate("weights", north.words)
        result = launch.allocate(output.name, out_total)
        column_words = north.port_stride // WORD_BYTES
        launch.load(self._activations, activations, west.port_stride // WORD_BYTES)
        launch.load(self._weights, weights, column_words)
        if self.bias:
            column = Operand("bias", (self.features_out, 1), "int32")
            launch.load(column, weights + self.inner_words * WORD_BYTES, column_words)
        launch.store(output, result, out_words)
        launch.stream_wave(Edge.WEST_IN, activations, west)
        launch.stream_wave(Edge.NORTH_IN, weights, north)
        out_bytes = out_words * WORD_BYTES
        launch.stream(
            Edge.NORTH_OUT,
            result,
            [
                (used_rows, out_bytes),
                (column_tiles, used_columns * size),
                (row_tiles, used_rows * out_bytes),
            ],
            port_count=used_columns,
            port_stride=size,
            element=Element.WORD if size == WORD_BYTES else Element.BYTE_SIGNED,
        )
        return launch.words(
            kernel_number,
            body_trips=self.inner_words,
            outer_trips=row_tiles * column_tiles,
            domain=domain,
            cycle_limit=cycle_limit,
        )

    def run_cycles(self, pea: PeaConfig) -> int:
        """Cycles of all rounds."""
        row_tiles, _, column_tiles, _ = self._tiles(pea)
        return row_tiles * column_tiles * self._period(pea)

    def scratchpad_words(self, pea: PeaConfig) -> int:
        """The words of scratchpad that the task needs at least."""
        row_tiles, used_rows, column_tiles, used_columns = self._tiles(pea)
        size = WORD_BYTES if self.outputs[0].dtype == "int32" else 1
        out_words = -(-column_tiles * used_columns * size // WORD_BYTES)
        operands = self._west(pea, 0).words + self._north(pea, 0).words
        return operands + row_tiles * used_rows * out_words


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

    requantisation: Requantisation

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
        requantisation = Requantisation(multiplier, shift, zero_point, relu)
        super().__init__(name, rows, features_in, features_out, requantisation, True)
        requantisation.check(name)
        self.multiplier, self.shift = multiplier, shift
        self.zero_point, self.relu = zero_point, relu
        self.outputs = (Operand("outputs", (rows, features_out)),)

    def part(self, rows: int, features_in: int, features_out: int) -> MatrixTask:
        """As :class:`MatrixTask`."""
        fields = self.requantisation.__dict__
        return Dense(features_in, features_out, rows=rows, name=self.name, **fields)


@public_kernel("gemm", features_in=64, features_out=16, rows=16)
class Gemm(MatrixTask):
    """The int32 product of int8 matrices: products = left x right transposed.

    Parameters
    ----------
    features_in, features_out: k and n. rows: rows of the left matrix.
    bias: add a number to each column's results.

    Operands: activations int8 [rows, k], weights int8 [n, k] (and bias int32 [n]);
    result: products int32 [rows, n].
    """

    def __init__(
        self,
        features_in: int,
        features_out: int,
        *,
        rows: int = 1,
        bias: bool = False,
        name: str = "gemm",
    ) -> None:
        super().__init__(name, rows, features_in, features_out, None, bias)
        self.outputs = (Operand("products", (rows, features_out), "int32"),)

    def part(self, rows: int, features_in: int, features_out: int) -> MatrixTask:
        """As :class:`MatrixTask`."""
        return Gemm(features_in, features_out, rows=rows, bias=self.bias, name=self.name)


def product(
    rows: int,
    features_in: int,
    features_out: int,
    requantisation: Requantisation | None,
    bias: bool,
    name: str,
) -> MatrixTask:
    """The matrix task with these properties; int8 results always have a bias."""
    if requantisation is None:
        return Gemm(features_in, features_out, rows=rows, bias=bias, name=name)
    fields = requantisation.__dict__
    return Dense(features_in, features_out, rows=rows, name=name, **fields)
