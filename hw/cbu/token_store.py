"""The token store: what joins, gathers and loops remember of each instance."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS
from ..library import Block
from .records import StoreEntry


class TokenStore(Block):
    """An entry for every (instance, index, block), all zero some cycles after reset.

    There are ``instances`` rows of entries. An index takes the upper bits of a row's number, from
    the top, an instance the lower ones; how many are the index's is ``store_bits``.

    Parameters
    ----------
    blocks, instances: powers of two.

    Ports
    -----
    ready: Out, the entries have been cleared; before that nothing may be read or written.
    store_bits: In, bits of the index that count.
    read_block, read_instance, read_index: In, the entry wanted; stored: Out, it, a cycle later.
    write_block, write_instance, write_index, entry, write: In, an entry to be kept. It is what a
        read of the same entry in the same cycle brings.
    sweep: In, pulse: clear the entries of instances ``first`` to ``last``, which must not be
        written meanwhile. swept: Out, that is done.

    Timing: ``ready`` rises ``blocks * instances`` cycles after reset. A sweep takes as long, and a
    cycle more for each write meanwhile.
    """

    def __init__(self, blocks: int, instances: int) -> None:
        for name, value in (("blocks", blocks), ("instances", instances)):
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} is {value}; allowed: powers of two")
        self.blocks = blocks
        self.instances = instances
        super().__init__(
            {
                "ready": Out(1),
                "read_block": In(BLOCK_BITS),
                "read_instance": In(INSTANCE_BITS),
                "read_index": In(INDEX_BITS),
                "store_bits": In(4),
                "stored": Out(StoreEntry),
                "write_block": In(BLOCK_BITS),
                "write_instance": In(INSTANCE_BITS),
                "write_index": In(INDEX_BITS),
                "entry": In(StoreEntry),
                "write": In(1),
                "sweep": In(1),
                "first": In(INSTANCE_BITS),
                "last": In(INSTANCE_BITS),
                "swept": Out(1),
            },
            blocks=blocks,
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self.blocks * self.instances
        m.submodules.memory = memory = Memory(shape=StoreEntry, depth=depth, init=[])
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        block_bits = (self.blocks - 1).bit_length()
        instance_bits = (self.instances - 1).bit_length()

        def place(block: Signal, instance: Signal, index: Signal) -> Cat:
            # What is beyond the store is refused later; here it must only do no harm.
            upper = Cat(index[i] for i in reversed(range(instance_bits)))
            return Cat(block[:block_bits], (instance ^ upper)[:instance_bits])

        # The sweep after reset is for all instances, and nothing is accepted before its end.
        cleared = Signal(range(depth + 1))
        started = Signal()
        instance = Signal(INSTANCE_BITS)
        m.d.sync += started.eq(self.ready)
        m.d.comb += [
            instance.eq((cleared >> block_bits) & ((self.instances - 1) >> self.store_bits)),
            self.swept.eq(cleared == depth),
            self.ready.eq(started | self.swept),
            read.addr.eq(place(self.read_block, self.read_instance, self.read_index)),
            self.stored.eq(read.data),
        ]
        with m.If(self.ready & self.write):
            m.d.comb += [
                write.addr.eq(place(self.write_block, self.write_instance, self.write_index)),
                write.data.eq(self.entry),
                write.en.eq(1),
            ]
        with m.Elif(~self.swept):
            within = (self.first <= instance) & (instance <= self.last)
            m.d.comb += [write.addr.eq(cleared), write.en.eq(~self.ready | within)]
            m.d.sync += cleared.eq(cleared + 1)
        with m.If(self.sweep):
            m.d.sync += cleared.eq(0)
        return m
