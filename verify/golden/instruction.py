"""Instructions as the golden models use them: decoded from the words of a kernel image."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from octopus.hw.layouts.features import FEATURE_SETS, Features
from octopus.hw.layouts.instruction import (
    CONTROL_BITS,
    INSTRUCTION_WORDS,
    Control,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from octopus.hw.layouts.words import unpack

from .arithmetic import UNARY

WORD_BITS = 32
NORTH, EAST, SOUTH, WEST = range(4)
DIRECTIONS = ("north", "east", "south", "west")
OPPOSITE = (SOUTH, WEST, NORTH, EAST)
LINKS = {
    OperandSource.NORTH: NORTH,
    OperandSource.EAST: EAST,
    OperandSource.SOUTH: SOUTH,
    OperandSource.WEST: WEST,
}
"""The input link that an operand source reads."""


@dataclass(frozen=True, slots=True)
class DecodedInstruction:
    """One instruction with its fields in their enumerations."""

    operation: Operation
    a: OperandSource
    a_register: int
    b: OperandSource
    b_register: int
    predicate: PredicateMode
    write_register: bool
    destination_register: int
    write_predicate: bool
    exit: bool
    outputs: tuple[OutputSelect, OutputSelect, OutputSelect, OutputSelect]
    route: OperandSource
    stage: int
    constant: int
    early: bool = False

    @property
    def uses_a(self) -> bool:
        """Whether the operation reads operand ``a``."""
        return self.operation is not Operation.NOP

    @property
    def uses_b(self) -> bool:
        """Whether the operation reads operand ``b``."""
        return (
            self.uses_a
            and self.operation not in UNARY
            and self.operation is not Operation.READ_ACCUMULATOR
        )

    def reads_link(self, direction: int) -> bool:
        """Whether an enabled instruction takes a word from the input link of ``direction``."""
        return (
            (self.uses_a and LINKS.get(self.a) == direction)
            or (self.uses_b and LINKS.get(self.b) == direction)
            or (OutputSelect.ROUTE in self.outputs and LINKS.get(self.route) == direction)
            or self.outputs[OPPOSITE[direction]] is OutputSelect.STRAIGHT
        )


@lru_cache(maxsize=65536)
def decode(low: int, high: int, constant: int) -> DecodedInstruction:
    """The instruction that three words of a kernel image hold.

    Raises:
        ValueError: a field holds a code that has no meaning.
    """
    fields = unpack(Control, [low, high])
    return DecodedInstruction(
        operation=Operation(fields["operation"]),
        a=OperandSource(fields["a"]),
        a_register=fields["a_register"],
        b=OperandSource(fields["b"]),
        b_register=fields["b_register"],
        predicate=PredicateMode(fields["predicate"]),
        write_register=bool(fields["write_register"]),
        destination_register=fields["destination_register"],
        write_predicate=bool(fields["write_predicate"]),
        exit=bool(fields["exit"]),
        outputs=(
            OutputSelect(fields["north"]),
            OutputSelect(fields["east"]),
            OutputSelect(fields["south"]),
            OutputSelect(fields["west"]),
        ),
        route=OperandSource(fields["route"]),
        stage=fields["stage"],
        constant=constant,
        early=bool(fields["early"]),
    )


def as_built(
    instruction: DecodedInstruction, operations: Collection[Operation], features: Features
) -> DecodedInstruction:
    """What a PE with ``operations`` and ``features`` takes the instruction for."""
    if instruction.operation not in operations:
        instruction = replace(instruction, operation=Operation.NOP)
    if features == FEATURE_SETS["full"]:
        return instruction
    selects = zip(instruction.outputs, features.outputs, strict=True)
    north, east, south, west = (
        select if select in possible else OutputSelect.NONE for select, possible in selects
    )
    instruction = replace(
        instruction,
        a=instruction.a if instruction.a in features.a else OperandSource.ZERO,
        b=instruction.b if instruction.b in features.b else OperandSource.ZERO,
        route=instruction.route if instruction.route in features.route else OperandSource.ZERO,
        outputs=(north, east, south, west),
    )
    if features.predication:
        return instruction
    return replace(instruction, predicate=PredicateMode.ALWAYS, write_predicate=False, exit=False)


def decode_words(words: Sequence[int]) -> DecodedInstruction:
    """As :func:`decode`, from a sequence of ``INSTRUCTION_WORDS`` words."""
    assert INSTRUCTION_WORDS == CONTROL_BITS // WORD_BITS + 1
    return decode(*words[:INSTRUCTION_WORDS])
