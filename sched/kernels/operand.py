"""Tensors as tasks see them: their shapes, and how they lie in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.space import WORD_BYTES

Array = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {"int8": np.dtype("<i1"), "int32": np.dtype("<i4")}


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

    def random(self, seed: int) -> Array:
        """An array over the whole range of the dtype."""
        limits = np.iinfo(DTYPES[self.dtype])
        generator = np.random.default_rng(seed)
        values = generator.integers(limits.min, limits.max, self.shape, endpoint=True)
        return values.astype(DTYPES[self.dtype])
