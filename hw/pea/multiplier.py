"""Products: four signed bytes for DOT4, and the wide multiplier that also shifts.

Every result of a PE with a multiplier passes it: plain ones times 1, left shifts times 2**n (the
low word of the product), right shifts times 2**(31 - n) (the word from bit 31), REQUANTISE times
``multiplier * 2**(15 - shift % 16)``, so that what remains of its shift is a multiple of 16.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed

from ..library import KEEP

PRODUCT_BITS = 64
HALF = 16
FACTOR_BITS = 33
CROSS_BITS = 33
"""Of a half of one factor times the other half of the other, one of which is unsigned."""


def byte_products(a: Value, b: Value) -> list[Value]:
    """The four products of the signed bytes of ``a`` and ``b``, 16 bits signed."""
    return [
        (a.word_select(byte, 8).as_signed() * b.word_select(byte, 8).as_signed())[:16].as_signed()
        for byte in range(4)
    ]


def sum_three(m: Module, products: list[Value]) -> Value:
    """The sum of three byte products, 18 bits signed; zero if they are.

    A table a bit reduces them to two terms before the one carry chain, which draws the other table
    in. Their signs, which count minus 2**15 each, are summed by tables instead of extended.
    """
    x, y, z = products
    top = len(x) - 1
    signs = Cat(x[top], y[top], z[top])
    either = Signal(top + 3)
    carries = Signal(top + 3)
    total = Signal(signed(top + 3), name="three_products", attrs=KEEP)
    majority = (x & y) | (x & z) | (y & z)
    m.d.comb += [
        either.eq(Cat((x ^ y ^ z)[: top + 1], signs.any() & ~signs.all(), signs.any())),
        carries.eq(Cat(Const(0, 1), majority[:top])),
        total.eq(either + carries),
    ]
    return total


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


def partial_products(x: Value, y_low: Value, y_high: Value) -> list[Value]:
    """``x`` (33 bits signed) times the second factor (low half 16 bits unsigned, high half 17 bits
    signed) in parts: low·low, high·low, low·high, high·high."""
    x_low = Cat(x[:HALF], Const(0, 1)).as_signed()
    x_high = x[HALF:].as_signed()
    low = Cat(y_low, Const(0, 1)).as_signed()
    high = y_high.as_signed()
    return [
        (x_low * low)[: 2 * HALF],
        (x_high * low)[:CROSS_BITS],
        (x_low * high)[:CROSS_BITS],
        (x_high * high)[: 2 * HALF],
    ]


def sum_products(m: Module, products: list[Value]) -> Value:
    """The full product from its parts, modulo 2**64.

    Three terms meet above the low half. A table a bit reduces them to two before the one carry
    chain (which draws the other table in), so that no chain follows the multipliers at once.
    """
    low, first, second, high = products
    top = CROSS_BITS - 1
    # Instead of extending two signs: each turned around adds 2**top, the ones take both away.
    ones = Const(-1, PRODUCT_BITS - HALF - CROSS_BITS)
    terms = (
        Cat(low[HALF:], high),
        Cat(first[:top], ~first[top], ones),
        Cat(second[:top], ~second[top], Const(0, len(ones))),
    )
    either = Signal(PRODUCT_BITS - HALF)
    carries = Signal(PRODUCT_BITS - HALF)
    upper = Signal(PRODUCT_BITS - HALF)
    total = Signal(signed(PRODUCT_BITS))
    x, y, z = terms
    m.d.comb += [
        either.eq(x ^ y ^ z),
        carries.eq(Cat(Const(0, 1), (x & y) | (x & z) | (y & z))),
        upper.eq(either + carries),
        total.eq(Cat(low[:HALF], upper)),
    ]
    return total


def upper_half(b: Value, control: Any) -> Value:
    """1 bit: a shift's power of two lies in the upper half of the second factor."""
    return control.shift & (b[4] ^ ~control.left)
