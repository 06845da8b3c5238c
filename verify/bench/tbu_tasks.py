"""Lays kernel tasks out in a memory, as a host would, for golden models and block benches."""

from collections.abc import Sequence
from random import Random
from typing import Any

from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import KERNEL_TABLE_ENTRY_WORDS, WORD_BYTES
from octopus.sched.kernels.task import Buffer, Kernel, Task
from octopus.verify.golden import tbu
from octopus.verify.golden.memory import GlobalMemory

from .tbu_faults import FORBIDDEN

KERNEL_TABLE_ENTRIES = 128
FORBIDDEN_WORDS = 1 << 15
"""Memory at ``FORBIDDEN``."""


class TaskMemory:
    """A memory that is filled from the bottom: kernel table first, then whatever is placed.

    Parameters
    ----------
    config: the chip. words: size of the memory, which starts at address 0.
    """

    def __init__(self, config: OctopusConfig, words: int = 1 << 17) -> None:
        self.config = config
        self.memory = GlobalMemory((0, words), (FORBIDDEN, FORBIDDEN_WORDS))
        self.kernel_table_address = 0
        self.kernels: dict[Kernel, int] = {}
        self._next = KERNEL_TABLE_ENTRIES * KERNEL_TABLE_ENTRY_WORDS * WORD_BYTES
        self._end = words * WORD_BYTES

    def allocate(self, words: int) -> int:
        """The byte address of ``words`` fresh words."""
        address = self._next
        self._next += words * WORD_BYTES
        assert self._next <= self._end, "the bench's memory is too small"
        return address

    def place(self, words: list[int]) -> int:
        """Store words at a fresh address and return it."""
        address = self.allocate(len(words))
        self.memory.write_words(address, words)
        return address

    def kernel_number(self, kernel: Kernel) -> int:
        """The table entry of a kernel, whose image is stored at its first use."""
        if kernel not in self.kernels:
            number = len(self.kernels)
            self.place_image(number, kernel.image(self.config.pea, number))
            self.kernels[kernel] = number
        return self.kernels[kernel]

    def place_image(self, number: int, image: list[int], length: int | None = None) -> None:
        """Store an image as table entry ``number``, with another length than its own if given."""
        entry = self.kernel_table_address + number * KERNEL_TABLE_ENTRY_WORDS * WORD_BYTES
        words = len(image) if length is None else length
        self.memory.write_words(entry, [self.place(image), words])

    def spoil_image(self, number: int, random: Random, spoilt: set[int]) -> None:
        """Add a word of table entry ``number``'s image to the addresses ``spoilt``."""
        entry = self.kernel_table_address + number * KERNEL_TABLE_ENTRY_WORDS * WORD_BYTES
        image, words = self.memory.read_words(entry, KERNEL_TABLE_ENTRY_WORDS)
        spoilt.add(image + WORD_BYTES * random.randrange(words))

    def place_operands(self, task: Task, arrays: Sequence[Any]) -> dict[str, Buffer]:
        """Buffers of a task's operands; inputs are stored."""
        buffers = {}
        for operand, array in zip(task.inputs, arrays, strict=True):
            buffers[operand.name] = Buffer(self.place(operand.to_words(array)))
        for operand in task.outputs:
            buffers[operand.name] = Buffer(self.allocate(operand.words))
        return buffers

    def results(self, task: Task, buffers: dict[str, Buffer]) -> list[NDArray[Any]]:
        """The output arrays as they are in memory."""
        return [
            operand.from_words(self.memory.read_words(buffers[operand.name].address, operand.words))
            for operand in task.outputs
        ]


def run_golden(
    config: OctopusConfig, task: Task, arrays: Sequence[Any]
) -> tuple[list[NDArray[Any]], tbu.Outcome]:
    """Execute one task on the golden TBU: its output arrays and how it ended."""
    store = TaskMemory(config)
    number = store.kernel_number(task.kernel)
    buffers = store.place_operands(task, arrays)
    descriptor = store.place(task.descriptor(config, number, buffers))
    unit = tbu.TaskBlockUnit(config, store.memory, store.kernel_table_address, len(store.kernels))
    outcome = unit.run(tbu.Task(descriptor))
    return store.results(task, buffers), outcome
