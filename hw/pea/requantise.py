"""The end of requantisation: the rest of the shift, rounding, zero point, saturation.

The product comes multiplied by 2**(16 - shift % 16); with c = shift // 16 the rounded quotient
is (product >> 16 * (c + 1)) plus the bit below the point.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

QUOTIENT_BITS = 10
"""Kept of the shifted product: enough for its sum with the zero point to saturate rightly."""


@dataclass(frozen=True)
class Shifted:
    """A product shifted right: ``quotient`` (signed), the bit below it, and what did not fit."""

    quotient: Value
    round_bit: Value
    overflow: Value
    negative: Value

    def parts(self) -> tuple[Value, ...]:
        """The members in order, to carry them through a register."""
        return (self.quotient, self.round_bit, self.overflow, self.negative)


def shift_right(m: Module, product: Value, steps: Value) -> Shifted:
    """``product`` (64 bits signed) shifted right by 16 * (``steps`` + 1), ``steps`` 0 to 3."""
    negative = product[63]
    extended = Cat(product, negative.replicate(16 + QUOTIENT_BITS))
    chosen = Signal(QUOTIENT_BITS + 1)
    spilt = Signal()
    m.d.comb += chosen.eq(
        Mux(
            steps[1],
            Mux(steps[0], extended[63:], extended[47:])[: QUOTIENT_BITS + 1],
            Mux(steps[0], extended[31:], extended[15:])[: QUOTIENT_BITS + 1],
        )
    )
    # bits above the quotient, down to its sign, that differ from the product's sign
    groups = [product[25:41], product[41:57], product[57:63]]
    low, middle, top = ((group != negative.replicate(len(group))) for group in groups)
    m.d.comb += spilt.eq(
        Mux(steps[1], ~steps[0] & top, top | middle | (~steps[0] & low)),
    )
    return Shifted(chosen[1:], chosen[0], spilt, negative)


def saturate(m: Module, shifted: Shifted, zero_point: Value, relu: Value) -> Value:
    """The rounded quotient plus ``zero_point`` in [-128 or the zero point, 127], 8 bits signed."""
    total = Signal(signed(QUOTIENT_BITS + 2))
    below_zero = Signal()
    result = Signal(signed(8))
    quotient = shifted.quotient.as_signed()
    m.d.comb += [
        total.eq(quotient + zero_point.as_signed() + shifted.round_bit),
        # rounding lifts only -1 to zero
        below_zero.eq(shifted.negative & ~(shifted.quotient.all() & shifted.round_bit)),
    ]
    low = Mux(shifted.overflow, shifted.negative, total < -128)
    high = Mux(shifted.overflow, ~shifted.negative, ~total[-1] & (total[7:-1] != 0))
    with m.If(relu & below_zero):
        m.d.comb += result.eq(zero_point.as_signed())
    with m.Elif(low):
        m.d.comb += result.eq(-128)
    with m.Elif(high):
        m.d.comb += result.eq(127)
    with m.Else():
        m.d.comb += result.eq(total)
    return result
