"""A task that computes as long as one likes on few words: only the controller could be slow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect
from octopus.hw.layouts.space import WORD_BYTES
from octopus.sched.kernels.assembler import Assembler, Instruction
from octopus.sched.kernels.launch import Launch
from octopus.sched.kernels.operand import Operand
from octopus.sched.kernels.task import Buffer, Kernel, Task

WORDS = 4
"""Words a row works on."""


@dataclass(frozen=True)
class AddKernel(Kernel):
    """Every row adds ``constant`` to its words. One slot more than needed: a usual size."""

    constant: int
    skew: bool

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return f"add_{self.constant}{'_skew' if self.skew else ''}"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        flush = pea.pipeline_stages + pea.rows + 1
        assembler = Assembler(pea, self.name, body=1, tail=1, skew=self.skew, flush=flush)
        add = Instruction(
            Operation.ADD,
            OperandSource.WEST,
            OperandSource.CONSTANT,
            constant=self.constant,
            west=OutputSelect.RESULT,
        )
        for row in range(pea.rows):
            assembler.place(row, 0, 0, add)
        return assembler.image(number)


class Repeated(Task):
    """Adds ``constant`` to [rows, WORDS] words, all over again ``repeats`` times.

    Operand: source int32 [rows, WORDS]; result: sums of the same shape.
    """

    has_result = False

    def __init__(self, pea: PeaConfig, constant: int, repeats: int, skew: bool = False) -> None:
        self.name = "repeated"
        self.constant, self.repeats, self.skew = constant, repeats, skew
        self.inputs = (Operand("source", (pea.rows, WORDS), "int32"),)
        self.outputs = (Operand("sums", (pea.rows, WORDS), "int32"),)

    @property
    def kernel(self) -> AddKernel:
        """As :class:`Task`."""
        return AddKernel(self.constant, self.skew)

    def reference(self, *arrays: Any) -> tuple[tuple[Any, ...], int | None]:
        """As :class:`Task`."""
        (source,) = self.checked(arrays)
        return (source + self.constant,), None

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
        rows = config.pea.rows
        pitch = WORDS + 1  # rows in different banks
        places = [launch.allocate(operand.name, rows * pitch) for operand in self.operands]
        launch.load(self.inputs[0], places[0], pitch)
        launch.store(self.outputs[0], places[1], pitch)
        for edge, place in zip((Edge.WEST_IN, Edge.WEST_OUT), places, strict=True):
            launch.stream(
                edge,
                place,
                [(WORDS, WORD_BYTES), (self.repeats, 0)],
                port_count=rows,
                port_stride=pitch * WORD_BYTES,
            )
        return launch.words(
            kernel_number,
            body_trips=WORDS * self.repeats,
            domain=domain,
            cycle_limit=cycle_limit,
        )
