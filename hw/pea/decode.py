"""The instruction as the PEs hold and execute it: decoded once, when it is written.

Instructions are decoded on their way into the context stores, by one decoder for the whole
array, so that neither the PEs' area nor their clock pays for it.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from ..layouts.instruction import (
    REGISTER_BITS,
    STAGE_BITS,
    OperandSource,
    OutputSelect,
    PredicateMode,
)
from .control import BINARY, DATAPATH_CONTROL, available_operations, decode_datapath, one_of

DIRECTIONS = ("north", "east", "south", "west")
OPPOSITE = {"north": "south", "east": "west", "south": "north", "west": "east"}

LINK_SOURCES = {
    "north": OperandSource.NORTH,
    "east": OperandSource.EAST,
    "south": OperandSource.SOUTH,
    "west": OperandSource.WEST,
}

SOURCE = data.StructLayout(
    {
        **dict.fromkeys(DIRECTIONS, 1),
        "from_register": 1,
        "register": REGISTER_BITS,
        "from_constant": 1,
    }
)
"""Where a value comes from: at most one bit is set, none for zero."""

OUTPUT = data.StructLayout({"result": 1, "straight": 1, "route": 1})
"""What an output link takes; at most one bit is set."""

DECODED = data.StructLayout(
    {
        "datapath": DATAPATH_CONTROL,
        "valid_operation": 1,
        "a": SOURCE,
        "b": SOURCE,
        "route": SOURCE,
        "constant": 32,
        "outputs": data.StructLayout(dict.fromkeys(DIRECTIONS, OUTPUT)),
        "if_true": 1,
        "if_false": 1,
        "write_register": 1,
        "destination_register": REGISTER_BITS,
        "write_predicate": 1,
        "exit": 1,
        "uses_north": 1,
        "uses_west": 1,
        "stage": STAGE_BITS,
    }
)
"""``uses_*``: if enabled, the instruction demands that input."""


def decode(m: Module, instruction: Any, operations: str) -> Any:
    """The decoded form of ``instruction`` for PEs with ``operations``, combinational.

    An operation that is not available uses no operand and gives no result.
    """
    available = available_operations(operations)
    control = instruction.control
    decoded = Signal(DECODED)
    uses_a = one_of(control.operation, available)
    uses_b = one_of(control.operation, available & BINARY)
    m.d.comb += [
        decoded.datapath.eq(decode_datapath(m, control.operation, available)),
        decoded.valid_operation.eq(uses_a),
        decoded.a.eq(_source(control.a, control.a_register, uses_a)),
        decoded.b.eq(_source(control.b, control.b_register, uses_b)),
        decoded.route.eq(_source(control.route, control.b_register, Const(1))),
        decoded.constant.eq(instruction.constant),
        decoded.if_true.eq(control.predicate == PredicateMode.IF_TRUE),
        decoded.if_false.eq(control.predicate == PredicateMode.IF_FALSE),
        decoded.write_register.eq(control.write_register),
        decoded.destination_register.eq(control.destination_register),
        decoded.write_predicate.eq(control.write_predicate),
        decoded.exit.eq(control.exit),
        decoded.stage.eq(control.stage),
    ]
    any_route: Value = Const(0)
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
        m.d.comb += decoded[f"uses_{direction}"].eq(
            ((control.a == source) & uses_a)
            | ((control.b == source) & uses_b)
            | ((control.route == source) & any_route)
            | decoded.outputs[OPPOSITE[direction]].straight
        )
    return decoded


def _source(source: Any, register: Value, used: Value) -> Value:
    """The bits of a SOURCE for an operand field; none set if the operand is not used."""
    code = Value.cast(source)
    fields: dict[str, Value] = {
        side: (code == LINK_SOURCES[side].value) & used for side in DIRECTIONS
    }
    fields["from_register"] = (code == OperandSource.REGISTER.value) & used
    fields["register"] = register
    fields["from_constant"] = (code == OperandSource.CONSTANT.value) & used
    return Cat(*fields.values())
