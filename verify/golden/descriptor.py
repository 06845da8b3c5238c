"""Golden decoding and checking of task descriptors and kernel images (specification, TBU)."""

from collections.abc import Callable
from dataclasses import dataclass

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DESCRIPTOR_MAGIC,
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    DmaEntry,
    Edge,
    Status,
    StreamMode,
)
from octopus.hw.layouts.instruction import INSTRUCTION_WORDS
from octopus.hw.layouts.kernel import HEADER_WORDS, KERNEL_MAGIC
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import unpack

from .sequencer import Header
from .stream import Group

MAXIMUM_COUNT = 65535
GATHER_OUTPUT = {Edge.WEST_IN: Edge.WEST_OUT, Edge.NORTH_IN: Edge.NORTH_OUT}
"""The output that a gather's offsets leave by."""

ReadWords = Callable[[int, int], list[int]]
"""Reads words: (byte address, count)."""


class TaskFailure(Exception):
    """The task ends with a status other than OK."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(f"{status.name}: {reason}")
        self.status = status


@dataclass(frozen=True)
class Descriptor:
    """A decoded task descriptor; ``header`` and the entries are fields by name."""

    header: dict[str, int]
    inputs: list[dict[str, int]]
    outputs: list[dict[str, int]]
    groups: list[Group]


def _invalid(reason: str) -> TaskFailure:
    return TaskFailure(Status.DESCRIPTOR_INVALID, reason)


def read_descriptor(
    config: OctopusConfig, read: ReadWords, address: int, domain: int = 0
) -> Descriptor:
    """The descriptor at a byte address, of a task of ``domain``.

    Raises:
        TaskFailure: DESCRIPTOR_INVALID.
    """
    aligned = address - address % WORD_BYTES
    header = unpack(DescriptorHeader, read(aligned, DESCRIPTOR_HEADER_WORDS))
    entries = header["input_count"] + header["output_count"]
    words = (
        DESCRIPTOR_HEADER_WORDS
        + DMA_ENTRY_WORDS * entries
        + STREAM_GROUP_WORDS * header["stream_count"]
    )
    if header["magic"] != DESCRIPTOR_MAGIC:
        raise _invalid(f"magic {header['magic']:#x}")
    if header["domain"] != domain:
        raise _invalid(f"domain {header['domain']} in a task of domain {domain}")
    if header["reserved0"] or header["reserved1"]:
        raise _invalid("reserved bits of the header are set")
    if header["descriptor_words"] != words:
        raise _invalid(f"descriptor_words {header['descriptor_words']}, counts give {words}")
    if words > config.task_block_unit.descriptor_words:
        raise _invalid(f"{words} words do not fit")
    rest = read(aligned + DESCRIPTOR_HEADER_WORDS * WORD_BYTES, words - DESCRIPTOR_HEADER_WORDS)
    if address != aligned:
        raise _invalid(f"address {address:#x}")
    split = entries * DMA_ENTRY_WORDS
    transfers = [_transfer(part) for part in _parts(rest[:split], DMA_ENTRY_WORDS)]
    groups = [_group(config.pea, part) for part in _parts(rest[split:], STREAM_GROUP_WORDS)]
    _check_ports(groups)
    inputs = header["input_count"]
    return Descriptor(header, transfers[:inputs], transfers[inputs:], groups)


def _parts(words: list[int], size: int) -> list[list[int]]:
    return [words[start : start + size] for start in range(0, len(words), size)]


def _check_ports(groups: list[Group]) -> None:
    """No port has two streams in one direction; a gather takes the output as well."""
    taken: set[tuple[Edge, int]] = set()
    for group in groups:
        edges = [group.edge]
        if group.mode is StreamMode.COMPUTED and group.edge in GATHER_OUTPUT:
            edges.append(GATHER_OUTPUT[group.edge])
        for edge in edges:
            for port in range(group.first_port, group.first_port + group.port_count):
                if (edge, port) in taken:
                    raise _invalid(f"port {port} has two streams {edge.name}")
                taken.add((edge, port))


def _transfer(words: list[int]) -> dict[str, int]:
    entry = unpack(DmaEntry, words)
    for name, value in entry.items():
        if (name.endswith("address") or name.endswith("stride")) and value % WORD_BYTES:
            raise _invalid(f"{name} {value:#x}")
    for name in ("row_words", "rows"):
        if not entry[name]:
            raise _invalid(f"{name} 0")
    return entry


def _group(pea: PeaConfig, words: list[int]) -> Group:
    try:
        group = Group.of(words)
    except ValueError as error:
        raise _invalid(str(error)) from None
    ports = pea.rows if group.edge in (Edge.WEST_IN, Edge.WEST_OUT) else pea.columns
    if not 1 <= group.port_count <= ports - group.first_port:
        raise _invalid(f"ports {group.first_port} + {group.port_count} of {ports}")
    if group.reserved:
        raise _invalid("reserved bits of a stream group are set")
    if not all(0 < count <= MAXIMUM_COUNT for count in group.counts):
        raise _invalid(f"counts {group.counts}")
    return group


def check_image(pea: PeaConfig, header: Header, table_words: int) -> None:
    """Check the header of a kernel image against the array and the kernel table.

    Raises:
        TaskFailure: KERNEL_INVALID.
    """
    words = HEADER_WORDS + pea.rows * pea.columns * header.slots * INSTRUCTION_WORDS
    for reason, wrong in (
        ("magic", header.magic != KERNEL_MAGIC),
        ("rows", header.rows != pea.rows),
        ("columns", header.columns != pea.columns),
        ("slots", header.slots > pea.context_slots),
        ("stages", not 0 < header.stages <= pea.stages),
        ("image_words", not header.image_words == table_words == words),
    ):
        if wrong:
            raise TaskFailure(Status.KERNEL_INVALID, reason)
