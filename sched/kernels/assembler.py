"""Assembles kernel images from instructions placed by hand on PEs and slots."""

from dataclasses import dataclass
from functools import lru_cache

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.features import DIRECTIONS
from octopus.hw.layouts.instruction import (
    INSTRUCTION_WORDS,
    Control,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from octopus.hw.layouts.kernel import HEADER_WORDS, KERNEL_MAGIC, KernelHeader
from octopus.hw.layouts.words import WORD_MASK, pack

from .task import TaskError


@dataclass(frozen=True)
class Instruction:
    """One instruction; fields as ``hw.layouts.instruction.Control``, None where not written."""

    operation: Operation = Operation.NOP
    a: OperandSource = OperandSource.ZERO
    b: OperandSource = OperandSource.ZERO
    a_register: int = 0
    b_register: int = 0
    constant: int = 0
    destination: int | None = None
    write_predicate: bool = False
    predicate: PredicateMode = PredicateMode.ALWAYS
    exit: bool = False
    north: OutputSelect = OutputSelect.NONE
    east: OutputSelect = OutputSelect.NONE
    south: OutputSelect = OutputSelect.NONE
    west: OutputSelect = OutputSelect.NONE
    route: OperandSource = OperandSource.ZERO
    stage: int = 0
    early: bool = False

    def words(self) -> tuple[int, ...]:
        """The instruction's words in a kernel image."""
        return _words(self)

    @property
    def registers(self) -> set[int]:
        """Every register that the instruction names."""
        named = set()
        if self.a is OperandSource.REGISTER:
            named.add(self.a_register)
        if OperandSource.REGISTER in (self.b, self.route):
            named.add(self.b_register)
        if self.destination is not None:
            named.add(self.destination)
        return named


@lru_cache(maxsize=4096)
def _words(instruction: Instruction) -> tuple[int, ...]:
    control = pack(
        Control,
        {
            "operation": instruction.operation,
            "a": instruction.a,
            "a_register": instruction.a_register,
            "b": instruction.b,
            "b_register": instruction.b_register,
            "predicate": instruction.predicate,
            "write_register": int(instruction.destination is not None),
            "destination_register": instruction.destination or 0,
            "write_predicate": int(instruction.write_predicate),
            "exit": int(instruction.exit),
            "north": instruction.north,
            "east": instruction.east,
            "south": instruction.south,
            "west": instruction.west,
            "route": instruction.route,
            "stage": instruction.stage,
            "early": int(instruction.early),
        },
    )
    padding = [0] * (INSTRUCTION_WORDS - 1 - len(control))
    return (*control, *padding, instruction.constant & WORD_MASK)


class Assembler:
    """Builds one kernel image for one array.

    Parameters
    ----------
    pea: the array. name: the kernel's name, for errors.
    head, body, tail: lengths in slots. stages, exit_stage, skew, flush: as ``KernelHeader``.

    Raises:
        TaskError: more slots or stages than the array has.
    """

    def __init__(
        self,
        pea: PeaConfig,
        name: str,
        *,
        head: int = 0,
        body: int = 1,
        tail: int = 0,
        stages: int = 1,
        exit_stage: int = 0,
        skew: bool = False,
        flush: int = 0,
    ) -> None:
        self.pea = pea
        self.name = name
        self.slots = head + body + tail
        self._header = {
            "magic": KERNEL_MAGIC,
            "rows": pea.rows,
            "columns": pea.columns,
            "head_length": head,
            "body_length": body,
            "tail_length": tail,
            "stages": stages,
            "exit_stage": exit_stage,
            "skew": int(skew),
            "flush": flush,
        }
        self._placed: dict[tuple[int, int, int], Instruction] = {}
        self._limit("slots", self.slots, pea.context_slots)
        self._limit("stages", stages, pea.stages)

    def _limit(self, what: str, needed: int, available: int) -> None:
        if needed > available:
            raise TaskError(f"kernel {self.name} needs {needed} {what}; the array has {available}")

    def place(self, row: int, column: int, slot: int, instruction: Instruction) -> None:
        """Put an instruction on PE (row, column) in a slot (head, body, tail counted through).

        Raises:
            TaskError: no such PE or slot, already taken, or the PE cannot do the instruction.
        """
        self._limit("rows", row + 1, self.pea.rows)
        self._limit("columns", column + 1, self.pea.columns)
        self._limit("registers", max(instruction.registers, default=-1) + 1, self.pea.registers)
        self._limit("stages", instruction.stage + 1, self._header["stages"])
        if not 0 <= slot < self.slots:
            raise TaskError(f"kernel {self.name}: slot is {slot}; allowed: 0 to {self.slots - 1}")
        if (row, column, slot) in self._placed:
            raise TaskError(f"kernel {self.name}: PE ({row}, {column}) slot {slot} is taken")
        if instruction.operation not in self.pea.operations_at(row, column):
            raise TaskError(
                f"kernel {self.name} needs {instruction.operation.name} on PE ({row}, {column}), "
                f"which has the operations {self.pea.operation_set(row, column)}"
            )
        self._check_features(row, column, instruction)
        self._placed[row, column, slot] = instruction

    def _check_features(self, row: int, column: int, instruction: Instruction) -> None:
        """Refuse what PE (row, column) is built without."""
        features = self.pea.features_at(row, column)
        outputs = {side: getattr(instruction, side) for side in DIRECTIONS}
        lacks = list(features.lacks(instruction.a, instruction.b, instruction.route, outputs))
        if instruction.destination is not None and not features.has_registers:
            lacks.append("registers")
        conditional = instruction.predicate is not PredicateMode.ALWAYS
        if (conditional or instruction.write_predicate) and not features.predication:
            lacks.append("predicates")
        if instruction.exit and not features.predication:
            lacks.append("exit")
        if lacks:
            raise TaskError(
                f"kernel {self.name} needs {lacks[0]} on PE ({row}, {column}), "
                f"which has the features {self.pea.feature_set(row, column)}"
            )

    def place_everywhere(self, slot: int, instruction: Instruction) -> None:
        """Put the same instruction on every PE in a slot.

        Raises:
            TaskError: as :meth:`place`.
        """
        for row in range(self.pea.rows):
            for column in range(self.pea.columns):
                self.place(row, column, slot, instruction)

    def image(self, number: int) -> list[int]:
        """The words of the image, as entry ``number`` of a kernel table."""
        idle = Instruction()
        words: list[int] = []
        for row in range(self.pea.rows):
            for column in range(self.pea.columns):
                for slot in range(self.slots):
                    words.extend(self._placed.get((row, column, slot), idle).words())
        total = HEADER_WORDS + len(words)
        header = self._header | {"kernel": number, "image_words": total}
        return pack(KernelHeader, header) + words
