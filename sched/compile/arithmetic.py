"""The operators of Python on words of the array: which nodes they become."""

import ast
import operator
from collections.abc import Callable
from typing import Any

from octopus.hw.layouts.instruction import Operation

from .errors import CompileError
from .graph import Constant, Operand
from .language import Extent, Index
from .state import State, is_word, symbolic

_ANY_SIGN: dict[type[ast.operator], Operation] = {
    ast.Add: Operation.ADD,
    ast.Sub: Operation.SUB,
    ast.Mult: Operation.MUL,
    ast.BitAnd: Operation.AND,
    ast.BitOr: Operation.OR,
    ast.BitXor: Operation.XOR,
}
"""Operators whose lowest 32 bits depend on the lowest 32 bits of both sides only."""

LOW_BITS = frozenset(_ANY_SIGN.values())
"""The same of the array's operations."""

_KNOWN: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_COMPARE: dict[type[ast.cmpop], tuple[Operation, bool]] = {
    ast.Eq: (Operation.EQ, False),
    ast.NotEq: (Operation.NE, False),
    ast.Lt: (Operation.LT, False),
    ast.GtE: (Operation.GE, False),
    ast.Gt: (Operation.LT, True),
    ast.LtE: (Operation.GE, True),
}
MOST_FACTORS = 64
"""Largest exponent."""


class Arithmetic(State):
    """State, and the operators."""

    def binary(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        """``left op right``."""
        if isinstance(left, Extent) or isinstance(right, Extent):
            return self._of_counts(where, op, left, right)
        if isinstance(left, list | tuple) or isinstance(right, list | tuple):
            return self._of_lists(where, op, left, right)
        if not symbolic(left) and not symbolic(right):
            return self._of_numbers(where, op, left, right)
        found = _of_indices(op, left, right)
        if found is not None:
            return found
        if type(op) in _ANY_SIGN:
            operands = self.word(where, left), self.word(where, right)
            return self.builder.node(_ANY_SIGN[type(op)], *operands)
        if isinstance(op, ast.LShift | ast.RShift):
            return self._shift(where, op, left, right)
        if isinstance(op, ast.FloorDiv | ast.Mod):
            return self._division(where, op, left, right)
        if isinstance(op, ast.Pow):
            return self._power(where, left, right)
        raise self.error(where, f"{type(op).__name__} is no operation of the array")

    def _of_counts(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        """Arithmetic with counts: a count again if nothing else is in it."""
        sides = [
            self.known_extent(where, side) if isinstance(side, Extent) else side
            for side in (left, right)
        ]
        value = self.binary(where, op, *sides)
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        counts = [side.counts for side in (left, right) if isinstance(side, Extent)]
        return Extent(tuple(dict.fromkeys(name for part in counts for name in part)), value)

    def _of_lists(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        lists = all(isinstance(side, list | tuple) for side in (left, right))
        times = all(isinstance(side, list | tuple | int) for side in (left, right))
        if (lists and isinstance(op, ast.Add)) or (times and isinstance(op, ast.Mult)):
            result = self.attempt(where, _KNOWN[type(op)], left, right)
            return list(result) if isinstance(result, list) else result
        raise self.error(where, f"{type(op).__name__} of a list cannot be traced")

    def _of_numbers(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(op, ast.Div | ast.MatMult):
            raise self.error(where, f"{type(op).__name__} gives no integer: it cannot be traced")
        for side in (left, right):
            if not isinstance(side, int):
                raise self.error(where, f"{side!r} is no integer")
        if type(op) not in _ANY_SIGN:
            for side in (left, right)[: 1 if isinstance(op, ast.LShift) else 2]:
                self.word(where, side, exact=not isinstance(op, ast.LShift))
            if isinstance(op, ast.LShift | ast.Pow) and right > MOST_FACTORS:
                raise self.error(where, f"{right} is too much; allowed: up to {MOST_FACTORS}")
        result = self.attempt(where, _KNOWN[type(op)], left, right)
        if not isinstance(result, int):
            raise self.error(where, f"{result!r} is no integer")
        return result

    def attempt(
        self, where: ast.AST, function: Callable[..., Any], *arguments: Any, **named: Any
    ) -> Any:
        """Do what is known; what Python raises is the reason of a refusal."""
        try:
            return function(*arguments, **named)
        except CompileError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise self.error(where, f"Python raises {type(error).__name__}: {error}") from None

    # -- shifts ----------------------------------------------------------------------------

    def _shift(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Operand:
        """Shifts as Python's: the array's take the amount modulo 32."""
        to_left = isinstance(op, ast.LShift)
        build = self.builder
        value = self.word(where, left, exact=not to_left)
        amount = self.word(where, right, exact=True)
        low, high = build.range_of(amount)
        if high < 0:
            raise self.error(where, f"a shift by {high} or less; allowed: 0 or more")
        if to_left and build.is_truth(value) and high > 30:
            # Python's bool is no word: what it gives here is wider than 32 bits.
            raise self.error(where, "a truth shifted by 31 or more")
        operation = Operation.SHL if to_left else Operation.SAR
        if low >= 0 and high <= 31:
            return build.node(operation, value, amount)
        if not to_left:
            return build.node(operation, value, build.node(Operation.MIN, amount, Constant(31)))
        if low > 31:
            return Constant(0)
        inside = build.node(Operation.LTU, amount, Constant(32))
        return build.select(inside, build.node(operation, value, amount), Constant(0))

    # -- division --------------------------------------------------------------------------

    def _division(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Operand:
        """Division by a constant, rounded down as Python's."""
        if not isinstance(right, int):
            raise self.error(where, "the divisor is no constant")
        value, divisor = self.word(where, left, exact=True), int(right)
        self.word(where, right, exact=True)
        if divisor == 0:
            raise self.error(where, "the divisor is 0")
        quotient = isinstance(op, ast.FloorDiv)
        build, size = self.builder, abs(divisor)
        if size == 1 << 31:
            raise self.error(where, f"the divisor is {divisor}; allowed: above {-(1 << 31)}")
        if not size & size - 1:
            if quotient and divisor > 0:
                return build.node(Operation.SAR, value, Constant(size.bit_length() - 1))
            if not quotient and divisor > 0:
                return build.node(Operation.AND, value, Constant(size - 1))
        if divisor < 0:
            # a // -d is -(a // d) less 1 if there is a rest r; a % -d is then r - d.
            down = self._quotient(value, size)
            rest = self._rest(value, down, size)
            some = build.node(Operation.NE, rest, Constant(0))
            if quotient:
                return build.node(Operation.SUB, build.node(Operation.SUB, Constant(0), down), some)
            return build.select(some, build.node(Operation.SUB, rest, Constant(size)), Constant(0))
        down = self._quotient(value, size)
        return down if quotient else self._rest(value, down, size)

    def _rest(self, value: Operand, quotient: Operand, divisor: int) -> Operand:
        product = self.builder.node(Operation.MUL, quotient, Constant(divisor))
        return self.builder.node(Operation.SUB, value, product)

    def _quotient(self, value: Operand, divisor: int) -> Operand:
        """value // divisor for a divisor above 0.

        The value, or its complement if it is negative, is 31 bits wide; with s = ceil(log2 d) and
        m = ceil(2**(31 + s) / d) its quotient is value * m >> 31 + s (Granlund and Montgomery).
        """
        build = self.builder
        if not divisor & divisor - 1:
            return build.node(Operation.SAR, value, Constant(divisor.bit_length() - 1))
        places = (divisor - 1).bit_length()
        factor = -(-(1 << 31 + places) // divisor)
        sign = build.node(Operation.SAR, value, Constant(31))
        size = build.node(Operation.XOR, value, sign)
        # The factor has 32 bits: as a signed word it is 2**32 less.
        high = build.node(Operation.MULH, size, Constant(factor))
        high = build.node(Operation.ADD, high, size)
        down = build.node(Operation.SAR, high, Constant(places - 1))
        return build.node(Operation.XOR, down, sign)

    def _power(self, where: ast.AST, left: Any, right: Any) -> Operand:
        if not isinstance(right, int) or not 0 <= right <= MOST_FACTORS:
            raise self.error(where, f"an exponent must be a constant of 0 to {MOST_FACTORS}")
        base = self.word(where, left)
        result: Operand = Constant(1)
        for bit in f"{int(right):b}":
            result = self.builder.node(Operation.MUL, result, result)
            if bit == "1":
                result = self.builder.node(Operation.MUL, result, base)
        return result

    # -- one side --------------------------------------------------------------------------

    def unary(self, where: ast.AST, op: ast.unaryop, value: Any) -> Any:
        """``op value``, but not ``not``."""
        if isinstance(value, Extent):
            known = self.known_extent(where, value)
            return Extent(value.counts, self.unary(where, op, known))
        if isinstance(value, Index) and isinstance(op, ast.USub):
            return value.times(-1)
        if isinstance(op, ast.UAdd) and is_word(value):
            return value
        if not symbolic(value):
            if not isinstance(value, int):
                raise self.error(where, f"{value!r} is no integer")
            return _KNOWN[type(op)](value)
        operand = self.word(where, value)
        if isinstance(op, ast.USub):
            return self.builder.node(Operation.SUB, Constant(0), operand)
        return self.builder.node(Operation.XOR, operand, Constant(-1))

    # -- comparisons -----------------------------------------------------------------------

    def comparison(self, where: ast.AST, op: ast.cmpop, left: Any, right: Any) -> Any:
        """``left op right`` for one operator: a bool if it is known, else a word."""
        if isinstance(op, ast.In | ast.NotIn):
            found = self._member(where, left, right)
            return self.inverse(found) if isinstance(op, ast.NotIn) else found
        if isinstance(left, Extent) or isinstance(right, Extent):
            left, right = (
                self.known_extent(where, side) if isinstance(side, Extent) else side
                for side in (left, right)
            )
        if isinstance(op, ast.Is | ast.IsNot):
            if symbolic(left) or symbolic(right) or not (left is None or right is None):
                raise self.error(where, "is can only be asked of None")
            return (left is right) == isinstance(op, ast.Is)
        if not symbolic(left) and not symbolic(right):
            for side in (left, right):
                if isinstance(side, int):
                    self.word(where, side, exact=True)
            return bool(self.attempt(where, _KNOWN[type(op)], left, right))
        operation, swap = _COMPARE[type(op)]
        sides = self.word(where, left, exact=True), self.word(where, right, exact=True)
        if sides[0] == sides[1]:
            return operation in (Operation.EQ, Operation.GE)
        result = self.builder.node(operation, *(sides[::-1] if swap else sides))
        return bool(result.value) if isinstance(result, Constant) else result

    def _member(self, where: ast.AST, value: Any, group: Any) -> Any:
        if isinstance(group, range) and is_word(value):
            if group.step != 1:
                raise self.error(where, "a range with steps cannot be asked for a value")
            above = self.comparison(where, ast.GtE(), value, group.start)
            below = self.comparison(where, ast.Lt(), value, group.stop)
            return self.both(above, below)
        if not isinstance(group, list | tuple | set | frozenset | range):
            raise self.error(where, f"in cannot be asked of a {type(group).__name__}")
        found: Any = False
        for part in group if isinstance(group, list | tuple) else sorted(group):
            if isinstance(part, list | tuple):
                raise self.error(where, "in cannot be asked of lists of lists")
            equal = self.comparison(where, ast.Eq(), value, part)
            found = self.inverse(self.both(self.inverse(found), self.inverse(equal)))
        return found

    # -- truths ----------------------------------------------------------------------------

    def truth(self, where: ast.AST, value: Any) -> Any:
        """What ``bool`` gives: a bool if it is known, else a word of 0 or 1."""
        if isinstance(value, Extent):
            return bool(self.known_extent(where, value))
        if is_word(value):
            result = self.builder.truth(self.word(where, value))
            return bool(result.value) if isinstance(result, Constant) else result
        if symbolic(value) and not isinstance(value, list | tuple):
            self.word(where, value)
            raise self.error(where, f"a {type(value).__name__} has no truth")
        if isinstance(value, int):
            self.word(where, value, exact=True)
        return bool(value)

    def inverse(self, value: Any) -> Any:
        """``not`` of what :meth:`truth` gives."""
        value = _settled(value)
        return self.builder.negation(value) if is_word(value) else not value

    def both(self, first: Any, second: Any) -> Any:
        """``and`` of what :meth:`truth` gives."""
        first, second = _settled(first), _settled(second)
        if not is_word(first):
            return second if first else False
        if not is_word(second):
            return first if second else False
        return self.builder.node(Operation.AND, first, second)


def _settled(truth: Any) -> Any:
    return truth.value != 0 if isinstance(truth, Constant) else truth


def _of_indices(op: ast.operator, left: Any, right: Any) -> Index | int | None:
    """Index arithmetic that stays a sum of loop variables; None if it does not."""
    found = _sum(op, left, right)
    return found.offset if found is not None and not found.strides else found


def _sum(op: ast.operator, left: Any, right: Any) -> Index | None:
    if not isinstance(left, Index | int) or not isinstance(right, Index | int):
        return None
    a = left if isinstance(left, Index) else Index((), int(left))
    b = right if isinstance(right, Index) else Index((), int(right))
    if isinstance(op, ast.Add):
        return a.plus(b)
    if isinstance(op, ast.Sub):
        return a.plus(b, -1)
    if isinstance(op, ast.Mult) and isinstance(right, int):
        return a.times(int(right))
    if isinstance(op, ast.Mult) and isinstance(left, int):
        return b.times(int(left))
    return None
