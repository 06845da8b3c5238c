"""Products: four signed bytes for DOT4, and the wide multiplier that also shifts.

Every result passes the wide multiplier: plain ones times 1, shifts times a power of two (left
by 2**n and the low word of the product, right by 2**(32 - n) and the high word), REQUANTISE
times ``multiplier * 2**(16 - shift % 16)``, so that what remains of its shift is a multiple of 16.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

PRODUCT_BITS = 64
HALF = 16
FACTOR_BITS = 34


def byte_products(a: Value, b: Value) -> list[Value]:
    """Sums of two products each of the signed bytes of ``a`` and ``b``, 17 bits signed."""
    products = [
        (a.word_select(byte, 8).as_signed() * b.word_select(byte, 8).as_signed())[:16].as_signed()
        for byte in range(4)
    ]
    return [products[0] + products[1], products[2] + products[3]]


def scaled_power(m: Module, b: Value, control: Any) -> Value:
    """``multiplier``, 1 or 2 times a power of two up to 2**15: 33 bits; 0 if it is not needed.

    The exponent is the amount for left shifts, 15 minus the amount for right ones.
    """
    amount = Signal(4)
    power = Signal(16)
    base = Signal(17)
    m.d.comb += [
        amount.eq(Mux(control.shift, b[:4], b[16:20]) ^ ~control.left.replicate(4)),
        base.eq(Cat(control.left, b[:16] & control.requantise.replicate(16))),
    ]
    m.d.comb += [bit.eq(amount == place) for place, bit in enumerate(power)]
    base_bits = Cat(base[0], base[1] | control.twice, base[2:])
    return (base_bits * power)[:33]


def factor(b: Value, power: Value, control: Any, everything: bool) -> Value:
    """The multiplier's second factor, 34 bits signed, from ``b`` or ``power``."""
    first = power[0] | control.factor_one
    if not everything:
        return Cat(first, power[1:], Const(0, 1)).as_signed()
    # a power for a shift has 17 bits; it goes into the upper half for amounts that need it
    upper = control.shift & (b[4] ^ ~control.left)
    low = Cat(first, power[1:16]) & ~upper.replicate(16)
    high = Mux(upper, power[:17], power[16:33])
    use_b = control.factor_b
    sign = use_b & b[31]
    return Cat(
        low | (b[:16] & use_b.replicate(16)),
        high[:16] | (b[16:] & use_b.replicate(16)),
        high[16] | sign,
        sign,
    ).as_signed()


def partial_products(m: Module, x: Value, y: Value) -> list[Value]:
    """Products of the halves of ``x`` (33 bits signed) and ``y`` (34 bits signed): low·low,
    high·low, low·high, high·high. Each factor fits a signed 18-bit multiplier."""
    x_low, x_high = _halves(m, x, "x")
    y_low, y_high = _halves(m, y, "y")
    products = [x_low * y_low, x_high * y_low, x_low * y_high, x_high * y_high]
    return [product.as_signed() for product in products]


def sum_products(m: Module, products: list[Value]) -> Value:
    """The full product from the partial products, modulo 2**64."""
    total = Signal(signed(PRODUCT_BITS))
    middle = Signal(signed(HALF * 2 + 4))
    upper = Signal(PRODUCT_BITS - HALF)
    low, high = products[0][: 2 * HALF], products[3][: 2 * HALF]
    m.d.comb += [
        middle.eq(products[1] + products[2]),
        upper.eq(Cat(low[HALF:], high) + middle),
        total.eq(Cat(low[:HALF], upper)),
    ]
    return total


def _halves(m: Module, value: Value, name: str) -> tuple[Value, Value]:
    low = Signal(signed(HALF + 1), name=f"{name}_low")
    high = Signal(signed(len(value) - HALF), name=f"{name}_high")
    m.d.comb += [low.eq(value[:HALF]), high.eq(value[HALF:].as_signed())]
    return low, high
