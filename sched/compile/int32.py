"""Python integers of 32 bits: what a kernel function computes with when Python runs it."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

HALF = 1 << 31
MODULUS = 1 << 32


def wrap(value: int) -> int:
    """``value`` modulo 2**32, as a signed word."""
    return (int(value) + HALF) % MODULUS - HALF


class Int32(int):
    """An ``int`` whose operations give words of 32 bits again, signed and wrapping.

    Shifts follow Python, not the array: an amount of 32 or more leaves 0 or the sign, a negative
    one raises. Floats and true division are refused.
    """

    def __new__(cls, value: int = 0) -> "Int32":
        """Wrap ``value``."""
        return super().__new__(cls, wrap(value))

    def __truediv__(self, other: Any) -> Any:
        """Refused: the array has no fractions.

        Raises:
            TypeError: always.
        """
        raise TypeError("true division gives a fraction")

    __rtruediv__ = __truediv__

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        """A power with an exponent of 0 or more.

        Raises:
            TypeError: the exponent is negative, or there is a modulus.
        """
        if not isinstance(other, int) or modulo is not None:
            return NotImplemented
        if other < 0:
            raise TypeError("a negative exponent gives a fraction")
        return Int32(pow(wrap(self), int(other), MODULUS))

    def __rpow__(self, other: Any, modulo: Any = None) -> Any:
        """As :meth:`__pow__`."""
        return Int32(other) ** self


def _shift_left(value: int, amount: int) -> int:
    # Python would make a number of 2**31 digits of a large amount.
    return value << min(amount, 32)


def _binary(function: Callable[[int, int], int], swap: bool) -> Callable[[Int32, Any], Any]:
    def method(self: Int32, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        left, right = (wrap(other), int(self)) if swap else (int(self), wrap(other))
        return Int32(function(left, right))

    return method


def _compare(function: Callable[[int, int], bool]) -> Callable[[Int32, Any], Any]:
    def method(self: Int32, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return Int32(function(int(self), wrap(other)))

    return method


def _unary(function: Callable[[int], int]) -> Callable[[Int32], Int32]:
    return lambda self: Int32(function(int(self)))


for _name, _function in {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "lshift": _shift_left,
    "rshift": operator.rshift,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}.items():
    setattr(Int32, f"__{_name}__", _binary(_function, False))
    setattr(Int32, f"__r{_name}__", _binary(_function, True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Int32, f"__{_name}__", _compare(getattr(operator, _name)))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Int32, f"__{_name}__", _unary(getattr(operator, _name)))
Int32.__hash__ = int.__hash__  # type: ignore[method-assign]


class WordRange:
    """``range`` whose numbers are words."""

    def __init__(self, *bounds: int) -> None:
        self._range = range(*(int(bound) for bound in bounds))

    def __iter__(self) -> Iterator[Int32]:
        """The numbers, in order."""
        return map(Int32, self._range)

    def __reversed__(self) -> Iterator[Int32]:
        """The numbers, from the last."""
        return map(Int32, reversed(self._range))

    def __len__(self) -> int:
        """How many."""
        return len(self._range)

    def __contains__(self, value: object) -> bool:
        """Whether it is one of them."""
        return isinstance(value, int) and int(value) in self._range

    def __getitem__(self, index: Any) -> Any:
        """One of them, or some."""
        found = self._range[index]
        if isinstance(found, range):
            return WordRange(found.start, found.stop, found.step)
        return Int32(found)


def word_enumerate(items: Any, start: int = 0) -> Iterator[tuple[Int32, Any]]:
    """``enumerate`` whose numbers are words."""
    return ((Int32(number), item) for number, item in enumerate(items, int(start)))


def word_bool(value: Any = False) -> Int32:
    """``bool`` that gives a word."""
    return Int32(bool(value))


def word_any(items: Any) -> Int32:
    """``any`` that gives a word."""
    return Int32(any(items))


def word_all(items: Any) -> Int32:
    """``all`` that gives a word."""
    return Int32(all(items))


BUILTINS = {
    "all": word_all,
    "any": word_any,
    "bool": word_bool,
    "enumerate": word_enumerate,
    "range": WordRange,
}
"""What kernel functions find under these names."""


def words(value: Any) -> Any:
    """A constant as the function sees it: every integer in it a word, lists copied."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return Int32(value)
    if isinstance(value, list):
        return [words(part) for part in value]
    if type(value) is tuple:
        return tuple(words(part) for part in value)
    if isinstance(value, dict):
        return {words(key): words(part) for key, part in value.items()}
    return value
