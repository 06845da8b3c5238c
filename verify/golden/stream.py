"""Golden model of the streams at the array's edge (specification, section Streams)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod

from octopus.hw.layouts.descriptor import (
    STREAM_DIMENSIONS,
    Edge,
    Element,
    StreamGroup,
    StreamMode,
)
from octopus.hw.layouts.words import WORD_MASK, unpack

from .arithmetic import signed_byte
from .memory import Scratchpad


@dataclass(frozen=True)
class Group:
    """A decoded stream group; field meanings as ``StreamGroup``."""

    edge: Edge
    mode: StreamMode
    element: Element
    first_port: int
    port_count: int
    base: int
    port_stride: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    reserved: int = 0

    @classmethod
    def of(cls, words: list[int]) -> "Group":
        """The group that ``STREAM_GROUP_WORDS`` words hold.

        Raises:
            ValueError: an element code without meaning.
        """
        fields = unpack(StreamGroup, words)
        return cls(
            edge=Edge(fields["edge"]),
            mode=StreamMode(fields["mode"]),
            element=Element(fields["element"]),
            first_port=fields["first_port"],
            port_count=fields["port_count"],
            base=fields["base"],
            port_stride=fields["port_stride"],
            counts=tuple(fields[f"count{d}"] for d in range(STREAM_DIMENSIONS)),
            strides=tuple(fields[f"stride{d}"] for d in range(STREAM_DIMENSIONS)),
            reserved=fields["reserved0"] | fields["reserved1"],
        )

    @property
    def total(self) -> int:
        """Elements of one port's pattern."""
        return prod(self.counts)

    def addresses(self, k: int) -> Iterator[int]:
        """Byte addresses of the group's port number ``k``, in pattern order."""
        start = self.base + k * self.port_stride
        for indices in product(*(range(count) for count in reversed(self.counts))):
            offset = sum(i * s for i, s in zip(reversed(indices), self.strides, strict=True))
            yield (start + offset) & WORD_MASK


def read_element(scratchpad: Scratchpad, element: Element, address: int) -> int:
    """The 32-bit pattern that a stream brings from an address."""
    if element is Element.WORD:
        return scratchpad.read(address)
    byte = scratchpad.read_byte(address)
    return signed_byte(byte) & WORD_MASK if element is Element.BYTE_SIGNED else byte


def write_element(scratchpad: Scratchpad, element: Element, address: int, word: int) -> None:
    """What a stream stores at an address."""
    if element is Element.WORD:
        scratchpad.write(address, word)
    else:
        scratchpad.write_byte(address, word)


@dataclass
class Port:
    """The streams of one row's west or one column's north port.

    ``demand`` and ``push`` act on the scratchpad at once. In a cycle the demands come first: a
    gathered word can be demanded in a later cycle than its address was pushed.
    """

    scratchpad: Scratchpad
    source: Group | None = None
    sink: Group | None = None
    source_index: int = 0
    sink_index: int = 0
    _read_addresses: Iterator[int] = field(default_factory=lambda: iter(()))
    _write_addresses: Iterator[int] = field(default_factory=lambda: iter(()))
    _gathered: deque[int] = field(default_factory=deque)
    _scatter_offset: int | None = None

    def configure(self, group: Group, k: int) -> None:
        """Attach port number ``k`` of a group."""
        if group.edge in (Edge.WEST_IN, Edge.NORTH_IN):
            self.source, self.source_index = group, k
            self._read_addresses = group.addresses(k)
        else:
            self.sink, self.sink_index = group, k
            self._write_addresses = group.addresses(k)

    def demand(self) -> int | None:
        """The next word of the input stream; None if exhausted or not configured.

        A gather is exhausted while no offset waits for its word.

        Raises:
            AccessError: an address outside the scratchpad.
        """
        if self.source is None:
            return None
        if self.source.mode is StreamMode.COMPUTED:
            if not self._gathered:
                return None
            return self._gathered.popleft()
        address = next(self._read_addresses, None)
        if address is None:
            return None
        return read_element(self.scratchpad, self.source.element, address)

    def push(self, word: int) -> None:
        """A valid word on the port's output link in a cycle that advances.

        Raises:
            AccessError: an address outside the scratchpad.
        """
        if self.source is not None and self.source.mode is StreamMode.COMPUTED:
            base = self.source.base + self.source_index * self.source.port_stride
            address = (base + word) & WORD_MASK
            self._gathered.append(read_element(self.scratchpad, self.source.element, address))
        elif self.sink is None:
            return
        elif self.sink.mode is StreamMode.COMPUTED:
            self._scatter(word)
        else:
            target = next(self._write_addresses, None)
            if target is not None:
                write_element(self.scratchpad, self.sink.element, target, word)

    def _scatter(self, word: int) -> None:
        assert self.sink is not None
        if self._scatter_offset is None:
            self._scatter_offset = word
            return
        base = self.sink.base + self.sink_index * self.sink.port_stride
        address = (base + self._scatter_offset) & WORD_MASK
        self._scatter_offset = None
        write_element(self.scratchpad, self.sink.element, address, word)
