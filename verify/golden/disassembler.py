"""Kernel images as text for people: the header, then what every PE does in every slot."""

from collections.abc import Sequence

from octopus.hw.layouts.instruction import (
    INSTRUCTION_WORDS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from octopus.hw.layouts.kernel import HEADER_WORDS, KERNEL_MAGIC

from .arithmetic import signed
from .instruction import DIRECTIONS, DecodedInstruction, decode_words
from .sequencer import Header

CONDITIONS = {
    PredicateMode.ALWAYS: "",
    PredicateMode.IF_TRUE: "if p: ",
    PredicateMode.IF_FALSE: "if not p: ",
}


class ImageError(ValueError):
    """The words are no kernel image; the message says why."""


def _source(source: OperandSource, register: int, constant: int) -> str:
    if source is OperandSource.REGISTER:
        return f"r{register}"
    if source is OperandSource.CONSTANT:
        return f"#{signed(constant)}"
    return "0" if source is OperandSource.ZERO else source.name.lower()


def describe(instruction: DecodedInstruction) -> str:
    """One line for an instruction; empty if it does nothing at all.

    Example: ``if p: early add r1, #4 -> r2, north; east <- straight; [stage 1]``.
    """
    parts = []
    if instruction.operation is not Operation.NOP:
        parts.append(_computation(instruction))
    for direction, select in zip(DIRECTIONS, instruction.outputs, strict=True):
        if select is OutputSelect.STRAIGHT:
            parts.append(f"{direction} <- straight")
        elif select is OutputSelect.ROUTE:
            route = _source(instruction.route, instruction.b_register, instruction.constant)
            parts.append(f"{direction} <- {route}")
    if parts and instruction.stage:
        parts.append(f"[stage {instruction.stage}]")
    return "; ".join(parts)


def _computation(instruction: DecodedInstruction) -> str:
    operands = [_source(instruction.a, instruction.a_register, instruction.constant)]
    if instruction.uses_b:
        operands.append(_source(instruction.b, instruction.b_register, instruction.constant))
    targets = []
    if instruction.write_register:
        targets.append(f"r{instruction.destination_register}")
    if instruction.write_predicate:
        targets.append("p")
    if instruction.exit:
        targets.append("exit")
    for direction, select in zip(DIRECTIONS, instruction.outputs, strict=True):
        if select is OutputSelect.RESULT:
            targets.append(direction)
    early = "early " if instruction.early else ""
    condition = CONDITIONS[instruction.predicate]
    arrow = f" -> {', '.join(targets)}" if targets else ""
    return f"{condition}{early}{instruction.operation.name.lower()} {', '.join(operands)}{arrow}"


def disassemble(image: Sequence[int]) -> str:
    """The listing of a whole image; PEs that do nothing are left out.

    Raises:
        ImageError: too short, wrong magic, or an instruction without meaning.
    """
    if len(image) < HEADER_WORDS:
        raise ImageError(f"{len(image)} words; a header alone takes {HEADER_WORDS}")
    header = Header.of(list(image[:HEADER_WORDS]))
    if header.magic != KERNEL_MAGIC:
        raise ImageError(f"magic is {header.magic:#06x}; needed: {KERNEL_MAGIC:#06x}")
    count = header.rows * header.columns * header.slots
    needed = HEADER_WORDS + count * INSTRUCTION_WORDS
    if len(image) != needed:
        raise ImageError(f"{len(image)} words; the header's sizes need {needed}")
    lines = [
        f"kernel {header.kernel}: {header.rows} x {header.columns} PEs, {needed} words",
        f"head {header.head_length}, body {header.body_length}, tail {header.tail_length}, "
        f"stages {header.stages}, exit stage {header.exit_stage}, flush {header.flush}, "
        f"{'skewed' if header.skew else 'not skewed'}",
    ]
    for element in range(header.rows * header.columns):
        start = HEADER_WORDS + element * header.slots * INSTRUCTION_WORDS
        body = _element(header, image, start)
        if body:
            row, column = divmod(element, header.columns)
            lines += [f"PE ({row}, {column})", *body]
    return "\n".join(lines) + "\n"


def _element(header: Header, image: Sequence[int], start: int) -> list[str]:
    """The lines of one PE's slots."""
    lines = []
    for slot in range(header.slots):
        position = start + slot * INSTRUCTION_WORDS
        try:
            text = describe(decode_words(image[position : position + INSTRUCTION_WORDS]))
        except ValueError as error:
            raise ImageError(f"word {position}: {error}") from None
        if text:
            lines.append(f"  {_section(header, slot)} {slot:2}: {text}")
    return lines


def _section(header: Header, slot: int) -> str:
    if slot < header.head_length:
        return "head"
    return "body" if slot < header.head_length + header.body_length else "tail"
