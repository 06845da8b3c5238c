"""The instruction as the PE executes it: decoded a clock before, so that execution is short."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data

from ..layouts.instruction import (
    REGISTER_BITS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from .control import BINARY, DATAPATH_CONTROL, decode_datapath, one_of

DIRECTIONS = ("north", "east", "south", "west")
OPPOSITE = {"north": "south", "east": "west", "south": "north", "west": "east"}

LINK_SOURCES = {
    "north": OperandSource.NORTH,
    "east": OperandSource.EAST,
    "south": OperandSource.SOUTH,
    "west": OperandSource.WEST,
}

SOURCE = data.StructLayout(
    {"link": 2, "from_link": 1, "from_register": 1, "from_constant": 1},
)
"""Where a value comes from. ``link`` numbers DIRECTIONS; no bit set: zero."""

OUTPUT = data.StructLayout({"result": 1, "straight": 1, "route": 1})
"""What an output link takes; at most one bit is set."""

DECODED = data.StructLayout(
    {
        "datapath": DATAPATH_CONTROL,
        "valid_operation": 1,
        "a": SOURCE,
        "a_register": REGISTER_BITS,
        "b": SOURCE,
        "b_register": REGISTER_BITS,
        "route": SOURCE,
        "outputs": data.StructLayout(dict.fromkeys(DIRECTIONS, OUTPUT)),
        "predicate": PredicateMode,
        "write_register": 1,
        "destination_register": REGISTER_BITS,
        "write_predicate": 1,
        "exit": 1,
        "constant": 32,
        "enabled": 1,
        "demand_north": 1,
        "demand_west": 1,
    }
)
"""``enabled``: the instruction's stage is active. ``demand_*``: enabled and using that input."""


def decode(m: Module, instruction: Any, active: Value, available: frozenset[Operation]) -> Any:
    """The decoded form of ``instruction`` in a cycle with these ``active`` stages, combinational.

    An operation that is not ``available`` uses no operand and gives no result.
    """
    control = instruction.control
    decoded = Signal(DECODED)
    uses_a = one_of(control.operation, available)
    uses_b = one_of(control.operation, available & BINARY)
    enabled = active.bit_select(control.stage, 1)
    m.d.comb += [
        decoded.datapath.eq(decode_datapath(m, control.operation, available)),
        decoded.valid_operation.eq(uses_a),
        decoded.a.eq(_source(m, control.a, uses_a)),
        decoded.a_register.eq(control.a_register),
        decoded.b.eq(_source(m, control.b, uses_b)),
        decoded.b_register.eq(control.b_register),
        decoded.route.eq(_source(m, control.route, Value.cast(1))),
        decoded.predicate.eq(control.predicate),
        decoded.write_register.eq(control.write_register),
        decoded.destination_register.eq(control.destination_register),
        decoded.write_predicate.eq(control.write_predicate),
        decoded.exit.eq(control.exit),
        decoded.constant.eq(instruction.constant),
        decoded.enabled.eq(enabled),
    ]
    any_route: Value = Value.cast(0)
    for direction in DIRECTIONS:
        select, output = control[direction], decoded.outputs[direction]
        m.d.comb += [
            output.result.eq(select == OutputSelect.RESULT),
            output.straight.eq(select == OutputSelect.STRAIGHT),
            output.route.eq(select == OutputSelect.ROUTE),
        ]
        any_route = any_route | output.route
    for direction in ("north", "west"):
        source = LINK_SOURCES[direction]
        used = (
            ((control.a == source) & uses_a)
            | ((control.b == source) & uses_b)
            | ((control.route == source) & any_route)
            | decoded.outputs[OPPOSITE[direction]].straight
        )
        m.d.comb += decoded[f"demand_{direction}"].eq(used & enabled)
    return decoded


def _source(m: Module, source: Any, used: Value) -> Any:
    """A SOURCE for an operand field; all zero if the operand is not used."""
    chosen = Signal(SOURCE)
    from_link = one_of(source, LINK_SOURCES.values())
    m.d.comb += [
        chosen.link.eq(Value.cast(source)[:2] - 1),
        chosen.from_link.eq(from_link & used),
        chosen.from_register.eq((source == OperandSource.REGISTER) & used),
        chosen.from_constant.eq((source == OperandSource.CONSTANT) & used),
    ]
    return chosen
