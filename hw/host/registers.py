"""The host's register map: one description for RTL, driver, C header and documentation."""

import enum
from dataclasses import dataclass

from ..config import OctopusConfig
from ..layouts.space import COORDINATE_BITS
from ..layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS

IDENTIFICATION_VALUE = 0x4F43544F
"""``OCTO`` in ASCII."""

VERSION_VALUE = 1
"""Version of this register map."""

ADDRESS_BITS = 12
"""Width of the AXI4-Lite address: 4 KiB of registers."""


class Access(enum.Enum):
    """What the host may do with a register. Anything else is answered SLVERR.

    ``PUSH``: writing it sends the token that the registers before it describe.
    ``POP``: reading it takes the oldest completion from the queue.
    """

    READ = "read"
    READ_WRITE = "read and write"
    WRITE_ONE_TO_CLEAR = "read, write 1 to clear"
    PUSH = "write (sends)"
    POP = "read (takes)"


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register."""

    name: str
    low: int
    width: int
    documentation: str


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte ``offset``; ``fields`` empty means one whole-word value."""

    name: str
    offset: int
    access: Access
    documentation: str
    fields: tuple[Field, ...] = ()

    def field(self, name: str) -> Field:
        """The field called ``name``.

        Raises:
            KeyError: there is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"register {self.name} has no field {name}")

    def compose(self, **values: int) -> int:
        """The register's value from its fields; fields left out are zero.

        Raises:
            KeyError: no such field. ValueError: a value does not fit its field.
        """
        word = 0
        for name, value in values.items():
            field = self.field(name)
            if not 0 <= value < 1 << field.width:
                raise ValueError(f"{self.name}.{name} is {value}; it has {field.width} bits")
            word |= value << field.low
        return word

    def extract(self, word: int) -> dict[str, int]:
        """The fields of a value read from the register."""
        return {f.name: word >> f.low & ((1 << f.width) - 1) for f in self.fields}


def _fields(*members: tuple[str, int, str]) -> tuple[Field, ...]:
    """Fields packed one after the other from bit 0 on."""
    fields, low = [], 0
    for name, width, documentation in members:
        fields.append(Field(name, low, width, documentation))
        low += width
    assert low <= 32, members
    return tuple(fields)


TOKEN_TAG_FIELDS = _fields(
    ("instance", INSTANCE_BITS, "Instance slot of the workflow."),
    ("index", INDEX_BITS, "Position in a map region; 0 outside."),
)

REGISTERS = (
    Register("identification", 0x00, Access.READ, "Always 0x4F43544F (OCTO)."),
    Register("version", 0x04, Access.READ, "Version of this register map."),
    Register(
        "mesh",
        0x08,
        Access.READ,
        "Size of the mesh.",
        _fields(("rows", 16, "Clusters north to south."), ("columns", 16, "West to east.")),
    ),
    Register(
        "cluster",
        0x0C,
        Access.READ,
        "What a cluster holds.",
        _fields(
            ("memory_words", 24, "Words of shared memory."),
            ("task_block_units", 8, "Task Block Units."),
        ),
    ),
    Register(
        "pea",
        0x10,
        Access.READ,
        "The processing-element array of each Task Block Unit.",
        _fields(
            ("rows", 8, "Rows of PEs."),
            ("columns", 8, "Columns of PEs."),
            ("context_slots", 8, "Instructions a PE holds in a context bank."),
            ("pipeline_stages", 8, "Latency of an operation in cycles."),
        ),
    ),
    Register(
        "control_block_unit",
        0x14,
        Access.READ,
        "Tables of each Control Block Unit.",
        _fields(
            ("blocks", 12, "Entries of the block table."),
            ("successors", 12, "Entries of the successor table minus one."),
            ("instances_minus_one", 8, "Instance slots minus one."),
        ),
    ),
    Register("scratchpad", 0x18, Access.READ, "Words of scratchpad in each Task Block Unit."),
    Register("cycles_low", 0x20, Access.READ, "Clock cycles since reset, low half."),
    Register("cycles_high", 0x24, Access.READ, "High half, as of the last read of cycles_low."),
    Register(
        "interrupt_status",
        0x28,
        Access.READ,
        "Why the interrupt line may be high.",
        _fields(
            ("completion", 1, "The completion queue is not empty."),
        ),
    ),
    Register(
        "interrupt_enable",
        0x2C,
        Access.READ_WRITE,
        "Which causes raise the interrupt line.",
        _fields(
            ("completion", 1, "The completion queue is not empty."),
        ),
    ),
    Register(
        "errors",
        0x30,
        Access.WRITE_ONE_TO_CLEAR,
        "Errors seen since they were cleared.",
        _fields(
            ("parity", 1, "A flit with wrong parity reached the host bridge."),
            ("unreachable", 1, "A token to a cluster that does not exist was discarded."),
            ("overrun", 1, "A token was pushed without room, and refused."),
        ),
    ),
    Register(
        "token_destination",
        0x40,
        Access.READ_WRITE,
        "Where the next token goes.",
        _fields(
            ("x", COORDINATE_BITS, "Column of the cluster."),
            ("y", COORDINATE_BITS, "Row of the cluster."),
            ("block", BLOCK_BITS, "Number of the block in that cluster."),
        ),
    ),
    Register("token_tag", 0x44, Access.READ_WRITE, "Tag of the next token.", TOKEN_TAG_FIELDS),
    Register(
        "token_value",
        0x48,
        Access.PUSH,
        "Value of the next token; writing sends it. SLVERR and no token if there is no room.",
    ),
    Register("token_room", 0x4C, Access.READ, "Tokens that can be sent at once without waiting."),
    Register("completion_count", 0x60, Access.READ, "Tokens in the completion queue."),
    Register(
        "completion_kind",
        0x64,
        Access.READ,
        "Of the oldest completion; zero if there is none.",
        _fields(
            ("kind", 2, "TokenKind: COMPLETE or FAULT."),
            ("status", 4, "Status of a fault."),
            ("block", BLOCK_BITS, "The sink's number, or the block that failed."),
        ),
    ),
    Register(
        "completion_tag",
        0x68,
        Access.READ,
        "Of the oldest completion; zero if there is none.",
        TOKEN_TAG_FIELDS,
    ),
    Register(
        "completion_value",
        0x6C,
        Access.POP,
        "Value of the oldest completion; reading removes it. SLVERR if there is none.",
    ),
)
"""Every register, in order of address."""

BY_NAME = {register.name: register for register in REGISTERS}


def constants(config: OctopusConfig) -> dict[str, int]:
    """Values of the registers that only say how the chip is built."""
    unit = config.control_block_unit
    return {
        "identification": IDENTIFICATION_VALUE,
        "version": VERSION_VALUE,
        "mesh": BY_NAME["mesh"].compose(rows=config.mesh.rows, columns=config.mesh.columns),
        "cluster": BY_NAME["cluster"].compose(
            memory_words=config.cluster.memory_words,
            task_block_units=config.cluster.task_block_units,
        ),
        "pea": BY_NAME["pea"].compose(
            rows=config.pea.rows,
            columns=config.pea.columns,
            context_slots=config.pea.context_slots,
            pipeline_stages=config.pea.pipeline_stages,
        ),
        "control_block_unit": BY_NAME["control_block_unit"].compose(
            blocks=unit.blocks,
            successors=unit.successors - 1,
            instances_minus_one=unit.instances - 1,
        ),
        "scratchpad": config.task_block_unit.scratchpad_words,
    }


def c_header() -> str:
    """The register map as a C header."""
    lines = ["#ifndef OCTOPUS_REGISTERS_H", "#define OCTOPUS_REGISTERS_H", ""]
    for register in REGISTERS:
        name = f"OCTOPUS_{register.name.upper()}"
        lines += [f"/* {register.access.value}: {register.documentation} */"]
        lines += [f"#define {name} 0x{register.offset:03X}u"]
        for field in register.fields:
            stem = f"{name}_{field.name.upper()}"
            mask = ((1 << field.width) - 1) << field.low
            lines += [f"#define {stem}_SHIFT {field.low}u", f"#define {stem}_MASK 0x{mask:08X}u"]
        lines.append("")
    return "\n".join([*lines, "#endif", ""])


def markdown() -> str:
    """The register map as a Markdown document."""
    lines = ["# Host registers", "", "AXI4-Lite, 32-bit words. Any other access: SLVERR.", ""]
    lines += ["| offset | register | access | bits | meaning |", "|---|---|---|---|---|"]
    for register in REGISTERS:
        lines.append(
            f"| 0x{register.offset:03X} | `{register.name}` | {register.access.value} | 31:0 | "
            f"{register.documentation} |"
        )
        for field in register.fields:
            bits = f"{field.low + field.width - 1}:{field.low}"
            lines.append(f"| | `.{field.name}` | | {bits} | {field.documentation} |")
    return "\n".join([*lines, ""])
