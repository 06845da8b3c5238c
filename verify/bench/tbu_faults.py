"""Every way to spoil a task: the descriptor, the kernel table, the image, the addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from amaranth.lib import data

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
from octopus.verify.golden.regions import Region

NOWHERE = 0x0010_0000
"""Past the end of the benches' memory, and so is what follows for 512 KiB."""

FORBIDDEN = 0x0018_0000
"""Here the benches have memory that no domain of theirs may touch."""

SPACE = 0x0020_0000
"""Configuration space of the own cluster."""

REGIONS = (
    Region(0, NOWHERE - WORD_BYTES, 0b0111, 0b0111),
    Region(NOWHERE, FORBIDDEN - WORD_BYTES, 0b0111, 0b0111),
    Region(FORBIDDEN, SPACE - WORD_BYTES, 0b1000, 0b1000),
)
"""The region table of the benches. Their tasks are of domains 0 to 2."""

UNUSED_KERNEL = 100
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
    """A named change of a sound descriptor or image, and the status it must lead to.

    ``fields``: the descriptor fields that it spoils, as (layout, name).
    """

    name: str
    status: Status
    spoil: Spoil
    fields: frozenset[tuple[Any, str]] = frozenset()


ANY_VALUE_IS_LEGAL = frozenset(
    {
        *((DescriptorHeader, name) for name in ("body_trips", "outer_trips", "cycle_limit")),
        *((DescriptorHeader, name) for name in ("trips_from_token", "has_result", "early_inputs")),
        *((StreamGroup, name) for name in ("edge", "mode", "port_stride")),
        *((StreamGroup, f"stride{d}") for d in range(STREAM_DIMENSIONS)),
    }
)
"""Fields that cannot make a descriptor illegal by themselves."""


def _spoils(layout: Any, changes: Any) -> frozenset[tuple[Any, str]]:
    return frozenset((layout, name) for name in changes)


def _header_fault(name: str, status: Status, **changes: int) -> Fault:
    def spoil(words: list[int], random: Random) -> list[int]:
        return HEADER.changed(words, **changes)

    return Fault(name, status, spoil, _spoils(DescriptorHeader, changes))


def _added(field: str, amount: int) -> Fault:
    def spoil(words: list[int], random: Random) -> list[int]:
        value = HEADER.field(words, field) + amount
        return HEADER.changed(words, **{field: value})

    fields = _spoils(DescriptorHeader, [field])
    return Fault(f"{field} {amount:+}", Status.DESCRIPTOR_INVALID, spoil, fields)


def _any_transfer(name: str, **changes: int) -> Fault:
    def spoil(words: list[int], random: Random) -> list[int]:
        count = HEADER.field(words, "input_count") + HEADER.field(words, "output_count")
        return transfer(random.randrange(count)).changed(words, **changes)

    return Fault(name, Status.DESCRIPTOR_INVALID, spoil, _spoils(DmaEntry, changes))


def _any_group(name: str, status: Status = Status.DESCRIPTOR_INVALID, **changes: int) -> Fault:
    def spoil(words: list[int], random: Random) -> list[int]:
        number = random.randrange(HEADER.field(words, "stream_count"))
        return group(words, number).changed(words, **changes)

    return Fault(name, status, spoil, _spoils(StreamGroup, changes))


def _end_transfer(name: str, status: Status, output: bool, **changes: int) -> Fault:
    """Change the first input, or the last output."""

    def spoil(words: list[int], random: Random) -> list[int]:
        count = HEADER.field(words, "input_count") + HEADER.field(words, "output_count")
        return transfer(count - 1 if output else 0).changed(words, **changes)

    return Fault(f"{'output' if output else 'input'} {name}", status, spoil)


def _words_of_element(words: list[int], random: Random) -> list[int]:
    """Element code 3, which has no name."""
    part = group(words, random.randrange(HEADER.field(words, "stream_count")))
    return [*words[: part.start], words[part.start] | 3 << 3, *words[part.start + 1 :]]


def _header_faults(descriptor_limit: int) -> list[Fault]:
    invalid = Status.DESCRIPTOR_INVALID
    too_many = -(-descriptor_limit // STREAM_GROUP_WORDS)

    def too_long(words: list[int], random: Random) -> list[int]:
        total = HEADER.field(words, "descriptor_words") + too_many * STREAM_GROUP_WORDS
        count = HEADER.field(words, "stream_count") + too_many
        return HEADER.changed(words, stream_count=count, descriptor_words=total)

    def other_domain(words: list[int], random: Random) -> list[int]:
        return HEADER.changed(
            words, domain=HEADER.field(words, "domain") ^ 1 << random.randrange(8)
        )

    counts = ("input_count", "output_count", "stream_count", "descriptor_words")
    return [
        _header_fault("magic", invalid, magic=0xD4),
        Fault("domain", invalid, other_domain, _spoils(DescriptorHeader, ["domain"])),
        _header_fault("reserved0", invalid, reserved0=1 << 3),
        _header_fault("reserved1", invalid, reserved1=1 << 31),
        *(_added(field, amount) for field in counts for amount in (1, -1)),
        Fault("descriptor too long", invalid, too_long),
        _header_fault("kernel number", Status.KERNEL_UNKNOWN, kernel=0xFFFF),
        _header_fault("kernel of length 0", Status.KERNEL_UNKNOWN, kernel=UNUSED_KERNEL),
        _header_fault(
            "result_address", Status.ADDRESS_OUT_OF_RANGE, has_result=1, result_address=FAR
        ),
        _header_fault("watchdog", Status.WATCHDOG, outer_trips=1 << 30, cycle_limit=2000),
    ]


def _transfer_faults() -> list[Fault]:
    aligned = [name for name, _ in data.Layout.cast(DmaEntry) if not name.startswith("row")]
    faults = [
        _any_transfer(f"unaligned {name}", **{name: low}) for name in aligned for low in (1, 2)
    ]
    faults += [_any_transfer(f"{name} 0", **{name: 0}) for name in ("row_words", "rows")]
    for output in (False, True):
        outside, violation = Status.ADDRESS_OUT_OF_RANGE, Status.REGION_VIOLATION
        faults += [
            _end_transfer("scratchpad_address", outside, output, scratchpad_address=FAR),
            _end_transfer("memory_address", outside, output, memory_address=NOWHERE),
            _end_transfer("forbidden", violation, output, memory_address=FORBIDDEN),
            _end_transfer("in configuration space", violation, output, memory_address=SPACE),
        ]
    return faults


def _group_faults() -> list[Fault]:
    return [
        _any_group("first_port", first_port=31),
        _any_group("port_count 0", port_count=0),
        _any_group("port_count too large", port_count=63),
        _any_group("group reserved0", reserved0=1 << 15),
        _any_group("group reserved1", reserved1=1),
        Fault(
            "element 3",
            Status.DESCRIPTOR_INVALID,
            _words_of_element,
            _spoils(StreamGroup, ["element"]),
        ),
        *(
            _any_group(f"count{d} {count}", Status.DESCRIPTOR_INVALID, **{f"count{d}": count})
            for d in range(STREAM_DIMENSIONS)
            for count in (0, 1 << 16, 1 << 31)
        ),
        _any_group("stream base", Status.ADDRESS_OUT_OF_RANGE, base=FAR),
    ]


def descriptor_faults(descriptor_limit: int, scratchpad_words: int) -> list[Fault]:
    """Faults of a descriptor that has at least one input, one output and one stream group.

    Parameters
    ----------
    descriptor_limit: words that the TBU's descriptor store holds. scratchpad_words: its size.
    """

    def other_half(words: list[int], random: Random) -> list[int]:
        half = scratchpad_words // 2 * WORD_BYTES
        moved = transfer(0).changed(words, scratchpad_address=half)
        return HEADER.changed(moved, half_scratchpad=1)

    half_field = _spoils(DescriptorHeader, ["half_scratchpad"])
    return [
        *_header_faults(descriptor_limit),
        *_transfer_faults(),
        *_group_faults(),
        Fault(
            "the other half of the scratchpad",
            Status.ADDRESS_OUT_OF_RANGE,
            other_half,
            half_field,
        ),
    ]


SPOILT_WORDS = {"damaged": Status.MEMORY_PARITY, "lost": Status.NETWORK_ERROR}
"""What may be wrong with a word in memory: its parity, or the network on the way to it."""


def word_faults() -> list[Fault]:
    """Sound tasks of which a word in memory is spoilt: ``name`` says how, and where."""
    places = ("descriptor header", "descriptor rest", "image", "input")
    faults = [(kind, place) for kind in SPOILT_WORDS for place in places]
    return [
        Fault(f"{kind} {place}", SPOILT_WORDS[kind], lambda words, random: words)
        for kind, place in [*faults, ("lost", "output")]
    ]


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
