"""Reads DMA entries and works out where they begin."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import DMA_ENTRY_WORDS, DmaEntry
from ..layouts.token import INDEX_BITS, INSTANCE_BITS, SHARD_BITS
from ..library import Block, add_block
from ..memory import BankReadPort
from .buffer_reader import BufferReader


class Transfer(data.Struct):
    """A two-dimensional copy of one task."""

    memory_address: 32
    scratchpad_address: 32
    row_words: 16
    rows: 16
    memory_row_stride: 32
    scratchpad_row_stride: 32


class TransferReader(Block):
    """Reads ``count`` entries one after the other, each while the one before is at work.

    The products of instance, index and shard with their strides are summed bit by bit.

    Parameters
    ----------
    address_bits: width of a word address in the descriptor buffer.

    Ports
    -----
    start: in, pulse, with ``address`` of the first entry and ``count``, 0 or more.
    instance, index, shard: in, stable until ``idle``.
    stop: in, no further entries. transfer: stream out of :class:`Transfer`.
    idle: out, all entries have been handed out.
    damaged: out, pulse, an entry had wrong parity; it and those after it are not handed out.
    buffer: the port on the descriptor buffer.

    Timing: 12 cycles an entry and one for every significant bit of instance, index and shard.
    Errors: see ``damaged``; otherwise none, entries have been checked.
    Source: own.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "start": In(1),
                "address": In(address_bits),
                "count": In(8),
                "instance": In(INSTANCE_BITS),
                "index": In(INDEX_BITS),
                "shard": In(SHARD_BITS),
                "stop": In(1),
                "transfer": Out(stream.Signature(Transfer)),
                "idle": Out(1),
                "damaged": Out(1),
                "buffer": Out(BankReadPort(address_bits)),
            },
            address_bits=address_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "reader", reader := BufferReader(self.address_bits))
        wiring.connect(m, reader.read, wiring.flipped(self.buffer))
        entry = Signal(DmaEntry)
        words = data.ArrayLayout(32, DMA_ENTRY_WORDS)(entry.as_value())
        address = Signal(self.address_bits)
        left = Signal(8)
        factor = Signal(INDEX_BITS)
        stride = Signal(32)
        transfer = self.transfer
        m.d.comb += [reader.address.eq(address), reader.count.eq(DMA_ENTRY_WORDS)]
        with m.If(reader.valid):
            m.d.sync += words[reader.index].eq(reader.word)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(left == 0)
                with m.If(self.start):
                    m.d.sync += [address.eq(self.address), left.eq(self.count)]
                with m.Elif(self.stop):
                    m.d.sync += left.eq(0)
                with m.Elif(left != 0):
                    m.d.comb += reader.start.eq(1)
                    m.d.sync += [address.eq(address + DMA_ENTRY_WORDS), left.eq(left - 1)]
                    m.next = "READ"
            with m.State("READ"), m.If(reader.done):
                m.next = "INSTANCE"
                with m.If(reader.damaged):
                    m.d.comb += self.damaged.eq(1)
                    m.d.sync += left.eq(0)
                    m.next = "IDLE"
            following = ("INSTANCE", "INDEX", "SHARD", "HAND ON")
            for number, (field, value) in enumerate(
                (
                    (entry.instance_stride, self.instance),
                    (entry.index_stride, self.index),
                    (entry.shard_stride, self.shard),
                )
            ):
                with m.State(following[number]):
                    m.d.sync += [factor.eq(value), stride.eq(field)]
                    m.next = f"ADD {following[number]}"
                with m.State(f"ADD {following[number]}"):
                    with m.If(factor[0]):
                        m.d.sync += entry.memory_address.eq(entry.memory_address + stride)
                    m.d.sync += [factor.eq(factor >> 1), stride.eq(stride << 1)]
                    with m.If(~factor[1:].any()):
                        m.next = following[number + 1]
            with m.State("HAND ON"):
                with m.If(self.stop):
                    m.next = "IDLE"
                with m.Elif(~transfer.valid):
                    m.d.sync += transfer.valid.eq(1)
                    m.d.sync += [
                        getattr(transfer.payload, name).eq(getattr(entry, name))
                        for name, _ in data.Layout.cast(Transfer)
                    ]
                    m.next = "IDLE"

        with m.If(transfer.valid & transfer.ready):
            m.d.sync += transfer.valid.eq(0)
        return m
