"""How kernels are shown: tables for the list, pictures of the array, listings."""

from collections.abc import Iterator

from rich.table import Table

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.instruction import INSTRUCTION_WORDS, Operation, OutputSelect
from octopus.hw.layouts.kernel import HEADER_WORDS
from octopus.sched.kernels.operand import Operand
from octopus.sched.kernels.plan import Computation
from octopus.sched.kernels.registry import KernelEntry
from octopus.sched.kernels.task import Kernel
from octopus.verify.golden.instruction import DecodedInstruction, decode_words
from octopus.verify.golden.sequencer import Header


def operand_text(operand: Operand) -> str:
    """Name, dtype and shape in one word."""
    return f"{operand.name} {operand.dtype}[{', '.join(map(str, operand.shape))}]"


def signature(computation: Computation) -> str:
    """Operands, and what comes of them."""
    results = [operand_text(operand) for operand in computation.outputs]
    results += ["result word"] if computation.has_result else []
    return f"{', '.join(map(operand_text, computation.inputs))} → {', '.join(results)}"


def listing(entries: dict[str, KernelEntry]) -> Table:
    """All public kernels."""
    table = Table(show_lines=True)
    table.add_column("kernel", no_wrap=True)  # a name is to be copied, whatever the width
    for title in ("parameters", "operands", "what it is"):
        table.add_column(title)
    for name, entry in entries.items():
        parameters = [
            f"{field} = {entry.example.get(field, info.default)}"
            for field, info in entry.parameters.model_fields.items()
        ]
        example = entry.build(entry.example)
        table.add_row(name, "\n".join(parameters), signature(example), entry.summary)
    return table


class ImageView:
    """A decoded kernel image.

    Parameters
    ----------
    kernel, config: what and where.

    Raises:
        TaskError: the array lacks something that the kernel needs.
    """

    def __init__(self, kernel: Kernel, config: OctopusConfig) -> None:
        self.kernel = kernel
        self.pea = config.pea
        self.image = kernel.image(config.pea, 0)
        self.header = Header.of(self.image[:HEADER_WORDS])

    def element(self, row: int, column: int) -> list[DecodedInstruction]:
        """A PE's instructions by slot."""
        slots = self.header.slots
        start = HEADER_WORDS + (row * self.pea.columns + column) * slots * INSTRUCTION_WORDS
        return [
            decode_words(self.image[place : place + INSTRUCTION_WORDS])
            for place in range(start, start + slots * INSTRUCTION_WORDS, INSTRUCTION_WORDS)
        ]

    def body(self, row: int, column: int) -> list[DecodedInstruction]:
        """A PE's instructions of the loop's body."""
        first = self.header.head_length
        return self.element(row, column)[first : first + self.header.body_length]

    def _elements(self) -> Iterator[list[DecodedInstruction]]:
        for row in range(self.pea.rows):
            for column in range(self.pea.columns):
                yield self.element(row, column)

    def resources(self) -> list[tuple[str, str]]:
        """What the kernel takes of the array."""
        header, pea = self.header, self.pea
        elements = list(self._elements())
        issues = sum(
            instruction.operation is not Operation.NOP
            for row in range(pea.rows)
            for column in range(pea.columns)
            for instruction in self.body(row, column)
        )
        used = sum(any(map(_works, element)) for element in elements)
        registers = {
            instruction.destination_register
            for element in elements
            for instruction in element
            if instruction.write_register
        }
        places = max(1, header.body_length * pea.rows * pea.columns)
        return [
            ("initiation interval (body)", f"{header.body_length} cycles"),
            (
                "head, body, tail",
                f"{header.head_length}, {header.body_length}, "
                f"{header.tail_length} of {pea.context_slots} slots",
            ),
            ("stages", f"{header.stages} of {pea.stages}"),
            ("token wave", "yes" if header.skew else "no"),
            ("flush", f"{header.flush} cycles"),
            ("PEs in use", f"{used} of {pea.rows * pea.columns}"),
            ("operations in the body", f"{issues} of {places} places ({issues / places:.0%})"),
            ("most registers of a PE", f"{max(registers, default=-1) + 1} of {pea.registers}"),
            ("image", f"{len(self.image)} words"),
        ]

    def picture(self) -> Table:
        """The array: what every PE does in the slots of the body."""
        columns = [f"column {column}" for column in range(self.pea.columns)]
        table = Table("", *columns, title=f"body of {self.kernel.name}", show_lines=True)
        for row in range(self.pea.rows):
            cells = [self._cell(row, column) for column in range(self.pea.columns)]
            table.add_row(f"row {row}", *cells)
        return table

    def _cell(self, row: int, column: int) -> str:
        lines = []
        for slot, instruction in enumerate(self.body(row, column)):
            name = instruction.operation.name.lower()
            idle = instruction.operation is Operation.NOP
            if _works(instruction):
                moves = "".join(
                    letter
                    for letter, select in zip("↑→↓←", instruction.outputs, strict=True)
                    if select is not OutputSelect.NONE
                )
                lines.append(f"{slot}: {'pass on' if idle else name} {moves}".rstrip())
        return "\n".join(lines)


def _works(instruction: DecodedInstruction) -> bool:
    """Whether an instruction computes or forwards anything."""
    forwards = any(select is not OutputSelect.NONE for select in instruction.outputs)
    return instruction.operation is not Operation.NOP or forwards
