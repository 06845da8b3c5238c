"""The PE's pipelined datapath: from two operands to the result."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..layouts.instruction import Operation
from ..library import KEEP, Block
from .choice import bitwise, choose, operands
from .control import (
    DATAPATH_CONTROL,
    MULTIPLIED,
    SETTINGS,
    available_operations,
    needed_lines,
    passes_multiplier,
)
from .multiplier import (
    HALF,
    byte_products,
    partial_products,
    power_of_two,
    scale,
    sum_products,
    sum_three,
    upper_half,
)
from .pipeline import Pipeline
from .requantise import saturate, shift_right

_NAMES = ("products", "add", "multiply", "sum", "saturate")
STEPS: dict[int, dict[str, int]] = {
    depth: dict(zip(_NAMES, stages, strict=True))
    for depth, stages in {
        1: (0, 0, 0, 0, 0),
        2: (0, 0, 1, 1, 1),
        3: (0, 1, 1, 2, 2),
        4: (0, 1, 2, 3, 3),
        5: (0, 1, 2, 3, 4),
    }.items()
}
"""For each pipeline depth the stage in which each step happens."""


class Arithmetic(Block):
    """Computes every operation in ``pipeline_stages`` cycles and holds the accumulator.

    One adder serves sums, differences, selections and the accumulator; every sum then passes one
    multiplier, which serves products, shifts and requantisation (if there is only the last of
    these, other results go beside it). The steps are: multiply bytes,
    compare; add, accumulate; multiply; sum the partial products; saturate. What no operation of
    the set needs is left out.

    Parameters
    ----------
    operations: the operation set (see ``hw/layouts/operations.py``).
    pipeline_stages: 1 to 5; how the steps are spread over them is in ``STEPS``.

    Ports
    -----
    advance: in, 1 bit, the pipeline moves.
    reset: in, 1 bit, at the end of this clock nothing is in flight (also without ``advance``), and
    what is issued from then on finds the accumulator zero and invalid.
    issue: in, 1 bit, the instruction acts and its operands are valid. a, b: in, 32 bits each.
    control: in, the decoded operation. predicate: in, 1 bit, for SELECT.
    result: out, 32 bits; not_zero: out, 1 bit, it is not zero; valid: out, 1 bit, there is a
    result; for the operands of ``pipeline_stages - 1`` advancing clocks before.

    Timing: latency ``pipeline_stages - 1`` registers, one operation a cycle. Combinational from
    the operands to the result with one stage.
    Errors: none.
    Source: own.
    """

    def __init__(self, operations: str, pipeline_stages: int) -> None:
        self.available = available_operations(operations)
        if pipeline_stages not in STEPS:
            raise ValueError(f"pipeline_stages is {pipeline_stages}; allowed: 1 to {len(STEPS)}")
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
                "not_zero": Out(1),
                "valid": Out(1),
            },
            operations=operations,
            pipeline_stages=pipeline_stages,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        step = STEPS[self.pipeline_stages]
        last = self.pipeline_stages - 1
        pipeline = Pipeline(m, self.advance)
        controls = self._delay_control(m, last)
        issues = self._delay_issue(m, last)

        def between(start: str, end: str) -> int:
            return step[end] - step[start]

        def until(value: Value, start: str, end: str, keep: Value | None = None) -> Value:
            return pipeline.carry(value, between(start, end), keep)

        control = controls[step["products"]]
        a, b = operands(m, self.a, self.b, control)
        flag, keep_a, keep_b, subtract = choose(m, a, b, control, self.predicate)
        flag = until(flag, "products", "add")
        left = until(bitwise(a, b, control), "products", "add", keep_b)
        right = until(a, "products", "add", keep_a)
        products: list[Value] = []
        if self.available & {Operation.DOT4}:
            products = byte_products(a, b)
            products = [until(item, "products", "add", control.add_dot) for item in products]
        subtract = until(subtract, "products", "add")
        low = until(b[:HALF], "products", "add", control.base_b)
        high = until(Cat(b[HALF:], b[31]), "products", "add", control.factor_b)
        power = until(power_of_two(m, b, control), "products", "add")
        upper = until(upper_half(b, control), "products", "add")
        b = until(b, "products", "add")

        control = controls[step["add"]]
        terms = (left, right, products)
        total, valid = self._adder(m, terms, subtract, control, issues[step["add"]])
        direct: Value = Const(0, 32)
        if not passes_multiplier(self.available):
            direct = until(total, "add", "saturate", control.result_low)
        sign = until(total[31], "add", "multiply", ~control.zero_extend)
        total, flag, b = (until(value, "add", "multiply") for value in (total, flag, b))
        scaled = scale(Cat(low[0] | ~control.base_b, low[1:]), power)
        y_low = until(scaled[:HALF], "add", "multiply", ~upper)
        shifted_up = scaled[:HALF] & upper.replicate(HALF)
        y_high = until(high | scaled[HALF:] | shifted_up, "add", "multiply")

        control = controls[step["multiply"]]
        equal = control.flag_equal & ((total == 0) ^ control.negate)
        flag = until((control.flag_order & flag) | equal, "multiply", "saturate")
        if self.available & MULTIPLIED:
            factors = partial_products(Cat(total, sign).as_signed(), y_low, y_high)
            partial = [until(item, "multiply", "sum") for item in factors]
            parameters = until(b[HALF:], "multiply", "sum")
            word, byte, byte_not_zero = self._results(
                m, pipeline, partial, parameters, controls[step["sum"]]
            )
        else:
            word, byte, byte_not_zero = Const(0), Const(0), Const(0)
        plain = direct | word | flag
        m.d.comb += [
            self.result.eq(plain | byte),
            self.not_zero.eq(plain.any() | byte_not_zero),
            self.valid.eq(issues[last] & pipeline.carry(valid, last - step["add"])),
        ]
        return m

    def _results(
        self, m: Module, pipeline: Pipeline, partial: list[Value], parameters: Value, control: Any
    ) -> tuple[Value, Value, Value]:
        """From partial products, and what ``b`` asks of REQUANTISE, to the result without flags:
        (a word of the product, a saturated byte, the byte is not zero)."""
        step = STEPS[self.pipeline_stages]
        registers = step["saturate"] - step["sum"]
        product = sum_products(m, partial)
        word: Value = Const(0)
        if passes_multiplier(self.available):
            word = pipeline.choose(
                (
                    (product[:32], control.result_low),
                    (product[32:], control.result_high),
                    (product[31:63], control.result_shifted),
                ),
                registers,
            )
        # the low bits of the shift are done; shift, relu, reserved bit, zero point
        steps, relu, zero_point = parameters[4:6], parameters[6], parameters[8:]
        shifted = shift_right(pipeline, product, steps, relu, control.saturate, registers)
        zero_point = pipeline.carry(zero_point, registers, control.saturate)
        byte, not_zero = saturate(m, shifted, zero_point)
        return word, Cat(byte, byte[-1].replicate(32 - len(byte))), not_zero

    def _adder(
        self,
        m: Module,
        terms: tuple[Value, Value, list[Value]],
        subtract: Value,
        control: Any,
        issue: Value,
    ) -> tuple[Value, Value]:
        """The adder and the accumulator: (sum, the accumulator does not make it invalid).

        ``terms``: left, for which the accumulator may stand, right, and the byte products. One of
        right and the products is zero.
        """
        left, right, products = terms
        accumulator = Signal(32)
        accumulator_valid = Signal()
        total = Signal(32)
        first = Mux(control.add_accumulator, accumulator, left) + subtract
        if products:
            # one product beside the sum of the others, not after it; kept, for synthesis would
            # make a carry-save adder of all, which is larger
            early = Signal(32, attrs=KEEP)
            m.d.comb += early.eq(first + products[0])
            first = early
            right = (right | sum_three(m, products[1:]))[:32]
        m.d.comb += total.eq(first + right)
        if not self.available & SETTINGS["add_accumulator"]:
            return total, Const(1)
        update = self.advance & issue & control.add_accumulator
        with m.If(update):
            m.d.sync += [accumulator.eq(total), accumulator_valid.eq(1)]
        reset: Value = self.reset
        if STEPS[self.pipeline_stages]["add"]:
            # Nothing is in flight after a reset, and what comes is added a clock later at least.
            reset = Signal()
            m.d.sync += reset.eq(self.reset)
        with m.If(reset | (update & control.release)):
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
        return [needed_lines(control, self.available) for control in controls]

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
