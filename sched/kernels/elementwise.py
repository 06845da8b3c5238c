"""Elementwise kernels: one element a cycle and lane, by links and streams alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect
from octopus.hw.layouts.space import WORD_BYTES

from .assembler import Assembler, Instruction
from .launch import Launch
from .registry import public_kernel
from .task import Array, Buffer, Kernel, Operand, Task, TaskError


def stream_lanes(launch: Launch, edge: Edge, base: int, elements: int, lanes: int) -> None:
    """Deal the words of a vector to ports 0 .. ``lanes`` - 1 of an edge in turn."""
    longer = elements % lanes
    for first, ports, count in (
        (0, longer, elements // lanes + 1),
        (longer, lanes - longer, elements // lanes),
    ):
        if ports and count:
            launch.stream(
                edge,
                base + first * WORD_BYTES,
                [(count, lanes * WORD_BYTES)],
                first_port=first,
                port_count=ports,
                port_stride=WORD_BYTES,
            )


@dataclass(frozen=True)
class VectorAddKernel(Kernel):
    """Lane i adds on PE (i, i): one operand comes along row i, the other down column i.

    In the token wave both arrive together; the sum leaves straight north.
    """

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return "vector_add"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        lanes = min(pea.rows, pea.columns)
        flush = max(3 * (lanes - 1) + pea.pipeline_stages, pea.rows + pea.columns - 2)
        assembler = Assembler(pea, self.name, skew=True, flush=flush)
        straight = OutputSelect.STRAIGHT
        forward = Instruction(north=straight, east=straight, south=straight)
        add = Instruction(
            Operation.ADD, OperandSource.NORTH, OperandSource.WEST, north=OutputSelect.RESULT
        )
        for row in range(lanes):
            for column in range(lanes):
                assembler.place(row, column, 0, add if row == column else forward)
        return assembler.image(number)


@dataclass(frozen=True)
class ScaleKernel(Kernel):
    """Row i multiplies on PE (i, 0) and shifts on PE (i, 1); the result returns west.

    The product arrives one link and ``pipeline_stages`` cycles after the value, of which the token
    wave covers the link; for the last products the shift goes on after the loop.
    """

    multiplier: int
    shift: int

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return f"scale_{self.multiplier}_{self.shift}"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        latency = pea.pipeline_stages
        flush = max(pea.rows + 1 + latency, pea.rows + pea.columns - 2)
        assembler = Assembler(pea, self.name, tail=latency - 1, skew=True, flush=flush)
        multiply = Instruction(
            Operation.MUL,
            OperandSource.WEST,
            OperandSource.CONSTANT,
            constant=self.multiplier,
            east=OutputSelect.RESULT,
            west=OutputSelect.STRAIGHT,
        )
        shift = Instruction(
            Operation.SAR,
            OperandSource.WEST,
            OperandSource.CONSTANT,
            constant=self.shift,
            west=OutputSelect.RESULT,
        )
        for row in range(pea.rows):
            assembler.place(row, 0, 0, multiply)
            assembler.place(row, 1, 0, shift)
            for slot in range(1, latency):
                assembler.place(row, 0, slot, Instruction(west=OutputSelect.STRAIGHT))
                assembler.place(row, 1, slot, shift)
        return assembler.image(number)


class _Elementwise(Task):
    """What the elementwise tasks share."""

    has_result = False

    def __init__(self, name: str, length: int, inputs: tuple[str, ...], output: str) -> None:
        if length < 1:
            raise TaskError(f"{name}.length is {length}; allowed: at least 1")
        self.name = name
        self.length = length
        self.inputs = tuple(Operand(operand, (length,), "int32") for operand in inputs)
        self.outputs = (Operand(output, (length,), "int32"),)

    def _launch(self, config: OctopusConfig, buffers: Mapping[str, Buffer]) -> tuple[Launch, int]:
        """The launch with its transfers; operands follow each other from address 0."""
        launch = Launch(config, self, buffers)
        for operand in self.inputs:
            launch.load(operand, launch.allocate(operand.name, self.length))
        output = launch.allocate(self.outputs[0].name, self.length)
        launch.store(self.outputs[0], output)
        return launch, output


@public_kernel("vector_add", length=256)
class VectorAdd(_Elementwise):
    """sums = left + right, int32 with wrap-around.

    Parameters
    ----------
    length: elements, at least 1.

    Operands: left, right [length]; result: sums [length].
    """

    def __init__(self, length: int, name: str = "vector_add") -> None:
        super().__init__(name, length, ("left", "right"), "sums")

    @property
    def kernel(self) -> Kernel:
        """As :class:`Task`."""
        return VectorAddKernel()

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        left, right = self.checked(arrays)
        return (left + right,), None

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
        launch, output = self._launch(config, buffers)
        lanes = min(config.pea.rows, config.pea.columns)
        stream_lanes(launch, Edge.WEST_IN, 0, self.length, lanes)
        stream_lanes(launch, Edge.NORTH_IN, self.length * WORD_BYTES, self.length, lanes)
        stream_lanes(launch, Edge.NORTH_OUT, output, self.length, lanes)
        return launch.words(
            kernel_number,
            body_trips=-(-self.length // lanes),
            domain=domain,
            cycle_limit=cycle_limit,
        )


@public_kernel("scale", length=256, multiplier=-3, shift=1)
class Scale(_Elementwise):
    """scaled = (values * multiplier) >> shift; the product keeps its low 32 bits.

    Parameters
    ----------
    length: elements, at least 1. multiplier: a signed 32-bit number. shift: 0 to 31.

    Operands: values int32 [length]; result: scaled int32 [length].
    """

    def __init__(self, length: int, multiplier: int, shift: int = 0, name: str = "scale") -> None:
        super().__init__(name, length, ("values",), "scaled")
        for field, value, low, high in (
            ("multiplier", multiplier, -(1 << 31), (1 << 31) - 1),
            ("shift", shift, 0, 31),
        ):
            if not low <= value <= high:
                raise TaskError(f"{name}.{field} is {value}; allowed: {low} to {high}")
        self.multiplier = multiplier
        self.shift = shift

    @property
    def kernel(self) -> Kernel:
        """As :class:`Task`."""
        return ScaleKernel(self.multiplier, self.shift)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (values,) = self.checked(arrays)
        product = (values.astype(np.int64) * self.multiplier).astype(np.int32)
        return (product >> self.shift,), None

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
        launch, output = self._launch(config, buffers)
        stream_lanes(launch, Edge.WEST_IN, 0, self.length, config.pea.rows)
        stream_lanes(launch, Edge.WEST_OUT, output, self.length, config.pea.rows)
        return launch.words(
            kernel_number,
            body_trips=-(-self.length // config.pea.rows),
            domain=domain,
            cycle_limit=cycle_limit,
        )
