"""Reads a few consecutive words of the descriptor buffer."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from ..library import Block
from ..memory import BankReadPort, is_damaged

COUNT_BITS = 4
"""Reads are of 1 to 15 words: a DMA entry or a stream group."""


class BufferReader(Block):
    """Reads ``count`` words from ``address`` on and shows them one by one.

    Parameters
    ----------
    address_bits: width of a word address in the buffer.

    Ports
    -----
    start: in, pulse, with ``address`` and ``count`` (1 to 15); not before ``done`` of the last.
    valid: out, ``word`` is word number ``index``. done: out, with the last word. damaged: out, a
    word up to this one since ``start`` had wrong parity. All are made of registers.
    read: the port on the buffer.

    Timing: a word a cycle without conflicts, the first three cycles after ``start``.
    Errors: none. Source: own.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "start": In(1),
                "address": In(address_bits),
                "count": In(COUNT_BITS),
                "valid": Out(1),
                "index": Out(COUNT_BITS),
                "word": Out(32),
                "done": Out(1),
                "damaged": Out(1),
                "read": Out(BankReadPort(address_bits)),
            },
            address_bits=address_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        address = Signal.like(self.address)
        left = Signal(COUNT_BITS)
        asked = Signal(COUNT_BITS)
        read = Signal()  # the memory gives word number ``number``, perhaps the ``last``
        number = Signal(COUNT_BITS)
        last = Signal()
        parity = Signal.like(self.read.parity)
        request = self.read.request
        taken = request.valid & request.ready
        seen = Signal()
        m.d.comb += [
            request.valid.eq(left != 0),
            request.payload.eq(address),
            self.damaged.eq(seen | (self.valid & is_damaged(self.word, parity))),
        ]
        m.d.sync += [
            read.eq(taken),
            number.eq(asked),
            last.eq(left == 1),
            self.valid.eq(read),
            self.index.eq(number),
            self.done.eq(read & last),
            self.word.eq(self.read.data),
            parity.eq(self.read.parity),
        ]
        m.d.sync += seen.eq(self.damaged & ~self.start)
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), left.eq(self.count), asked.eq(0)]
        with m.Elif(taken):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1), asked.eq(asked + 1)]
        return m
