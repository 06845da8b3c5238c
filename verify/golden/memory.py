"""Memories of the golden models: global memory in ranges, and the TBU's scratchpad."""

import random

from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import WORD_MASK


class AccessError(Exception):
    """An address that does not exist was accessed."""

    def __init__(self, address: int) -> None:
        super().__init__(f"no word at address {address:#x}")
        self.address = address


class DamageError(Exception):
    """A word with wrong parity was read."""


class NetworkError(Exception):
    """The network brought no answer."""


class GlobalMemory:
    """Words at global byte addresses; only the given ranges exist.

    Parameters
    ----------
    ranges: (first byte address, words) of every memory.

    Attributes
    ----------
    damaged: byte addresses of words whose parity is wrong, until they are written.
    lost: byte addresses of words that the network does not reach.
    """

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self.ranges = ranges
        self._words: dict[int, int] = {}
        self.damaged: set[int] = set()
        self.lost: set[int] = set()

    def exists(self, address: int) -> bool:
        """Whether there is a word at a byte address."""
        return any(base <= address < base + words * WORD_BYTES for base, words in self.ranges)

    def read(self, address: int) -> int:
        """The word at a byte address; zero if never written.

        Raises:
            AccessError: the address does not exist.
        """
        if not self.exists(address):
            raise AccessError(address)
        return self._words.get(address // WORD_BYTES, 0)

    def write(self, address: int, word: int) -> None:
        """Store a word.

        Raises:
            AccessError: the address does not exist.
        """
        if not self.exists(address):
            raise AccessError(address)
        self._words[address // WORD_BYTES] = word & WORD_MASK
        self.damaged.discard(address)

    def copy(self) -> "GlobalMemory":
        """An independent memory with the same content."""
        other = GlobalMemory(*self.ranges)
        other._words = dict(self._words)
        other.damaged = set(self.damaged)
        other.lost = set(self.lost)
        return other

    def read_words(self, address: int, count: int) -> list[int]:
        """``count`` words from a byte address on."""
        return [self.read(address + WORD_BYTES * i) for i in range(count)]

    def write_words(self, address: int, words: list[int]) -> None:
        """Store words from a byte address on."""
        for i, word in enumerate(words):
            self.write(address + WORD_BYTES * i, word)


class Scratchpad:
    """What a task owns of the TBU's scratchpad.

    Its first content is undefined: here it is drawn from a seed.
    """

    def __init__(self, words: int, seed: int = 0) -> None:
        generator = random.Random(seed)
        self.words = [generator.getrandbits(32) for _ in range(words)]

    def check(self, address: int) -> int:
        """The index of the word that holds a byte address.

        Raises:
            AccessError: the address is outside.
        """
        address &= WORD_MASK
        if address >= len(self.words) * WORD_BYTES:
            raise AccessError(address)
        return address // WORD_BYTES

    def read(self, address: int) -> int:
        """The aligned word that holds a byte address."""
        return self.words[self.check(address)]

    def write(self, address: int, word: int) -> None:
        """Store the aligned word that holds a byte address."""
        self.words[self.check(address)] = word & WORD_MASK

    def read_byte(self, address: int) -> int:
        """The byte at an address, unsigned."""
        return self.read(address) >> 8 * (address % WORD_BYTES) & 0xFF

    def write_byte(self, address: int, byte: int) -> None:
        """Store the low byte of ``byte`` at an address."""
        shift = 8 * (address % WORD_BYTES)
        self.write(address, self.read(address) & ~(0xFF << shift) | (byte & 0xFF) << shift)
