"""Where operands should lie in the scratchpad so that streams do not wait for each other.

Neighbouring words lie in different banks, and a bank gives one word a cycle. In a token wave
the ports of an edge ask one cycle after each other, so what every port reads in a given cycle
is known when the task is built; padded rows and a gap between operands keep the ports in
different banks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from octopus.hw.config import TaskBlockUnitConfig
from octopus.hw.layouts.space import WORD_BYTES

from .operand import Array

WINDOW = 1024
"""Cycles of a run that are looked at."""

MOST_PADDING = 4
"""Words by which rows may be made longer."""


@dataclass(frozen=True)
class WavePorts:
    """What the ports of an edge read in a token wave, from an operand at address 0.

    Parameters
    ----------
    words: of scratchpad that the operand takes.
    ports: number of ports; port p asks p cycles after port 0.
    port_stride, pattern: as of a stream group, in bytes.
    round_words: words that a port reads in a round of ``round_cycles`` cycles, from its start on.
    """

    words: int
    ports: int
    port_stride: int
    pattern: Sequence[tuple[int, int]]
    round_words: int
    round_cycles: int

    def reads(self, banks: int, ahead: int) -> tuple[Array, Array]:
        """Cycle and bank of every word read in the window, if the operand begins in bank 0.

        A word is read when the array takes the one ``ahead`` words before it.
        """
        cycles, found = [], []
        for port in range(self.ports):
            own = np.arange(WINDOW - port)
            rounds, position = np.divmod(own, self.round_cycles)
            left = rounds * self.round_words + position + ahead
            address = np.full(len(own), port * self.port_stride)
            for count, stride in self.pattern:
                address += left % count * stride
                left //= count
            taken = (position < self.round_words) & (left == 0)
            cycles.append(own[taken] + port)
            found.append(address[taken] // WORD_BYTES % banks)
        return np.concatenate(cycles), np.concatenate(found)


@dataclass(frozen=True)
class Placement:
    """Padding of the rows of two operands and the gap between them, in words."""

    west_padding: int
    north_padding: int
    gap: int


def spread(
    west: Callable[[int], WavePorts],
    north: Callable[[int], WavePorts],
    unit: TaskBlockUnitConfig,
    free_words: int,
) -> Placement:
    """The placement with the fewest words that meet in a bank; among equals the shortest.

    Parameters
    ----------
    west, north: the reads of each edge for a given padding; north lies behind west.
    unit: banks and queues. free_words: the scratchpad that both may take.
    """
    banks, ahead = unit.scratchpad_banks, unit.stream_fifo_depth + 1
    best, fewest = Placement(0, 0, 0), None
    paddings = sorted(product(range(MOST_PADDING + 1), repeat=2), key=sum)
    for west_padding, north_padding in paddings:
        first, second = west(west_padding), north(north_padding)
        spare = free_words - first.words - second.words
        if spare < 0:
            continue
        costs = _costs(first.reads(banks, ahead), second.reads(banks, ahead), banks, first.words)
        costs = costs[: spare + 1]
        gap = int(np.argmin(costs))
        if fewest is None or costs[gap] < fewest:
            best, fewest = Placement(west_padding, north_padding, gap), costs[gap]
        if fewest == 0:
            break
    return best


def _costs(west: tuple[Array, Array], north: tuple[Array, Array], banks: int, start: int) -> Array:
    """For each gap: words in the window that must wait for another of their cycle."""
    still = np.zeros((WINDOW, banks), int)
    np.add.at(still, west, 1)
    moved = np.zeros((WINDOW, banks), int)
    np.add.at(moved, (north[0], (north[1] + start) % banks), 1)
    shifted = [still + np.roll(moved, gap, axis=1) for gap in range(banks)]
    return np.array([np.maximum(asked - 1, 0).sum() for asked in shifted])
