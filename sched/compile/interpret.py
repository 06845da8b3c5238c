"""What an operation computes, so that the compiler can fold what it knows."""

from octopus.hw.layouts.instruction import Operation
from octopus.hw.layouts.words import WORD_MASK


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value


def compute(operation: Operation, a: int, b: int, predicate: bool) -> int:
    """The result of an operation on 32-bit patterns."""
    x, y = _signed(a), _signed(b)
    shift = b % 32
    results = {
        Operation.PASS: lambda: a,
        Operation.ADD: lambda: a + b,
        Operation.SUB: lambda: a - b,
        Operation.MUL: lambda: a * b,
        Operation.MULH: lambda: x * y >> 32,
        Operation.SHL: lambda: a << shift,
        Operation.SHR: lambda: a >> shift,
        Operation.SAR: lambda: x >> shift,
        Operation.AND: lambda: a & b,
        Operation.OR: lambda: a | b,
        Operation.XOR: lambda: a ^ b,
        Operation.MIN: lambda: min(x, y),
        Operation.MAX: lambda: max(x, y),
        Operation.EQ: lambda: int(a == b),
        Operation.NE: lambda: int(a != b),
        Operation.LT: lambda: int(x < y),
        Operation.GE: lambda: int(x >= y),
        Operation.LTU: lambda: int(a < b),
        Operation.GEU: lambda: int(a >= b),
        Operation.SELECT: lambda: a if predicate else b,
        Operation.ABS: lambda: abs(x),
        Operation.RELU: lambda: max(x, 0),
        Operation.CLAMP8: lambda: min(max(x, -128), 127),
    }
    return results[operation]() & WORD_MASK
