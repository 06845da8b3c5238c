"""What a kernel author gives the scheduler: operands, kernels and tasks.

A :class:`Kernel` is a program of the array; a :class:`Task` is one use of a kernel on operands
of given shapes. Tasks know their memory layout, their descriptor and their exact result.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.space import WORD_BYTES

Array = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {"int8": np.dtype("<i1"), "int32": np.dtype("<i4")}
ADDRESS_LIMIT = 1 << 32


class TaskError(ValueError):
    """A kernel or task cannot be built, or an array does not fit; the message names which."""


@dataclass(frozen=True)
class Operand:
    """A tensor in memory: C order, little-endian, each row starting on a word.

    A row is the last dimension; int8 rows are padded to whole words. Padding is written as
    zeros by :meth:`to_words`, undefined in results, and never looked at by a task.

    Parameters
    ----------
    name: how the task calls it; the key of its :class:`Buffer`.
    shape: extents, each at least 1; () is a scalar.
    dtype: ``"int8"`` or ``"int32"``.

    Raises:
        TaskError: an extent below 1 or an unknown dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise TaskError(f"{self.name}.dtype is {self.dtype!r}; allowed: {', '.join(DTYPES)}")
        if any(extent < 1 for extent in self.shape):
            raise TaskError(f"{self.name}.shape is {self.shape}; allowed: extents of at least 1")

    @property
    def row_words(self) -> int:
        """Words of one row, padding included."""
        elements = self.shape[-1] if self.shape else 1
        return -(-elements * DTYPES[self.dtype].itemsize // WORD_BYTES)

    @property
    def rows(self) -> int:
        """Number of rows: the product of all extents but the last."""
        return prod(self.shape[:-1])

    @property
    def words(self) -> int:
        """Words in memory, padding included."""
        return self.rows * self.row_words

    @property
    def bytes(self) -> int:
        """Bytes in memory, padding included."""
        return self.words * WORD_BYTES

    def check(self, array: Any) -> Array:
        """``array`` as this operand's dtype.

        Raises:
            TaskError: wrong shape, not integers, or a value that does not fit the dtype.
        """
        given = np.asarray(array)
        if given.shape != self.shape:
            raise TaskError(f"{self.name} has shape {given.shape}; needed: {self.shape}")
        if given.dtype.kind not in "iub":
            raise TaskError(f"{self.name} has dtype {given.dtype}; needed: {self.dtype}")
        limits = np.iinfo(DTYPES[self.dtype])
        low, high = int(given.min()), int(given.max())
        if low < limits.min or high > limits.max:
            raise TaskError(
                f"{self.name} has values from {low} to {high}; "
                f"allowed for {self.dtype}: {limits.min} to {limits.max}"
            )
        return given.astype(DTYPES[self.dtype])

    def to_words(self, array: Any) -> list[int]:
        """The memory words (unsigned) of an array of this operand's shape.

        Raises:
            TaskError: as :meth:`check`.
        """
        rows = self.check(array).reshape(self.rows, -1)
        image = np.zeros((self.rows, self.row_words * WORD_BYTES), np.uint8)
        raw = np.ascontiguousarray(rows).view(np.uint8).reshape(self.rows, -1)
        image[:, : raw.shape[1]] = raw
        return [int(word) for word in image.reshape(-1).view("<u4")]

    def from_words(self, words: Sequence[int]) -> Array:
        """The array that memory words hold; padding is ignored.

        Raises:
            TaskError: not exactly ``self.words`` words.
        """
        if len(words) != self.words:
            raise TaskError(f"{self.name} takes {self.words} words, got {len(words)}")
        image = np.array([word & 0xFFFFFFFF for word in words], "<u4").view(np.uint8)
        elements = self.shape[-1] if self.shape else 1
        used = elements * DTYPES[self.dtype].itemsize
        rows = np.ascontiguousarray(image.reshape(self.rows, -1)[:, :used])
        return rows.view(DTYPES[self.dtype]).reshape(self.shape)


@dataclass(frozen=True)
class Buffer:
    """Where an operand lies: a global byte address and its strides in bytes (all whole words).

    The address used is ``address + instance * instance_stride + index * index_stride +
    shard * shard_stride`` of the dispatch.
    """

    address: int
    instance_stride: int = 0
    index_stride: int = 0
    shard_stride: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.address < ADDRESS_LIMIT:
            raise TaskError(f"address is {self.address}; allowed: 0 to {ADDRESS_LIMIT - 1}")
        for field in ("address", "instance_stride", "index_stride", "shard_stride"):
            value = getattr(self, field)
            if value % WORD_BYTES:
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


class Task(ABC):
    """One use of a kernel: operands, exact result, descriptor."""

    name: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    has_result: bool

    @property
    @abstractmethod
    def kernel(self) -> Kernel:
        """The kernel that the task runs."""

    @abstractmethod
    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """The outputs and the result word (unsigned, None without one) for given inputs.

        Raises:
            TaskError: an input of the wrong shape, dtype or range.
        """

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

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Inputs, then outputs."""
        return self.inputs + self.outputs

    def checked(self, arrays: Sequence[Any]) -> list[Array]:
        """The input arrays in their dtypes.

        Raises:
            TaskError: wrong number of arrays, or as :meth:`Operand.check`.
        """
        if len(arrays) != len(self.inputs):
            needed = ", ".join(operand.name for operand in self.inputs)
            raise TaskError(f"{self.name} takes {needed}; got {len(arrays)} arrays")
        return [operand.check(array) for operand, array in zip(self.inputs, arrays, strict=True)]
