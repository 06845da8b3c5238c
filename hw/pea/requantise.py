"""The end of requantisation: rounding right shift, zero point, saturation to eight bits."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

PRODUCT_BITS = 48
SHIFT_BITS = 6
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


def shift_right(m: Module, product: Value, amount: Value) -> Shifted:
    """``product`` (48 bits signed) shifted right by ``amount`` (0 to 63), narrowed on the way.

    After each step only the bits that later steps can still bring into the quotient are kept;
    ``overflow`` notes a dropped bit that differs from the sign.
    """
    negative = product[PRODUCT_BITS - 1]
    current: Value = Cat(0, product)  # one bit below the point, for rounding
    overflow: Value = Value.cast(0)
    for step in reversed(range(SHIFT_BITS)):
        keep = QUOTIENT_BITS + 1 + (1 << step) - 1
        moved = Cat(current, negative.replicate(1 << step))[1 << step :][: len(current)]
        value = Signal(len(current), name=f"shifted_{1 << step}")
        m.d.comb += value.eq(Mux(amount[step], moved, current))
        if keep < len(current):
            dropped = value[keep - 1 :]
            overflow = overflow | (dropped != negative.replicate(len(dropped)))
            current = value[:keep]
        else:
            current = value
    return Shifted(current[1:], current[0], overflow, negative)


def saturate(m: Module, shifted: Shifted, zero_point: Value, relu: Value) -> Value:
    """The rounded quotient plus ``zero_point`` in [-128 or the zero point, 127], 8 bits."""
    rounded = Signal(signed(QUOTIENT_BITS + 1))
    total = Signal(signed(QUOTIENT_BITS + 2))
    result = Signal(signed(8))
    m.d.comb += [
        rounded.eq(shifted.quotient.as_signed() + shifted.round_bit),
        total.eq(rounded + zero_point.as_signed()),
    ]
    below_zero = Mux(shifted.overflow, shifted.negative, rounded < 0)
    low = Mux(shifted.overflow, shifted.negative, total < -128)
    high = Mux(shifted.overflow, ~shifted.negative, total > 127)
    with m.If(relu & below_zero):
        m.d.comb += result.eq(zero_point.as_signed())
    with m.Elif(low):
        m.d.comb += result.eq(-128)
    with m.Elif(high):
        m.d.comb += result.eq(127)
    with m.Else():
        m.d.comb += result.eq(total)
    return result
