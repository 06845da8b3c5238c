"""What both datapaths do with their operands first: invert, compare, choose, bit by bit."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from ..library import KEEP


def operands(m: Module, a: Value, b: Value, control: Any) -> tuple[Signal, Signal]:
    """Both operands, ``b`` inverted where the operation subtracts."""
    # kept, so that a mapper to four-input tables has them once
    kept_a, kept_b = (Signal(32, name=f"operand_{name}", attrs=KEEP) for name in "ab")
    m.d.comb += [kept_a.eq(a), kept_b.eq(b ^ control.invert.replicate(32))]
    return kept_a, kept_b


def choose(
    m: Module, a: Value, b: Value, control: Any, predicate: Value
) -> tuple[Value, Value, Value, Value]:
    """From the operands: (a before b as the operation says, add a, add b, subtract)."""
    less = Signal()  # as numbers without signs
    turned = control.negate ^ (~control.unsigned & (a[31] ^ b[31]))
    m.d.comb += less.eq(a < b)
    outcomes = []
    for outcome in (0, 1):  # what follows from either, kept so that it is there before ``less``
        add_a = Signal(name=f"add_a_{outcome}", attrs=KEEP)
        add_b = Signal(name=f"add_b_{outcome}", attrs=KEEP)
        take_a = (
            (control.by_predicate & predicate)
            | (control.by_order & (turned ^ outcome))
            | (control.by_sign & ~a[31])
        )
        m.d.comb += [
            add_a.eq(control.add_a | (control.choose & take_a)),
            add_b.eq(control.add_b | (control.choose & ~take_a)),
        ]
        outcomes.append((add_a, add_b))
    (add_a_0, add_b_0), (add_a_1, add_b_1) = outcomes
    return (
        less ^ turned,
        Mux(less, add_a_1, add_a_0),
        Mux(less, add_b_1, add_b_0),
        control.subtract | (control.subtract_negative & a[31]),
    )


def bitwise(a: Value, b: Value, control: Any) -> Value:
    """``b``, or a bit-wise function of ``a`` and ``b``."""
    low, high = control.logic_low, control.logic_high
    return Mux(high, Mux(low, a ^ b, a | b), Mux(low, a & b, b))
