"""What an operation asks of the datapath: the operation code, decoded before execution."""

from collections.abc import Collection
from enum import Enum
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data

from ..layouts.instruction import Operation
from ..layouts.operations import operations_of

Op = Operation

ALL_OPERATIONS = frozenset(set(Op) - {Op.NOP})

UNARY = frozenset({Op.PASS, Op.ABS, Op.RELU, Op.CLAMP8, Op.READ_ACCUMULATOR})
BINARY = ALL_OPERATIONS - UNARY

_ORDERED = frozenset({Op.LT, Op.GE, Op.LTU, Op.GEU})
_EQUAL = frozenset({Op.EQ, Op.NE})
_LOGIC = frozenset({Op.AND, Op.OR, Op.XOR})
_CHOOSE = frozenset({Op.SELECT, Op.MIN, Op.MAX, Op.RELU, Op.ABS})
_RIGHT = frozenset({Op.SHR, Op.SAR})
_SATURATED = frozenset({Op.REQUANTISE, Op.CLAMP8})
_SCALED = frozenset({Op.SHL}) | _RIGHT | _SATURATED
_WIDE = frozenset({Op.MUL, Op.MULH, Op.SHL}) | _RIGHT
MULTIPLIED = _WIDE | _SATURATED
"""Operations that need the wide multiplier."""

SETTINGS: dict[str, frozenset[Operation]] = {
    # the adder: (accumulator or b) plus or minus (dot product or a)
    "add_accumulator": frozenset({Op.DOT4, Op.READ_ACCUMULATOR, Op.REQUANTISE}),
    "add_dot": frozenset({Op.DOT4}),
    "add_a": ALL_OPERATIONS - _CHOOSE - _LOGIC - _ORDERED - {Op.DOT4},
    "add_b": frozenset({Op.ADD, Op.SUB}) | _EQUAL | _LOGIC,
    "subtract": frozenset({Op.SUB}) | _EQUAL,
    "release": frozenset({Op.READ_ACCUMULATOR, Op.REQUANTISE}),
    # which of a and b goes on alone
    "choose": _CHOOSE,
    "by_predicate": frozenset({Op.SELECT}),
    "by_sign": frozenset({Op.ABS, Op.RELU}),
    "subtract_negative": frozenset({Op.ABS}),
    "by_order": frozenset({Op.MIN, Op.MAX}),
    # comparisons
    "unsigned": frozenset({Op.LTU, Op.GEU}),
    "negate": frozenset({Op.NE, Op.GE, Op.GEU, Op.MAX}),
    "flag_order": _ORDERED,
    "flag_equal": _EQUAL,
    # what subtracts inverts b before all else
    "invert": frozenset({Op.SUB, Op.ABS}) | _EQUAL,
    # bit-wise: 00 b, 01 and, 10 or, 11 exclusive or. ABS subtracts a, which the exclusive or with
    # its absent b inverts, or nothing, from zero
    "logic_low": frozenset({Op.AND, Op.XOR, Op.ABS}),
    "logic_high": frozenset({Op.OR, Op.XOR, Op.ABS}),
    # the multiplier's second factor: a base times a power of two
    "base_b": frozenset({Op.MUL, Op.MULH, Op.REQUANTISE}),
    "factor_b": frozenset({Op.MUL, Op.MULH}),
    "requantise": frozenset({Op.REQUANTISE}),
    "scaled": _SCALED,
    "shift": frozenset({Op.SHL}) | _RIGHT,
    "left": frozenset({Op.SHL}),
    "zero_extend": frozenset({Op.SHR}),
    # the result: one of three words of the product, or a byte
    "result_low": ALL_OPERATIONS - _RIGHT - _SATURATED - _ORDERED - _EQUAL - {Op.MULH},
    "result_high": frozenset({Op.MULH}),
    "result_shifted": _RIGHT,
    "saturate": _SATURATED,
}
"""For each control line of the datapath, the operations that raise it."""

DATAPATH_CONTROL = data.StructLayout(dict.fromkeys(SETTINGS, 1))


def available_operations(operations: str) -> frozenset[Operation]:
    """The operations other than NOP of a PE built with the set ``operations``.

    Raises:
        ValueError: no such operation set (``hw/layouts/operations.py``).
    """
    try:
        return operations_of(operations) - {Op.NOP}
    except ValueError as error:
        raise ValueError(f"operations is {operations!r}; allowed: {error}") from None


def passes_multiplier(available: frozenset[Operation]) -> bool:
    """Whether every result passes the multiplier, since it serves more than requantisation."""
    return bool(_WIDE & available)


def needed_lines(control: Any, available: frozenset[Operation]) -> Any:
    """The control lines with those tied low that no available operation raises, and those tied
    high that every one does (what an instruction without a result does has no effect)."""

    def line(name: str, members: frozenset[Operation]) -> Value:
        if available <= members:
            return Const(1)
        return control[name] if members & available else Const(0)

    return SimpleNamespace(**{name: line(name, members) for name, members in SETTINGS.items()})


def one_of(operation: Any, members: Collection[Enum]) -> Value:
    """1 bit: ``operation`` (a signal) is one of ``members``."""
    code = Value.cast(operation)
    if not members:
        return Const(0)
    return code.matches(*sorted(member.value for member in members))


def decode_datapath(m: Module, operation: Any, available: frozenset[Operation]) -> Any:
    """The control lines for ``operation``; lines that no available operation raises are 0."""
    control = Signal(DATAPATH_CONTROL)
    for name, members in SETTINGS.items():
        m.d.comb += control[name].eq(one_of(operation, members & available))
    return control
