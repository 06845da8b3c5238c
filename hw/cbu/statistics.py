"""The statistics of blocks."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.block import BlockStatistics
from ..layouts.token import BLOCK_BITS
from ..library import Block
from .records import StatisticsRow

MEAN_SHIFT = 3
"""A task's execution time enters the mean with the weight 1 / 2 ** MEAN_SHIFT."""


class StatisticsTable(Block):
    """Counts, for every block, what happened to it (``BlockStatistics``).

    Parameters
    ----------
    blocks: number of blocks, a power of two.

    Ports
    -----
    block: In, the block of the event that comes in the next cycle.
    update: In, count an event of the block named in the cycle before, namely:
    arrival, completion, fault: In, one more of each; forecast: In, so many more;
    queued, left: In, a task came, a task ended or was discarded;
    timed, busy_cycles, array_cycles: In, a TBU worked for it.
    access_block, access_field: In, a word the host wants; access_data: Out, it, a cycle later.
    write, write_data: In, the host writes that word; written: Out, it is done (else again).
    clear: In, all words of ``access_block`` become ``write_data``: after reset each block has to be
        cleared so before its first event.

    Timing: an update a cycle; the host waits for a cycle without one.

    Source: docs/specification.md, section 7.
    """

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        super().__init__(
            {
                "block": In(BLOCK_BITS),
                "update": In(1),
                "arrival": In(1),
                "completion": In(1),
                "fault": In(1),
                "forecast": In(32),
                "queued": In(1),
                "left": In(1),
                "timed": In(1),
                "busy_cycles": In(32),
                "array_cycles": In(32),
                "access_block": In(BLOCK_BITS),
                "access_field": In(3),
                "access_data": Out(32),
                "clear": In(1),
                "write": In(1),
                "write_data": In(32),
                "written": Out(1),
            },
            blocks=blocks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fields = list(StatisticsRow.as_shape())  # type: ignore[attr-defined]
        width = 32 * len(fields)
        m.submodules.memory = memory = Memory(shape=width, depth=self.blocks, init=[])
        write = memory.write_port(granularity=32)
        read = memory.read_port(transparent_for=(write,))
        access = memory.read_port(transparent_for=(write,))

        block = Signal(BLOCK_BITS)
        new = Signal(StatisticsRow)
        old = StatisticsRow(read.data)
        m.d.sync += block.eq(self.block)
        m.d.comb += [
            read.addr.eq(self.block),
            access.addr.eq(self.access_block),
            self.written.eq(self.write & ~self.update),
            new.eq(old),
        ]
        self._count(m, old, new)

        with m.If(self.update):
            m.d.comb += [
                write.addr.eq(block),
                write.data.eq(new),
                write.en.eq((1 << len(fields)) - 1),
            ]
        with m.Else():
            m.d.comb += [
                write.addr.eq(self.access_block),
                write.data.eq(self.write_data.replicate(len(fields))),
                write.en.eq(
                    Mux(self.write, Const(1, 8) << self.access_field, 0)
                    | self.clear.replicate(len(fields))
                ),
            ]
        wanted = Signal(3)
        m.d.sync += wanted.eq(self.access_field)
        m.d.comb += self.access_data.eq(access.data.word_select(wanted, 32))
        return m

    def _count(self, m: Module, old: StatisticsRow, new: StatisticsRow) -> None:
        """The row after the event."""
        change = Signal(33)
        m.d.comb += [
            new.arrivals.eq(old.arrivals + self.arrival),
            new.completions.eq(old.completions + self.completion),
            new.faults.eq(old.faults + self.fault),
            new.forecast.eq(old.forecast + self.forecast),
            new.queue.eq(old.queue + self.queued - self.left),
            change.eq(self.busy_cycles - old.mean_cycles),
        ]
        with m.If(self.timed):
            m.d.comb += [
                new.busy_cycles.eq(old.busy_cycles + self.busy_cycles),
                new.array_cycles.eq(old.array_cycles + self.array_cycles),
                new.mean_cycles.eq(
                    Mux(
                        old.mean_cycles == 0,
                        self.busy_cycles,
                        old.mean_cycles + (change.as_signed() >> MEAN_SHIFT),
                    )
                ),
            ]


assert BlockStatistics.QUEUE == 7, "StatisticsRow follows BlockStatistics"
