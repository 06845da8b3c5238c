"""A chip of blocks that are joined in every way that parts of a chip may be joined."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from octopus.hw.library import Block, add_block

from .probe import Probe

WIDE, NARROW = 90, 5
CUTS = ("Mixer", "Store", "Pair", "Probe")


class Mixer(Block):
    """Outputs that follow an input at once, after an edge, and both; one wider than a word."""

    def __init__(self) -> None:
        super().__init__(
            {
                "wide": In(WIDE),
                "narrow": In(NARROW),
                "enable": In(1),
                "wide_out": Out(WIDE),
                "narrow_out": Out(NARROW),
                "any": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        kept = Signal(WIDE)
        with m.If(self.enable):
            m.d.sync += kept.eq(self.wide ^ kept.rotate_left(1))
        m.d.sync += self.any.eq(self.narrow.any())
        m.d.comb += [
            self.wide_out.eq(kept + self.narrow),
            self.narrow_out.eq(self.wide[40:45] ^ kept[:NARROW]),
        ]
        return m


class Store(Block):
    """A memory that is written and read at edges: words stay when everything else rests."""

    def __init__(self) -> None:
        super().__init__({"address": In(8), "data": In(16), "write": In(1), "word": Out(16)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=16, depth=256, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.data),
            write.en.eq(self.write),
            read.addr.eq(self.address),
            self.word.eq(read.data),
        ]
        return m


class Pair(Block):
    """A block above cut ones, with logic of its own, feed-through and a loop over ports."""

    def __init__(self) -> None:
        super().__init__({"word": In(32), "bits": In(8), "out": Out(WIDE), "through": Out(11)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "first", first := Mixer())
        add_block(m, platform, "second", second := Mixer())
        m.d.comb += [
            # bits 40 to 44 do not come from what follows ``second.narrow``
            first.wide.eq(
                Cat(self.word, self.bits, self.word[:5], second.wide_out[:40], Const(0b10110, 5))
            ),
            first.narrow.eq(second.narrow_out),
            first.enable.eq(self.word[0] ^ first.any),
            # bits 40 to 44 do not come from what follows ``first.narrow``
            second.wide.eq(Cat(first.wide_out[:40], self.bits, first.wide_out[48:])),
            second.narrow.eq(first.narrow_out + self.bits[3:]),
            second.enable.eq(self.word[1]),
            self.out.eq(first.wide_out ^ second.wide_out),
            self.through.eq(Cat(self.bits[2:7], self.word[5:11])),
        ]
        return m


class Tangle(Block):
    """A probe whose registers drive a tangle of blocks, which its activity and links show."""

    def __init__(self) -> None:
        super().__init__(dict(Probe().signature.members))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "probe", probe := Probe())
        add_block(m, platform, "pair", pair := Pair())
        add_block(m, platform, "store", store := Store())
        for name in ("axil", "axi"):
            connect(m, flipped(getattr(self, name)), getattr(probe, name))
        beat = Signal(4)
        m.d.sync += beat.eq(beat + pair.out[70])
        m.d.comb += [
            self.interrupt_line.eq(probe.interrupt_line),
            pair.word.eq(probe.activity[1]),
            pair.bits.eq(Cat(probe.link_activity[1][:6], store.word[3:5])),
            store.address.eq(Cat(probe.activity[1][4:9], beat[:3])),
            store.data.eq(pair.out[60:76]),
            store.write.eq(pair.out[3]),
            self.activity[0].eq(pair.out[:32]),
            self.activity[1].eq(Cat(pair.out[58:], Const(0, 2))[:30]),
            self.activity[2].eq(Cat(store.word, pair.through)),
            self.link_activity[0].eq(beat),
            self.link_activity[1].eq(Cat(pair.out[32:38], store.word[:2])),
        ]
        return m
