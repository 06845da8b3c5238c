"""The instruction as the PEs hold and execute it: decoded once, when it is written.

Instructions are decoded on their way into the context stores, by one decoder for the whole
array, so that neither the PEs' area nor their clock pays for it.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from ..layouts.features import DIRECTIONS, Features
from ..layouts.instruction import (
    REGISTER_BITS,
    SIMPLE_OPERATIONS,
    STAGE_BITS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from ..layouts.words import WORD_MASK
from .control import (
    BINARY,
    DATAPATH_CONTROL,
    SETTINGS,
    available_operations,
    decode_datapath,
    one_of,
)

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

_OUTPUTS = {
    "result": OutputSelect.RESULT,
    "straight": OutputSelect.STRAIGHT,
    "route": OutputSelect.ROUTE,
}

OUTPUT = data.StructLayout(dict.fromkeys(_OUTPUTS, 1))
"""What an output link takes; at most one bit is set."""

DECODED = data.StructLayout(
    {
        "datapath": DATAPATH_CONTROL,
        "valid_operation": 1,
        "a": SOURCE,
        "b": SOURCE,
        "route": SOURCE,
        "constant": 32,
        "routed_constant": 32,
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
        "early": 1,
    }
)
"""``constant``: of ``a`` and ``b``. ``routed_constant``: what ``route`` takes from no link and no
register, which is the constant or zero. ``uses_*``: if enabled, the instruction demands that
input; kept beside the edges (:class:`EdgeDemand`), not in the PE."""


def decode(
    m: Module, instruction: Any, operations: str, features: Features, has_early: bool
) -> Any:
    """The decoded form of ``instruction`` for PEs with ``operations``, combinational.

    ``has_early``: the array has early results of simple operations.

    An operation that is not available uses no operand and gives no result; a source that is not
    there is zero, an output that is not there nothing.
    """
    available = available_operations(operations)
    control = instruction.control
    decoded = Signal(DECODED)
    uses_a = one_of(control.operation, available)
    uses_b = one_of(control.operation, available & BINARY)
    predicates = int(features.predication)
    m.d.comb += [
        decoded.datapath.eq(decode_datapath(m, control.operation, available)),
        decoded.valid_operation.eq(uses_a),
        decoded.a.eq(_source(control.a, control.a_register, uses_a, features.a)),
        decoded.b.eq(_source(control.b, control.b_register, uses_b, features.b)),
        decoded.route.eq(_source(control.route, control.b_register, Const(1), features.route)),
        decoded.constant.eq(instruction.constant),
        decoded.routed_constant.eq(
            Mux(decoded.route.from_constant, instruction.constant, Const(0, 32))
        ),
        decoded.if_true.eq((control.predicate == PredicateMode.IF_TRUE) & predicates),
        decoded.if_false.eq((control.predicate == PredicateMode.IF_FALSE) & predicates),
        decoded.write_register.eq(control.write_register),
        decoded.destination_register.eq(control.destination_register),
        decoded.write_predicate.eq(control.write_predicate & predicates),
        decoded.exit.eq(control.exit & predicates),
        decoded.stage.eq(control.stage),
        decoded.early.eq(
            control.early & one_of(control.operation, early_operations(operations, has_early))
        ),
    ]
    outputs = {
        side: {
            name: (control[side] == kind) & int(kind in features.output(side))
            for name, kind in _OUTPUTS.items()
        }
        for side in DIRECTIONS
    }
    for side, output in outputs.items():
        m.d.comb += [decoded.outputs[side][name].eq(value) for name, value in output.items()]
    any_route = Cat(output["route"] for output in outputs.values()).any()
    for direction in ("north", "west"):
        source = LINK_SOURCES[direction]
        m.d.comb += decoded[f"uses_{direction}"].eq(
            _names(control.a, source, uses_a, features.a)
            | _names(control.b, source, uses_b, features.b)
            | _names(control.route, source, any_route, features.route)
            | outputs[OPPOSITE[direction]]["straight"]
        )
    return decoded


def early_operations(operations: str, has_early: bool) -> frozenset[Operation]:
    """The operations of a PE with ``operations`` whose result may come early."""
    return available_operations(operations) & SIMPLE_OPERATIONS if has_early else frozenset()


def _names(
    source: Any, kind: OperandSource, used: Value, sources: frozenset[OperandSource]
) -> Value:
    """1 bit: the field ``source``, which can have ``sources``, is ``kind`` and ``used``."""
    return (Value.cast(source) == kind.value) & used if kind in sources else Const(0)


def _source(source: Any, register: Value, used: Value, sources: frozenset[OperandSource]) -> Value:
    """The bits of a SOURCE for an operand field that can have ``sources``; none set if the operand
    is not used."""

    def names(kind: OperandSource) -> Value:
        return _names(source, kind, used, sources)

    fields: dict[str, Value] = {side: names(LINK_SOURCES[side]) for side in DIRECTIONS}
    fields["from_register"] = names(OperandSource.REGISTER)
    fields["register"] = register
    fields["from_constant"] = names(OperandSource.CONSTANT)
    return Cat(*fields.values())


def stored_bits(operations: str, features: Features, registers: int, has_early: bool) -> int:
    """The bits of a DECODED that can be set in such a PE, as a mask: only these are stored."""
    available = available_operations(operations)
    last_register = registers - 1

    def source(sources: frozenset[OperandSource]) -> dict[str, int]:
        links = {side: int(LINK_SOURCES[side] in sources) for side in DIRECTIONS}
        from_register = OperandSource.REGISTER in sources
        return links | {
            "from_register": int(from_register),
            "register": last_register * from_register,
            "from_constant": int(OperandSource.CONSTANT in sources),
        }

    constants = any(OperandSource.CONSTANT in have for have in (features.a, features.b))
    route = source(features.route) | {"register": 0, "from_constant": 0}  # that of b; decoded
    predicates = int(features.predication)
    mask = DECODED.const(
        {
            "datapath": {name: int(bool(who & available)) for name, who in SETTINGS.items()},
            "valid_operation": 1,
            "a": source(features.a),
            "b": source(features.b),
            "route": route,
            "constant": WORD_MASK * constants,
            "routed_constant": WORD_MASK * (OperandSource.CONSTANT in features.route),
            "outputs": {
                side: {name: int(kind in features.output(side)) for name, kind in _OUTPUTS.items()}
                for side in DIRECTIONS
            },
            "if_true": predicates,
            "if_false": predicates,
            "write_register": int(features.has_registers),
            "destination_register": last_register * features.has_registers,
            "write_predicate": predicates,
            "exit": predicates,
            "uses_north": 0,
            "uses_west": 0,
            "stage": (1 << STAGE_BITS) - 1,
            "early": int(bool(early_operations(operations, has_early))),
        }
    )
    return Value.cast(mask).value
