"""What a kernel function means: the function itself, run by Python.

Nothing of the compiler is used. The function's own bytecode is executed; only its numbers are
made words of 32 bits (:class:`Int32`: literals, constants, elements, loop variables), and its
arrays check their bounds. Arrays differ from Python's lists in this:

- an index below 0 is refused, where a list would count from its end;
- an output cannot be read, an input cannot be written, and neither has a length;
- an element holds what its dtype holds: int8 keeps the low byte;
- an output is either appended to, or assigned to.
"""

import builtins
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import language
from .errors import KernelError
from .int32 import BUILTINS, Int32, words, wrap
from .language import Count, Input, Output, parameters_of

_HELPERS: dict[object, Callable[..., Any]] = {}


def _helper(function: Callable[..., int]) -> Callable[..., Any]:
    def on_words(*arguments: int) -> Any:
        return Int32(function(*(wrap(argument) for argument in arguments)))

    return on_words


for _function in language.HELPERS:
    _HELPERS[_function] = _helper(_function)


class _Array:
    """An array as the function sees it."""

    def __init__(self, name: str, dtype: str, values: Sequence[int], defined: bool) -> None:
        self.name, self._dtype = name, dtype
        self.values = [int(value) for value in values]
        self.written = [defined] * len(self.values)
        self._appended: int | None = None

    def _index(self, index: Any, what: str) -> int:
        if not isinstance(index, int):
            raise KernelError(f"{self.name}[{index!r}] is {what}; allowed: one integer")
        if not 0 <= index < len(self.values):
            raise KernelError(
                f"{self.name}[{int(index)}] is {what}; allowed: 0 to {len(self.values) - 1}"
            )
        return int(index)

    def _set(self, index: int, value: Any) -> None:
        if not isinstance(value, int):
            raise KernelError(f"{self.name} is given {value!r}; allowed: integers")
        word = wrap(value)
        self.values[index] = (word + 128) % 256 - 128 if self._dtype == "int8" else word
        self.written[index] = True


class _InputArray(_Array):
    def __getitem__(self, index: Any) -> Int32:
        return Int32(self.values[self._index(index, "read")])

    def __iter__(self) -> Any:
        raise KernelError(f"{self.name} is an array: it cannot be iterated over")


class _OutputArray(_Array):
    def __setitem__(self, index: Any, value: Any) -> None:
        if self._appended:
            raise KernelError(f"{self.name} is both appended to and assigned to")
        self._appended = 0
        self._set(self._index(index, "written"), value)

    def __getitem__(self, index: Any) -> Int32:
        raise KernelError(f"{self.name} is an output: it cannot be read")

    __iter__ = None

    def append(self, value: Any) -> None:
        """Write the next element."""
        if self._appended == 0:
            raise KernelError(f"{self.name} is both appended to and assigned to")
        place = self._index(self._appended or 0, "appended")
        self._set(place, value)
        self._appended = place + 1


def run_function(
    function: Callable[..., None],
    counts: Mapping[str, int],
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, int],
    constants: Mapping[str, Any],
    starts: Mapping[str, Sequence[int]] | None = None,
) -> tuple[dict[str, list[int]], dict[str, list[bool]]]:
    """Run a kernel function.

    Parameters
    ----------
    counts: by parameter. inputs: elements by parameter. outputs: numbers of elements.
    starts: elements with which outputs begin; those that are not given begin undefined.

    Returns:
        The elements of every output, and which of them are defined.

    Raises:
        KernelError: the function does what no array can: an index out of range, a fraction, any
            exception of its own; the message names the line.
    """
    arrays: dict[str, _OutputArray] = {}
    arguments: dict[str, Any] = {}
    for name, annotation in parameters_of(function).items():
        if isinstance(annotation, Input):
            arguments[name] = _InputArray(name, annotation.dtype, inputs[name], True)
        elif isinstance(annotation, Output):
            start = (starts or {}).get(name)
            values = [0] * outputs[name] if start is None else start
            arrays[name] = _OutputArray(name, annotation.dtype, values, start is not None)
            arguments[name] = arrays[name]
        elif annotation is Count:
            arguments[name] = Int32(counts[name])
        elif name in constants:
            arguments[name] = words(plain(constants[name]))
    try:
        on_words(function)(**arguments)
    except Exception as error:
        where = f"{function.__name__}{_where(function, error)}"
        raise KernelError(f"kernel {where}: {type(error).__name__}: {error}") from error
    return (
        {name: array.values for name, array in arrays.items()},
        {name: array.written for name, array in arrays.items()},
    )


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy as Python has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list):
        return [plain(part) for part in value]
    if type(value) is tuple:
        return tuple(plain(part) for part in value)
    return value


def on_words(
    function: Callable[..., Any], made: dict[object, Callable[..., Any]] | None = None
) -> Callable[..., Any]:
    """The function with the same bytecode, whose literals, globals and cells are words."""
    assert isinstance(function, types.FunctionType)
    made = {} if made is None else made
    if function in made:
        return made[function]
    names = _names(function.__code__)
    scope: dict[str, Any] = {}
    scope["__builtins__"] = vars(builtins) | BUILTINS
    scope["__name__"] = function.__module__
    result = types.FunctionType(
        _code(function.__code__),
        scope,
        function.__name__,
        words(function.__defaults__),
        tuple(types.CellType() for _ in function.__closure__ or ()),
    )
    result.__kwdefaults__ = words(function.__kwdefaults__)
    made[function] = result
    for name in names & set(function.__globals__):
        scope[name] = _outside(function.__globals__[name], made)
    for own, cell in zip(result.__closure__ or (), function.__closure__ or (), strict=True):
        own.cell_contents = _outside(cell.cell_contents, made)
    return result


def _outside(value: Any, made: dict[object, Callable[..., Any]]) -> Any:
    """What the function finds outside itself."""
    if isinstance(value, types.FunctionType):
        return _HELPERS.get(value) or on_words(value, made)
    if isinstance(value, types.ModuleType):
        return _Module(value, made)
    return words(plain(value))


class _Module:
    """A module as the function finds it: what is in it is seen as what is outside."""

    def __init__(self, module: types.ModuleType, made: dict[object, Callable[..., Any]]) -> None:
        self._module, self._made = module, made

    def __getattr__(self, name: str) -> Any:
        return _outside(getattr(self._module, name), self._made)


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(part) for part in code.co_consts if isinstance(part, types.CodeType)]
    return set(code.co_names).union(*inner)


def _code(code: types.CodeType) -> types.CodeType:
    constants = tuple(
        _code(part) if isinstance(part, types.CodeType) else words(part) for part in code.co_consts
    )
    return code.replace(co_consts=constants)


def _where(function: Callable[..., None], error: BaseException) -> str:
    """The line of the function on which an exception arose."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == function.__code__.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line}"
