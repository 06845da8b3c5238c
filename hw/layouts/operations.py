"""Operation sets: what a processing element is built to do, as a configuration names it.

A set is written as words joined with ``+``. A word is a named set (``OPERATION_SETS``) or one
operation in lower case: ``"all"``, ``"ai"``, ``"alu+shl"``. Every PE has NOP.
"""

from functools import lru_cache

from .instruction import Operation

_ACCUMULATOR = {Operation.DOT4, Operation.READ_ACCUMULATOR, Operation.REQUANTISE}
_MULTIPLIER = {
    Operation.MUL,
    Operation.MULH,
    Operation.SHL,
    Operation.SHR,
    Operation.SAR,
    Operation.CLAMP8,
}

OPERATION_SETS: dict[str, frozenset[Operation]] = {
    "all": frozenset(Operation),
    "ai": frozenset(_ACCUMULATOR)
    | {
        Operation.NOP,
        Operation.PASS,
        Operation.ADD,
        Operation.MAX,
        Operation.MIN,
        Operation.RELU,
        Operation.CLAMP8,
    },
    "mac": frozenset(_ACCUMULATOR)
    | {Operation.NOP, Operation.PASS, Operation.ADD, Operation.RELU, Operation.CLAMP8},
    "general": frozenset(Operation) - _ACCUMULATOR,
    "alu": frozenset(Operation) - _ACCUMULATOR - _MULTIPLIER,
}
"""Named sets. ``ai`` is for inference, ``mac`` the part of it that compares nothing; ``general``
has no accumulator, ``alu`` neither accumulator nor multiplier."""

ALLOWED_WORDS = (
    ", ".join(repr(name) for name in OPERATION_SETS)
    + ", operations in lower case such as 'mul', or several of these joined with '+'"
)


@lru_cache(maxsize=256)
def operations_of(name: str) -> frozenset[Operation]:
    """The operations of a set; NOP is always among them.

    Raises:
        ValueError: a word of ``name`` is neither a set nor an operation.
    """
    members = {Operation.NOP}
    for word in name.split("+"):
        if word in OPERATION_SETS:
            members |= OPERATION_SETS[word]
        elif word.upper() in Operation.__members__ and word == word.lower():
            members.add(Operation[word.upper()])
        else:
            raise ValueError(ALLOWED_WORDS)
    return frozenset(members)


def canonical(name: str) -> str:
    """The one spelling of a set: its name, or its operations in the order of their codes.

    Raises:
        ValueError: as :func:`operations_of`.
    """
    members = operations_of(name)
    for known, operations in OPERATION_SETS.items():
        if members == operations:
            return known
    ordered = sorted(members - {Operation.NOP}, key=lambda operation: operation.value)
    return "+".join(operation.name.lower() for operation in ordered) or "nop"
