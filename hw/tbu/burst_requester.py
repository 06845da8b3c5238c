"""Splits runs of words into bursts."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..layouts.memory import MemoryRequest
from ..library import Block

ROW_WORD_BITS = 16


class MemoryRow(data.Struct):
    """Consecutive words in memory; ``words`` is at least 1."""

    address: 32
    words: ROW_WORD_BITS


class BurstRequester(Block):
    """Asks for rows of words in bursts of at most ``burst_words``.

    Parameters
    ----------
    burst_words: longest burst, a power of two. write: whether the bursts write.

    Ports
    -----
    row: stream in of :class:`MemoryRow`. request: stream out of :class:`MemoryRequest`, which
    depends on registers only.
    idle: out, 1 bit, nothing is left to be asked for.

    Timing: a burst every cycle, the first in the cycle after the row; one idle cycle between rows.
    Errors: none. Source: own.
    """

    def __init__(self, burst_words: int, write: bool) -> None:
        if burst_words < 1 or burst_words & (burst_words - 1):
            raise ValueError(f"burst_words is {burst_words}; allowed: powers of two")
        self.burst_words = burst_words
        self.write = write
        super().__init__(
            {
                "row": In(stream.Signature(MemoryRow)),
                "request": Out(stream.Signature(MemoryRequest)),
                "idle": Out(1),
            },
            burst_words=burst_words,
            write=write,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        row = Signal(MemoryRow)
        row_valid = Signal()  # words of it are left to be asked for
        request = self.request
        length_bits = (self.burst_words - 1).bit_length()
        long = row.words[length_bits:].any()  # at least a whole burst
        last = ~long | (row.words == self.burst_words)
        m.d.comb += [
            self.row.ready.eq(~row_valid),
            self.idle.eq(~row_valid),
            request.valid.eq(row_valid),
            request.payload.write.eq(int(self.write)),
            request.payload.mask.eq(0b1111),
            request.payload.address.eq(row.address),
            request.payload.length.eq(Mux(long, self.burst_words - 1, row.words[:length_bits] - 1)),
        ]
        with m.If(~row_valid):
            m.d.sync += [row.eq(self.row.payload), row_valid.eq(self.row.valid)]
        with m.Elif(request.ready):
            m.d.sync += [
                row_valid.eq(~last),
                row.address.eq(row.address + 4 * self.burst_words),
                row.words.eq(row.words - self.burst_words),
            ]
        return m
