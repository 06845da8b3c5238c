"""The processing element's instruction word: one definition for RTL, golden model and compiler.

Semantics are in ``docs/specification.md``, section PE.
"""

from amaranth.lib import data, enum

CONTROL_BITS = 64
"""Instruction bits reserved in a kernel image for the control part (two words)."""

INSTRUCTION_WORDS = 3
"""Words an instruction takes in a kernel image: control low, control high, constant."""

REGISTER_BITS = 4
STAGE_BITS = 3


class Operation(enum.Enum, shape=5):
    """What the PE's datapath computes; ``a`` and ``b`` are its 32-bit operands."""

    NOP = 0
    PASS = 1
    ADD = 2
    SUB = 3
    MUL = 4
    MULH = 5
    SHL = 6
    SHR = 7
    SAR = 8
    AND = 9
    OR = 10
    XOR = 11
    MIN = 12
    MAX = 13
    EQ = 14
    NE = 15
    LT = 16
    GE = 17
    LTU = 18
    GEU = 19
    SELECT = 20
    ABS = 21
    RELU = 22
    CLAMP8 = 23
    DOT4 = 24
    READ_ACCUMULATOR = 25
    REQUANTISE = 26


SIMPLE_OPERATIONS = frozenset(Operation) - {
    Operation.NOP,
    Operation.MUL,
    Operation.MULH,
    Operation.DOT4,
    Operation.READ_ACCUMULATOR,
    Operation.REQUANTISE,
}
"""Operations whose result may be had after ``simple_latency`` cycles: with neither product nor
accumulator."""


class OperandSource(enum.Enum, shape=3):
    """Where an operand, or the routed value, comes from."""

    ZERO = 0
    NORTH = 1
    EAST = 2
    SOUTH = 3
    WEST = 4
    REGISTER = 5
    CONSTANT = 6


class OutputSelect(enum.Enum, shape=2):
    """What an output link carries.

    ``STRAIGHT`` forwards the link that enters on the opposite side, ``ROUTE`` the value
    chosen by the instruction's ``route``, ``RESULT`` the datapath's result.
    """

    NONE = 0
    RESULT = 1
    STRAIGHT = 2
    ROUTE = 3


class PredicateMode(enum.Enum, shape=2):
    """Whether the instruction has effect, given the PE's predicate bit."""

    ALWAYS = 0
    IF_TRUE = 1
    IF_FALSE = 2


class Control(data.Struct):
    """The control part of an instruction (the constant is a word of its own).

    ``early``: the result of a simple operation comes after the array's ``simple_latency`` cycles
    instead of its ``pipeline_stages``.
    """

    operation: Operation
    a: OperandSource
    a_register: REGISTER_BITS
    b: OperandSource
    b_register: REGISTER_BITS
    predicate: PredicateMode
    write_register: 1
    destination_register: REGISTER_BITS
    write_predicate: 1
    exit: 1
    north: OutputSelect
    east: OutputSelect
    south: OutputSelect
    west: OutputSelect
    route: OperandSource
    stage: STAGE_BITS
    early: 1


class Instruction(data.Struct):
    """A whole instruction as the context store holds it."""

    control: Control
    constant: 32


class RequantiseParameters(data.Struct):
    """Operand ``b`` of ``REQUANTISE``."""

    multiplier: 16
    shift: 6
    relu: 1
    reserved: 1
    zero_point: 8
