"""The memory side of DMA: from descriptor entries to bursts."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.memory import MemoryRequest
from ..layouts.token import INDEX_BITS, INSTANCE_BITS, SHARD_BITS
from ..library import Block, add_block
from ..memory import BankReadPort
from .burst_requester import ROW_WORD_BITS, BurstRequester
from .layouts import window_layout
from .row_splitter import RowSplitter
from .transfer_reader import TransferReader

ROWS_AHEAD = 8
"""Rows asked for before their words have moved."""


def scratchpad_row_layout(address_bits: int) -> data.StructLayout:
    """A run of scratchpad words: word address and number."""
    return data.StructLayout({"address": address_bits - 2, "words": ROW_WORD_BITS})


def entries_layout(buffer_bits: int) -> data.StructLayout:
    """DMA entries of one kind of a task: the first one's place, their number, the task's tags."""
    return data.StructLayout(
        {
            "address": buffer_bits,
            "count": 8,
            "instance": INSTANCE_BITS,
            "index": INDEX_BITS,
            "shard": SHARD_BITS,
        }
    )


class TransferEngine(Block):
    """Walks a task's DMA entries: bursts to memory, and the scratchpad rows they belong to.

    Entries are read as soon as they are known, rows are asked for only while ``open``.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address. buffer_bits: width of a word address in the
    descriptor buffer. burst_words: longest burst. write: bursts write memory.

    Ports
    -----
    begin: in, pulse, when idle: read ``entries`` (in, of ``entries_layout``).
    open: in, rows may be asked for; window: in, of the task, stable from then until ``idle``.
    stop: in, ask for nothing more. outside: out, pulse, a row lies outside the window; damaged:
    out, pulse, an entry had wrong parity. After either nothing more is asked for.
    request: stream out of memory requests. row: stream out of ``scratchpad_row_layout``, in the
    order of the requests; exactly the words of these rows are asked for.
    idle: out, all has been asked for and all rows have been taken.
    buffer: the port on the descriptor buffer.

    Timing: see the parts; several bursts, and rows, are asked for ahead.
    Errors: see ``outside``, ``damaged``. Source: own.
    """

    def __init__(self, address_bits: int, buffer_bits: int, burst_words: int, write: bool) -> None:
        self.address_bits = address_bits
        self.buffer_bits = buffer_bits
        self.burst_words = burst_words
        self.write = write
        super().__init__(
            {
                "begin": In(1),
                "entries": In(entries_layout(buffer_bits)),
                "open": In(1),
                "window": In(window_layout()),
                "stop": In(1),
                "outside": Out(1),
                "damaged": Out(1),
                "request": Out(stream.Signature(MemoryRequest)),
                "row": Out(stream.Signature(scratchpad_row_layout(address_bits))),
                "idle": Out(1),
                "buffer": Out(BankReadPort(buffer_bits)),
            },
            address_bits=address_bits,
            buffer_bits=buffer_bits,
            burst_words=burst_words,
            write=write,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        reader = TransferReader(self.buffer_bits)
        splitter = RowSplitter(self.address_bits)
        requester = BurstRequester(self.burst_words, self.write)
        add_block(m, platform, "reader", reader)
        add_block(m, platform, "splitter", splitter)
        add_block(m, platform, "requester", requester)
        layout = self.row.payload.shape()
        m.submodules.rows = rows = SyncFIFO(width=layout.size, depth=ROWS_AHEAD)
        wiring.connect(m, reader.buffer, wiring.flipped(self.buffer))
        wiring.connect(m, requester.request, wiring.flipped(self.request))
        row, tags = splitter.row, ("instance", "index", "shard")
        held = [Signal.like(self.entries[tag]) for tag in tags]
        with m.If(self.begin):
            m.d.sync += [value.eq(self.entries[tag]) for value, tag in zip(held, tags, strict=True)]
        m.d.comb += [
            *(getattr(reader, tag).eq(value) for value, tag in zip(held, tags, strict=True)),
            reader.start.eq(self.begin),
            reader.address.eq(self.entries.address),
            reader.count.eq(self.entries.count),
            reader.stop.eq(self.stop),
            splitter.transfer.payload.eq(reader.transfer.payload),
            splitter.transfer.valid.eq(reader.transfer.valid & self.open),
            reader.transfer.ready.eq(splitter.transfer.ready & self.open),
            splitter.window.eq(self.window),
            splitter.stop.eq(self.stop),
            self.outside.eq(splitter.outside),
            self.damaged.eq(reader.damaged),
            # every row goes to the requester and to the queue of scratchpad rows
            row.ready.eq(requester.row.ready & rows.w_rdy),
            requester.row.valid.eq(row.valid & rows.w_rdy),
            requester.row.payload.address.eq(row.payload.memory),
            requester.row.payload.words.eq(row.payload.words),
            rows.w_en.eq(row.valid & requester.row.ready),
            layout(rows.w_data).address.eq(row.payload.scratchpad),
            layout(rows.w_data).words.eq(row.payload.words),
            self.row.payload.eq(layout(rows.r_data)),
            self.row.valid.eq(rows.r_rdy),
            rows.r_en.eq(self.row.ready),
            self.idle.eq(
                reader.idle & ~reader.transfer.valid & splitter.idle & requester.idle & ~rows.r_rdy
            ),
        ]
        return m
