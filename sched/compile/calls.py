"""Follows calls: builtins, the language's own functions, methods of lists, other functions."""

import ast
import builtins
import inspect
import types
from collections.abc import Callable
from typing import Any

from octopus.hw.layouts.instruction import Operation

from . import language
from .expressions import Expressions
from .graph import Constant, Operand
from .int32 import wrap
from .language import ArrayName, CountedRange, Extent
from .source import FunctionText
from .state import Outside, is_word, symbolic
from .stores import Stores

_HELPERS: dict[object, Operation] = {
    language.relu: Operation.RELU,
    language.clamp8: Operation.CLAMP8,
    language.mulh: Operation.MULH,
    language.shr: Operation.SHR,
    language.ltu: Operation.LTU,
    language.geu: Operation.GEU,
}
_UNSIGNED = (Operation.SHR, Operation.LTU, Operation.GEU)
"""What takes numbers of 32 bits without a sign as well."""

_LIST_METHODS = ("append", "clear", "copy", "extend", "insert", "pop", "reverse")
MOST_CALLS = 16
"""Functions that call each other, at most."""


class Calls(Expressions):
    """State, operators, expressions, and calls."""

    stores: Stores

    def inline(self, node: ast.Call, text: FunctionText, variables: dict[str, Any]) -> Any:
        """The value of a call of a Python function."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Any:
        """As :class:`Expressions`."""
        if isinstance(node.func, ast.Attribute):
            base = self.expression(node.func.value)
            if isinstance(base, ArrayName):
                return self._method_of_array(node, base)
            if isinstance(base, list):
                return self._method_of_list(node, base)
            if isinstance(base, int) and node.func.attr == "bit_length" and not node.args:
                return base.bit_length()
        function = self.expression(node.func)
        arguments = [*self._parts(node.args)]
        named = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.error(node, "** in a call")
            named[keyword.arg] = self.expression(keyword.value)
        return self._apply(node, function, arguments, named)

    def _apply(
        self, node: ast.Call, function: Any, arguments: list[Any], named: dict[str, Any]
    ) -> Any:
        if isinstance(function, types.FunctionType) and function in language.HELPERS:
            bound = self.attempt(node, inspect.signature(function).bind, *arguments, **named)
            return self._helper(node, function, list(bound.args))
        method: Callable[..., Any] | None = None
        if isinstance(function, type | types.BuiltinFunctionType):
            method = getattr(self, f"_call_{function.__name__}", None)
            if method is not None and getattr(builtins, function.__name__, None) is not function:
                method = None
        if method is not None:
            if named and function is not sum:
                raise self.error(node, f"{function.__name__} with named arguments")
            return self.attempt(node, lambda: method(node, *arguments, **named))
        if isinstance(function, types.FunctionType):
            bound = self.attempt(node, inspect.signature(function).bind, *arguments, **named)
            given = dict(bound.arguments)
            bound.apply_defaults()
            variables = {
                name: value if name in given else self.known(node, value)
                for name, value in bound.arguments.items()
            }
            return self.inline(node, FunctionText(function), variables)
        name = getattr(function, "__name__", type(function).__name__)
        pure = isinstance(function, types.BuiltinFunctionType) and function.__module__ == "math"
        if symbolic(arguments) or not pure:
            raise self.error(node, f"{name} cannot be traced")
        return self.known(node, self.attempt(node, lambda: function(*arguments, **named)))

    def _helper(self, node: ast.Call, function: Any, arguments: list[Any]) -> Any:
        if function is language.select:
            test, first, second = arguments
            truth = self.truth(node, test)
            if not is_word(truth):
                return first if truth else second
            return self.chosen(node, self.literal(truth), first, second)
        operation = _HELPERS[function]
        exact = operation not in _UNSIGNED
        operands = [self.word(node, argument, exact=exact) for argument in arguments]
        if all(isinstance(operand, Constant) for operand in operands):
            return wrap(function(*(wrap(o.value) for o in operands if isinstance(o, Constant))))
        return self.builder.node(operation, *operands)

    # -- arrays and lists ------------------------------------------------------------------

    def _method_of_array(self, node: ast.Call, array: ArrayName) -> None:
        assert isinstance(node.func, ast.Attribute)
        if node.func.attr != "append" or len(node.args) != 1 or node.keywords:
            raise self.error(node, f"{array.name}.{node.func.attr}: arrays have append(value) only")
        if not array.output:
            raise self.error(node, f"{array.name} is an input: it cannot be written")
        value = self.word(node, self.expression(node.args[0]))
        self.stores.append(node, array, value)

    def _method_of_list(self, node: ast.Call, place: list[Any]) -> Any:
        assert isinstance(node.func, ast.Attribute)
        name = node.func.attr
        if name not in _LIST_METHODS or node.keywords:
            raise self.error(
                node, f"a list's {name} cannot be traced; allowed: {', '.join(_LIST_METHODS)}"
            )
        arguments = self._parts(node.args)
        if isinstance(place, Outside) and name != "copy":
            raise self.error(node, "a list from outside of the function cannot change")
        if name in ("insert", "pop"):
            for argument in arguments[:1]:
                if not isinstance(argument, int):
                    raise self.error(node, "a list's index must be known here")
        if name == "extend":
            arguments = [self.items(node, argument) for argument in arguments]
        result = self.attempt(node, getattr(place, name), *arguments)
        return list(result) if name == "copy" else result

    # -- builtins --------------------------------------------------------------------------

    def _call_range(self, node: ast.Call, *bounds: Any) -> Any:
        if any(is_word(bound) for bound in bounds):
            raise self.error(node, "the length of a loop depends on a value")
        if not any(isinstance(bound, Extent) for bound in bounds):
            return range(*bounds)
        counts = tuple(dict.fromkeys(c for b in bounds if isinstance(b, Extent) for c in b.counts))
        start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        if isinstance(stop, Extent) and stop.plain and (start, step) == (0, 1):
            return CountedRange(0, 1, None, stop.value, counts)
        numbers = range(
            *(self.known_extent(node, b) if isinstance(b, Extent) else b for b in bounds)
        )
        length = len(numbers)
        return CountedRange(numbers.start, numbers.step, length, length, counts)

    def _call_len(self, node: ast.Call, value: Any) -> int:
        if isinstance(value, ArrayName | CountedRange):
            raise self.error(node, "this length is not known here; give it as a Count")
        return len(value)

    def _call_enumerate(self, node: ast.Call, value: Any, start: int = 0) -> Any:
        return enumerate(self.iterable(node, value), start)

    def _call_zip(self, node: ast.Call, *values: Any) -> Any:
        return zip(*(self.iterable(node, value) for value in values), strict=False)

    def _call_reversed(self, node: ast.Call, value: Any) -> Any:
        if isinstance(value, CountedRange) and value.known is not None:
            last = value.start + (value.known - 1) * value.step
            return CountedRange(last, -value.step, value.known, value.known, value.counts)
        if isinstance(value, CountedRange):
            raise self.error(node, "reversed: the count must be known when the kernel is compiled")
        if not isinstance(value, list | tuple | range):
            raise self.error(node, f"reversed of a {type(value).__name__}")
        return reversed(value)

    def _call_list(self, node: ast.Call, value: Any = ()) -> Any:
        return self.items(node, value)

    def _call_tuple(self, node: ast.Call, value: Any = ()) -> Any:
        return tuple(self.items(node, value))

    def _call_int(self, node: ast.Call, value: Any = 0) -> Any:
        if not isinstance(value, int | float | Extent) and not is_word(value):
            raise self.error(node, f"int of a {type(value).__name__}")
        return int(value) if isinstance(value, bool | float) else value

    def _call_bool(self, node: ast.Call, value: Any = False) -> Any:
        return self.truth(node, value)

    def _call_abs(self, node: ast.Call, value: Any) -> Any:
        return self._extreme(node, Operation.ABS, [value])

    def _call_min(self, node: ast.Call, *values: Any) -> Any:
        return self._extreme(node, Operation.MIN, self._several(node, values))

    def _call_max(self, node: ast.Call, *values: Any) -> Any:
        return self._extreme(node, Operation.MAX, self._several(node, values))

    def _several(self, node: ast.Call, values: tuple[Any, ...]) -> list[Any]:
        found = self.items(node, values[0]) if len(values) == 1 else list(values)
        if not found:
            raise self.error(node, "min and max need at least one value")
        return found

    def _extreme(self, node: ast.Call, operation: Operation, values: list[Any]) -> Any:
        values = [self.known_extent(node, v) if isinstance(v, Extent) else v for v in values]
        operands: list[Operand] = [self.word(node, value, exact=True) for value in values]
        if not symbolic(values):
            known = {Operation.MIN: min, Operation.MAX: max}
            return known[operation](values) if operation in known else abs(values[0])
        result = operands[0]
        if operation is Operation.ABS:
            return self.builder.node(operation, result)
        for operand in operands[1:]:
            if operand != result:
                result = self.builder.node(operation, result, operand)
        return result

    def _call_sum(self, node: ast.Call, values: Any, start: Any = 0) -> Any:
        result = start
        for value in self.items(node, values):
            result = self.binary(node, ast.Add(), result, value)
        return result

    def _call_any(self, node: ast.Call, values: Any) -> Any:
        truths = [self.inverse(self.truth(node, value)) for value in self.items(node, values)]
        return self.inverse(self._together(truths))

    def _call_all(self, node: ast.Call, values: Any) -> Any:
        return self._together([self.truth(node, value) for value in self.items(node, values)])

    def _together(self, truths: list[Any]) -> Any:
        result: Any = True
        for truth in truths:
            result = self.both(result, truth)
        return result
