"""Every structure that software writes or reads, as a C header's part and as a document."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from ..layouts import block, command, descriptor, instruction, kernel, region, space, token

WORD_BITS = 32


@dataclass(frozen=True)
class Structure:
    """A structure of words.

    Attributes
    ----------
    name: in C. layout: its fields. where: where software meets it.
    """

    name: str
    layout: type[data.Struct]
    where: str

    @property
    def words(self) -> int:
        """Words it takes."""
        return -(-data.Layout.cast(self.layout).size // WORD_BITS)


@dataclass(frozen=True)
class Place:
    """A field, or the part of it that lies in one word.

    Attributes
    ----------
    name: of the field, nested ones with dots. word: its number. low, width: bits in that word.
    values: the enumeration whose numbers it holds, if it does.
    """

    name: str
    word: int
    low: int
    width: int
    values: type[enum.Enum] | None

    @property
    def mask(self) -> int:
        """Bits of the word that belong to it."""
        return ((1 << self.width) - 1) << self.low


STRUCTURES = (
    Structure("BLOCK", block.BlockEntry, "entry of the block table"),
    Structure("SUCCESSOR", block.SuccessorEntry, "entry of the successor table"),
    Structure("DESCRIPTOR", descriptor.DescriptorHeader, "begins a task descriptor"),
    Structure("DMA", descriptor.DmaEntry, "entry of a descriptor, inputs first, then outputs"),
    Structure("STREAM", descriptor.StreamGroup, "entry of a descriptor, after the DMA entries"),
    Structure("KERNEL", kernel.KernelHeader, "begins a kernel image"),
    Structure(
        "INSTRUCTION",
        instruction.Control,
        "words 0 and 1 of an instruction of a kernel image; word 2 is its constant",
    ),
    Structure(
        "REQUANTISE", instruction.RequantiseParameters, "operand b of the operation REQUANTISE"
    ),
    Structure("REGION", region.RegionEntry, "entry of the region table"),
    Structure("ADDRESS", space.Address, "a global byte address"),
    Structure("COMMAND_WORD", command.ClusterCommand, "cluster register COMMAND"),
    Structure("COMMAND_ANSWER", command.ClusterCommandStatus, "cluster register COMMAND_STATUS"),
    Structure("INDEX_WORD", command.IndexSettings, "cluster register INDEX_SETTINGS"),
)

ENUMERATIONS: dict[str, type[enum.Enum]] = {
    "BLOCK_KIND": block.BlockKind,
    "COMPARISON": block.Comparison,
    "COMBINE": block.Combine,
    "INDEX_RULE": block.IndexRule,
    "EDGE": descriptor.Edge,
    "STREAM_MODE": descriptor.StreamMode,
    "ELEMENT": descriptor.Element,
    "PE": instruction.Operation,
    "OPERAND": instruction.OperandSource,
    "OUTPUT": instruction.OutputSelect,
    "PREDICATE": instruction.PredicateMode,
    "CLUSTER_OPERATION": command.CommandOperation,
}
"""What fields hold numbers of, by the prefix of the names in C."""

CONSTANTS = {
    "DESCRIPTOR_MAGIC": descriptor.DESCRIPTOR_MAGIC,
    "KERNEL_MAGIC": kernel.KERNEL_MAGIC,
    "INSTRUCTION_IMAGE_WORDS": instruction.INSTRUCTION_WORDS,
    "KERNEL_TABLE_ENTRY_WORDS": space.KERNEL_TABLE_ENTRY_WORDS,
    "STATISTICS_WORDS": block.BlockStatistics.WORDS,
}

STATISTICS = {
    name: value
    for name, value in vars(block.BlockStatistics).items()
    if name.isupper() and name != "WORDS"
}
"""Word of each statistic in its block's entry."""


def places(structure: Structure) -> list[Place]:
    """The fields of a structure in order; one that lies in several words once for each."""
    found: list[Place] = []
    for name, offset, width, values in _fields(structure.layout, "", 0):
        while width:
            word, low = divmod(offset, WORD_BITS)
            part = min(width, WORD_BITS - low)
            found.append(Place(name, word, low, part, values))
            offset, width = offset + part, width - part
    return found


def _fields(
    shape: Any, name: str, offset: int
) -> Iterator[tuple[str, int, int, type[enum.Enum] | None]]:
    try:
        layout = data.Layout.cast(shape)
    except TypeError:
        values = shape if isinstance(shape, type) and issubclass(shape, enum.Enum) else None
        yield name, offset, Shape.cast(shape).width, values
        return
    for key, field in layout:
        yield from _fields(field.shape, f"{name}.{key}".lstrip("."), offset + field.offset)


def c_lines() -> list[str]:
    """Structures, enumerations and constants as lines of a C header.

    A field F of structure S is the word ``OCTOPUS_S_F_WORD`` and the bits ``OCTOPUS_S_F_MASK``;
    one of several words has them numbered.
    """
    lines = ["/* Structures in memory and in the configuration space. */"]
    lines += [f"#define OCTOPUS_{name} 0x{value:X}u" for name, value in CONSTANTS.items()]
    lines.append("")
    for structure in STRUCTURES:
        stem = f"OCTOPUS_{structure.name}"
        lines.append(f"/* {structure.layout.__name__}: {structure.where}. */")
        lines.append(f"#define {stem}_WORDS {structure.words}u")
        for place in places(structure):
            if not place.name.startswith("reserved"):
                field = f"{stem}_{place.name.upper().replace('.', '_')}"
                lines += [
                    f"#define {field}_WORD {place.word}u",
                    f"#define {field}_SHIFT {place.low}u",
                    f"#define {field}_MASK 0x{place.mask:08X}u",
                ]
        lines.append("")
    for prefix, members in ENUMERATIONS.items():
        lines += [f"/* {members.__name__} */"]
        lines += [f"#define OCTOPUS_{prefix}_{item.name} {item.value}u" for item in members]
        lines.append("")
    lines += ["/* Words of a block's entry in the region STATISTICS. */"]
    lines += [f"#define OCTOPUS_STATISTIC_{name} {value}u" for name, value in STATISTICS.items()]
    return [*lines, ""]


def markdown() -> str:
    """``docs/layouts.md``."""
    lines = [
        "# Layouts",
        "",
        "Generated by `octopus registers --format layouts` from `hw/layouts`; not to be edited.",
        "",
        "Words have 32 bits and are numbered from 0, bits from the least significant. Reserved "
        "bits are to be written 0. What the fields mean is in the "
        "[specification](specification.md).",
        "",
        "| constant | value |",
        "|---|---|",
        *(f"| `{name}` | 0x{value:X} |" for name, value in CONSTANTS.items()),
    ]
    for structure in STRUCTURES:
        summary = " ".join((structure.layout.__doc__ or "").split("\n\n")[0].split())
        size = f"{structure.words} word{'s' if structure.words > 1 else ''}"
        lines += ["", f"## {structure.layout.__name__}", ""]
        lines += [f"{size}: {structure.where}. {summary}", ""]
        lines += ["| word | bits | field | values |", "|---|---|---|---|"]
        for place in places(structure):
            high = place.low + place.width - 1
            bits = f"{high}:{place.low}" if place.width > 1 else f"{place.low}"
            values = place.values.__name__ if place.values else ""
            lines.append(f"| {place.word} | {bits} | `{place.name}` | {values} |")
    for members in (*ENUMERATIONS.values(), token.TokenKind, descriptor.Status):
        lines += ["", f"## {members.__name__}", "", "| number | name |", "|---|---|"]
        lines += [f"| {item.value} | `{item.name}` |" for item in members]
    lines += ["", "## Statistics of a block", "", "| word | name |", "|---|---|"]
    lines += [f"| {value} | `{name}` |" for name, value in STATISTICS.items()]
    return "\n".join([*lines, ""])
