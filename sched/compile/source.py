"""The text of a Python function as a syntax tree, with the lines of its file."""

import ast
import inspect
import linecache
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import CompileError


class FunctionText:
    """A function's source.

    Attributes
    ----------
    tree: its definition; lines are those of the file. file: the file's name. local: names that
    the function itself binds.

    Raises:
        CompileError: there is no source, it is not that of the function any more, or it is no
            plain function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        assert isinstance(function, types.FunctionType)
        self.function = function
        code = function.__code__
        self.file = Path(code.co_filename).name
        self.local = set(code.co_varnames) | set(code.co_cellvars)
        linecache.checkcache(code.co_filename)
        lines = linecache.getlines(code.co_filename, function.__globals__)
        try:
            module = ast.parse("".join(lines), code.co_filename)
        except SyntaxError:
            module = ast.Module([], [])
        found = [
            node
            for node in ast.walk(module)
            if isinstance(node, ast.FunctionDef) and _first_line(node) == code.co_firstlineno
        ]
        if not found or not self._agrees(lines, code):
            raise CompileError(
                f"kernel {function.__name__}: {code.co_filename} is not the function's source (any "
                "more); import it anew"
            )
        self.tree = found[0]
        if inspect.isgeneratorfunction(function):
            raise CompileError(f"kernel {function.__name__} is a generator")

    @staticmethod
    def _agrees(lines: list[str], code: types.CodeType) -> bool:
        """Whether the file still gives the code that the function has."""
        whole = compile("".join(lines), code.co_filename, "exec", dont_inherit=True)
        return any(
            part.co_qualname == code.co_qualname
            and part.co_firstlineno == code.co_firstlineno
            and part.co_code == code.co_code
            and _constants(part) == _constants(code)
            and part.co_names == code.co_names
            and part.co_varnames == code.co_varnames
            for part in _codes(whole)
        )

    def outside(self, name: str) -> Any:
        """What a name means outside of the function.

        Raises:
            KeyError: nothing.
        """
        function = self.function
        for free, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if free == name:
                return cell.cell_contents
        if name in function.__globals__:
            return function.__globals__[name]
        builtins = function.__globals__["__builtins__"]
        return vars(builtins)[name] if isinstance(builtins, types.ModuleType) else builtins[name]


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield part
            yield from _codes(part)


def _constants(code: types.CodeType) -> list[Any]:
    return [
        (part.co_code, _constants(part)) if isinstance(part, types.CodeType) else (type(part), part)
        for part in code.co_consts
    ]
