"""Follows the expressions of a kernel function."""

import ast
import builtins
from collections.abc import Callable, Iterable
from typing import Any

from . import language
from .arithmetic import Arithmetic
from .graph import Constant, Operand
from .language import ArrayName, Count, Extent, Index
from .state import Literal, OuterValue, Outside, Undecided, is_word, symbolic

MOST_CASES = 16
"""Elements of a list of constants that a word may choose from."""

_UNBOUND = object()


class Expressions(Arithmetic):
    """State, operators, and expressions."""

    def outside(self, where: ast.AST, name: str) -> Any:
        """What a name means that the function itself does not bind."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Any:
        """The value of a call."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any) -> None:
        """Give a value to a name, an element or several."""
        raise NotImplementedError

    def expression(self, node: ast.expr) -> Any:
        """The value of an expression."""
        method: Callable[[Any], Any] | None = getattr(self, f"_on_{type(node).__name__}", None)
        if method is None:
            raise self.error(node, f"{type(node).__name__} cannot be traced")
        value = method(node)
        if isinstance(value, Undecided):
            raise self.error(node, value.reason)
        return value

    # -- names and displays ----------------------------------------------------------------

    def _on_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, float | complex | bytes) or node.value is Ellipsis:
            raise self.error(node, f"{node.value!r} is no integer")
        return node.value

    def _on_Name(self, node: ast.Name) -> Any:
        found = self.variables.get(node.id, _UNBOUND)
        return self.outside(node, node.id) if found is _UNBOUND else found

    def _on_Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._parts(node.elts))

    def _on_List(self, node: ast.List) -> Any:
        return self._parts(node.elts)

    def _parts(self, nodes: Iterable[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += self.items(node, self.expression(node.value))
            else:
                found.append(self.expression(node))
        return found

    def _on_NamedExpr(self, node: ast.NamedExpr) -> Any:
        value = self.expression(node.value)
        self.assign(node.target, value)
        return value

    def items(self, where: ast.AST, value: Any) -> list[Any]:
        """The items of what is known when the function is followed."""
        return list(self.iterable(where, value))

    def iterable(self, where: ast.AST, value: Any) -> Iterable[Any]:
        """What may be iterated over."""
        if isinstance(value, language.CountedRange):
            raise self.error(where, "the length of a range over a count is not known here")
        if isinstance(value, ArrayName):
            raise self.error(where, f"{value.name} is an array: its length is not known here")
        if isinstance(value, set | frozenset | dict | str) or not isinstance(value, Iterable):
            raise self.error(where, f"a {type(value).__name__} cannot be iterated over")
        return value

    # -- operators -------------------------------------------------------------------------

    def _on_BinOp(self, node: ast.BinOp) -> Any:
        left = self.expression(node.left)
        return self.binary(node, node.op, left, self.expression(node.right))

    def _on_UnaryOp(self, node: ast.UnaryOp) -> Any:
        value = self.expression(node.operand)
        if isinstance(node.op, ast.Not):
            return self.inverse(self.truth(node, value))
        return self.unary(node, node.op, value)

    def _on_Compare(self, node: ast.Compare) -> Any:
        left = self.expression(node.left)
        return self._chain(node, left, list(zip(node.ops, node.comparators, strict=True)))

    def _chain(self, node: ast.Compare, left: Any, rest: list[tuple[ast.cmpop, ast.expr]]) -> Any:
        """A comparison and those after it, which are looked at only if it holds."""
        (op, comparator), *others = rest
        right = self.expression(comparator)
        holds = self.comparison(node, op, left, right)
        if not others or holds is False:
            return holds
        if holds is True:
            return self._chain(node, right, others)
        further, _ = self.on_condition(
            node, self.literal(holds), lambda: self._chain(node, right, others), lambda: False
        )
        return self.both(holds, further)

    def _on_BoolOp(self, node: ast.BoolOp) -> Any:
        return self._either_or(node, node.values)

    def _either_or(self, node: ast.BoolOp, parts: list[ast.expr]) -> Any:
        """The first operand that decides, as Python has it: not only its truth."""
        first, *others = parts
        value = self.expression(first)
        if not others:
            return value
        conjunction = isinstance(node.op, ast.And)
        truth = self.truth(node, value)
        if not is_word(truth):
            return self._either_or(node, others) if truth == conjunction else value
        literal = self.literal(truth)
        further = lambda: self._either_or(node, others)  # noqa: E731
        ways = (further, lambda: value) if conjunction else (lambda: value, further)
        then, otherwise = self.on_condition(node, literal, *ways)
        return self.chosen(node, literal, then, otherwise)

    def _on_IfExp(self, node: ast.IfExp) -> Any:
        condition = self.condition(node.test)
        if isinstance(condition, bool):
            return self.expression(node.body if condition else node.orelse)
        first, second = self.on_condition(
            node,
            condition,
            lambda: self.expression(node.body),
            lambda: self.expression(node.orelse),
        )
        return self.chosen(node, condition, first, second)

    def chosen(self, where: ast.AST, literal: Literal, first: Any, second: Any) -> Any:
        """``first`` where a literal holds, else ``second``."""
        if isinstance(first, list | tuple) and type(first) is type(second):
            if len(first) != len(second):
                raise self.error(where, "the length of a list depends on a value")
            pairs = zip(first, second, strict=True)
            return type(first)(self.chosen(where, literal, a, b) for a, b in pairs)
        if first is None and second is None:
            return None
        a, b = self.word(where, first, exact=True), self.word(where, second, exact=True)
        operand, holds = literal
        return self.builder.select(operand, *((a, b) if holds else (b, a)))

    # -- conditions ------------------------------------------------------------------------

    def condition(self, test: ast.expr) -> bool | Literal:
        """A test: known, or a literal of the path."""
        truth = self._deciding(test)
        if isinstance(truth, Constant):
            return truth.value != 0
        if not is_word(truth):
            return bool(truth)
        literal = self.literal(truth)
        operand, holds = literal
        if literal in self.path:
            return True
        return False if (operand, not holds) in self.path else literal

    def _deciding(self, test: ast.expr) -> Any:
        """What decides a test: a bool, or a word that is 0 if it does not hold."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.inverse(self.truth(test, self.expression(test.operand)))
        if isinstance(test, ast.BoolOp):
            return self._all_or_any(test, list(test.values))
        value = self.expression(test)
        return value if is_word(value) and not isinstance(value, Index) else self.truth(test, value)

    def _all_or_any(self, test: ast.BoolOp, parts: list[ast.expr]) -> Any:
        first, *others = parts
        truth = self._truth_of(first)
        if not others:
            return truth
        conjunction = isinstance(test.op, ast.And)
        if not is_word(truth):
            return self._all_or_any(test, others) if bool(truth) == conjunction else truth
        literal = self.literal(truth)
        known = lambda: not conjunction  # noqa: E731
        further = lambda: self._all_or_any(test, others)  # noqa: E731
        ways = (further, known) if conjunction else (known, further)
        then, otherwise = self.on_condition(test, literal, *ways)
        if conjunction:
            return self.both(truth, then)
        return self.inverse(self.both(self.inverse(truth), self.inverse(otherwise)))

    def _truth_of(self, test: ast.expr) -> Any:
        return self.truth(test, self._deciding(test))

    def literal(self, truth: Operand) -> Literal:
        """A word as a literal; a negation as that of what it negates."""
        inner = self.builder.negated(truth)
        return (truth, True) if inner is None else (inner, False)

    def on_condition(
        self, where: ast.AST, literal: Literal, then: Callable[[], Any], other: Callable[[], Any]
    ) -> tuple[Any, Any]:
        """Both ways of a condition within an expression."""
        operand, holds = literal
        before = self.snapshot()
        assert before is not None
        self.path = before.path | {literal}
        first = then()
        one = self.snapshot()
        self.restore(before)
        self.path = before.path | {(operand, not holds)}
        second = other()
        self.join(where, [one, self.snapshot()])
        self.path = before.path
        return first, second

    # -- elements --------------------------------------------------------------------------

    def _on_Subscript(self, node: ast.Subscript) -> Any:
        place = self.expression(node.value)
        index = self.expression(node.slice)
        return self.element(node, place, index)

    def element(self, where: ast.AST, place: Any, index: Any) -> Any:
        """``place[index]``."""
        if isinstance(index, Extent):
            index = self.known_extent(where, index)
        if isinstance(place, ArrayName):
            return self._load(where, place, index)
        if not isinstance(place, list | tuple | range | dict):
            raise self.error(where, f"a {type(place).__name__} has no elements")
        if is_word(index) and not isinstance(place, dict):
            return self._case(where, list(place), index)
        if symbolic(index):
            self.word(where, index)
        return self.attempt(where, lambda: place[index])

    def _on_Slice(self, node: ast.Slice) -> Any:
        parts = []
        for part in (node.lower, node.upper, node.step):
            value = None if part is None else self.expression(part)
            if isinstance(value, Extent):
                value = self.known_extent(node, value)
            if symbolic(value):
                raise self.error(node, "the bounds of a slice must be known")
            parts.append(value)
        return slice(*parts)

    def array_index(self, where: ast.AST, array: ArrayName, index: Any) -> Index | Operand:
        """An index of an array: a sum of loop variables or a word."""
        if isinstance(index, slice | tuple):
            raise self.error(where, f"{array.name} takes one index at a time")
        if isinstance(index, Extent):
            index = self.known_extent(where, index)
        if isinstance(index, int):
            index = Index((), int(index))
        if isinstance(index, Index):
            if not index.strides and index.offset < 0:
                raise self.error(
                    where, f"{array.name}[{index.offset}]: an index below 0; allowed: 0 or more"
                )
            return index
        return self.word(where, index, exact=True)

    def _load(self, where: ast.AST, array: ArrayName, index: Any) -> Operand:
        if array.output:
            raise self.error(where, f"{array.name} is an output: it cannot be read")
        line = getattr(where, "lineno", 0)
        found = self.array_index(where, array, index)
        if isinstance(found, Index):
            return self.builder.load(array, found, line, bool(self.path))
        if self.path and not self.builder.has_gather(array, found):
            # Every iteration reads: where the path is not taken, at an index that is there.
            found = self.builder.select(self.conjunction(self.path), found, Constant(0))
        return self.builder.gather(array, found, line)

    def _case(self, where: ast.AST, places: list[Any], index: Any) -> Any:
        """An element of a list that a word chooses."""
        operand = self.word(where, index, exact=True)
        low, high = self.builder.range_of(operand)
        if low < 0 or high >= len(places) or high >= MOST_CASES:
            raise self.error(
                where,
                f"the index of a list is a value from {low} to {high}; allowed: known ones, or "
                f"values that are surely 0 to {min(len(places), MOST_CASES) - 1}",
            )
        result = places[high]
        for number in reversed(range(low, high)):
            equal = self.comparison(where, ast.Eq(), operand, number)
            result = self.chosen(where, (equal, True), places[number], result)
        return result

    # -- comprehensions --------------------------------------------------------------------

    def _on_ListComp(self, node: ast.ListComp) -> list[Any]:
        return self.comprehension(node)

    def _on_GeneratorExp(self, node: ast.GeneratorExp) -> list[Any]:
        return self.comprehension(node)

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        """The items of a comprehension, whose variables are its own."""
        targets = {
            part.id
            for generator in node.generators
            for part in ast.walk(generator.target)
            if isinstance(part, ast.Name)
        }
        kept = {name: self.variables[name] for name in targets if name in self.variables}
        found: list[Any] = []
        self._generate(node, 0, found)
        for name in targets:
            self.variables.pop(name, None)
        self.variables.update(kept)
        return found

    def _generate(
        self, node: ast.ListComp | ast.GeneratorExp, level: int, found: list[Any]
    ) -> None:
        if level == len(node.generators):
            found.append(self.expression(node.elt))
            return
        generator = node.generators[level]
        if generator.is_async:
            raise self.error(node, "an asynchronous comprehension")
        for item in self.iterable(node, self.expression(generator.iter)):
            self.assign(generator.target, item)
            tests = [self.condition(test) for test in generator.ifs]
            if not all(isinstance(test, bool) for test in tests):
                raise self.error(node, "the length of a list depends on a value")
            if all(tests):
                self._generate(node, level + 1, found)

    def _on_Call(self, node: ast.Call) -> Any:
        return self.call(node)

    def _on_Attribute(self, node: ast.Attribute) -> Any:
        base = self.expression(node.value)
        if not isinstance(base, type(builtins)):
            raise self.error(node, f".{node.attr} cannot be traced here")
        found = self.attempt(node, lambda: getattr(base, node.attr, _UNBOUND))
        if found is _UNBOUND:
            raise self.error(node, f"{node.attr} is not known here")
        return self.known(node, found)

    def known(self, where: ast.AST, value: Any) -> Any:
        """What comes from outside of the function, as it is seen here."""
        if value is Count or isinstance(value, OuterValue):
            raise self.error(where, "an annotation is no value")
        return frozen(value)


def frozen(value: Any) -> Any:
    """A copy of a constant in which lists must not change."""
    plain = getattr(value, "tolist", None)
    if plain is not None and type(value).__module__ == "numpy":
        value = plain()
    if isinstance(value, list):
        return Outside(frozen(part) for part in value)
    if type(value) is tuple:
        return tuple(frozen(part) for part in value)
    return value
