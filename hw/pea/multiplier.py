"""Products: four signed bytes for DOT4, and the wide multiplier that also shifts.

A shift by b is a multiplication by a power of two: left by 2**b (the low half of the product),
right by 2**(32 - b) (the high half). ABS multiplies by 1 or -1, CLAMP8 by 1.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

PRODUCT_BITS = 64
HALF = 16


def byte_products(a: Value, b: Value) -> list[Value]:
    """The four products of the signed bytes of ``a`` and ``b``, 16 bits each."""
    return [
        (a.word_select(byte, 8).as_signed() * b.word_select(byte, 8).as_signed())[:16].as_signed()
        for byte in range(4)
    ]


def factor(m: Module, a: Value, b: Value, control: Any, everything: bool) -> Value:
    """The multiplier's second factor: 34 bits signed, 17 if only for REQUANTISE and CLAMP8."""
    low = Cat(b[0] | control.factor_one, b[1:HALF])
    if not everything:
        return Cat(low, Const(0, 1)).as_signed()
    amount = Signal(6)
    places = Signal(33)
    minus_one = control.factor_sign & a[31]
    use_b = control.factor_b
    m.d.comb += amount.eq(Mux(control.left, b[:5], 32 - b[:5]))
    enable = control.shift
    for place in range(33):
        m.d.comb += places[place].eq(enable & (amount == place))
    use_low = use_b | control.factor_low
    bits = [(b[i] & (use_low if i < HALF else use_b)) | places[i] | minus_one for i in range(32)]
    bits[0] = bits[0] | control.factor_one | control.factor_sign
    top = (use_b & b[31]) | minus_one
    return Cat(*bits, places[32] | top, top).as_signed()


def partial_products(m: Module, x: Value, y: Value) -> list[Value]:
    """Products of the halves of ``x`` (33 bits signed) and ``y``: low·low, high·low, and, for a
    wide ``y``, low·high, high·high. Each factor fits a signed 18-bit multiplier."""
    x_low, x_high = _halves(m, x, "x")
    y_low, y_high = (y, None) if len(y) <= HALF + 1 else _halves(m, y, "y")
    products = [x_low * y_low, x_high * y_low]
    if y_high is not None:
        products += [x_low * y_high, x_high * y_high]
    return [product.as_signed() for product in products]


def sum_products(m: Module, products: list[Value]) -> Value:
    """The full product from the partial products, 64 bits (48 significant for a narrow factor)."""
    total = Signal(signed(PRODUCT_BITS))
    low, cross = products[0], products[1]
    if len(products) == 2:
        m.d.comb += total.eq(low + (cross << HALF))
        return total
    middle = Signal(signed(HALF * 2 + 4))
    m.d.comb += middle.eq(cross + products[2])
    ends = Cat(low[: 2 * HALF], products[3][: 2 * HALF])
    m.d.comb += total.eq(ends + (middle << HALF))
    return total


def _halves(m: Module, value: Value, name: str) -> tuple[Value, Value]:
    low = Signal(signed(HALF + 1), name=f"{name}_low")
    high = Signal(signed(len(value) - HALF), name=f"{name}_high")
    m.d.comb += [low.eq(value[:HALF]), high.eq(value[HALF:].as_signed())]
    return low, high
