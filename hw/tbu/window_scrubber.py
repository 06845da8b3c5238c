"""Zeroes a part of the scratchpad."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from ..library import Block
from .layouts import window_layout


class WindowScrubber(Block):
    """Counts through the rows of a window, a row of all banks a cycle.

    Parameters
    ----------
    row_bits: width of a row's number; the upper half of the scratchpad has its top bit set.

    Ports
    -----
    start: in, pulse, when not busy, with ``window``: zero it.
    busy: out, rows are being zeroed. scrub, row: out, to the scratchpad.

    Timing: busy for as many cycles as the window has rows, from the cycle after ``start``.
    Errors: none. Source: own.
    """

    def __init__(self, row_bits: int) -> None:
        if row_bits < 2:
            raise ValueError(f"row_bits is {row_bits}; allowed: 2 or more")
        self.row_bits = row_bits
        super().__init__(
            {
                "start": In(1),
                "window": In(window_layout()),
                "busy": Out(1),
                "scrub": Out(1),
                "row": Out(row_bits),
            },
            row_bits=row_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        half = Signal()
        row = self.row
        last = row[:-1].all() & (half | row[-1])
        m.d.comb += self.scrub.eq(self.busy)
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                half.eq(self.window.half),
                row.eq(Cat(*([0] * (self.row_bits - 1)), self.window.half & self.window.upper)),
            ]
        with m.Elif(self.busy):
            m.d.sync += [row.eq(row + 1), self.busy.eq(~last)]
        return m
