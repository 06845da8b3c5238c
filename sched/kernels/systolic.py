"""Output-stationary matrix products: activations enter from the west, weights from the north.

One round of the outer loop computes one tile, one result a PE. Every PE multiplies and
accumulates four bytes a cycle while words pass east and south in a wave; then it drains its
accumulator and the result travels straight north. With the wave, the results of row r arrive
2 r cycles after those of row 0, so rows never meet at the edge. A result that passes a PE just
when that PE drains would be lost: where the inner dimension is short, idle slots stretch the
round until that cannot happen.
"""

from dataclasses import dataclass

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect

from .assembler import Assembler, Instruction
from .task import Kernel

MAXIMUM_ROWS = 16
LONGEST_PERIOD = 2 * MAXIMUM_ROWS + 4
"""Rounds of at least this many cycles need no idle slots on any array."""


def round_period(needed: int, rows: int, latency: int) -> int:
    """The shortest round, in cycles, in which no result is lost on its way north.

    Parameters
    ----------
    needed: cycles of work in a round. rows: array rows in use. latency: pipeline stages.
    """
    period = needed
    while not _is_safe(period, rows, latency):
        period += 1
    return period


def _is_safe(period: int, rows: int, latency: int) -> bool:
    """Whether rounds of ``period`` cycles keep results apart and in order.

    The result of a PE d rows further south passes 2 d - 1 + latency cycles after a PE drains.
    """
    passing = [2 * d - 1 + latency for d in range(1, rows)]
    apart = all(cycle % period not in (0, latency - 1) for cycle in passing)
    return period > 2 * (rows - 1) and apart


@dataclass(frozen=True)
class SystolicKernel(Kernel):
    """Matrix product of byte matrices.

    Parameters
    ----------
    inner_words: words (four bytes) of the inner dimension, limited to ``LONGEST_PERIOD``:
        longer products share one kernel.
    rows: array rows in use, if the array has as many.
    parameters: ``RequantiseParameters`` as a word for int8 results; None for 32-bit results.
    bias: a word that is added to the column's results follows the weights in the north stream.
    """

    inner_words: int
    rows: int
    parameters: int | None
    bias: bool

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        length = "" if self.inner_words >= LONGEST_PERIOD else f"_k{self.inner_words}"
        kind = "systolic" if self.parameters is None else f"systolic_{self.parameters:08x}"
        return f"{kind}{'_bias' if self.bias else ''}_r{self.rows}{length}"

    def period(self, pea: PeaConfig) -> int:
        """Cycles of a round, if the inner dimension is not limited."""
        return round_period(self.inner_words + 1, min(self.rows, pea.rows), pea.pipeline_stages)

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        latency = pea.pipeline_stages
        rows = min(self.rows, pea.rows)
        idle = self.period(pea) - self.inner_words - 1
        drained = 2 * (rows - 1) + pea.columns - 1 + latency
        flush = max(drained, pea.rows + pea.columns - 2)
        assembler = Assembler(pea, self.name, body=1, tail=1 + idle, skew=True, flush=flush)
        straight = OutputSelect.STRAIGHT
        multiply = Instruction(
            Operation.DOT4,
            OperandSource.NORTH,
            OperandSource.WEST,
            east=straight,
            south=straight,
            north=straight,
        )
        assembler.place_everywhere(0, multiply)
        assembler.place_everywhere(1, self._drain())
        for slot in range(2, 2 + idle):
            assembler.place_everywhere(slot, Instruction(north=straight))
        return assembler.image(number)

    def _drain(self) -> Instruction:
        """Take the accumulator; the bias arrives in this slot and goes on to the next row."""
        addend = OperandSource.NORTH if self.bias else OperandSource.ZERO
        south = OutputSelect.STRAIGHT if self.bias else OutputSelect.NONE
        if self.parameters is None:
            return Instruction(
                Operation.READ_ACCUMULATOR, addend, south=south, north=OutputSelect.RESULT
            )
        return Instruction(
            Operation.REQUANTISE,
            addend,
            OperandSource.CONSTANT,
            constant=self.parameters,
            south=south,
            north=OutputSelect.RESULT,
        )
