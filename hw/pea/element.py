"""The processing element."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.features import DIRECTIONS, features_of
from ..layouts.instruction import OperandSource, OutputSelect
from ..layouts.operations import canonical
from ..library import KEEP, Block, add_block
from .arithmetic import Arithmetic
from .context import ContextStore
from .decode import DECODED, LINK_SOURCES, OPPOSITE, stored_bits
from .interfaces import bank_shape, slot_shape
from .pipeline import Pipeline
from .registers import RegisterFile

LINK = data.StructLayout({"data": 32, "valid": 1})
"""One direction of the connection between two neighbours."""

EXECUTING = data.StructLayout(
    {
        "code": DECODED,
        "routes_second": 1,
        "enabled": 1,
    }
)
"""The instruction in execution. ``routes_second``: ``route`` is a link of the second pair.
``enabled``: the instruction's stage is active."""

OPERAND_STAGE_FROM = 5
"""From this pipeline depth on operands are chosen in a stage of their own."""

PAIR = 2
"""The links that a table of four inputs takes with a gate each."""

GROUP = 3
"""The sources of an operand that a table of four inputs takes if it inverts them too."""

EFFECTS = data.StructLayout(
    {
        "write_register": 1,
        "destination_register": 4,
        "write_predicate": 1,
        "exit": 1,
        "north": 1,
        "east": 1,
        "south": 1,
        "west": 1,
    }
)
"""What becomes of a result; the directions name the output links that take it."""


class ProcessingElement(Block):
    """Executes one instruction a cycle: context store, operands, datapath, output links.

    All PEs of an array with the same operations and features are one module; coordinates do not
    enter.

    Parameters
    ----------
    pea: the array's configuration. Used: ``context_banks``, ``context_slots``, ``registers``,
    ``stages``, ``pipeline_stages``.
    operations: the PE's operation set (see ``hw/layouts/operations.py``).
    features: the PE's feature set (see ``hw/layouts/features.py``).

    Ports
    -----
    fetch: in, 1 bit, read the instruction at ``bank``, ``slot`` (in).
    decode: in, 1 bit, the instruction read last becomes the one in execution, in a cycle with the
    stages ``active`` (in). disable: in, 1 bit, whichever is in execution from the next clock on is
    not enabled.
    advance: in, 1 bit, the instruction in execution does its cycle. A ``decode`` comes in the same
    clock or before the next ``advance``.
    restart: in, 1 bit, at the end of this clock links are invalid. reset: in, 1 bit, high with
    every ``restart``: registers, predicate and accumulator are cleared and nothing is in flight.
    north_in .. west_in, north_out .. west_out: links, data and valid; outputs are registers.
    exit: out, 1 bit, register.
    write, write_bank, write_slot, write_instruction: in, context write, already decoded.

    Timing: result latency ``pipeline_stages`` cycles to a link, register or the predicate; STRAIGHT
    and ROUTE one cycle. No combinational path from input to output.
    Errors: none; an operation that is not available gives an invalid result.
    Source: own.
    """

    def __init__(self, pea: PeaConfig, operations: str, features: str) -> None:
        self.pipeline_stages = pea.pipeline_stages
        self.operand_stages = int(pea.pipeline_stages >= OPERAND_STAGE_FROM)
        self.operations = canonical(operations)
        self.features = features_of(features)
        self.kind = (self.operations, features)
        self.registers = pea.registers
        stored = stored_bits(self.operations, self.features, pea.registers)
        self.context = (pea.context_banks, pea.context_slots, stored)
        links = {f"{side}_in": In(LINK) for side in DIRECTIONS}
        links |= {f"{side}_out": Out(LINK) for side in DIRECTIONS}
        super().__init__(
            {
                "fetch": In(1),
                "bank": In(bank_shape(pea)),
                "slot": In(slot_shape(pea)),
                "decode": In(1),
                "active": In(pea.stages),
                "disable": In(1),
                "advance": In(1),
                "restart": In(1),
                "reset": In(1),
                **links,
                "exit": Out(1),
                "write": In(1),
                "write_bank": In(bank_shape(pea)),
                "write_slot": In(slot_shape(pea)),
                "write_instruction": In(DECODED),
            },
            context_slots=pea.context_slots,
            context_banks=pea.context_banks,
            registers=pea.registers,
            stages=pea.stages,
            pipeline_stages=pea.pipeline_stages,
            operations=self.operations,
            features=features,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "context", context := ContextStore(*self.context))
        add_block(m, platform, "registers", registers := RegisterFile(self.registers))
        arithmetic = Arithmetic(self.operations, self.pipeline_stages - self.operand_stages)
        add_block(m, platform, "arithmetic", arithmetic)

        now = self._instruction(m, context)
        code = now.code
        predicate = Signal()
        acts = Signal()
        m.d.comb += [
            registers.reset.eq(self.reset),
            acts.eq(now.enabled & ~(code.if_true & ~predicate) & ~(code.if_false & predicate)),
        ]
        self._operands(m, now, registers, arithmetic, acts, predicate)
        effects = self._effects(m, code)
        m.d.comb += [
            registers.write.eq(self.advance & arithmetic.valid & effects.write_register),
            registers.write_register.eq(effects.destination_register),
            registers.write_data.eq(arithmetic.result),
        ]
        with m.If(self.advance):
            m.d.sync += self.exit.eq(arithmetic.valid & effects.exit & arithmetic.not_zero)
            with m.If(arithmetic.valid & effects.write_predicate):
                m.d.sync += predicate.eq(arithmetic.not_zero)
        with m.If(self.reset):
            m.d.sync += predicate.eq(0)
        with m.If(self.restart):
            m.d.sync += self.exit.eq(0)
        self._outputs(m, now, effects, arithmetic, registers, acts)
        return m

    def _instruction(self, m: Module, context: ContextStore) -> Any:
        """Fetch; the instruction in execution."""
        now = Signal(EXECUTING)
        m.d.comb += [
            context.fetch.eq(self.fetch),
            context.bank.eq(self.bank),
            context.slot.eq(self.slot),
            context.write.eq(self.write),
            context.write_bank.eq(self.write_bank),
            context.write_slot.eq(self.write_slot),
            context.write_instruction.eq(self.write_instruction),
        ]
        fetched = context.instruction
        second = self._route_sides()[PAIR:]
        with m.If(self.decode):
            m.d.sync += [
                now.code.eq(fetched),
                now.enabled.eq(self.active.bit_select(fetched.stage, 1)),
                now.routes_second.eq(Cat(fetched.route[side] for side in second).any()),
            ]
        with m.If(self.disable):
            m.d.sync += now.enabled.eq(0)
        return now

    def _operands(
        self,
        m: Module,
        now: Any,
        registers: RegisterFile,
        arithmetic: Arithmetic,
        acts: Value,
        predicate: Value,
    ) -> None:
        """Choose the operands, in a stage of their own if there are stages enough."""
        code = now.code
        pipeline = Pipeline(m, self.advance)
        m.d.comb += [
            registers.a_register.eq(code.a.register),
            registers.b_register.eq(code.b.register),
            arithmetic.a.eq(
                self._operand(pipeline, code, "a", registers.a_data, registers.a_written)
            ),
            arithmetic.b.eq(
                self._operand(pipeline, code, "b", registers.b_data, registers.b_written)
            ),
        ]
        missing = self._missing(code.a) | self._missing(code.b)
        issue = acts & code.valid_operation & ~missing
        if self.operand_stages:
            issued = Signal()
            with m.If(self.advance):
                m.d.sync += issued.eq(issue)
            with m.If(self.reset):
                m.d.sync += issued.eq(0)
            issue = issued
        m.d.comb += [
            arithmetic.advance.eq(self.advance),
            arithmetic.reset.eq(self.reset),
            arithmetic.issue.eq(issue),
            arithmetic.control.as_value().eq(
                pipeline.carry(code.datapath.as_value(), self.operand_stages)
            ),
            arithmetic.predicate.eq(pipeline.carry(predicate, self.operand_stages)),
        ]

    def _operand(
        self, pipeline: Pipeline, code: Any, name: str, register: Value, written: Value
    ) -> Value:
        """Operand ``name``: one of its sources or zero.

        Sources are chosen in groups, each of which is a table of four inputs with what follows, and
        a multiplexer of the slice's own chooses among these.
        """
        source, stages = code[name], self.operand_stages
        sources = {
            LINK_SOURCES[side]: (getattr(self, f"{side}_in").data, source[side])
            for side in DIRECTIONS
        } | {
            OperandSource.REGISTER: (register, source.from_register & written),
            OperandSource.CONSTANT: (code.constant, source.from_constant),
        }
        lanes = [lane for kind, lane in sources.items() if kind in getattr(self.features, name)]
        if not stages or len(lanes) < GROUP + 2:
            return pipeline.choose(lanes, stages)
        rest = pipeline.carry(Cat(keep for _, keep in lanes[GROUP:]).any(), stages)
        first, second = (pipeline.choose(some, stages) for some in (lanes[:GROUP], lanes[GROUP:]))
        return Mux(rest, second, first)

    def _route_sides(self) -> list[str]:
        """The links that ``route`` can take."""
        return [side for side in DIRECTIONS if LINK_SOURCES[side] in self.features.route]

    def _routed_link(self, m: Module, now: Any) -> Value:
        """The data of the link that ``route`` takes, or zero."""
        route = now.code.route
        sides = self._route_sides()
        links = [getattr(self, f"{side}_in").data & route[side].replicate(32) for side in sides]
        # kept, so that a mapper to four-input tables finds a multiplexer of two of them
        first, second, link = (
            Signal(32, name=f"route_{name}", attrs=KEEP) for name in ("first", "second", "link")
        )
        m.d.comb += [
            first.eq(reduce(or_, links[:PAIR], Const(0))),
            second.eq(reduce(or_, links[PAIR:], Const(0))),
            link.eq(Mux(now.routes_second, second, first)),
        ]
        return link

    def _register_b(self, source: Any, registers: RegisterFile) -> Value:
        """The register that ``b`` and ``route`` share if ``source`` is it, else zero."""
        return registers.b_data & (source.from_register & registers.b_written).replicate(32)

    def _missing(self, source: Any) -> Value:
        """1 bit: ``source`` is a link that is not valid."""
        links = [source[side] & ~getattr(self, f"{side}_in").valid for side in DIRECTIONS]
        return Cat(links).any()

    def _effects(self, m: Module, code: Any) -> Any:
        """What becomes of the result that leaves the datapath in this cycle."""
        effects: Any = Signal(EFFECTS)
        m.d.comb += [
            effects.write_register.eq(code.write_register),
            effects.destination_register.eq(code.destination_register),
            effects.write_predicate.eq(code.write_predicate),
            effects.exit.eq(code.exit),
        ]
        m.d.comb += [effects[side].eq(code.outputs[side].result) for side in DIRECTIONS]
        for stage in range(1, self.pipeline_stages):
            later: Any = Signal(EFFECTS, name=f"effects_{stage}")
            with m.If(self.advance):
                m.d.sync += later.eq(effects)
            effects = later
        return effects

    def _outputs(
        self,
        m: Module,
        now: Any,
        effects: Any,
        arithmetic: Arithmetic,
        registers: RegisterFile,
        acts: Value,
    ) -> None:
        """The output links: a valid result, else what passes through, else nothing.

        What a link may take waits in registers of their own, reset unless chosen, and the link is
        the OR of them. The result is the same for all links: one register, and a gate a link.
        The register that ``route`` may name is that of operand ``b``.
        """
        route = now.code.route
        routed = Signal(32, attrs=KEEP)
        from_link = Cat(route[side] for side in DIRECTIONS).any()
        route_valid = ~self._missing(route) & (acts | from_link)
        m.d.comb += routed.eq(
            self._routed_link(m, now)
            | self._register_b(route, registers)
            | now.code.routed_constant
        )
        pipeline = Pipeline(m, self.advance)
        latest = pipeline.carry(arithmetic.result, 1)
        for side in DIRECTIONS:
            straight = getattr(self, f"{OPPOSITE[side]}_in")
            out = getattr(self, f"{side}_out")
            output = now.code.outputs[side]
            choice = self.features.output(side)
            result = Signal(name=f"result_{side}")
            m.d.comb += result.eq(arithmetic.valid & effects[side])
            passes = {
                OutputSelect.STRAIGHT: (straight.data, output.straight & ~result),
                OutputSelect.ROUTE: (routed, output.route & ~result),
            }
            lanes = [lane for select, lane in passes.items() if select in choice]
            if len(choice & {*passes, OutputSelect.RESULT}) == 1:  # nothing to choose from
                lanes = [(value, Const(1)) for value, _ in lanes]
            word = pipeline.choose(lanes, 1) if lanes else Const(0, 32)
            if OutputSelect.RESULT in choice:
                takes = pipeline.carry(result, 1) if lanes else Const(1)
                word = word | (latest & takes.replicate(32))
            m.d.comb += out.data.eq(word)
            passed_valid = (output.straight & straight.valid) | (output.route & route_valid)
            with m.If(self.restart):
                m.d.sync += out.valid.eq(0)
            with m.Elif(self.advance):
                m.d.sync += out.valid.eq(result | passed_valid)
