"""Sequential programs for one PE: issue slots are spaced by the pipeline's latency.

An author appends instructions to head, body and tail in program order; :func:`schedule` finds
the earliest slot of each so that every register and predicate it reads has been written,
within a section, from one section to the next, and from one trip of the body to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from octopus.hw.layouts.instruction import OperandSource, Operation, PredicateMode

from .assembler import Instruction

PREDICATE = -1
"""The predicate bit, among registers."""


@dataclass
class Program:
    """Instructions of one PE by section, in program order; every ``stage`` must be 0."""

    head: list[Instruction] = field(default_factory=list)
    body: list[Instruction] = field(default_factory=list)
    tail: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """The issue slot of each instruction of a section, and the section's length."""

    slots: tuple[int, ...]
    length: int


@dataclass(frozen=True)
class Schedule:
    """A scheduled program."""

    head: Section
    body: Section
    tail: Section

    @property
    def slots(self) -> int:
        """Slots of all sections."""
        return self.head.length + self.body.length + self.tail.length

    def placed(self, program: Program) -> list[tuple[int, Instruction]]:
        """(slot counted through head, body and tail, instruction) of the whole program."""
        result = []
        start = 0
        for section, instructions in (
            (self.head, program.head),
            (self.body, program.body),
            (self.tail, program.tail),
        ):
            for slot, instruction in zip(section.slots, instructions, strict=True):
                result.append((start + slot, instruction))
            start += section.length
        return result


def schedule(program: Program, latency: int) -> Schedule:
    """Slots for a program on a PE with ``latency`` pipeline stages (one outer round)."""
    head = _section(program.head, {}, latency)
    after_head = _pending(program.head, head, latency)
    body = _section(program.body, after_head, latency)
    length = body.length
    while not _repeats(program.body, Section(body.slots, length), latency):
        length += 1
    body = Section(body.slots, length)
    after_body = _pending(program.body, body, latency)
    # A body that runs no trip leaves the head's results pending for the tail.
    pending = {key: max(after_head.get(key, 0), after_body.get(key, 0)) for key in _RESOURCES}
    return Schedule(head, body, _section(program.tail, pending, latency))


_RESOURCES = range(PREDICATE, 16)


def _reads(instruction: Instruction) -> set[int]:
    reads = {instruction.a_register} if instruction.a is OperandSource.REGISTER else set()
    if OperandSource.REGISTER in (instruction.b, instruction.route):
        reads.add(instruction.b_register)
    conditional = instruction.predicate is not PredicateMode.ALWAYS
    if conditional or instruction.operation is Operation.SELECT:
        reads.add(PREDICATE)
    return reads


def _writes(instruction: Instruction) -> set[int]:
    writes = set() if instruction.destination is None else {instruction.destination}
    if instruction.write_predicate:
        writes.add(PREDICATE)
    return writes


def _section(instructions: Sequence[Instruction], ready: dict[int, int], latency: int) -> Section:
    """Earliest slots in program order; ``ready``: first slot in which a resource can be read."""
    ready = dict(ready)
    slots: list[int] = []
    for instruction in instructions:
        earliest = slots[-1] + 1 if slots else 0
        slot = max([earliest, *(ready.get(key, 0) for key in _reads(instruction))])
        slots.append(slot)
        for key in _writes(instruction):
            ready[key] = slot + latency
    return Section(tuple(slots), slots[-1] + 1 if slots else 0)


def _pending(instructions: Sequence[Instruction], section: Section, latency: int) -> dict[int, int]:
    """When each resource written in a section can be read, in slots from the section's end."""
    pending: dict[int, int] = {}
    for slot, instruction in zip(section.slots, instructions, strict=True):
        for key in _writes(instruction):
            pending[key] = max(0, slot + latency - section.length)
    return pending


def _repeats(instructions: Sequence[Instruction], section: Section, latency: int) -> bool:
    """Whether the section can follow itself: no read comes before the last trip's write."""
    pending = _pending(instructions, section, latency)
    written: set[int] = set()
    for slot, instruction in zip(section.slots, instructions, strict=True):
        if any(slot < pending.get(key, 0) for key in _reads(instruction) - written):
            return False
        written |= _writes(instruction)
    return True
