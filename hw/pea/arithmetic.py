"""The PE's pipelined datapath: from two operands to the result."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..library import Block
from .control import DATAPATH_CONTROL, available_operations
from .multiplier import byte_products, factor, partial_products, sum_products
from .requantise import Shifted, saturate, shift_right

MAXIMUM_STAGES = 4


class Arithmetic(Block):
    """Computes every operation in ``pipeline_stages`` cycles and holds the accumulator.

    One adder serves sums, differences, comparisons and the accumulator, one multiplier serves
    products, shifts and requantisation. With several stages, the first multiplies bytes, the
    second accumulates and multiplies words, the third shifts, the fourth saturates.

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
        words = min(1, last)  # where the adder and the word multiplier are
        shifts = min(2, last)

        control = self._delay_control(m, last)
        issue = self._delay_issue(m, last)
        a = _delay(m, self.advance, self.a, words)
        b = _delay(m, self.advance, self.b, words)
        choose_b = _delay(m, self.advance, self.control.select & ~self.predicate, words)
        products = [
            _delay(m, self.advance, product, words) for product in byte_products(self.a, self.b)
        ]

        total, carry, accumulator_valid = self._adder(
            m, a, b, products, control[words], choose_b, issue[words]
        )
        plain = Signal(32)  # every result that needs no multiplier
        m.d.comb += plain.eq(self._plain(m, a, b, total, carry, control[words]))

        sign = total[31] & ~control[words].zero_extend
        factors = Cat(total, sign).as_signed(), factor(m, a, b, control[words], self.everything)
        partial = [
            _delay(m, self.advance, product, shifts - words)
            for product in partial_products(m, *factors)
        ]
        product = sum_products(m, partial)
        parameters = _delay(m, self.advance, b[16:], shifts - words)  # shift, relu, zero point
        shifted = shift_right(m, product[:48], parameters[:6])
        narrow = Shifted(
            *(_delay(m, self.advance, part, last - shifts) for part in shifted.parts())
        )
        settings = _delay(m, self.advance, parameters[6:], last - shifts)
        byte = saturate(m, narrow, settings[2:], settings[0])

        at_end = control[last]
        whole = _delay(m, self.advance, product, last - shifts)
        byte_part = byte.as_signed() & at_end.result_saturated.replicate(32).as_signed()
        result = _delay(m, self.advance, plain, last - words) | byte_part[:32]
        if self.everything:
            result |= whole[:32] & at_end.result_low.replicate(32)
            result |= whole[32:64] & at_end.result_high.replicate(32)
        release = _delay(m, self.advance, ~control[words].release | accumulator_valid, last - words)
        m.d.comb += [self.result.eq(result), self.valid.eq(issue[last] & release)]
        return m

    def _adder(
        self,
        m: Module,
        a: Value,
        b: Value,
        products: list[Value],
        control: Any,
        choose_b: Value,
        issue: Value,
    ) -> tuple[Value, Value, Value]:
        """The adder and the accumulator: (sum, carry out, the accumulator is valid)."""
        accumulator = Signal(32)
        accumulator_valid = Signal()
        dot = Signal(signed(18))
        left = Signal(32)
        right = Signal(32)
        total = Signal(33)
        m.d.comb += [
            dot.eq((products[0] + products[1]) + (products[2] + products[3])),
            left.eq(
                Mux(
                    control.add_accumulator,
                    accumulator,
                    b & (control.add_b | choose_b).replicate(32),
                )
            ),
            right.eq(Mux(control.add_dot, dot, a & ~choose_b.replicate(32))),
            total.eq(right + (left ^ control.subtract.replicate(32)) + control.subtract),
        ]
        with m.If(self.advance & issue & (control.accumulate | control.release)):
            m.d.sync += [
                accumulator.eq(Mux(control.accumulate, total[:32], 0)),
                accumulator_valid.eq(control.accumulate),
            ]
        with m.If(self.reset):
            m.d.sync += [accumulator.eq(0), accumulator_valid.eq(0)]
        return total[:32], total[32], accumulator_valid

    def _plain(
        self, m: Module, a: Value, b: Value, total: Value, carry: Value, control: Any
    ) -> Value:
        """The sum, a comparison's flag, the extreme of a and b, or the bit-wise result."""
        below = Signal()  # a < b, or a == b, negated as the operation says
        differ = a[31] ^ b[31]
        less = ~carry ^ (differ & ~control.unsigned)
        m.d.comb += below.eq(Mux(control.equal, total == 0, less) ^ control.negate)
        take_a = (control.extreme & below) | control.logic_or
        take_b = (control.extreme & ~below) | control.logic_or
        plain = total & control.result_sum.replicate(32)
        plain |= a & (take_a.replicate(32) | (b & control.logic_and.replicate(32)))
        plain |= b & take_b.replicate(32)
        plain |= (a ^ b) & control.logic_xor.replicate(32)
        return plain | (below & control.result_flag)

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
