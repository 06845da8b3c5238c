"""What the chip's words of activity said during a run, by word, ready for numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap
from octopus.sched.report import RunReport

from .chip import Chip

Cycles = NDArray[np.int64]
Words = NDArray[np.uint32]


@dataclass(frozen=True)
class Changes:
    """The values that one word took: ``values[i]`` from cycle ``cycles[i]`` on, 0 before."""

    cycles: Cycles
    values: Words

    def at(self, cycles: Cycles) -> Words:
        """The word's values in these cycles."""
        places = np.searchsorted(self.cycles, cycles, side="right")
        return np.concatenate([np.zeros(1, np.uint32), self.values])[places]

    def flips(self) -> Words:
        """The bits that each change turned over."""
        return self.values ^ np.concatenate([np.zeros(1, np.uint32), self.values[:-1]])


@dataclass(frozen=True)
class Recording:
    """All that was recorded of a chip since its reset.

    Attributes
    ----------
    events: as ``Chip.recorded`` gives them. start, end: cycles of the chip's clock between which
        the run was: figures are of the cycles from ``start`` to before ``end``.
    link_flits: (clusters, links), of the run, as of ``Chip.link_flits``.
    words: (units, ``WordKind``), moved in the run.
    """

    config: OctopusConfig
    events: NDArray[np.void]
    start: int
    end: int
    link_flits: NDArray[np.int64]
    words: NDArray[np.int64]

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return self.end - self.start

    @cached_property
    def places(self) -> ActivityMap:
        """Where each word is."""
        return ActivityMap(self.config.task_block_units, self.config.clusters)

    @cached_property
    def _by_word(self) -> tuple[Cycles, Words, NDArray[np.intp]]:
        """Cycles and values sorted by word, and where each word begins."""
        order = np.argsort(self.events["word"], kind="stable")
        found = self.events[order]
        edges = np.searchsorted(found["word"], np.arange(self.places.words + 1))
        return found["cycle"].astype(np.int64), found["activity"].copy(), edges

    def changes(self, word: int) -> Changes:
        """What happened to a word."""
        cycles, values, edges = self._by_word
        span = slice(edges[word], edges[word + 1])
        return Changes(cycles[span], values[span])


class Counts:
    """What the chip counts of flits and words, noted at both ends of a run.

    Parameters
    ----------
    chip: the one that runs.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._flits: list[NDArray[np.int64]] = []
        self._words: list[NDArray[np.int64]] = []

    def note(self) -> None:
        """Remember what they are now: for ``edge`` of ``Runtime``."""
        self._flits.append(np.array(self._chip.link_flits(), np.int64))
        self._words.append(self._chip.words_moved().astype(np.int64))

    def recording(self, config: OctopusConfig, report: RunReport) -> Recording:
        """The recording of a run that has just ended, however it did."""
        return Recording(
            config=config,
            events=self._chip.recorded(),
            start=report.start_cycle,
            end=report.start_cycle + report.cycles,
            link_flits=self._flits[-1] - self._flits[-2],
            words=self._words[-1] - self._words[-2],
        )


def field_of(layout: type[data.Struct], name: str, words: Words) -> Words:
    """A field of structures that fit into a word."""
    field = dict(data.Layout.cast(layout))[name]
    mask = np.uint32((1 << field.width) - 1)
    return (words >> np.uint32(field.offset)) & mask


def fields_of(layout: type[data.Struct], names: Sequence[str], words: Words) -> list[Words]:
    """Several fields, see :func:`field_of`."""
    return [field_of(layout, name, words) for name in names]
