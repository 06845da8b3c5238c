"""Golden model of the array: PEs, links, token wave and edge rules (specification, section PEA)."""

from collections import deque
from collections.abc import Sequence

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import INSTRUCTION_WORDS
from octopus.hw.layouts.kernel import HEADER_WORDS

from .instruction import (
    EAST,
    NORTH,
    OPPOSITE,
    SOUTH,
    WEST,
    DecodedInstruction,
    as_built,
    decode,
    decode_words,
)
from .pe import Link, ProcessingElement
from .sequencer import IDLE, Header, SequencerToken

EMPTY = decode(0, 0, 0)


class ProcessingElementArray:
    """The array and its context store, cycle-exact in cycles in which it advances.

    One cycle: :meth:`demands` tells which edge streams must bring a word, the properties
    ``west_outputs`` and ``north_outputs`` which words leave, ``exit`` what the sequencer sees,
    then :meth:`step` ends the cycle. A cycle that stalls is simply not stepped.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        self._contexts: list[dict[tuple[int, int, int], DecodedInstruction]] = [
            {} for _ in range(pea.context_banks)
        ]
        self.reset()

    def reset(self) -> None:
        """The state after reset and between runs; the context store keeps its content."""
        self.elements = [
            [ProcessingElement(self.pea) for _ in range(self.pea.columns)]
            for _ in range(self.pea.rows)
        ]
        depth = self.pea.rows + self.pea.columns - 2
        self._wave: deque[SequencerToken] = deque([IDLE] * depth)

    def load(self, bank: int, image: Sequence[int]) -> Header:
        """Fill a context bank from a kernel image and return the image's header."""
        header = Header.of(list(image[:HEADER_WORDS]))
        position = HEADER_WORDS
        for row in range(header.rows):
            for column in range(header.columns):
                operations = self.pea.operations_at(row, column)
                features = self.pea.features_at(row, column)
                for slot in range(header.slots):
                    words = image[position : position + INSTRUCTION_WORDS]
                    instruction = as_built(decode_words(words), operations, features)
                    self._contexts[bank][row, column, slot] = instruction
                    position += INSTRUCTION_WORDS
        return header

    def _token(self, token: SequencerToken, skew: bool, row: int, column: int) -> SequencerToken:
        distance = row + column
        return self._wave[distance - 1] if skew and distance else token

    def _instruction(self, token: SequencerToken, row: int, column: int) -> DecodedInstruction:
        return self._contexts[token.bank].get((row, column, token.slot), EMPTY)

    def _demand(
        self, token: SequencerToken, skew: bool, row: int, column: int, direction: int
    ) -> bool:
        local = self._token(token, skew, row, column)
        instruction = self._instruction(local, row, column)
        return bool(local.active >> instruction.stage & 1) and instruction.reads_link(direction)

    def demands(self, token: SequencerToken, skew: bool) -> tuple[list[bool], list[bool]]:
        """Which west streams (by row) and north streams (by column) this cycle demands."""
        west = [self._demand(token, skew, row, 0, WEST) for row in range(self.pea.rows)]
        north = [self._demand(token, skew, 0, column, NORTH) for column in range(self.pea.columns)]
        return west, north

    @property
    def west_outputs(self) -> list[Link]:
        """The west output links of column 0, by row, as they are in the coming cycle."""
        return [row[0].outputs[WEST] for row in self.elements]

    @property
    def north_outputs(self) -> list[Link]:
        """The north output links of row 0, by column, as they are in the coming cycle."""
        return [element.outputs[NORTH] for element in self.elements[0]]

    @property
    def exit(self) -> bool:
        """The exit bit that the sequencer sees in the coming cycle."""
        return any(element.exit for row in self.elements for element in row)

    def step(
        self, token: SequencerToken, skew: bool, west: Sequence[Link], north: Sequence[Link]
    ) -> None:
        """One cycle in which the array advances.

        Parameters
        ----------
        west, north: the words of the edge streams; None where a stream is not demanded,
            exhausted or not configured.
        """
        before = [[list(element.outputs) for element in row] for row in self.elements]
        for row in range(self.pea.rows):
            for column in range(self.pea.columns):
                local = self._token(token, skew, row, column)
                inputs = self._inputs(before, row, column, west, north)
                instruction = self._instruction(local, row, column)
                element = self.elements[row][column]
                element.step(instruction, local.active, local.clear, inputs)
        self._wave.appendleft(token)
        self._wave.pop()

    def _inputs(
        self,
        outputs: list[list[list[Link]]],
        row: int,
        column: int,
        west: Sequence[Link],
        north: Sequence[Link],
    ) -> list[Link]:
        """The four links that enter PE (row, column): north, east, south, west."""
        inputs: list[Link] = []
        for direction, (down, right) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
            r, c = row + down, column + right
            if r < 0:
                inputs.append(north[column])
            elif c < 0:
                inputs.append(west[row])
            elif r >= self.pea.rows or c >= self.pea.columns:
                inputs.append(None)
            else:
                inputs.append(outputs[r][c][OPPOSITE[direction]])
        return inputs


__all__ = ["EAST", "NORTH", "SOUTH", "WEST", "ProcessingElementArray"]
