"""Products: four signed bytes for DOT4, and the wide multiplier that also shifts.

Every result of a PE with a multiplier passes it: plain ones times 1, left shifts times 2**n (the
low word of the product), right shifts times 2**(31 - n) (the word from bit 31), REQUANTISE times
``multiplier * 2**(15 - shift % 16)``, so that what remains of its shift is a multiple of 16.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed

PRODUCT_BITS = 64
HALF = 16
FACTOR_BITS = 33


def byte_products(a: Value, b: Value) -> list[Value]:
    """Sums of two products each of the signed bytes of ``a`` and ``b``, 17 bits signed."""
    products = [
        (a.word_select(byte, 8).as_signed() * b.word_select(byte, 8).as_signed())[:16].as_signed()
        for byte in range(4)
    ]
    return [products[0] + products[1], products[2] + products[3]]


def power_of_two(m: Module, b: Value, control: Any) -> Value:
    """The power by which the second factor is scaled, 16 bits with one of them set.

    The exponent is the low four bits of the amount for left shifts, 15 minus these for right ones
    and for REQUANTISE, zero for what does not shift.
    """
    amount = Signal(4)
    power = Signal(HALF)
    down = ~control.left.replicate(4)
    shown = (b[:4] & control.shift.replicate(4)) | (b[16:20] & control.requantise.replicate(4))
    m.d.comb += amount.eq((shown ^ down) & control.scaled.replicate(4))
    m.d.comb += [bit.eq(amount == place) for place, bit in enumerate(power)]
    return power


def scale(base: Value, power: Value) -> Value:
    """``base`` (16 bits) times ``power``, 32 bits."""
    return (base * power)[: 2 * HALF]


def partial_products(m: Module, x: Value, y_low: Value, y_high: Value) -> list[Value]:
    """``x`` (33 bits signed) times the second factor (low half 16 bits unsigned, high half 17 bits
    signed) in parts: low·low, the sum of high·low and low·high, high·high."""
    x_low = Cat(x[:HALF], Const(0, 1)).as_signed()
    x_high = x[HALF:].as_signed()
    low = Cat(y_low, Const(0, 1)).as_signed()
    high = y_high.as_signed()
    # kept, so that synthesis makes two carry chains and not a carry-save adder, which is larger
    middle = Signal(signed(2 * HALF + 4), attrs={"keep": 1})
    m.d.comb += middle.eq(x_high * low + x_low * high)
    return [(x_low * low)[: 2 * HALF], middle, (x_high * high)[: 2 * HALF]]


def sum_products(m: Module, products: list[Value]) -> Value:
    """The full product from its parts, modulo 2**64."""
    total = Signal(signed(PRODUCT_BITS))
    upper = Signal(PRODUCT_BITS - HALF)
    low, middle, high = products
    m.d.comb += [
        upper.eq(Cat(low[HALF:], high) + middle),
        total.eq(Cat(low[:HALF], upper)),
    ]
    return total


def upper_half(b: Value, control: Any) -> Value:
    """1 bit: a shift's power of two lies in the upper half of the second factor."""
    return control.shift & (b[4] ^ ~control.left)
