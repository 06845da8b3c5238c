"""The instruction as the PE executes it: decoded a clock before, so that execution is short."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
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
    {**dict.fromkeys(DIRECTIONS, 1), "from_register": 1, "register": REGISTER_BITS, "constant": 32}
)
"""Where a value comes from: at most one bit is set; ``constant`` is zero unless it is the value."""

OUTPUT = data.StructLayout({"result": 1, "straight": 1, "route": 1})
"""What an output link takes; at most one bit is set."""

DECODED = data.StructLayout(
    {
        "datapath": DATAPATH_CONTROL,
        "valid_operation": 1,
        "a": SOURCE,
        "b": SOURCE,
        "route": SOURCE,
        "outputs": data.StructLayout(dict.fromkeys(DIRECTIONS, OUTPUT)),
        "predicate": PredicateMode,
        "write_register": 1,
        "destination_register": REGISTER_BITS,
        "write_predicate": 1,
        "exit": 1,
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
    # ABS chooses between a and minus b
    twice_a = one_of(control.operation, available & {Operation.ABS})
    b = (
        Mux(twice_a, Value.cast(control.a), Value.cast(control.b)),
        Mux(twice_a, control.a_register, control.b_register),
    )
    m.d.comb += [
        decoded.datapath.eq(decode_datapath(m, control.operation, available)),
        decoded.valid_operation.eq(uses_a),
        decoded.a.eq(_source(m, control.a, control.a_register, instruction.constant, uses_a)),
        decoded.b.eq(_source(m, *b, instruction.constant, uses_b | twice_a)),
        decoded.route.eq(
            _source(m, control.route, control.b_register, instruction.constant, Const(1))
        ),
        decoded.predicate.eq(control.predicate),
        decoded.write_register.eq(control.write_register),
        decoded.destination_register.eq(control.destination_register),
        decoded.write_predicate.eq(control.write_predicate),
        decoded.exit.eq(control.exit),
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


def _source(m: Module, source: Any, register: Value, constant: Value, used: Value) -> Any:
    """A SOURCE for an operand field; zero if the operand is not used."""
    chosen = Signal(SOURCE)
    code = Value.cast(source)
    m.d.comb += [chosen[side].eq((code == LINK_SOURCES[side].value) & used) for side in DIRECTIONS]
    m.d.comb += [
        chosen.from_register.eq((code == OperandSource.REGISTER.value) & used),
        chosen.register.eq(register),
        chosen.constant.eq(Mux((code == OperandSource.CONSTANT.value) & used, constant, 0)),
    ]
    return chosen
