"""A lowered workflow: the memory writes that make a chip run it, and where everything is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from .kernels.task import Buffer, Operand
from .policies.placement import Placement
from .workflow import Workflow


class LoweringError(ValueError):
    """A workflow does not fit the chip; the message names the cluster or block, and how much."""


@dataclass(frozen=True)
class Region:
    """A piece of a cluster's memory: byte offset and words."""

    label: str
    offset: int
    words: int


@dataclass(frozen=True)
class Rows:
    """Rows of a tensor with gaps between them: how many, words of each, words between starts."""

    count: int
    words: int
    stride: int


@dataclass(frozen=True)
class TensorPlace:
    """Where a tensor lies: its operand and buffer (``instance_stride`` apart by slot).

    ``rows``: how its rows lie, None if it is without gaps.
    """

    operand: Operand
    buffer: Buffer
    rows: Rows | None = None

    @property
    def words(self) -> int:
        """Words of memory that a copy takes."""
        return self.rows.count * self.rows.stride if self.rows else self.operand.words

    def to_memory(self, words: Sequence[int]) -> list[int]:
        """The memory's content for the tensor's words: gaps are 0."""
        if self.rows is None:
            return list(words)
        gap = [0] * (self.rows.stride - self.rows.words)
        starts = range(0, len(words), self.rows.words)
        return [word for i in starts for word in [*words[i : i + self.rows.words], *gap]]

    def from_memory(self, memory: Sequence[int]) -> list[int]:
        """The tensor's words of the memory's content."""
        if self.rows is None:
            return list(memory)
        starts = range(0, len(memory), self.rows.stride)
        return [word for i in starts for word in memory[i : i + self.rows.words]]

    def address(self, slot: int) -> int:
        """The global byte address of an instance slot's copy."""
        return self.buffer.address + slot * self.buffer.instance_stride


@dataclass
class Program:
    """What the runtime loads and what it must know.

    Attributes
    ----------
    writes: (global byte address, words) in the order in which they are to be written.
    numbers: the number of each block, unique over the chip.
    slots: instances that may be in flight at once.
    tensors: where the tensors are, by name. regions: the memory map, by cluster.
    """

    workflow: Workflow
    config: OctopusConfig
    placement: Placement
    slots: int
    numbers: Mapping[str, int]
    tensors: dict[str, TensorPlace] = field(default_factory=dict)
    regions: dict[tuple[int, int], list[Region]] = field(default_factory=dict)
    writes: list[tuple[int, list[int]]] = field(default_factory=list)

    def name_of(self, number: int) -> str | None:
        """The block with a number, None if there is none."""
        return next((name for name, found in self.numbers.items() if found == number), None)

    def words_used(self, cluster: tuple[int, int]) -> int:
        """Words of a cluster's memory that the program takes."""
        return max(
            (region.offset // WORD_BYTES + region.words for region in self.regions[cluster]),
            default=0,
        )
