"""Golden model of the region table: who may access what (specification, section TBU)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from octopus.hw.layouts.region import DOMAINS, OPEN_REGION
from octopus.hw.layouts.space import CONFIGURATION_BIT, WORD_BYTES
from octopus.hw.layouts.words import WORD_MASK

from .memory import AccessError, DamageError, GlobalMemory, NetworkError


class RegionError(Exception):
    """A burst that its domain may not make."""


@dataclass(frozen=True)
class Region:
    """An entry of the table; field meanings as ``RegionEntry``."""

    first: int
    last: int
    readers: int
    writers: int

    def allows(self, domain: int, write: bool, first: int, last: int) -> bool:
        """Whether the domain may read, or write, the words from ``first`` to ``last``."""
        domains = self.writers if write else self.readers
        return self.first <= first and last <= self.last and bool(domains >> domain & 1)


OPEN = (Region(**OPEN_REGION),)
"""The table after reset."""


@dataclass(frozen=True)
class GuardedMemory:
    """Global memory as a TBU sees it: in bursts, each checked as a whole.

    Parameters
    ----------
    memory: what is there. regions: the table. burst_words: longest burst.
    """

    memory: GlobalMemory
    regions: Sequence[Region]
    burst_words: int

    def _bursts(self, domain: int, write: bool, address: int, words: int) -> Iterator[range]:
        """The words of a row, burst by burst, as each is found to be allowed and to exist."""
        end = address + words * WORD_BYTES
        step = self.burst_words * WORD_BYTES
        for start in range(address, end, step):
            burst = range(start, min(start + step, end), WORD_BYTES)
            self._check(domain, write, burst[0] & WORD_MASK, len(burst))
            for place in burst:
                if not self.memory.exists(place & WORD_MASK):
                    raise AccessError(place & WORD_MASK)
                if place & WORD_MASK in self.memory.lost:
                    raise NetworkError(f"no answer from {place & WORD_MASK:#x}")
            yield burst

    def _check(self, domain: int, write: bool, first: int, words: int) -> None:
        last = first + (words - 1) * WORD_BYTES
        configuration = (first | last) >> CONFIGURATION_BIT & 1
        if not (
            domain < DOMAINS
            and last <= WORD_MASK
            and not configuration
            and any(region.allows(domain, write, first, last) for region in self.regions)
        ):
            raise RegionError(
                f"domain {domain} may not {'write' if write else 'read'} {first:#x} to {last:#x}"
            )

    def read(self, domain: int, address: int, words: int) -> list[int]:
        """Consecutive words.

        Raises:
            RegionError: a burst is not allowed. AccessError: it has a word that does not exist.
            NetworkError: the network does not bring its answer. DamageError: a word has wrong
            parity.
        """
        found = []
        for burst in self._bursts(domain, False, address, words):
            for place in burst:
                if place & WORD_MASK in self.memory.damaged:
                    raise DamageError(f"at {place & WORD_MASK:#x}")
                found.append(self.memory.read(place & WORD_MASK))
        return found

    def write(self, domain: int, address: int, words: int, source: Callable[[int], int]) -> None:
        """Store ``source(i)`` as word i; errors as :meth:`read`, bursts before are stored."""
        for burst in self._bursts(domain, True, address, words):
            for place in burst:
                word = source((place - address) // WORD_BYTES)
                self.memory.write(place & WORD_MASK, word)
