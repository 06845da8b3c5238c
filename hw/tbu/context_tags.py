"""Which kernel is in which context bank, and which bank to give up next."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..layouts.region import DOMAIN_BITS
from ..library import Block
from .layouts import DESCRIPTOR_SLOTS

TAG_BITS = 16 + DOMAIN_BITS
"""A kernel's number and the domain for which it was loaded."""


class ContextTags(Block):
    """Tags, exact least-recently-used order and use counts of the context banks.

    Parameters
    ----------
    banks: number of context banks, at least 2.

    Ports
    -----
    kernel: in, ``TAG_BITS``; hit: out, the kernel is resident, in ``bank``.
    use: in, pulse, the kernel in ``bank`` is used once more.
    victim: out, the least recently used bank; victim_free: out, no task uses it.
    evict: in, pulse, its kernel is forgotten. fill: in, pulse, it holds ``kernel`` now, used once.
    release, release_bank: in, one use of the bank has ended.
    forget: in, no bank's content counts any more (uses stay).

    Timing: outputs combinational from ``kernel`` and registers.
    Errors: none. Source: own.
    """

    def __init__(self, banks: int) -> None:
        if banks < 2:
            raise ValueError(f"banks is {banks}; allowed: 2 or more")
        self.banks = banks
        super().__init__(
            {
                "kernel": In(TAG_BITS),
                "hit": Out(1),
                "bank": Out(range(banks)),
                "use": In(1),
                "victim": Out(range(banks)),
                "victim_free": Out(1),
                "evict": In(1),
                "fill": In(1),
                "release": In(1),
                "release_bank": In(range(banks)),
                "forget": In(1),
            },
            banks=banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        banks = range(self.banks)
        kernels = [Signal(TAG_BITS, name=f"kernel{b}") for b in banks]
        valid = Signal(self.banks)
        ranks = [Signal(banks, name=f"rank{b}", init=self.banks - 1 - b) for b in banks]
        uses = [Signal(range(DESCRIPTOR_SLOTS + 1), name=f"uses{b}") for b in banks]
        forgotten = Signal()  # since the last eviction

        for b in banks:
            with m.If(valid[b] & (kernels[b] == self.kernel)):
                m.d.comb += [self.hit.eq(1), self.bank.eq(b)]
            with m.If(ranks[b] == self.banks - 1):
                m.d.comb += [self.victim.eq(b), self.victim_free.eq(uses[b] == 0)]

        touched = Signal(banks)
        touch = self.use | self.fill
        m.d.comb += touched.eq(Mux(self.fill, self.victim, self.bank))
        rank = Array(ranks)[touched]
        for b in banks:
            with m.If(touch):
                with m.If(touched == b):
                    m.d.sync += ranks[b].eq(0)
                with m.Elif(ranks[b] < rank):
                    m.d.sync += ranks[b].eq(ranks[b] + 1)
            gained = touch & (touched == b)
            lost = self.release & (self.release_bank == b)
            m.d.sync += uses[b].eq(uses[b] + gained - lost)
            with m.If(self.fill & (self.victim == b)):
                m.d.sync += kernels[b].eq(self.kernel)

        kept = valid & ~(self.evict.replicate(self.banks) & Cat(self.victim == b for b in banks))
        filled = (self.fill & ~forgotten).replicate(self.banks) & Cat(
            self.victim == b for b in banks
        )
        m.d.sync += [
            valid.eq(Mux(self.forget, 0, kept | filled)),
            forgotten.eq(self.forget | (forgotten & ~self.evict)),
        ]
        return m
