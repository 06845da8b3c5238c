"""What every operation of the PE computes, on unsigned 32-bit patterns."""

from collections.abc import Callable

from octopus.hw.layouts.instruction import Operation, RequantiseParameters
from octopus.hw.layouts.words import WORD_MASK, unpack

UNARY = frozenset({Operation.PASS, Operation.ABS, Operation.RELU, Operation.CLAMP8})
ACCUMULATING = frozenset({Operation.DOT4, Operation.READ_ACCUMULATOR, Operation.REQUANTISE})


def signed(value: int) -> int:
    """The two's complement value of a 32-bit pattern."""
    return value - (1 << 32) if value & 0x80000000 else value


def signed_byte(value: int) -> int:
    """The two's complement value of the low byte."""
    value &= 0xFF
    return value - 256 if value & 0x80 else value


def clamp(value: int, low: int, high: int) -> int:
    """``value`` limited to [low, high]; ``high`` wins if they cross."""
    return min(max(value, low), high)


COMPUTE: dict[Operation, Callable[[int, int], int]] = {
    Operation.PASS: lambda a, b: a,
    Operation.ADD: lambda a, b: a + b,
    Operation.SUB: lambda a, b: a - b,
    Operation.MUL: lambda a, b: a * b,
    Operation.MULH: lambda a, b: (signed(a) * signed(b)) >> 32,
    Operation.SHL: lambda a, b: a << (b % 32),
    Operation.SHR: lambda a, b: a >> (b % 32),
    Operation.SAR: lambda a, b: signed(a) >> (b % 32),
    Operation.AND: lambda a, b: a & b,
    Operation.OR: lambda a, b: a | b,
    Operation.XOR: lambda a, b: a ^ b,
    Operation.MIN: lambda a, b: min(signed(a), signed(b)),
    Operation.MAX: lambda a, b: max(signed(a), signed(b)),
    Operation.EQ: lambda a, b: int(a == b),
    Operation.NE: lambda a, b: int(a != b),
    Operation.LT: lambda a, b: int(signed(a) < signed(b)),
    Operation.GE: lambda a, b: int(signed(a) >= signed(b)),
    Operation.LTU: lambda a, b: int(a < b),
    Operation.GEU: lambda a, b: int(a >= b),
    Operation.ABS: lambda a, b: abs(signed(a)),
    Operation.RELU: lambda a, b: max(signed(a), 0),
    Operation.CLAMP8: lambda a, b: clamp(signed(a), -128, 127),
}
"""Operations that depend on their operands only; results are to be taken modulo 2**32."""


def dot4(a: int, b: int) -> int:
    """The sum of the four products of signed bytes."""
    return sum(signed_byte(a >> shift) * signed_byte(b >> shift) for shift in (0, 8, 16, 24))


def requantise(accumulated: int, parameters: int) -> int:
    """``accumulated`` (32-bit pattern) scaled to a signed byte, sign-extended to 32 bits.

    ``parameters`` is the pattern of a :class:`RequantiseParameters`.
    """
    fields = unpack(RequantiseParameters, [parameters])
    zero_point = signed_byte(fields["zero_point"])
    rounding = 1 << (fields["shift"] - 1) if fields["shift"] else 0
    scaled = (signed(accumulated) * fields["multiplier"] + rounding) >> fields["shift"]
    low = zero_point if fields["relu"] else -128
    return clamp(scaled + zero_point, low, 127) & WORD_MASK
