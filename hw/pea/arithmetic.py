"""The PE's pipelined datapath: from two operands to the result."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..library import Block
from .control import DATAPATH_CONTROL, available_operations
from .multiplier import byte_products, factor, partial_products, scaled_power, sum_products
from .requantise import Shifted, saturate, shift_right

_NAMES = ("products", "add", "multiply", "sum", "saturate")
STEPS: dict[int, dict[str, int]] = {
    depth: dict(zip(_NAMES, stages, strict=True))
    for depth, stages in {
        1: (0, 0, 0, 0, 0),
        2: (0, 0, 1, 1, 1),
        3: (0, 1, 1, 2, 2),
        4: (0, 1, 2, 3, 3),
        5: (1, 2, 3, 4, 4),
        6: (1, 2, 3, 4, 5),
    }.items()
}
"""For each pipeline depth the stage in which each step happens; operands are chosen in stage 0."""


class Arithmetic(Block):
    """Computes every operation in ``pipeline_stages`` cycles and holds the accumulator.

    One adder serves sums, differences, selections and the accumulator; every sum then passes one
    multiplier, which serves products, shifts and requantisation. The steps are: choose operands;
    multiply bytes, compare; add, accumulate; multiply; sum the partial products; saturate.

    Parameters
    ----------
    operations: "all" or "ai" (see ``control``).
    pipeline_stages: 1 to 6; how the steps are spread over them is in ``STEPS``.

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
        if pipeline_stages not in STEPS:
            raise ValueError(f"pipeline_stages is {pipeline_stages}; allowed: 1 to {len(STEPS)}")
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
        step = STEPS[self.pipeline_stages]
        controls = self._delay_control(m, last)
        issues = self._delay_issue(m, last)

        def later(value: Value, start: int, end: int) -> Value:
            return _delay(m, self.advance, value, end - start)

        def until(value: Value, start: str, end: str) -> Value:
            return later(value, step[start], step[end])

        a, b = later(self.a, 0, step["products"]), later(self.b, 0, step["products"])
        predicate = later(self.predicate, 0, step["products"])
        control = controls[step["products"]]
        chosen = self._choose(m, a, b, predicate, control)
        flag, *choices = (until(choice, "products", "add") for choice in chosen)
        dots = [until(pair, "products", "add") for pair in byte_products(a, b)]
        power = until(scaled_power(m, b, control), "products", "multiply")
        a, b = until(a, "products", "add"), until(self._bitwise(a, b, control), "products", "add")

        control = controls[step["add"]]
        total, valid = self._adder(m, a, b, dots, control, choices, issues[step["add"]])
        total, b, flag = (until(value, "add", "multiply") for value in (total, b, flag))

        control = controls[step["multiply"]]
        equal = control.flag_equal & ((total == 0) ^ control.negate)
        flag = until((control.flag_order & flag) | equal, "multiply", "sum")
        x = Cat(total, total[31] & ~control.zero_extend).as_signed()
        y = factor(b, power, control, self.everything)
        partial = [until(item, "multiply", "sum") for item in partial_products(m, x, y)]
        parameters = until(b[16:], "multiply", "sum")  # shift (low bits done), relu, zero point

        control = controls[step["sum"]]
        product = sum_products(m, partial)
        shifted = shift_right(m, product, parameters[4:6] & control.saturate.replicate(2))
        word = product[:32] & control.result_low.replicate(32)
        word |= product[32:] & control.result_high.replicate(32)
        word = until(word | flag, "sum", "saturate")
        narrow = Shifted(*(until(part, "sum", "saturate") for part in shifted.parts()))
        settings = until(parameters[6:], "sum", "saturate")

        byte = saturate(m, narrow, settings[2:], settings[0])
        byte = byte.as_signed() & controls[last].saturate.replicate(32).as_signed()
        m.d.comb += [
            self.result.eq(word | byte),
            self.valid.eq(issues[last] & later(valid, step["add"], last)),
        ]
        return m

    def _choose(
        self, m: Module, a: Value, b: Value, predicate: Value, control: Any
    ) -> tuple[Value, Value, Value, Value]:
        """From the operands: (a before b as the operation says, add a, add b, subtract)."""
        before = Signal()
        take_a = Signal()
        sign = ~control.unsigned
        ordered_a, ordered_b = Cat(a[:31], a[31] ^ sign), Cat(b[:31], b[31] ^ sign)
        m.d.comb += [
            before.eq((ordered_a < ordered_b) ^ control.negate),
            take_a.eq(
                (control.by_predicate & predicate)
                | (control.by_order & before)
                | (control.by_sign & ~a[31])
            ),
        ]
        return (
            before,
            control.add_a | (control.choose & take_a),
            control.add_b | (control.choose & ~take_a),
            control.subtract | (control.by_sign & a[31]),
        )

    def _bitwise(self, a: Value, b: Value, control: Any) -> Value:
        """``b``, or a bit-wise function of ``a`` and ``b``."""
        if not self.everything:
            return b
        low, high = control.logic_low, control.logic_high
        return Mux(high, Mux(low, a ^ b, a | b), Mux(low, a & b, b))

    def _adder(
        self,
        m: Module,
        a: Value,
        b: Value,
        dots: list[Value],
        control: Any,
        choices: list[Value],
        issue: Value,
    ) -> tuple[Value, Value]:
        """The adder and the accumulator: (sum, the accumulator does not make it invalid)."""
        add_a, add_b, subtract = choices
        accumulator = Signal(32)
        accumulator_valid = Signal()
        dot = Signal(signed(18))
        left = Signal(32)
        right = Signal(32)
        total = Signal(32)
        m.d.comb += [
            dot.eq(dots[0] + dots[1]),
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
