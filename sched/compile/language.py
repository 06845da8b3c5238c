"""What kernel functions are written in, beside Python: functions, annotations, indices."""

import ast
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation

FUNCTIONS: dict[str, Operation] = {
    "min": Operation.MIN,
    "max": Operation.MAX,
    "abs": Operation.ABS,
    "relu": Operation.RELU,
    "clamp8": Operation.CLAMP8,
    "mulh": Operation.MULH,
    "shr": Operation.SHR,
    "ltu": Operation.LTU,
    "geu": Operation.GEU,
}
"""Functions that are one operation; ``select(c, a, b)`` is known besides."""


def relu(value: int) -> int:
    """max(value, 0)."""
    return max(value, 0)


def clamp8(value: int) -> int:
    """``value`` limited to a signed byte."""
    return min(max(value, -128), 127)


def mulh(left: int, right: int) -> int:
    """The upper word of the signed product."""
    return left * right >> 32


def shr(value: int, amount: int) -> int:
    """A shift to the right that brings in zeros."""
    return (value & 0xFFFFFFFF) >> amount % 32


def ltu(left: int, right: int) -> bool:
    """Unsigned comparison."""
    return left & 0xFFFFFFFF < right & 0xFFFFFFFF


def geu(left: int, right: int) -> bool:
    """Unsigned comparison."""
    return not ltu(left, right)


def select(condition: int, first: int, second: int) -> int:
    """``first if condition else second``."""
    return first if condition else second


@dataclass(frozen=True)
class Input:
    """Annotation: an array that the kernel reads."""

    dtype: str = "int32"


@dataclass(frozen=True)
class Output:
    """Annotation: an array that the kernel writes. ``start``: the input it begins as, if any."""

    dtype: str = "int32"
    start: str | None = None


class Count(int):
    """Annotation: a number of iterations, given with each task."""


@dataclass(frozen=True)
class Index:
    """A sum of loop variables times constants: ``strides`` by loop variable, plus ``offset``."""

    strides: tuple[tuple[str, int], ...] = ()
    offset: int = 0

    def plus(self, other: "Index", sign: int = 1) -> "Index":
        """The sum or difference."""
        strides = dict(self.strides)
        for name, stride in other.strides:
            strides[name] = strides.get(name, 0) + sign * stride
        kept = tuple((name, stride) for name, stride in strides.items() if stride)
        return Index(kept, self.offset + sign * other.offset)

    def times(self, factor: int) -> "Index":
        """The product with a constant."""
        return Index(tuple((n, s * factor) for n, s in self.strides), self.offset * factor)


@dataclass(frozen=True)
class ArrayName:
    """An array as it is traced. ``size``: bytes of an element."""

    name: str
    element: Element
    size: int
    output: bool


def index_arithmetic(op: ast.operator, left: Index | int, right: Index | int) -> Any:
    """Index arithmetic that stays an index; None if it does not."""
    if isinstance(left, int) and isinstance(right, int):
        return python_value(op, left, right)
    a = left if isinstance(left, Index) else Index((), left)
    b = right if isinstance(right, Index) else Index((), right)
    if isinstance(op, ast.Add):
        return a.plus(b)
    if isinstance(op, ast.Sub):
        return a.plus(b, -1)
    if isinstance(op, ast.Mult) and isinstance(right, int):
        return a.times(right)
    if isinstance(op, ast.Mult) and isinstance(left, int):
        return b.times(left)
    return None


def python_value(op: ast.operator, left: Any, right: Any) -> Any:
    """The result on values that are known when traced."""
    expression = ast.Expression(ast.BinOp(ast.Name("a", ast.Load()), op, ast.Name("b", ast.Load())))
    code = compile(ast.fix_missing_locations(expression), "kernel", "eval")
    return eval(code, {"a": left, "b": right})
