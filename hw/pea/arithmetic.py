"""The PE's pipelined datapath: from two operands to the result."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..library import Block
from .control import DATAPATH_CONTROL, available_operations
from .multiplier import byte_products, factor, partial_products, scaled_power, sum_products
from .requantise import Shifted, saturate, shift_right

MAXIMUM_STAGES = 4


class Arithmetic(Block):
    """Computes every operation in ``pipeline_stages`` cycles and holds the accumulator.

    One adder serves sums, differences, selections and the accumulator; every sum then passes one
    multiplier, which serves products, shifts and requantisation. With several stages, the first
    compares and multiplies bytes, the second adds, accumulates and multiplies words, the third
    adds the partial products, the fourth saturates.

    Parameters
    ----------
    operations: "all" or "ai" (see ``control``).
    pipeline_stages: 1 to 4.

    Ports
    -----
    advance: in, 1 bit, the pipeline moves.
    reset: in, 1 bit, at the end of this clock the accumulator is zero and invalid and nothing is
    in flight (also without ``advance``).
    issue: in, 1 bit, the instruction acts and its operands are valid. a, b: in, 32 bits each.
    control: in, the decoded operation. predicate: in, 1 bit, for SELECT.
    result: out, 32 bits; valid: out, 1 bit, there is a result; for the operands of
    ``pipeline_stages - 1`` advancing clocks before.

    Timing: latency ``pipeline_stages - 1`` registers, one operation a cycle. Combinational from
    the operands to the result with one stage.
    Errors: none.
    Source: own.
    """

    def __init__(self, operations: str, pipeline_stages: int) -> None:
        self.available = available_operations(operations)
        if not 1 <= pipeline_stages <= MAXIMUM_STAGES:
            raise ValueError(
                f"pipeline_stages is {pipeline_stages}; allowed: 1 to {MAXIMUM_STAGES}"
            )
        self.everything = operations == "all"
        self.pipeline_stages = pipeline_stages
        super().__init__(
            {
                "advance": In(1),
                "reset": In(1),
                "issue": In(1),
                "a": In(32),
                "b": In(32),
                "control": In(DATAPATH_CONTROL),
                "predicate": In(1),
                "result": Out(32),
                "valid": Out(1),
            },
            operations=operations,
            pipeline_stages=pipeline_stages,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last = self.pipeline_stages - 1
        words = min(1, last)  # where the adder and the wide multiplier are
        sums = min(2, last)  # where the partial products are added
        control = self._delay_control(m, last)
        issue = self._delay_issue(m, last)

        def later(value: Value, start: int, end: int) -> Value:
            return _delay(m, self.advance, value, end - start)

        choices = self._choose(m)
        a, b = later(self.a, 0, words), later(self._bitwise(m), 0, words)
        choices = tuple(later(choice, 0, words) for choice in choices)
        products = [later(item, 0, words) for item in byte_products(self.a, self.b)]
        power = scaled_power(m, self.b, self.control)
        power = later(Mux(self.control.factor_power, power, 0), 0, words)

        total, valid = self._adder(m, a, b, products, control[words], choices, issue[words])
        flag = control[words].flag_order & choices[0]
        flag |= control[words].flag_equal & ((total == 0) ^ control[words].negate)
        sign = total[31] & ~control[words].zero_extend
        y = factor(b, power, control[words], self.everything)
        partial = [
            later(item, words, sums)
            for item in partial_products(m, Cat(total, sign).as_signed(), y)
        ]

        product = sum_products(m, partial)
        parameters = later(b[16:], words, sums)  # shift (low bits done), relu, zero point
        shifted = shift_right(m, product, parameters[4:6] & control[sums].saturate.replicate(2))
        word = product[:32] & control[sums].result_low.replicate(32)
        word |= product[32:] & control[sums].result_high.replicate(32)
        word |= later(flag, words, sums)
        word = later(word, sums, last)
        narrow = Shifted(*(later(part, sums, last) for part in shifted.parts()))
        settings = later(parameters[6:], sums, last)
        byte = saturate(m, narrow, settings[2:], settings[0])
        byte = byte.as_signed() & control[last].saturate.replicate(32).as_signed()
        m.d.comb += [
            self.result.eq(word | byte),
            self.valid.eq(issue[last] & later(valid, words, last)),
        ]
        return m

    def _choose(self, m: Module) -> tuple[Value, Value, Value, Value]:
        """From the operands: (a before b as the operation says, add a, add b, subtract)."""
        control = self.control
        before = Signal()
        take_a = Signal()
        sign = ~control.unsigned
        a = Cat(self.a[:31], self.a[31] ^ sign)
        b = Cat(self.b[:31], self.b[31] ^ sign)
        m.d.comb += [
            before.eq((a < b) ^ control.negate),
            take_a.eq(
                (control.by_predicate & self.predicate)
                | (control.by_order & before)
                | (control.by_sign & ~self.a[31])
            ),
        ]
        return (
            before,
            control.add_a | (control.choose & take_a),
            control.add_b | (control.choose & ~take_a),
            control.subtract | (control.by_sign & self.a[31]),
        )

    def _bitwise(self, m: Module) -> Value:
        """``b``, or a bit-wise function of ``a`` and ``b``."""
        if not self.everything:
            return self.b
        a, b, low, high = self.a, self.b, self.control.logic_low, self.control.logic_high
        return Mux(high, Mux(low, a ^ b, a | b), Mux(low, a & b, b))

    def _adder(
        self,
        m: Module,
        a: Value,
        b: Value,
        products: list[Value],
        control: Any,
        choices: tuple[Value, ...],
        issue: Value,
    ) -> tuple[Value, Value]:
        """The adder and the accumulator: (sum, the accumulator does not make it invalid)."""
        _, add_a, add_b, subtract = choices
        accumulator = Signal(32)
        accumulator_valid = Signal()
        dot = Signal(signed(18))
        left = Signal(32)
        right = Signal(32)
        total = Signal(32)
        m.d.comb += [
            dot.eq((products[0] + products[1]) + (products[2] + products[3])),
            left.eq(
                (accumulator & control.add_accumulator.replicate(32)) | (b & add_b.replicate(32))
            ),
            right.eq((dot & control.add_dot.replicate(32).as_signed()) | (a & add_a.replicate(32))),
            total.eq(right + (left ^ subtract.replicate(32)) + subtract),
        ]
        with m.If(self.advance & issue & control.add_accumulator):
            m.d.sync += [
                accumulator.eq(Mux(control.release, 0, total)),
                accumulator_valid.eq(~control.release),
            ]
        with m.If(self.reset):
            m.d.sync += [accumulator.eq(0), accumulator_valid.eq(0)]
        return total, accumulator_valid | ~control.release

    def _delay_control(self, m: Module, last: int) -> list[Any]:
        """The control lines at each stage."""
        controls: list[Any] = [self.control]
        for stage in range(1, last + 1):
            copy = Signal(DATAPATH_CONTROL, name=f"control_{stage}")
            with m.If(self.advance):
                m.d.sync += copy.eq(controls[-1])
            controls.append(copy)
        return controls

    def _delay_issue(self, m: Module, last: int) -> list[Value]:
        """``issue`` at each stage; what is in flight is dropped by ``reset``."""
        issues: list[Value] = [self.issue]
        for stage in range(1, last + 1):
            copy = Signal(name=f"issue_{stage}")
            with m.If(self.advance):
                m.d.sync += copy.eq(issues[-1])
            with m.If(self.reset):
                m.d.sync += copy.eq(0)
            issues.append(copy)
        return issues


def _delay(m: Module, enable: Value, value: Value, cycles: int) -> Value:
    """``value`` after ``cycles`` registers that move with ``enable``."""
    for _ in range(cycles):
        register = Signal.like(value, name="delayed")
        with m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value
