"""The processing element."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.features import DIRECTIONS, features_of
from ..layouts.instruction import OutputSelect
from ..layouts.operations import canonical
from ..library import KEEP, Block, add_block
from .arithmetic import Arithmetic
from .context import ContextStore
from .decode import DECODED, OPPOSITE, early_operations, stored_bits
from .interfaces import bank_shape, slot_shape
from .landing import Landing, Landings
from .pipeline import Pipeline
from .registers import RegisterFile
from .simple import SimpleArithmetic
from .sources import PAIR, Sources

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
    ``stages``, ``pipeline_stages``, ``simple_latency``.
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

    Timing: result latency ``pipeline_stages`` cycles to a link, register or the predicate,
    ``simple_latency`` for a simple operation with ``early``; STRAIGHT and ROUTE one cycle. No
    combinational path from input to output.
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
        stored = stored_bits(self.operations, self.features, pea.registers, pea.has_early)
        self.simple_latency = pea.simple_latency
        self.early = bool(early_operations(self.operations, pea.has_early))
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
            **({"simple_latency": self.simple_latency} if self.early else {}),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "context", context := ContextStore(*self.context))
        add_block(m, platform, "registers", registers := RegisterFile(self.registers))
        links = {side: getattr(self, f"{side}_in") for side in DIRECTIONS}
        sources = Sources(links, registers, self.features)
        arithmetic = Arithmetic(self.operations, self.pipeline_stages - self.operand_stages)
        add_block(m, platform, "arithmetic", arithmetic)

        now = self._instruction(m, context, sources)
        code = now.code
        predicate = Signal()
        acts = Signal()
        m.d.comb += [
            registers.reset.eq(self.reset),
            acts.eq(now.enabled & ~(code.if_true & ~predicate) & ~(code.if_false & predicate)),
        ]
        issue = self._operands(m, now, sources, arithmetic, acts, predicate)
        effects = self._effects(m, code)
        late = Landing(
            arithmetic.valid, arithmetic.result, arithmetic.not_zero, effects[self.pipeline_stages]
        )
        landings = Landings(late)
        if self.early:
            simple = SimpleArithmetic(self.operations)
            add_block(m, platform, "simple", simple)
            early = self._early(m, now, sources, arithmetic, simple, issue, predicate)
            landings = Landings(replace(early, effects=effects[self.simple_latency]), late)
        m.d.comb += [
            registers.write.eq(self.advance & landings.wants("write_register")),
            registers.write_register.eq(
                landings.chosen("write_register", lambda one: one.effects.destination_register)
            ),
            registers.write_data.eq(landings.chosen("write_register", lambda one: one.result)),
        ]
        with m.If(self.advance):
            leaves = [one.valid & one.effects.exit & one.not_zero for one in landings.order]
            m.d.sync += self.exit.eq(Cat(leaves).any())
            with m.If(landings.wants("write_predicate")):
                m.d.sync += predicate.eq(
                    landings.chosen("write_predicate", lambda one: one.not_zero)
                )
        with m.If(self.reset):
            m.d.sync += predicate.eq(0)
        with m.If(self.restart):
            m.d.sync += self.exit.eq(0)
        self._outputs(m, now, landings, sources, acts)
        return m

    def _instruction(self, m: Module, context: ContextStore, sources: Sources) -> Any:
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
        second = sources.route_sides()[PAIR:]
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
        sources: Sources,
        arithmetic: Arithmetic,
        acts: Value,
        predicate: Value,
    ) -> Value:
        """Choose the operands, in a stage of their own if there are stages enough.

        Returns:
            1 bit: the instruction in execution gives an early result.
        """
        code = now.code
        pipeline = Pipeline(m, self.advance)
        m.d.comb += [
            sources.registers.a_register.eq(code.a.register),
            sources.registers.b_register.eq(code.b.register),
            arithmetic.a.eq(sources.operand(pipeline, code, "a", self.operand_stages)),
            arithmetic.b.eq(sources.operand(pipeline, code, "b", self.operand_stages)),
        ]
        missing = sources.missing(code.a) | sources.missing(code.b)
        issue = acts & code.valid_operation & ~missing
        early = issue & code.early
        if self.early:
            issue &= ~code.early
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
        return early

    def _early(
        self,
        m: Module,
        now: Any,
        sources: Sources,
        arithmetic: Arithmetic,
        simple: SimpleArithmetic,
        issue: Value,
        predicate: Value,
    ) -> Landing:
        """The early result, still without its effects; ``issue``: as :meth:`_operands` gives it.

        Where there is time for it, the operands come from the registers of the other datapath.
        """
        code, registered = now.code, self.simple_latency - 1
        stages = min(self.operand_stages, registered)
        pipeline = Pipeline(m, self.advance)
        if stages == self.operand_stages:
            m.d.comb += [
                simple.a.eq(arithmetic.a),
                simple.b.eq(arithmetic.b),
                simple.control.eq(arithmetic.control),
                simple.predicate.eq(arithmetic.predicate),
            ]
        else:
            m.d.comb += [
                simple.a.eq(sources.operand(pipeline, code, "a", stages)),
                simple.b.eq(sources.operand(pipeline, code, "b", stages)),
                simple.control.eq(code.datapath),
                simple.predicate.eq(predicate),
            ]
        for number in range(registered):
            in_flight = Signal(name=f"early_{number + 1}")
            with m.If(self.advance):
                m.d.sync += in_flight.eq(issue)
            with m.If(self.reset):
                m.d.sync += in_flight.eq(0)
            issue = in_flight
        result = pipeline.carry(simple.result, registered - stages)
        not_zero = pipeline.carry(simple.not_zero, registered - stages)
        return Landing(issue, result, not_zero, None)

    def _effects(self, m: Module, code: Any) -> dict[int, Any]:
        """What becomes of the result that lands in this cycle, by its latency."""
        effects: Any = Signal(EFFECTS)
        m.d.comb += [
            effects.write_register.eq(code.write_register),
            effects.destination_register.eq(code.destination_register),
            effects.write_predicate.eq(code.write_predicate),
            effects.exit.eq(code.exit),
        ]
        m.d.comb += [effects[side].eq(code.outputs[side].result) for side in DIRECTIONS]
        by_latency = {1: effects}
        for stage in range(1, self.pipeline_stages):
            later: Any = Signal(EFFECTS, name=f"effects_{stage}")
            with m.If(self.advance):
                m.d.sync += later.eq(effects)
            effects = by_latency[stage + 1] = later
        return by_latency

    def _outputs(
        self,
        m: Module,
        now: Any,
        landings: Landings,
        sources: Sources,
        acts: Value,
    ) -> None:
        """The output links: a valid result, else what passes through, else nothing.

        What a link may take waits in registers of their own, reset unless chosen, and the link is
        the OR of them. A result is the same for all links: one register, and a gate a link.
        The register that ``route`` may name is that of operand ``b``.
        """
        route = now.code.route
        routed = Signal(32, attrs=KEEP)
        from_link = Cat(route[side] for side in DIRECTIONS).any()
        route_valid = ~sources.missing(route) & (acts | from_link)
        m.d.comb += routed.eq(
            sources.routed_link(m, now) | sources.register_b(route) | now.code.routed_constant
        )
        pipeline = Pipeline(m, self.advance)
        latest = [pipeline.carry(one.result, 1) for one in landings.order]
        for side in DIRECTIONS:
            straight = sources.links[OPPOSITE[side]]
            out = getattr(self, f"{side}_out")
            output = now.code.outputs[side]
            choice = self.features.output(side)
            result = Signal(name=f"result_{side}")
            m.d.comb += result.eq(landings.wants(side))
            passes = {
                OutputSelect.STRAIGHT: (straight.data, output.straight & ~result),
                OutputSelect.ROUTE: (routed, output.route & ~result),
            }
            lanes = [lane for select, lane in passes.items() if select in choice]
            if len(choice & {*passes, OutputSelect.RESULT}) == 1:  # nothing to choose from
                lanes = [(value, Const(1)) for value, _ in lanes]
            word = pipeline.choose(lanes, 1) if lanes else Const(0, 32)
            if OutputSelect.RESULT in choice:
                alone = not lanes and len(latest) == 1
                for value, gets in zip(latest, landings.gets(side), strict=True):
                    takes = Const(1) if alone else pipeline.carry(gets, 1)
                    word = word | (value & takes.replicate(32))
            m.d.comb += out.data.eq(word)
            passed_valid = (output.straight & straight.valid) | (output.route & route_valid)
            with m.If(self.restart):
                m.d.sync += out.valid.eq(0)
            with m.Elif(self.advance):
                m.d.sync += out.valid.eq(result | passed_valid)
