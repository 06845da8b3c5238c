"""Reductions of a vector to one result word, as sequential programs of one PE."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect, PredicateMode
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import WORD_MASK

from .assembler import Assembler, Instruction
from .launch import Launch
from .program import Program, schedule
from .registry import public_kernel
from .task import DTYPES, Array, Buffer, Kernel, Operand, Task, TaskError

Dtype = Literal["int8", "int32"]
LOWEST = -(1 << 31)
CLASS_BITS = 8
VALUE, BEST, SECOND, INDEX, COUNTER, LOWER = range(6)
"""Registers of the programs."""


def two_registers(
    operation: Operation, a: int, b: int, destination: int | None = None, **fields: Any
) -> Instruction:
    """An instruction on two registers."""
    source = OperandSource.REGISTER
    return Instruction(
        operation, source, source, a_register=a, b_register=b, destination=destination, **fields
    )


def with_constant(
    operation: Operation, a: int, constant: int, destination: int | None = None, **fields: Any
) -> Instruction:
    """An instruction on a register and a constant."""
    return Instruction(
        operation,
        OperandSource.REGISTER,
        OperandSource.CONSTANT,
        a_register=a,
        constant=constant,
        destination=destination,
        **fields,
    )


def load_constant(destination: int, constant: int) -> Instruction:
    """An instruction that sets a register."""
    return Instruction(
        Operation.PASS, OperandSource.CONSTANT, constant=constant, destination=destination
    )


def _track_best() -> tuple[list[Instruction], list[Instruction]]:
    """Take the next value: compare with the best so far; and keep the index if it is better."""
    take = Instruction(Operation.PASS, OperandSource.WEST, destination=VALUE)
    compare = two_registers(Operation.LT, BEST, VALUE, write_predicate=True)
    keep = Instruction(
        Operation.PASS,
        OperandSource.REGISTER,
        a_register=COUNTER,
        destination=INDEX,
        predicate=PredicateMode.IF_TRUE,
    )
    count = with_constant(Operation.ADD, COUNTER, 1, COUNTER)
    return [take, compare], [keep, count]


def argmax_program() -> Program:
    """The index of the largest value; the lowest index among equals."""
    before, after = _track_best()
    result = Instruction(
        Operation.PASS, OperandSource.REGISTER, a_register=INDEX, west=OutputSelect.RESULT
    )
    return Program(
        head=[load_constant(BEST, LOWEST)],
        body=[*before, two_registers(Operation.MAX, BEST, VALUE, BEST), *after],
        tail=[result],
    )


def confidence_program() -> Program:
    """(largest - second largest) << CLASS_BITS | index of the largest."""
    before, after = _track_best()
    # The smaller of best and value is what may become second.
    lower = two_registers(Operation.MIN, BEST, VALUE, LOWER)
    best = two_registers(Operation.MAX, BEST, VALUE, BEST)
    second = two_registers(Operation.MAX, SECOND, LOWER, SECOND)
    return Program(
        head=[load_constant(BEST, LOWEST), load_constant(SECOND, LOWEST)],
        body=[*before, lower, best, *after, second],
        tail=[
            two_registers(Operation.SUB, BEST, SECOND, VALUE),
            with_constant(Operation.SHL, VALUE, CLASS_BITS, VALUE),
            two_registers(Operation.OR, VALUE, INDEX, west=OutputSelect.RESULT),
        ],
    )


PROGRAMS = {"argmax": argmax_program, "confidence": confidence_program}


@dataclass(frozen=True)
class ReductionKernel(Kernel):
    """A program of ``PROGRAMS`` on PE (0, 0): values from the west, the result to the west."""

    program: str

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return self.program

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        program = PROGRAMS[self.program]()
        plan = schedule(program, pea.pipeline_stages)
        assembler = Assembler(
            pea,
            self.name,
            head=plan.head.length,
            body=plan.body.length,
            tail=plan.tail.length,
            flush=pea.pipeline_stages,
        )
        for slot, instruction in plan.placed(program):
            assembler.place(0, 0, slot, instruction)
        return assembler.image(number)


class ReductionTask(Task):
    """What the reductions share: one vector ``values`` in, one result word.

    Parameters
    ----------
    program: a key of ``PROGRAMS``. classes: elements. dtype: of the vector.
    """

    has_result = True
    outputs = ()

    def __init__(
        self, name: str, program: str, classes: int, dtype: str, low: int, high: int, operand: str
    ) -> None:
        if not low <= classes <= high:
            raise TaskError(f"{name}.classes is {classes}; allowed: {low} to {high}")
        self.name = name
        self.classes = classes
        self.dtype = dtype
        self._kernel = ReductionKernel(program)
        self.inputs = (Operand(operand, (classes,), dtype),)

    @property
    def kernel(self) -> Kernel:
        """As :class:`Task`."""
        return self._kernel

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
        operand = self.inputs[0]
        values = launch.allocate(operand.name, operand.words)
        result = launch.allocate("result", 1)
        launch.load(operand, values)
        element = Element.WORD if operand.dtype == "int32" else Element.BYTE_SIGNED
        size = DTYPES[operand.dtype].itemsize
        launch.stream(Edge.WEST_IN, values, [(self.classes, size)], element=element)
        launch.stream(Edge.WEST_OUT, result, [(1, WORD_BYTES)])
        return launch.words(
            kernel_number,
            body_trips=self.classes,
            result_address=result,
            domain=domain,
            cycle_limit=cycle_limit,
        )


@public_kernel("argmax", classes=64)
class ArgMax(ReductionTask):
    """The index of the largest element, the lowest among equals, as the result word.

    Parameters
    ----------
    classes: elements, at least 1. dtype: "int8" or "int32".

    Operands: values [classes].
    """

    def __init__(self, classes: int, dtype: Dtype = "int8", name: str = "argmax") -> None:
        super().__init__(name, "argmax", classes, dtype, 1, (1 << 31) - 1, "values")

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (values,) = self.checked(arrays)
        return (), int(values.argmax())


@public_kernel("confidence", classes=10)
class Confidence(ReductionTask):
    """How sure a classifier is: (largest - second largest logit) << 8 | class.

    The class is the lowest index of the largest logit. With int32 logits the margin keeps its
    low 24 bits.

    Parameters
    ----------
    classes: 2 to 256. dtype: "int8" or "int32".

    Operands: logits [classes].
    """

    def __init__(self, classes: int, dtype: Dtype = "int8", name: str = "confidence") -> None:
        super().__init__(name, "confidence", classes, dtype, 2, 1 << CLASS_BITS, "logits")

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (logits,) = self.checked(arrays)
        values = sorted(int(value) for value in logits)
        margin = values[-1] - values[-2]
        return (), (margin << CLASS_BITS | int(logits.argmax())) & WORD_MASK
