"""Every way to spoil a task: the descriptor, the kernel table, the image, the addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DMA_ENTRY_WORDS,
    STREAM_DIMENSIONS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    DmaEntry,
    Status,
    StreamGroup,
)
from octopus.hw.layouts.kernel import HEADER_WORDS, KernelHeader
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import pack, unpack

NOWHERE = 0x001F_0000
"""Past the end of the benches' memory."""

UNUSED_KERNEL = 45
"""An entry of the kernel table that stays empty."""

FAR = 0x1000_0000
"""Past the end of any scratchpad."""


@dataclass(frozen=True)
class Part:
    """A structure at a place inside a list of words."""

    layout: Any
    start: int
    words: int

    def changed(self, words: list[int], **changes: int) -> list[int]:
        """A copy of ``words`` in which fields of the structure have other values."""
        end = self.start + self.words
        fields = unpack(self.layout, words[self.start : end]) | changes
        return words[: self.start] + pack(self.layout, fields) + words[end:]

    def field(self, words: list[int], name: str) -> int:
        """A field of the structure."""
        return unpack(self.layout, words[self.start : self.start + self.words])[name]


HEADER = Part(DescriptorHeader, 0, DESCRIPTOR_HEADER_WORDS)
IMAGE_HEADER = Part(KernelHeader, 0, HEADER_WORDS)


def transfer(number: int) -> Part:
    """DMA entry ``number`` of a descriptor, inputs first."""
    return Part(DmaEntry, DESCRIPTOR_HEADER_WORDS + number * DMA_ENTRY_WORDS, DMA_ENTRY_WORDS)


def group(descriptor: list[int], number: int) -> Part:
    """Stream group ``number`` of a descriptor."""
    entries = HEADER.field(descriptor, "input_count") + HEADER.field(descriptor, "output_count")
    start = DESCRIPTOR_HEADER_WORDS + entries * DMA_ENTRY_WORDS + number * STREAM_GROUP_WORDS
    return Part(StreamGroup, start, STREAM_GROUP_WORDS)


Spoil = Callable[[list[int], Random], list[int]]


@dataclass(frozen=True)
class Fault:
    """A named change of a sound descriptor or image, and the status it must lead to."""

    name: str
    status: Status
    spoil: Spoil


def _header_fault(name: str, status: Status, **changes: int) -> Fault:
    return Fault(name, status, lambda words, random: HEADER.changed(words, **changes))


def _added(field: str, amount: int) -> Spoil:
    def spoil(words: list[int], random: Random) -> list[int]:
        value = HEADER.field(words, field) + amount
        return HEADER.changed(words, **{field: value})

    return spoil


def _any_transfer(**changes: int) -> Spoil:
    def spoil(words: list[int], random: Random) -> list[int]:
        count = HEADER.field(words, "input_count") + HEADER.field(words, "output_count")
        return transfer(random.randrange(count)).changed(words, **changes)

    return spoil


def _any_group(**changes: int) -> Spoil:
    def spoil(words: list[int], random: Random) -> list[int]:
        number = random.randrange(HEADER.field(words, "stream_count"))
        return group(words, number).changed(words, **changes)

    return spoil


def _end_transfer(output: bool, **changes: int) -> Spoil:
    """Change the first input, or the last output."""

    def spoil(words: list[int], random: Random) -> list[int]:
        count = HEADER.field(words, "input_count") + HEADER.field(words, "output_count")
        return transfer(count - 1 if output else 0).changed(words, **changes)

    return spoil


def descriptor_faults(descriptor_limit: int, scratchpad_words: int) -> list[Fault]:
    """Faults of a descriptor that has at least one input, one output and one stream group.

    Parameters
    ----------
    descriptor_limit: words that the TBU's descriptor store holds. scratchpad_words: its size.
    """
    invalid, outside = Status.DESCRIPTOR_INVALID, Status.ADDRESS_OUT_OF_RANGE
    faults = [_header_fault("magic", invalid, magic=0xD4)]
    for field in ("input_count", "output_count", "stream_count", "descriptor_words"):
        for amount in (1, -1):
            faults.append(Fault(f"{field} {amount:+}", invalid, _added(field, amount)))
    too_many = -(-descriptor_limit // STREAM_GROUP_WORDS)

    def too_long(words: list[int], random: Random) -> list[int]:
        total = HEADER.field(words, "descriptor_words") + too_many * STREAM_GROUP_WORDS
        count = HEADER.field(words, "stream_count") + too_many
        return HEADER.changed(words, stream_count=count, descriptor_words=total)

    faults.append(Fault("descriptor too long", invalid, too_long))
    for name in ("memory_address", "scratchpad_address", "memory_row_stride"):
        faults.append(Fault(f"unaligned {name}", invalid, _any_transfer(**{name: 2})))
    for name in ("scratchpad_row_stride", "instance_stride", "index_stride", "shard_stride"):
        faults.append(Fault(f"unaligned {name}", invalid, _any_transfer(**{name: 1})))
    for name in ("row_words", "rows"):
        faults.append(Fault(f"{name} 0", invalid, _any_transfer(**{name: 0})))
    faults.append(Fault("first_port", invalid, _any_group(first_port=31)))
    faults.append(Fault("port_count 0", invalid, _any_group(port_count=0)))
    faults.append(Fault("port_count too large", invalid, _any_group(port_count=63)))
    for d in range(STREAM_DIMENSIONS):
        faults.append(Fault(f"count{d} 0", invalid, _any_group(**{f"count{d}": 0})))
    faults.append(_header_fault("kernel number", Status.KERNEL_UNKNOWN, kernel=0xFFFF))
    unused = _header_fault("kernel of length 0", Status.KERNEL_UNKNOWN, kernel=UNUSED_KERNEL)
    faults.append(unused)
    for what, output in (("input", False), ("output", True)):
        for name, value in (("scratchpad_address", FAR), ("memory_address", NOWHERE)):
            spoil = _end_transfer(output, **{name: value})
            faults.append(Fault(f"{what} {name}", outside, spoil))
    faults.append(Fault("stream base", outside, _any_group(base=FAR)))

    def other_half(words: list[int], random: Random) -> list[int]:
        half = scratchpad_words // 2 * WORD_BYTES
        moved = transfer(0).changed(words, scratchpad_address=half)
        return HEADER.changed(moved, half_scratchpad=1)

    faults.append(Fault("the other half of the scratchpad", outside, other_half))
    endless = _header_fault("watchdog", Status.WATCHDOG, outer_trips=1 << 30, cycle_limit=2000)
    return [*faults, endless]


def image_faults() -> list[Fault]:
    """Faults of a kernel image."""

    def image_fault(name: str, **changes: int) -> Fault:
        def spoil(words: list[int], random: Random) -> list[int]:
            return IMAGE_HEADER.changed(words, **changes)

        return Fault(name, Status.KERNEL_INVALID, spoil)

    def longer(words: list[int], random: Random) -> list[int]:
        return [*IMAGE_HEADER.changed(words, image_words=len(words) + 1), 0]

    def cut(words: list[int], random: Random) -> list[int]:
        return words[:-1]

    return [
        image_fault("image magic", magic=0x4F44),
        image_fault("image rows", rows=255),
        image_fault("image columns", columns=0),
        image_fault("image head", head_length=255),
        image_fault("image body", body_length=200),
        image_fault("image tail", tail_length=100),
        image_fault("image stages", stages=15),
        image_fault("image length", image_words=5),
        Fault("image longer than its slots", Status.KERNEL_INVALID, longer),
        Fault("image cut short", Status.KERNEL_INVALID, cut),
    ]
