"""The end of requantisation: the rest of the shift, rounding, zero point, saturation.

The product comes multiplied by 2**(15 - shift % 16); with c = shift // 16 the rounded quotient
is (product >> (16 * c + 15)) plus the bit below the point. For c = 3 it is zero whatever the
product: that has at most 47 bits and a sign, half of the divisor is added before it is cut off.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from ..library import KEEP
from .pipeline import Pipeline

QUOTIENT_BITS = 10
"""Kept of the shifted product: enough for its sum with the zero point to saturate rightly."""

POINT = 15
STEP = 16
STEPS = 3


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
    negative = product[-1]
    kept = keep & ~(relu & negative)
    chosen = [kept & (steps == step) for step in range(STEPS)]
    starts = [POINT + STEP * step for step in range(STEPS)]
    lanes = [product[start - 1 : start + QUOTIENT_BITS] for start in starts]
    # two of the three share a register: an adder draws in no more than two
    near = (Mux(steps[0], lanes[1], lanes[0]), chosen[0] | chosen[1])
    bits = pipeline.choose((near, (lanes[2], chosen[2])), registers)
    # The bits above a quotient, down to its sign, must be as the product's sign. Each group of them
    # counts for the steps up to its own, and is half a step long for the way to its register.
    first, end, half = POINT + QUOTIENT_BITS - 1, len(product) - 1, STEP // 2
    outside = []
    for start in range(first, end, half):
        group = product[start : min(start + half, end)]
        counts = Cat(chosen[: (start - first) // STEP + 1]).any()
        outside.append((group != negative.replicate(len(group)), counts))
    spilt = pipeline.choose(outside, registers)
    sign = pipeline.carry(negative, registers)
    return Shifted(
        quotient=bits[1:], round_bit=bits[0], too_low=spilt & sign, too_high=spilt & ~sign
    )


def saturate(m: Module, shifted: Shifted, zero_point: Value) -> tuple[Value, Value]:
    """The rounded quotient plus ``zero_point`` in [-128, 127], 8 bits signed, and whether that is
    not zero, which is known before what it is: a sum that does not fit never becomes zero.

    All inputs zero give zero.
    """
    total = Signal(signed(QUOTIENT_BITS + 2))
    # kept, so that the way from the adder to the result is not deeper than it looks
    low, high = (Signal(name=name, attrs=KEEP) for name in ("low", "high"))
    quotient = shifted.quotient.as_signed()
    above, sign = total[7:-1], total[-1]
    m.d.comb += [
        total.eq(quotient + zero_point.as_signed() + shifted.round_bit),
        # one too large on one side is not too large on the other, whatever the sum of its low bits
        low.eq(shifted.too_low | (~shifted.too_high & sign & ~above.all())),
        high.eq(shifted.too_high | (~shifted.too_low & ~sign & above.any())),
    ]
    bits = (total[:7] & ~low.replicate(7)) | high.replicate(7)
    not_zero = shifted.too_low | shifted.too_high | total.any()
    return Cat(bits, low | (sign & ~high)), not_zero
