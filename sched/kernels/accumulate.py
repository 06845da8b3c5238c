"""Sums of partial results, requantised: what ends a product whose inner dimension was split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect
from octopus.hw.layouts.space import WORD_BYTES

from .assembler import Assembler, Instruction
from .launch import Launch
from .operand import Array, Operand, TaskError
from .requantisation import Requantisation
from .task import Buffer, Kernel, Task

SUM = 0
"""The register of the sum."""


@dataclass(frozen=True)
class AccumulateKernel(Kernel):
    """PE (r, 0) adds words from the west, as many as the body has trips and one more.

    Parameters
    ----------
    parameters: ``RequantiseParameters`` as a word; None for the 32-bit sum.
    """

    parameters: int | None

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return "accumulate" if self.parameters is None else f"accumulate_{self.parameters:08x}"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        latency = pea.pipeline_stages
        head = max(2, latency)
        assembler = Assembler(pea, self.name, head=head, body=latency, tail=1, flush=latency + 1)
        first = Instruction(Operation.PASS, OperandSource.WEST, destination=SUM)
        add = Instruction(
            Operation.ADD,
            OperandSource.WEST,
            OperandSource.REGISTER,
            b_register=SUM,
            destination=SUM,
        )
        # A product of zeros makes the accumulator valid: only it can be requantised.
        zero = Instruction(Operation.DOT4)
        store = Instruction(
            Operation.PASS if self.parameters is None else Operation.REQUANTISE,
            OperandSource.REGISTER,
            OperandSource.CONSTANT,
            a_register=SUM,
            constant=self.parameters or 0,
            west=OutputSelect.RESULT,
        )
        for row in range(pea.rows):
            assembler.place(row, 0, 0, first)
            assembler.place(row, 0, 1, zero)
            assembler.place(row, 0, head, add)
            assembler.place(row, 0, head + latency, store)
        return assembler.image(number)


class Accumulate(Task):
    """sums = partial_0 + partial_1 + …, wrapped to 32 bits, or requantised to int8.

    Parameters
    ----------
    rows, columns: shape of the partial sums. partials: how many, at least 2.
    requantisation: for int8; None for int32.

    Operands: partial_0, … int32 [rows, columns]; result: sums int8 or int32 [rows, columns].
    """

    has_result = False

    def __init__(
        self,
        rows: int,
        columns: int,
        partials: int,
        requantisation: Requantisation | None,
        name: str = "accumulate",
    ) -> None:
        if partials < 2:
            raise TaskError(f"{name}.partials is {partials}; allowed: at least 2")
        self.name = name
        self.requantisation = requantisation
        self.rows, self.columns, self.partials = rows, columns, partials
        shape = (rows, columns)
        self.inputs = tuple(Operand(f"partial_{i}", shape, "int32") for i in range(partials))
        self.outputs = (Operand("sums", shape, "int32" if requantisation is None else "int8"),)

    @classmethod
    def most_rows(cls, config: OctopusConfig, partials: int, columns: int) -> int:
        """The most rows whose partial sums fit half of the scratchpad, or at least all of it."""
        words = config.task_block_unit.scratchpad_words
        row_words = (partials + 1) * columns
        rows = words // 2 // row_words or words // row_words
        return rows if rows < config.pea.rows else rows - rows % config.pea.rows

    @property
    def kernel(self) -> Kernel:
        """As :class:`Task`."""
        word = None if self.requantisation is None else self.requantisation.word
        return AccumulateKernel(word)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        total: Array = np.stack(self.checked(arrays)).sum(axis=0, dtype=np.int32)
        if self.requantisation is None:
            return (total,), None
        return (self.requantisation.apply(total),), None

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
        # A port takes every lanes-th row; rows are padded to the output's.
        rounds = -(-self.rows // config.pea.rows)
        lanes = -(-self.rows // rounds)
        panel = rounds * lanes * self.columns
        partials = launch.allocate("partials", self.partials * panel)
        output = self.outputs[0]
        result = launch.allocate(output.name, rounds * lanes * output.row_words)
        for i, operand in enumerate(self.inputs):
            launch.load(operand, partials + i * panel * WORD_BYTES)
        launch.store(output, result)
        size = WORD_BYTES if output.dtype == "int32" else 1
        row_bytes, out_bytes = self.columns * WORD_BYTES, output.row_words * WORD_BYTES
        launch.stream(
            Edge.WEST_IN,
            partials,
            [
                (self.partials, panel * WORD_BYTES),
                (self.columns, WORD_BYTES),
                (rounds, lanes * row_bytes),
            ],
            port_count=lanes,
            port_stride=row_bytes,
        )
        launch.stream(
            Edge.WEST_OUT,
            result,
            [(self.columns, size), (rounds, lanes * out_bytes)],
            port_count=lanes,
            port_stride=out_bytes,
            element=Element.WORD if size == WORD_BYTES else Element.BYTE_SIGNED,
        )
        return launch.words(
            kernel_number,
            body_trips=self.partials - 1,
            outer_trips=rounds * self.columns,
            domain=domain,
            cycle_limit=cycle_limit,
        )
