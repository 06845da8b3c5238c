"""Follows the statements of a kernel function, but not the loops of the array."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .calls import MOST_CALLS, Calls
from .graph import Constant, Operand
from .language import ArrayName, CountedRange
from .source import FunctionText
from .state import EVERYWHERE, Outside, Path, Snapshot, Undecided, is_word

MOST_STATEMENTS = 20_000
"""Statements that are followed, at most: what is unrolled counts each time."""

_RESULT = "return"
"""The variable that holds a function's value: no name can be it."""


@dataclass
class Frame:
    """A loop or function that statements can leave.

    ``leaving``, ``going_on``: the states at its ``break`` (``return``) and ``continue``.
    """

    kind: str
    path: Path
    leaving: list[Snapshot | None] = field(default_factory=list)
    going_on: list[Snapshot | None] = field(default_factory=list)


class Statements(Calls):
    """State, expressions, and statements."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.frames: list[Frame] = []
        self.texts: list[FunctionText] = []
        self._followed = 0

    def counted(self, loop: ast.For, over: CountedRange) -> None:
        """A loop of the array."""
        raise NotImplementedError

    def block(self, body: list[ast.stmt]) -> None:
        """Statements, one after the other, up to where none goes on."""
        for statement in body:
            if self.dead:
                return
            self._followed += 1
            if self._followed > MOST_STATEMENTS:
                raise self.error(
                    statement, f"more than {MOST_STATEMENTS} statements, loops unrolled"
                )
            kind = type(statement).__name__
            method = getattr(self, f"_do_{kind}", None)
            if method is None:
                raise self.error(statement, f"{kind} cannot be traced")
            method(statement)

    def outside(self, where: ast.AST, name: str) -> Any:
        """As :class:`Expressions`."""
        text = self.texts[-1]
        if name in text.local:
            raise self.error(where, f"{name} is read before it has a value")
        try:
            return self.known(where, text.outside(name))
        except KeyError:
            raise self.error(where, f"{name} is not known here") from None

    # -- assignments -----------------------------------------------------------------------

    def _do_Pass(self, statement: ast.Pass) -> None:
        pass

    def _do_Expr(self, statement: ast.Expr) -> None:
        if not isinstance(statement.value, ast.Constant):
            self.expression(statement.value)

    def _do_Assign(self, statement: ast.Assign) -> None:
        value = self.expression(statement.value)
        for target in statement.targets:
            self.assign(target, value)

    def _do_AnnAssign(self, statement: ast.AnnAssign) -> None:
        if statement.value is not None:
            self.assign(statement.target, self.expression(statement.value))

    def _do_AugAssign(self, statement: ast.AugAssign) -> None:
        target = statement.target
        if isinstance(target, ast.Name):
            before = self.expression(ast.copy_location(ast.Name(target.id, ast.Load()), target))
            self.assign(target, self._augmented(statement, before))
            return
        if not isinstance(target, ast.Subscript):
            raise self.error(target, "cannot be assigned to")
        place, index = self.expression(target.value), self.expression(target.slice)
        before = self.element(target, place, index)
        self._set(target, place, index, self._augmented(statement, before))

    def _augmented(self, statement: ast.AugAssign, before: Any) -> Any:
        value = self.expression(statement.value)
        if isinstance(before, list) and isinstance(statement.op, ast.Add):
            self._may_change(statement, before)
            before += self.items(statement, value)
            return before
        if isinstance(before, list):
            raise self.error(statement, "a list can only be added to")
        return self.binary(statement, statement.op, before, value)

    def assign(self, target: ast.expr, value: Any) -> None:
        """As :class:`Expressions`."""
        if isinstance(target, ast.Name):
            if isinstance(value, Iterator):
                raise self.error(target, "an iterator cannot be kept; make a list of it")
            self.variables[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            items = self.items(target, value)
            if any(isinstance(part, ast.Starred) for part in target.elts):
                raise self.error(target, "a starred target")
            if len(items) != len(target.elts):
                raise self.error(target, f"{len(items)} values for {len(target.elts)} targets")
            for part, one in zip(target.elts, items, strict=True):
                self.assign(part, one)
        elif isinstance(target, ast.Subscript):
            place = self.expression(target.value)
            self._set(target, place, self.expression(target.slice), value)
        else:
            raise self.error(target, f"{type(target).__name__} cannot be assigned to")

    def _set(self, where: ast.AST, place: Any, index: Any, value: Any) -> None:
        """``place[index] = value``."""
        if isinstance(place, ArrayName):
            if not place.output:
                raise self.error(where, f"{place.name} is an input: it cannot be written")
            at = self.array_index(where, place, index)
            self.stores.store(where, place, at, self.word(where, value))
            return
        if not isinstance(place, list):
            raise self.error(where, f"an element of a {type(place).__name__} cannot be set")
        self._may_change(where, place)
        if is_word(index):
            raise self.error(where, "the index of a list's element that is set must be known")
        if isinstance(index, slice):
            value = self.items(where, value)
        self.attempt(where, place.__setitem__, index, value)

    def _may_change(self, where: ast.AST, place: list[Any]) -> None:
        if isinstance(place, Outside):
            raise self.error(where, "a list from outside of the function cannot change")

    # -- ways ------------------------------------------------------------------------------

    def _do_If(self, statement: ast.If) -> None:
        literal = self.condition(statement.test)
        if isinstance(literal, bool):
            self.block(statement.body if literal else statement.orelse)
            return
        operand, holds = literal
        before = self.snapshot()
        assert before is not None
        self.path = before.path | {literal}
        self.block(statement.body)
        first = self.snapshot()
        self.restore(before)
        self.path = before.path | {(operand, not holds)}
        self.block(statement.orelse)
        self.join(statement, [first, self.snapshot()])

    def _do_Break(self, statement: ast.Break) -> None:
        self._leave(statement, self.frames[-1].leaving)

    def _do_Continue(self, statement: ast.Continue) -> None:
        self._leave(statement, self.frames[-1].going_on)

    def _do_Return(self, statement: ast.Return) -> None:
        frame = next(frame for frame in reversed(self.frames) if frame.kind == "function")
        value = None if statement.value is None else self.expression(statement.value)
        if frame is self.frames[0] and value is not None:
            raise self.error(statement, "a kernel returns nothing: it writes its outputs")
        self.variables[_RESULT] = value
        self._leave(statement, frame.leaving)

    def _leave(self, statement: ast.stmt, states: list[Snapshot | None]) -> None:
        states.append(self.snapshot())
        self.dead = True

    def _do_For(self, loop: ast.For) -> None:
        over = self.expression(loop.iter)
        if isinstance(over, CountedRange):
            self.counted(loop, over)
            return
        frame = Frame("loop", self.path)
        self.frames.append(frame)
        for item in self.iterable(loop.iter, over):
            if self.dead:
                break
            self.assign(loop.target, item)
            self.block(loop.body)
            self.join(loop, [*frame.going_on, self.snapshot()])
            frame.going_on.clear()
        self.frames.pop()
        if not self.dead:
            self.block(loop.orelse)
        self.join(loop, [*frame.leaving, self.snapshot()])

    # -- functions -------------------------------------------------------------------------

    def inline(self, node: ast.Call, text: FunctionText, variables: dict[str, Any]) -> Any:
        """As :class:`Calls`."""
        if len(self.texts) > MOST_CALLS:
            raise self.error(node, f"more than {MOST_CALLS} functions call each other")
        path, file = self.path, self.file
        self.callers.append(self.variables)
        self.variables = dict(variables)
        self.texts.append(text)
        self.frames.append(Frame("function", path))
        self.file = text.file
        self.block(text.tree.body)
        frame = self.frames.pop()
        if not self.dead:
            self.variables[_RESULT] = None
        self.join(node, [*frame.leaving, self.snapshot()])
        result = self.variables[_RESULT]
        self.variables = self.callers.pop()
        self.texts.pop()
        self.path, self.file = path, file
        if isinstance(result, Undecided):
            raise self.error(node, result.reason)
        return result


__all__ = ["EVERYWHERE", "Constant", "Frame", "Operand", "Statements"]
