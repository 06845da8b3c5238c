"""Splits a two-dimensional transfer into rows inside the task's window."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..library import Block
from .burst_requester import ROW_WORD_BITS
from .layouts import window_layout
from .range_check import in_window, place
from .transfer_reader import Transfer


def row_layout(address_bits: int) -> data.StructLayout:
    """A row of a transfer: memory byte address, scratchpad word address, number of words."""
    return data.StructLayout({"memory": 32, "scratchpad": address_bits - 2, "words": ROW_WORD_BITS})


class RowSplitter(Block):
    """Counts through the rows of a transfer and checks that each lies in the window.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address.

    Ports
    -----
    transfer: stream in of :class:`Transfer`. window: in, stable while transfers are at work.
    row: stream out of ``row_layout``.
    stop: in, drop what is left of the transfer. outside: out, pulse, a row was not in the
    window; the rest of its transfer is dropped.
    idle: out, no transfer is here.

    Timing: a row every second cycle. ``row`` is a register.
    Errors: see ``outside``. Source: own.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "transfer": In(stream.Signature(Transfer)),
                "window": In(window_layout()),
                "row": Out(stream.Signature(row_layout(address_bits))),
                "stop": In(1),
                "outside": Out(1),
                "idle": Out(1),
            },
            address_bits=address_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.address_bits
        current = Signal(Transfer)  # rows == 0: none
        checked = Signal()
        legal = Signal()
        first = current.scratchpad_address
        end = Signal(bits + 1)  # byte after the row, with the carry
        fits = Signal()
        past = Signal(33)
        m.d.comb += [
            past.eq(first[:bits] + (current.row_words << 2)),
            end.eq(past[: bits + 1]),
            fits.eq(~(past[bits + 1 :].any() | (end[bits] & end[:bits].any()))),
            self.transfer.ready.eq(current.rows == 0),
            self.idle.eq((current.rows == 0) & ~self.row.valid),
        ]
        half_fits = ~(end[bits] | (end[bits - 1] & end[: bits - 1].any()))
        m.d.sync += [
            checked.eq(current.rows != 0),
            legal.eq(in_window(first, bits, self.window) & fits & (~self.window.half | half_fits)),
        ]
        with m.If(self.row.valid & self.row.ready):
            m.d.sync += self.row.valid.eq(0)
        with m.If(current.rows == 0), m.If(self.transfer.valid):
            m.d.sync += [current.eq(self.transfer.payload), checked.eq(0)]
        with m.Elif(self.stop):
            m.d.sync += current.rows.eq(0)
        with m.Elif(checked & ~legal):
            m.d.comb += self.outside.eq(1)
            m.d.sync += current.rows.eq(0)
        with m.Elif(checked & (~self.row.valid | self.row.ready)):
            m.d.sync += [
                checked.eq(0),
                self.row.valid.eq(1),
                self.row.payload.memory.eq(current.memory_address),
                self.row.payload.scratchpad.eq(place(first, bits, self.window)[2:]),
                self.row.payload.words.eq(current.row_words),
                current.rows.eq(current.rows - 1),
                current.memory_address.eq(current.memory_address + current.memory_row_stride),
                first.eq(first + current.scratchpad_row_stride),
            ]
        return m
