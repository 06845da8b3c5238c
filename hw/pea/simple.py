"""The datapath of simple operations whose instruction asks for an early result."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..layouts.instruction import SIMPLE_OPERATIONS, Operation
from ..library import Block
from .choice import bitwise, choose, operands
from .control import DATAPATH_CONTROL, SETTINGS, available_operations, needed_lines

BYTE_TOP = 7


class SimpleArithmetic(Block):
    """Computes simple operations without a register.

    Sum, difference, selection and bit-wise functions come from one adder, as in
    :class:`Arithmetic`; shifts, which have the multiplier there, from a shifter to the right,
    before and after which left shifts are turned around.

    Parameters
    ----------
    operations: the operation set (see ``hw/layouts/operations.py``); those that are not simple are
    left out.

    Ports
    -----
    a, b: in, 32 bits each. control: in, the decoded operation. predicate: in, 1 bit, for SELECT.
    result: out, 32 bits, undefined for other operations; not_zero: out, 1 bit, it is not zero.

    Timing: combinational.
    Errors: none.
    Source: own.
    """

    def __init__(self, operations: str) -> None:
        self.available = available_operations(operations) & SIMPLE_OPERATIONS
        super().__init__(
            {
                "a": In(32),
                "b": In(32),
                "control": In(DATAPATH_CONTROL),
                "predicate": In(1),
                "result": Out(32),
                "not_zero": Out(1),
            },
            operations=operations,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        control = needed_lines(self.control, self.available)
        a, b = operands(m, self.a, self.b, control)
        order, keep_a, keep_b, subtract = choose(m, a, b, control, self.predicate)
        left = bitwise(a, b, control) & keep_b.replicate(32)
        right = a & keep_a.replicate(32)
        total = Signal(32)
        m.d.comb += total.eq(left + right + subtract)
        plain = total & (control.result_low & ~control.shift).replicate(32)
        equal = control.flag_equal & ((total == 0) ^ control.negate)
        flag = (control.flag_order & order) | equal
        m.d.comb += [
            self.result.eq(plain | flag | self._shifted(m, a, b, control) | self._byte(a, control)),
            self.not_zero.eq(self.result.any()),
        ]
        return m

    def _shifted(self, m: Module, a: Value, b: Value, control: Any) -> Value:
        """``a`` shifted by the low bits of ``b``; zero for what does not shift."""
        if not self.available & SETTINGS["shift"]:
            return Const(0)
        left = control.left
        turned = Mux(left, a[::-1], a)
        sign = a[31] & ~left & ~control.zero_extend
        moved = Signal(32, name="moved")
        m.d.comb += moved.eq(Cat(turned, sign).as_signed() >> b[:5])
        return Mux(left, moved[::-1], moved) & control.shift.replicate(32)

    def _byte(self, a: Value, control: Any) -> Value:
        """``a`` in [-128, 127]; zero for what does not saturate."""
        if Operation.CLAMP8 not in self.available:
            return Const(0)
        sign, above = a[31], a[BYTE_TOP:31]
        fits = above == sign.replicate(len(above))
        low = Mux(fits, a[:BYTE_TOP], (~sign).replicate(BYTE_TOP))
        word = Cat(low, sign.replicate(32 - BYTE_TOP))
        return word & control.saturate.replicate(32)
