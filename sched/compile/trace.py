"""Makes a graph from a Python function that is written in a restricted form.

A kernel function takes arrays (annotated ``Input`` or ``Output``), numbers of iterations
(annotated ``Count``) and constants (no annotation, given when it is traced). Its body may hold:

- assignments of numbers before a loop: they start the variables that the loop carries along;
- ``for i in range(n)`` over a ``Count``: a loop of the array, up to four nested. If variables
  start anew between an outer loop and the next, the inner loop is run in rounds. What follows an
  inner loop is what its last iteration leaves;
- ``for`` over anything known when traced: unrolled;
- ``if``/``else`` on values: both sides are computed, the condition selects;
- ``if condition: break`` as the last statement of the innermost loop: a loop until exit;
- ``array[index]``: a stream if the index is a sum of loop variables times constants, else a
  computed access; an assignment under an ``if`` is a computed access as well;
- ``array.append(value)``: the next element of an output, under an ``if`` only when it holds;
- the operators of int32 (wrapping; ``>>`` is arithmetic), comparisons, ``and``, ``or``, ``not``,
  ``a if c else b``, and the functions of ``language.FUNCTIONS``.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation

from .errors import CompileError
from .expressions import ExpressionTracer, Scope
from .graph import Constant, Graph, Operand, Role, Use
from .language import (
    ArrayName,
    Count,
    Index,
    Input,
    Output,
    clamp8,
    geu,
    ltu,
    mulh,
    relu,
    select,
    shr,
)


@dataclass(frozen=True)
class KernelFunction:
    """A function that can be traced; what :func:`kernel` makes."""

    function: Callable[..., None]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def parameters(self) -> dict[str, object]:
        """Annotations by parameter; None for a constant."""
        found = inspect.signature(self.function, eval_str=True).parameters
        empty = inspect.Parameter.empty
        return {n: None if p.annotation is empty else p.annotation for n, p in found.items()}

    def graph(self, name: str | None = None, **constants: Any) -> Graph:
        """The graph for given constants.

        Raises:
            CompileError: a constant is missing or unknown, or the function is not in the form that
                can be traced; the message names the line.
        """
        return _Tracer(self, name or self.name, constants).graph


def kernel(function: Callable[..., None]) -> KernelFunction:
    """Mark a function as a kernel to be traced."""
    return KernelFunction(function)


class _Tracer(ExpressionTracer):
    def __init__(self, source: KernelFunction, name: str, constants: Mapping[str, Any]) -> None:
        super().__init__(name)
        self._starts: dict[str, int] = {}
        text = textwrap.dedent(inspect.getsource(source.function))
        tree = ast.parse(text).body[0]
        assert isinstance(tree, ast.FunctionDef)
        variables = dict(inspect.getclosurevars(source.function).globals)
        variables |= inspect.getclosurevars(source.function).nonlocals
        for parameter, annotation in source.parameters.items():
            if isinstance(annotation, Input | Output):
                variables[parameter] = _array(parameter, annotation)
            elif annotation is Count:
                variables[parameter] = Count
            elif parameter in constants:
                variables[parameter] = constants[parameter]
            else:
                raise CompileError(f"kernel {name}: no value for the constant {parameter}")
        for given in constants:
            if given not in source.parameters:
                raise CompileError(f"kernel {name} has no parameter {given}")
        self._block(tree.body, Scope(variables))
        if not self._loops:
            raise CompileError(f"kernel {name} has no loop over a Count")
        self.graph.check()

    # -- statements ------------------------------------------------------------------------

    def _block(self, body: list[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: Scope) -> None:
        if isinstance(statement, ast.Assign):
            value = self._expression(statement.value, scope)
            for target in statement.targets:
                self._assign(target, value, scope)
        elif isinstance(statement, ast.AugAssign):
            value = self._binary(
                statement,
                statement.op,
                self._expression(_as_load(statement.target), scope),
                self._expression(statement.value, scope),
            )
            self._assign(statement.target, value, scope)
        elif isinstance(statement, ast.For):
            self._for(statement, scope)
        elif isinstance(statement, ast.If):
            self._if(statement, scope)
        elif isinstance(statement, ast.Expr):
            if isinstance(statement.value, ast.Constant):
                return
            self._expression(statement.value, scope)
        elif not isinstance(statement, ast.Pass):
            raise self._error(statement, f"{type(statement).__name__} cannot be traced")

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope.variables[target.id] = value
        elif isinstance(target, ast.Tuple):
            for part, one in zip(target.elts, value, strict=True):
                self._assign(part, one, scope)
        elif isinstance(target, ast.Subscript):
            place = self._expression(target.value, scope)
            if isinstance(place, ArrayName):
                self._store(target, place, self._expression(target.slice, scope), value, scope)
            else:
                place[self._expression(target.slice, scope)] = value
        else:
            raise self._error(target, "cannot be assigned to")

    def _for(self, loop: ast.For, scope: Scope) -> None:
        over = self._expression(loop.iter, scope)
        if over is not Count:
            for item in over:
                self._assign(loop.target, item, scope)
                self._block(loop.body, scope)
            return
        if scope.condition is not None:
            raise self._error(loop, "a loop under an if")
        assert isinstance(loop.target, ast.Name)
        if loop.target.id in self._loops or len(self._loops) == 4:
            raise self._error(loop, "at most four nested loops, each with its own variable")
        inner = _counted(loop.body, scope.variables)
        fresh = {n for s in loop.body for n in _assigned([s])} if inner else set()
        self._loops.insert(0, loop.target.id)
        self.graph.loops = len(self._loops)
        scope.variables[loop.target.id] = Index(((loop.target.id, 1),))
        if inner is None:
            self._body(loop, scope)
            return
        before = loop.body[: loop.body.index(inner)]
        started = _assigned(before) & _assigned(inner.body)
        if started & fresh:
            self.graph.outer = True
        self._block(loop.body, scope)

    def _body(self, loop: ast.For, scope: Scope) -> None:
        """The innermost loop: variables that exist before it are carried along."""
        carried = {}
        for name in sorted(_assigned(loop.body)):
            start = scope.variables.get(name)
            if isinstance(start, bool | int) and name not in self._loops:
                carried[name] = int(start)
                scope.variables[name] = Use(f"@{name}", 0)
        body = loop.body
        last = body[-1]
        leave = last if isinstance(last, ast.If) and _is_break(last) else None
        if leave is not None:
            body = body[:-1]
        self._block(body, scope)
        if leave is not None:
            self._exit(self._operand(leave, self._expression(leave.test, scope), scope))
        ends: dict[str, Use | Constant] = {}
        for name, start in carried.items():
            end = self._operand(loop, scope.variables[name], scope)
            if end == Use(f"@{name}"):
                ends[name] = Constant(start)
            elif isinstance(end, Constant) or end.producer.startswith("@"):
                ends[name] = self._carry(self._fresh(Operation.PASS, (end,)), start)
            else:
                ends[name] = self._carry(end, start)
        self._after(ends)
        for name in carried:
            value = scope.variables[name]
            if isinstance(value, Use) and value.producer.startswith("@"):
                scope.variables[name] = ends[value.producer[1:]]

    @staticmethod
    def _carry(use: Operand, start: int) -> Use:
        assert isinstance(use, Use)
        return Use(use.producer, use.distance + 1, start & 0xFFFFFFFF)

    def _after(self, ends: dict[str, Use | Constant]) -> None:
        """Let those that use a carried variable use its value of the iteration before."""

        def resolve(operand: Operand) -> Operand:
            if isinstance(operand, Use) and operand.producer.startswith("@"):
                return ends[operand.producer[1:]]
            return operand

        for node in list(self.graph.nodes.values()):
            operands = tuple(resolve(operand) for operand in node.operands)
            predicate = node.predicate and resolve(node.predicate)
            if isinstance(predicate, Constant):
                raise CompileError(
                    f"kernel {self.graph.name}: {node.name} depends on a variable that does not "
                    "change"
                )
            self.graph.change(node.name, operands=operands, predicate=predicate)

    def _if(self, branch: ast.If, scope: Scope) -> None:
        test = self._expression(branch.test, scope)
        if not isinstance(test, Use | Constant | Index):
            self._block(branch.body if test else branch.orelse, scope)
            return
        condition = self._operand(branch, test, scope)
        if isinstance(condition, Constant):
            self._block(branch.body if condition.value else branch.orelse, scope)
            return
        outcomes = []
        for body, when in ((branch.body, True), (branch.orelse, False)):
            inside = Scope(dict(scope.variables), condition, when)
            if scope.condition is not None:
                own = condition if when else self._not(condition)
                outer = scope.condition if scope.when else self._not(scope.condition)
                inside.condition = self._node(Operation.AND, (own, outer))
                inside.when = True
            self._block(body, inside)
            outcomes.append(inside.variables)
        for name in sorted(set(outcomes[0]) | set(outcomes[1])):
            first, second = outcomes[0].get(name), outcomes[1].get(name)
            if first is second or first == second or first is None or second is None:
                if first is not None and second is not None:
                    scope.variables[name] = first
                continue
            scope.variables[name] = self._select(
                condition, self._operand(branch, first, scope), self._operand(branch, second, scope)
            )

    def _exit(self, condition: Operand) -> None:
        if isinstance(condition, Use) and not condition.producer.startswith("@"):
            node = self.graph.nodes[condition.producer]
            if node.role is Role.COMPUTE and not condition.distance:
                self.graph.change(node.name, exit=True)
                return
        use = self._fresh(Operation.PASS, (condition,))
        self.graph.change(use.producer, exit=True)


def _array(name: str, annotation: Input | Output) -> ArrayName:
    byte = annotation.dtype == "int8"
    element = Element.BYTE_SIGNED if byte else Element.WORD
    return ArrayName(name, element, 1 if byte else 4, isinstance(annotation, Output))


def _as_load(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _is_break(branch: ast.If) -> bool:
    return len(branch.body) == 1 and isinstance(branch.body[0], ast.Break) and not branch.orelse


def _assigned(body: list[ast.stmt]) -> set[str]:
    """Names that statements assign to."""
    return {
        part.id
        for statement in body
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _counted(body: list[ast.stmt], variables: Mapping[str, Any]) -> ast.For | None:
    """The loop over a Count in a loop's body, if there is one."""
    for statement in body:
        if isinstance(statement, ast.For) and isinstance(statement.iter, ast.Call):
            arguments = statement.iter.args
            if any(isinstance(a, ast.Name) and variables.get(a.id) is Count for a in arguments):
                return statement
    return None


__all__ = [
    "Count",
    "Input",
    "KernelFunction",
    "Output",
    "clamp8",
    "geu",
    "kernel",
    "ltu",
    "mulh",
    "relu",
    "select",
    "shr",
]
