"""Work on sequences: edit distance, string search, CRC."""

from typing import Any

import numpy as np

from ..compile.trace import Count, Input, Output, kernel, shr
from .python_kernel import PythonKernel, at_least, within
from .registry import public_kernel
from .task import Array


@kernel
def distance(  # type: ignore[no-untyped-def]
    text: Input("int8"),  # type: ignore[valid-type]
    pattern: Input("int8"),  # type: ignore[valid-type]
    distances: Output(),  # type: ignore[valid-type]
    n: Count,
    start,
):
    """A column of the dynamic programme an iteration, its rows in registers."""
    row0 = 0
    row1 = 1
    row2 = 2
    row3 = 3
    for i in range(n):
        above = row0 + 1
        letter = text[i]
        cell1 = min(row0 + (letter != pattern[0]), row1 + 1, above + 1)
        cell2 = min(row1 + (letter != pattern[1]), row2 + 1, cell1 + 1)
        cell3 = min(row2 + (letter != pattern[2]), row3 + 1, cell2 + 1)
        row0 = above
        row1 = cell1
        row2 = cell2
        row3 = cell3
        distances[i] = cell3


PATTERN = 3


@public_kernel("edit_distance", length=24)
class EditDistance(PythonKernel):
    """The edit distances of a pattern of three letters to every prefix of a text.

    Dynamic programming with a column an iteration; insertion, deletion and change cost 1 each.

    Parameters
    ----------
    length: letters of the text, at least 1.

    Operands: text int8 [length], pattern int8 [3]; result: distances int32 [length]: distances[i]
    is that of text[0 .. i].
    """

    def __init__(self, length: int, name: str = "edit_distance") -> None:
        at_least(name, length=length)
        self.length = length
        super().__init__(
            name,
            distance,
            [length],
            {"text": (length,), "pattern": (PATTERN,)},
            {"distances": (length,)},
            {"start": 0},
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: few letters, so that some agree."""
        generator = np.random.default_rng(seed)
        return [generator.integers(0, 3, n).astype(np.int8) for n in (self.length, PATTERN)]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        text, pattern = self.checked(arrays)
        column = list(range(PATTERN + 1))
        distances = []
        for i, letter in enumerate(text):
            fresh = [i + 1]
            for j, other in enumerate(pattern):
                change = column[j] + int(letter != other)
                fresh.append(min(change, column[j + 1] + 1, fresh[-1] + 1))
            column = fresh
            distances.append(column[-1])
        return (np.array(distances, np.int32),), None


@kernel
def search(  # type: ignore[no-untyped-def]
    text: Input(),  # type: ignore[valid-type]
    pattern: Input(),  # type: ignore[valid-type]
    position: Output(),  # type: ignore[valid-type]
    n: Count,
    width,
):
    """Looks for a pattern until it is found."""
    for i in range(n):
        found = text[i] == pattern[0]
        for k in range(1, width):
            found = found & (text[i + k] == pattern[k])
        position[0] = i if found else -1
        if found:
            break


@public_kernel("string_search", length=32, width=3)
class StringSearch(PythonKernel):
    """The first place of a pattern in a text, -1 if there is none; the loop ends when it is found.

    Parameters
    ----------
    length: letters of the text. width: letters of the pattern, 1 to 8, at most ``length``.

    Operands: text int32 [length], pattern int32 [width]; result: position int32 [1], which is the
    result word too.
    """

    def __init__(self, length: int, width: int = 3, name: str = "string_search") -> None:
        within(name, "width", width, 1, 8)
        at_least(name, width, length=length)
        self.length, self.width = length, width
        super().__init__(
            name,
            search,
            [length - width + 1],
            {"text": (length,), "pattern": (width,)},
            {"position": (1,)},
            {"width": width},
            result="position",
        )

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: two letters only, so that the pattern is there mostly."""
        generator = np.random.default_rng(seed)
        return [generator.integers(0, 2, n).astype(np.int32) for n in (self.length, self.width)]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        text, pattern = self.checked(arrays)
        windows = np.lib.stride_tricks.sliding_window_view(text, self.width)
        places = np.flatnonzero((windows == pattern).all(axis=1))
        position = int(places[0]) if len(places) else -1
        return (np.array([position], np.int32),), position & 0xFFFFFFFF


@kernel
def checksum(  # type: ignore[no-untyped-def]
    data: Input("int8"),  # type: ignore[valid-type]
    table: Input(),  # type: ignore[valid-type]
    sums: Output(),  # type: ignore[valid-type]
    n: Count,
):
    """A byte an iteration, by a table of 256 words."""
    state = -1
    for i in range(n):
        state = table[(state ^ data[i]) & 255] ^ shr(state, 8)
        sums[0] = ~state


@public_kernel("crc", length=32)
class Crc(PythonKernel):
    """A reflected 32-bit CRC, byte by byte with a table (start and final exclusive or: all ones).

    With the table of the polynomial 0xEDB88320 it is that of zlib and Ethernet.

    Parameters
    ----------
    length: bytes, at least 1.

    Operands: data int8 [length], table int32 [256]; result: sums int32 [1], which is the result
    word too.
    """

    def __init__(self, length: int, name: str = "crc") -> None:
        at_least(name, length=length)
        self.length = length
        super().__init__(
            name,
            checksum,
            [length],
            {"data": (length,), "table": (256,)},
            {"sums": (1,)},
            result="sums",
        )

    @staticmethod
    def table(polynomial: int = 0xEDB88320) -> Array:
        """The table of a reflected polynomial."""
        entries = np.arange(256, dtype=np.uint32)
        for _ in range(8):
            entries = np.where(entries & 1, entries >> 1 ^ np.uint32(polynomial), entries >> 1)
        return entries.astype(np.uint32).view(np.int32)

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`: random bytes and the table of zlib's polynomial."""
        generator = np.random.default_rng(seed)
        return [generator.integers(-128, 128, self.length).astype(np.int8), self.table()]

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        data, table = self.checked(arrays)
        state = 0xFFFFFFFF
        for byte in data:
            state = int(table[(state ^ int(byte)) & 255]) & 0xFFFFFFFF ^ state >> 8
        state ^= 0xFFFFFFFF
        return (np.array([state], np.uint32).view(np.int32),), state
