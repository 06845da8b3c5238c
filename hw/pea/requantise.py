"""The end of requantisation: the rest of the shift, rounding, zero point, saturation.

The product comes multiplied by 2**(15 - shift % 16); with c = shift // 16 the rounded quotient
is (product >> (16 * c + 15)) plus the bit below the point. For c = 3 it is zero whatever the
product: that has at most 47 bits and a sign, half of the divisor is added before it is cut off.
"""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, Value, signed

from .pipeline import Pipeline

QUOTIENT_BITS = 10
"""Kept of the shifted product: enough for its sum with the zero point to saturate rightly."""

POINT = 15
STEP = 16


@dataclass(frozen=True)
class Shifted:
    """A product shifted right: ``quotient`` (signed), the bit below it, whether it did not fit."""

    quotient: Value
    round_bit: Value
    too_low: Value
    too_high: Value
    negative: Value


def shift_right(
    pipeline: Pipeline, product: Value, steps: Value, keep: Value, registers: int
) -> Shifted:
    """``product`` (64 bits signed) shifted right by 16 * ``steps`` + 15 (``steps`` 0 to 2; 3 gives
    zero), after that many registers; zero where ``keep`` is low."""
    negative = product[63]
    selected = [keep & (steps == step) for step in range(3)]
    starts = [POINT + STEP * step for step in range(3)]
    lanes = [product[start - 1 : start + QUOTIENT_BITS] for start in starts]
    # bits above the quotient, down to its sign, that differ from the product's sign
    groups = [product[24:40], product[40:56], product[56:63]]
    low, middle, top = ((group != negative.replicate(len(group))) for group in groups)
    spilt = (
        (selected[0] & (low | middle | top)) | (selected[1] & (middle | top)) | (selected[2] & top)
    )
    bits = pipeline.carry(pipeline.choose(zip(lanes, selected, strict=True), 0), registers)
    return Shifted(
        quotient=bits[1:],
        round_bit=bits[0],
        too_low=pipeline.carry(spilt & negative, registers),
        too_high=pipeline.carry(spilt & ~negative, registers),
        negative=pipeline.carry(negative & (selected[0] | selected[1] | selected[2]), registers),
    )


def saturate(m: Module, shifted: Shifted, zero_point: Value, relu: Value) -> Value:
    """The rounded quotient plus ``zero_point`` in [-128 or the zero point, 127], 8 bits signed.

    All inputs zero give zero.
    """
    total = Signal(signed(QUOTIENT_BITS + 2))
    below_zero = Signal()
    result = Signal(signed(8))
    quotient = shifted.quotient.as_signed()
    m.d.comb += [
        total.eq(quotient + zero_point.as_signed() + shifted.round_bit),
        # rounding lifts only -1 to zero
        below_zero.eq(shifted.negative & ~(shifted.quotient.all() & shifted.round_bit)),
    ]
    # one too large on one side is not too large on the other, whatever the sum of its low bits
    low = shifted.too_low | (~shifted.too_high & total[-1] & ~total[7:-1].all())
    high = shifted.too_high | (~total[-1] & total[7:-1].any())
    with m.If(relu & below_zero):
        m.d.comb += result.eq(zero_point.as_signed())
    with m.Elif(low):
        m.d.comb += result.eq(-128)
    with m.Elif(high):
        m.d.comb += result.eq(127)
    with m.Else():
        m.d.comb += result.eq(total)
    return result
