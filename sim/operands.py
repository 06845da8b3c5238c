"""Which words task blocks fetch: activations, or constants that are the same for every task."""

from dataclasses import dataclass

import numpy as np

from octopus.hw.layouts.activity import Stage, WordKind
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DMA_ENTRY_WORDS,
    DescriptorHeader,
    DmaEntry,
)
from octopus.hw.layouts.space import COORDINATE_BITS, OFFSET_BITS, WORD_BYTES, address_of
from octopus.hw.layouts.words import unpack
from octopus.sched.program import Program
from octopus.sched.workflow import Role

from .profile import Profile
from .tasks import NEVER


@dataclass(frozen=True)
class TaskWords:
    """Words that one task of a block fetches.

    ``activations``, ``constants``: by operand; ``descriptor``: its own.
    """

    activations: dict[str, int]
    constants: dict[str, int]
    descriptor: int

    @property
    def operands(self) -> int:
        """Words of both."""
        return sum(self.activations.values()) + sum(self.constants.values())


@dataclass(frozen=True)
class FetchedWords:
    """Words that the units moved in a run, by what they were for.

    ``dropped``: operands of tasks that were prepared in vain, or had not yet all of them; the
    others as counted by the hardware or, the first two, as the tasks that had their operands need.
    """

    activations: int
    constants: int
    dropped: int
    descriptors: int
    contexts: int
    results: int


def task_words(program: Program, name: str) -> TaskWords:
    """What a task of a block fetches, read from its descriptor in the program's image."""
    cluster = program.placement[name].cluster
    region = next(r for r in program.regions[cluster] if r.label == f"descriptor {name}")
    base = address_of(*cluster, 0)
    image = next(words for address, words in program.writes if address == base)
    words = image[region.offset // WORD_BYTES :][: region.words]
    header = unpack(DescriptorHeader, words)
    activations: dict[str, int] = {}
    constants: dict[str, int] = {}
    bindings = program.workflow.block(name).bindings
    operands = {binding.tensor: operand for operand, binding in bindings.items()}
    for number in range(header["input_count"]):
        entry = unpack(DmaEntry, words[DESCRIPTOR_HEADER_WORDS + number * DMA_ENTRY_WORDS :])
        tensor = _tensor_at(program, entry["memory_address"])
        role = program.workflow.tensors[tensor].role
        found = constants if role is Role.CONSTANT else activations
        operand = operands.get(tensor, tensor)
        found[operand] = found.get(operand, 0) + entry["rows"] * entry["row_words"]
    return TaskWords(activations, constants, region.words)


def _tensor_at(program: Program, address: int) -> str:
    """The tensor that lies at a global byte address."""
    offset, place = address & ((1 << OFFSET_BITS) - 1), address >> OFFSET_BITS
    x, y = place & ((1 << COORDINATE_BITS) - 1), place >> COORDINATE_BITS
    for region in program.regions[x, y]:
        if region.offset <= offset < region.offset + region.words * WORD_BYTES:
            return region.label.partition(" ")[2]
    raise ValueError(f"address 0x{address:08x} lies in no region of cluster ({x}, {y})")


def fetched_words(profile: Profile) -> FetchedWords:
    """The run's words, all units together."""
    tasks, measured = profile.tasks, profile.recording.words.sum(axis=0)
    activations = constants = 0
    for name in profile.blocks:
        filled = tasks.at(Stage.FILLED)
        count = int((profile.task_mask(name) & ~tasks.dropped & (filled != NEVER)).sum())
        each = task_words(profile.program, name)
        activations += count * sum(each.activations.values())
        constants += count * sum(each.constants.values())
    return FetchedWords(
        activations=activations,
        constants=constants,
        dropped=int(measured[WordKind.OPERAND]) - activations - constants,
        descriptors=int(measured[WordKind.DESCRIPTOR]),
        contexts=int(measured[WordKind.CONTEXT]),
        results=int(measured[WordKind.RESULT]),
    )


def multiplications(profile: Profile) -> dict[str, int]:
    """By task block: int8 multiplications that the completed tasks' results needed."""
    tasks, found = profile.tasks, {}
    for block in profile.program.workflow.tasks:
        assert block.task is not None
        runs = int(np.count_nonzero(profile.task_mask(block.name) & tasks.completed))
        found[block.name] = runs * block.task.macs
    return found
