"""What an operation asks of the datapath: the operation code, decoded before execution."""

from collections.abc import Collection
from enum import Enum
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data

from ..layouts.instruction import Operation

Op = Operation

AI_OPERATIONS = frozenset(
    {Op.PASS, Op.ADD, Op.MAX, Op.MIN, Op.RELU, Op.CLAMP8, Op.DOT4, Op.READ_ACCUMULATOR}
    | {Op.REQUANTISE}
)
ALL_OPERATIONS = frozenset(set(Op) - {Op.NOP})

UNARY = frozenset({Op.PASS, Op.ABS, Op.RELU, Op.CLAMP8, Op.READ_ACCUMULATOR})
BINARY = ALL_OPERATIONS - UNARY
COMPARISONS = frozenset({Op.EQ, Op.NE, Op.LT, Op.GE, Op.LTU, Op.GEU})
LOGIC = frozenset({Op.AND, Op.OR, Op.XOR})
EXTREMES = frozenset({Op.MIN, Op.MAX, Op.RELU})
SHIFTS = frozenset({Op.SHL, Op.SHR, Op.SAR})

_MULTIPLIED_LOW = frozenset({Op.MUL, Op.SHL, Op.ABS})
_MULTIPLIED_HIGH = frozenset({Op.MULH, Op.SHR, Op.SAR})

SETTINGS: dict[str, frozenset[Operation]] = {
    # the adder: accumulator or b, plus a or the dot product
    "add_accumulator": frozenset({Op.DOT4, Op.READ_ACCUMULATOR, Op.REQUANTISE}),
    "add_b": frozenset({Op.ADD, Op.SUB}) | COMPARISONS | EXTREMES,
    "add_dot": frozenset({Op.DOT4}),
    "subtract": frozenset({Op.SUB}) | COMPARISONS | EXTREMES,
    "accumulate": frozenset({Op.DOT4}),
    "release": frozenset({Op.READ_ACCUMULATOR, Op.REQUANTISE}),
    "select": frozenset({Op.SELECT}),
    # comparisons on the adder's difference
    "equal": frozenset({Op.EQ, Op.NE}),
    "unsigned": frozenset({Op.LTU, Op.GEU}),
    "negate": frozenset({Op.NE, Op.GE, Op.GEU, Op.MAX, Op.RELU}),
    # what the bit-wise unit gives: both, either, exactly one, or the extreme
    "logic_and": frozenset({Op.AND}),
    "logic_or": frozenset({Op.OR}),
    "logic_xor": frozenset({Op.XOR}),
    "extreme": EXTREMES,
    # the multiplier's second factor
    "factor_b": frozenset({Op.MUL, Op.MULH}),
    "factor_low": frozenset({Op.REQUANTISE}),
    "factor_one": frozenset({Op.CLAMP8}),
    "factor_sign": frozenset({Op.ABS}),
    "shift": SHIFTS,
    "left": frozenset({Op.SHL}),
    "zero_extend": frozenset({Op.SHR}),
    # the result
    "result_sum": frozenset({Op.PASS, Op.ADD, Op.SUB, Op.SELECT, Op.DOT4, Op.READ_ACCUMULATOR}),
    "result_flag": COMPARISONS,
    "result_low": _MULTIPLIED_LOW,
    "result_high": _MULTIPLIED_HIGH,
    "result_saturated": frozenset({Op.REQUANTISE, Op.CLAMP8}),
}
"""For each control line of the datapath, the operations that raise it."""

DATAPATH_CONTROL = data.StructLayout(dict.fromkeys(SETTINGS, 1))


def available_operations(operations: str) -> frozenset[Operation]:
    """The operations of a PE built with ``operations``.

    Raises:
        ValueError: neither "all" nor "ai".
    """
    if operations not in ("all", "ai"):
        raise ValueError(f"operations is {operations!r}; allowed: 'all', 'ai'")
    return ALL_OPERATIONS if operations == "all" else AI_OPERATIONS


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
