"""The end of requantisation: the rest of the shift, rounding, zero point, saturation.

The product comes multiplied by 2**(15 - shift % 16); with c = shift // 16 the rounded quotient
is (product >> (16 * c + 15)) plus the bit below the point. For c = 3 it is zero whatever the
product: that has at most 47 bits and a sign, half of the divisor is added before it is cut off.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value, signed

from .pipeline import Pipeline

QUOTIENT_BITS = 10
"""Kept of the shifted product: enough for its sum with the zero point to saturate rightly."""

POINT = 15
STEP = 16


@dataclass(frozen=True)
class Shifted:
    """A product shifted right: ``quotient`` (signed), the bit below it, whether it does not fit."""

    quotient: Value
    round_bit: Value
    too_low: Value
    too_high: Value


def shift_right(
    pipeline: Pipeline, product: Value, steps: Value, relu: Value, keep: Value, registers: int
) -> Shifted:
    """``product`` (64 bits signed) shifted right by 16 * ``steps`` + 15 (``steps`` 0 to 2; 3 gives
    zero), after that many registers; zero where ``keep`` is low, or ``relu`` is high and the
    product negative."""
    negative = product[63]
    kept = keep & ~(relu & negative)
    selected = [kept & (steps == step) for step in range(3)]
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
    )


def saturate(m: Module, shifted: Shifted, zero_point: Value) -> Value:
    """The rounded quotient plus ``zero_point`` in [-128, 127], 8 bits signed.

    All inputs zero give zero.
    """
    total = Signal(signed(QUOTIENT_BITS + 2))
    # kept, so that the way from the adder to the result is not deeper than it looks
    low, high = (Signal(name=name, attrs={"keep": 1}) for name in ("low", "high"))
    quotient = shifted.quotient.as_signed()
    above, sign = total[7:-1], total[-1]
    m.d.comb += [
        total.eq(quotient + zero_point.as_signed() + shifted.round_bit),
        # one too large on one side is not too large on the other, whatever the sum of its low bits
        low.eq(shifted.too_low | (~shifted.too_high & sign & ~above.all())),
        high.eq(shifted.too_high | (~shifted.too_low & ~sign & above.any())),
    ]
    bits = (total[:7] & ~low.replicate(7)) | high.replicate(7)
    return Cat(bits, low | (sign & ~high))
