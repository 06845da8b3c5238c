"""What kernel functions are written in, beside Python: functions, annotations, indices."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from octopus.hw.layouts.descriptor import Element

from .errors import CompileError


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


HELPERS = (relu, clamp8, mulh, shr, ltu, geu, select)
"""The functions above: what they do to words is what the array does."""


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


def parameters_of(function: Callable[..., None]) -> dict[str, object]:
    """What each parameter of a kernel function is: an Input, an Output, Count, or None for a
    constant.

    Raises:
        CompileError: a parameter takes any number of arguments.
    """
    found: dict[str, object] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise CompileError(f"kernel {function.__name__}: *{name} cannot be a parameter")
        annotation: object = parameter.annotation
        if annotation is Input or annotation is Output:
            annotation = annotation()
        kind = isinstance(annotation, Input | Output) or annotation is Count
        found[name] = annotation if kind else None
    return found


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
        kept = tuple(sorted((name, stride) for name, stride in strides.items() if stride))
        return Index(kept, self.offset + sign * other.offset)

    def times(self, factor: int) -> "Index":
        """The product with a constant."""
        kept = tuple((name, stride * factor) for name, stride in self.strides if factor)
        return Index(kept, self.offset * factor)


@dataclass(frozen=True)
class Extent:
    """A number that a count gives: ``value`` is None as long as the count is not known.

    ``counts``: the parameters it comes from. ``plain``: it is one of them as it is.
    """

    counts: tuple[str, ...]
    value: int | None
    plain: bool = False


@dataclass(frozen=True)
class CountedRange:
    """A range whose length a count gives: a loop of the array.

    Parameters
    ----------
    trips: how many numbers; None if they are as many as a count says.
    known: how many, if it is known at all. counts: the parameters it comes from.
    """

    start: int
    step: int
    trips: int | None
    known: int | None
    counts: tuple[str, ...]


@dataclass(frozen=True)
class ArrayName:
    """An array as it is traced. ``size``: bytes of an element."""

    name: str
    element: Element
    size: int
    output: bool
