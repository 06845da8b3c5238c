"""What a kernel author gives the scheduler: operands, kernels and tasks.

A :class:`Kernel` is a program of the array; a :class:`Task` is one use of a kernel on operands
of given shapes. Tasks know their memory layout, their descriptor and their exact result.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.space import WORD_BYTES

from .operand import DTYPES, Array, Operand, TaskError
from .plan import Computation, Plan, Slice, Step

ADDRESS_LIMIT = 1 << 32

__all__ = ["DTYPES", "Array", "Buffer", "Kernel", "Operand", "Task", "TaskError"]


@dataclass(frozen=True)
class Buffer:
    """Where an operand lies: a global byte address and its strides in bytes (all whole words).

    The address used is ``address + instance * instance_stride + index * index_stride +
    shard * shard_stride`` of the dispatch. ``row_stride`` is the distance of the operand's rows;
    None: they follow each other.
    """

    address: int
    instance_stride: int = 0
    index_stride: int = 0
    shard_stride: int = 0
    row_stride: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.address < ADDRESS_LIMIT:
            raise TaskError(f"address is {self.address}; allowed: 0 to {ADDRESS_LIMIT - 1}")
        for field in ("address", "instance_stride", "index_stride", "shard_stride", "row_stride"):
            value = getattr(self, field)
            if value is not None and value % WORD_BYTES:
                raise TaskError(f"{field} is {value}; allowed: multiples of {WORD_BYTES}")


class Kernel(ABC):
    """A program of the array. Equal kernels have equal images and can share a table entry."""

    @property
    @abstractmethod
    def name(self) -> str:
        """A short readable name, unique among different kernels."""

    @abstractmethod
    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """The kernel image (``hw.layouts.kernel``) for an array, to be entry ``number``.

        Raises:
            TaskError: the array lacks slots, stages, rows, columns or operations.
        """


class Task(Computation):
    """One use of a kernel: operands, exact result, descriptor."""

    @property
    @abstractmethod
    def kernel(self) -> Kernel:
        """The kernel that the task runs."""

    @abstractmethod
    def descriptor(
        self,
        config: OctopusConfig,
        kernel_number: int,
        buffers: Mapping[str, Buffer],
        *,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """The words of the task descriptor; ``buffers`` has one entry an operand, by name.

        Raises:
            TaskError: a buffer is missing or unknown, or the task does not fit the TBU.
        """

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`: itself, once."""
        slices = {operand.name: Slice(operand.name) for operand in self.operands}
        return Plan([Step(self, slices)], result=0 if self.has_result else None)
