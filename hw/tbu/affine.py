"""Generator of nested affine addresses."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import STREAM_DIMENSIONS
from ..library import KEEP, Block
from .layouts import COUNT_BITS, pattern_layout, stride_bits


class AffineGenerator(Block):
    """Walks base + sum of i_d * stride_d, i_0 fastest, one address a cycle and no multiplier.

    It remembers the address at which each level began; a step adds one stride to the address
    of the innermost level that goes on.

    Parameters
    ----------
    address_bits: width of a byte address in the space walked.

    Ports
    -----
    load: in, take ``pattern``; overrides ``step``. clear: in, stop; overridden by ``load``.
    pattern: in, :func:`pattern_layout`, counts at least 1.
    valid: out, ``address`` is an element of the pattern.
    address: out, ``address_bits + 2`` bits signed; step: in, go to the next one.

    Timing: all outputs are registers; the first address the cycle after ``load``.
    Errors: none here. An address outside the space is negative or has its top bits set; what
    follows such an address is meaningless.
    Source: own.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "load": In(1),
                "clear": In(1),
                "pattern": In(pattern_layout(address_bits)),
                "valid": Out(1),
                "address": Out(stride_bits(address_bits)),
                "step": In(1),
            },
            address_bits=address_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        levels = range(STREAM_DIMENSIONS)
        width = stride_bits(self.address_bits)
        counts = [Signal(COUNT_BITS, name=f"count{d}") for d in levels]
        strides = [Signal(width, name=f"stride{d}") for d in levels]
        lefts = [Signal(COUNT_BITS, name=f"left{d}") for d in levels]  # elements to go
        singles = [Signal(name=f"single{d}") for d in levels]  # the count is 1
        lasts = [Signal(name=f"last{d}") for d in levels]  # at the last element
        begins = [self.address] + [Signal(width, name=f"begin{d}") for d in levels[1:]]

        level = Signal(range(STREAM_DIMENSIONS))  # innermost that goes on
        for d in reversed(levels):
            with m.If(~lasts[d]):
                m.d.comb += level.eq(d)
        # The levels inside are at their last element; kept, so that a step, which comes late, meets
        # one gate and not a chain of them.
        wraps = [Signal(name=f"wraps{d}", attrs=KEEP) for d in levels]
        m.d.comb += [wrap.eq(Cat(lasts[:d]).all()) for d, wrap in enumerate(wraps)]
        following = Signal(width)
        m.d.comb += following.eq(Array(begins)[level] + Array(strides)[level])

        with m.If(self.load):
            m.d.sync += self.valid.eq(1)
            for d in levels:
                single = self.pattern.counts[d] == 1
                m.d.sync += [
                    counts[d].eq(self.pattern.counts[d]),
                    strides[d].eq(self.pattern.strides[d]),
                    begins[d].eq(self.pattern.base),
                    lefts[d].eq(self.pattern.counts[d]),
                    singles[d].eq(single),
                    lasts[d].eq(single),
                ]
        with m.Elif(self.clear):
            m.d.sync += self.valid.eq(0)
        with m.Elif(self.step):
            m.d.sync += self.valid.eq(~Cat(lasts).all())
            for d in levels:
                with m.If(wraps[d]):
                    m.d.sync += [
                        begins[d].eq(following),
                        lefts[d].eq(Mux(lasts[d], counts[d], lefts[d] - 1)),
                        lasts[d].eq(Mux(lasts[d], singles[d], lefts[d] == 2)),
                    ]
        return m
