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
  ``a if c else b``, and the functions of ``FUNCTIONS``.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode

from .errors import CompileError
from .graph import Access, Constant, Graph, Node, Operand, Role, Use
from .interpret import compute

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


_BINARY: dict[type[ast.operator], Operation] = {
    ast.Add: Operation.ADD,
    ast.Sub: Operation.SUB,
    ast.Mult: Operation.MUL,
    ast.LShift: Operation.SHL,
    ast.RShift: Operation.SAR,
    ast.BitAnd: Operation.AND,
    ast.BitOr: Operation.OR,
    ast.BitXor: Operation.XOR,
}
_COMPARE: dict[type[ast.cmpop], tuple[Operation, bool]] = {
    ast.Eq: (Operation.EQ, False),
    ast.NotEq: (Operation.NE, False),
    ast.Lt: (Operation.LT, False),
    ast.GtE: (Operation.GE, False),
    ast.Gt: (Operation.LT, True),
    ast.LtE: (Operation.GE, True),
}


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
class _ArrayName:
    name: str
    element: Element
    size: int
    output: bool


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


@dataclass
class _Scope:
    """Variables and the condition under which statements hold."""

    variables: dict[str, Any]
    condition: Operand | None = None
    when: bool = True
    children: int = field(default=0)


class _Tracer:
    def __init__(self, source: KernelFunction, name: str, constants: Mapping[str, Any]) -> None:
        self.graph = Graph(name)
        self._known: dict[object, Use] = {}
        self._loops: list[str] = []
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
        self._block(tree.body, _Scope(variables))
        if not self._loops:
            raise CompileError(f"kernel {name} has no loop over a Count")
        self.graph.check()

    def _error(self, node: ast.AST, message: str) -> CompileError:
        line = getattr(node, "lineno", 0)
        return CompileError(f"kernel {self.graph.name}, line {line}: {message}")

    # -- statements ------------------------------------------------------------------------

    def _block(self, body: list[ast.stmt], scope: _Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: _Scope) -> None:
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

    def _assign(self, target: ast.expr, value: Any, scope: _Scope) -> None:
        if isinstance(target, ast.Name):
            scope.variables[target.id] = value
        elif isinstance(target, ast.Tuple):
            for part, one in zip(target.elts, value, strict=True):
                self._assign(part, one, scope)
        elif isinstance(target, ast.Subscript):
            place = self._expression(target.value, scope)
            if isinstance(place, _ArrayName):
                self._store(target, place, self._expression(target.slice, scope), value, scope)
            else:
                place[self._expression(target.slice, scope)] = value
        else:
            raise self._error(target, "cannot be assigned to")

    def _for(self, loop: ast.For, scope: _Scope) -> None:
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

    def _body(self, loop: ast.For, scope: _Scope) -> None:
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

    def _if(self, branch: ast.If, scope: _Scope) -> None:
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
            inside = _Scope(dict(scope.variables), condition, when)
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

    # -- arrays ----------------------------------------------------------------------------

    def _access(self, array: _ArrayName, index: Index) -> Access:
        strides = dict(index.strides)
        by_loop = tuple(strides.get(name, 0) for name in self._loops)
        return Access(array.name, index.offset, by_loop, array.element)

    def _load(self, where: ast.AST, array: _ArrayName, index: Any, scope: _Scope) -> Use:
        if array.output:
            raise self._error(where, f"{array.name} is an output: it cannot be read")
        if isinstance(index, int):
            index = Index((), index)
        if isinstance(index, Index):
            access = self._access(array, index)
            key = ("load", access)
            if key not in self._known:
                name = self.graph.fresh(array.name)
                self._known[key] = self.graph.add(Node(name, Role.LOAD, access=access))
            return self._known[key]
        offset = self._offset(where, array, index, scope)
        node = Node(
            self.graph.fresh(array.name),
            Role.GATHER,
            operands=(offset,),
            access=Access(array.name, 0, (), array.element),
        )
        return self.graph.add(node)

    def _offset(self, where: ast.AST, array: _ArrayName, index: Any, scope: _Scope) -> Operand:
        operand = self._operand(where, index, scope)
        return operand if array.size == 1 else self._node(Operation.SHL, (operand, Constant(2)))

    def _store(
        self, where: ast.AST, array: _ArrayName, index: Any, value: Any, scope: _Scope
    ) -> None:
        if not array.output:
            raise self._error(where, f"{array.name} is an input: it cannot be written")
        if isinstance(index, int):
            index = Index((), index)
        operand = self._operand(where, value, scope)
        name = self.graph.fresh(array.name)
        if isinstance(index, Index) and scope.condition is None:
            access = self._access(array, index)
            self.graph.add(Node(name, Role.STORE, operands=(operand,), access=access))
            return
        offset = self._offset(where, array, index, scope)
        node = Node(
            self.graph.fresh(array.name),
            Role.SCATTER,
            operands=(offset, operand),
            access=Access(array.name, 0, (), array.element),
            **_guard(scope),
        )
        self.graph.add(node)

    def _append(self, array: _ArrayName, value: Operand, scope: _Scope) -> None:
        strides = tuple(1 if n == 0 else 0 for n in range(len(self._loops)))
        if scope.condition is None and len(self._loops) > 1:
            raise CompileError(f"kernel {self.graph.name}: {array.name}.append needs an if")
        node = Node(
            self.graph.fresh(array.name),
            Role.STORE,
            operands=(value,),
            access=Access(array.name, 0, strides, array.element),
            **_guard(scope),
        )
        self.graph.add(node)

    # -- values ----------------------------------------------------------------------------

    def _operand(self, where: ast.AST, value: Any, scope: _Scope) -> Operand:
        if isinstance(value, Use | Constant):
            return value
        if isinstance(value, bool | int):
            return Constant(value)
        if isinstance(value, Index):
            return self._index_value(where, value)
        raise self._error(where, f"{type(value).__name__} is no value of the array")

    def _index_value(self, where: ast.AST, index: Index) -> Operand:
        """A loop variable as a value: counted along."""
        if not index.strides:
            return Constant(index.offset)
        (name, stride), *others = index.strides
        single = len(self._loops) == 1 or (self.graph.outer and name == self._loops[0])
        if others or not single:
            raise self._error(
                where, f"{name} is used as a value; only the innermost loop's variable can be"
            )
        key = ("counter", index)
        if key not in self._known:
            counter = self.graph.fresh(name)
            start = (index.offset - stride) & 0xFFFFFFFF
            operands = (Use(counter, 1, start), Constant(stride))
            self._known[key] = self.graph.add(Node(counter, Role.COMPUTE, Operation.ADD, operands))
        return self._known[key]

    def _fresh(self, operation: Operation, operands: tuple[Operand, ...], **fields: Any) -> Use:
        name = self.graph.fresh(operation.name.lower())
        return self.graph.add(Node(name, Role.COMPUTE, operation, operands, **fields))

    def _node(self, operation: Operation, operands: tuple[Operand, ...], **fields: Any) -> Operand:
        """A node, or what it comes to if its operands are known, or the same node again."""
        values = [o.value for o in operands if isinstance(o, Constant)]
        if len(values) == len(operands) and operation is not Operation.SELECT:
            return Constant(compute(operation, values[0], (*values, 0)[1], False))
        neutral = (Operation.ADD, Operation.SUB, Operation.OR, Operation.XOR, Operation.SHL)
        if operation in (*neutral, Operation.SAR) and operands[1] == Constant(0):
            return operands[0]
        if operation in (Operation.ADD, Operation.OR, Operation.XOR) and operands[0] == Constant(0):
            return operands[1]
        if operation is Operation.MUL and operands[1] == Constant(1):
            return operands[0]
        if operation is Operation.MUL and operands[0] == Constant(1):
            return operands[1]
        key = (operation, operands, tuple(fields.items()))
        if key not in self._known:
            self._known[key] = self._fresh(operation, operands, **fields)
        return self._known[key]

    def _not(self, operand: Operand) -> Operand:
        return self._node(Operation.EQ, (operand, Constant(0)))

    def _select(self, condition: Operand, first: Operand, second: Operand) -> Operand:
        if first == second:
            return first
        if isinstance(condition, Constant):
            return first if condition.value else second
        return self._node(Operation.SELECT, (first, second), predicate=condition)

    # -- expressions -----------------------------------------------------------------------

    def _expression(self, node: ast.expr, scope: _Scope) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._name(node, scope)
        if isinstance(node, ast.Tuple | ast.List):
            return [self._expression(part, scope) for part in node.elts]
        if isinstance(node, ast.BinOp):
            left = self._expression(node.left, scope)
            return self._binary(node, node.op, left, self._expression(node.right, scope))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node, self._expression(node.operand, scope), scope)
        if isinstance(node, ast.Compare):
            return self._compare(node, scope)
        if isinstance(node, ast.BoolOp):
            values = [self._expression(part, scope) for part in node.values]
            operation = Operation.AND if isinstance(node.op, ast.And) else Operation.OR
            result = self._operand(node, values[0], scope)
            for value in values[1:]:
                result = self._node(operation, (result, self._operand(node, value, scope)))
            return result
        if isinstance(node, ast.IfExp):
            return self._choice(node, scope)
        if isinstance(node, ast.Subscript):
            place = self._expression(node.value, scope)
            index = self._expression(node.slice, scope)
            if isinstance(place, _ArrayName):
                return self._load(node, place, index, scope)
            return place[index]
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            return slice(*(None if p is None else self._expression(p, scope) for p in parts))
        if isinstance(node, ast.ListComp) and len(node.generators) == 1:
            generator, items = node.generators[0], []
            for item in self._expression(generator.iter, scope):
                self._assign(generator.target, item, scope)
                items.append(self._expression(node.elt, scope))
            return items
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        raise self._error(node, f"{type(node).__name__} cannot be traced")

    def _name(self, node: ast.Name, scope: _Scope) -> Any:
        if node.id in scope.variables:
            return scope.variables[node.id]
        known = {"range": range, "len": len, "enumerate": enumerate, "zip": zip, "list": list}
        if node.id in known:
            return known[node.id]
        raise self._error(node, f"{node.id} is not known here")

    def _binary(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        scope = _Scope({})
        if isinstance(left, Index | int) and isinstance(right, Index | int):
            found = _index_arithmetic(op, left, right)
            if found is not None:
                return found
        traced = isinstance(left, Use | Constant | Index) or isinstance(
            right, Use | Constant | Index
        )
        if not traced:
            return _python(op, left, right)
        a, b = self._operand(where, left, scope), self._operand(where, right, scope)
        if isinstance(op, ast.FloorDiv | ast.Mod) and isinstance(right, int):
            if right < 1 or right & (right - 1):
                raise self._error(where, f"divisor is {right}; allowed: powers of two")
            if isinstance(op, ast.Mod):
                return self._node(Operation.AND, (a, Constant(right - 1)))
            return self._node(Operation.SAR, (a, Constant(right.bit_length() - 1)))
        if type(op) not in _BINARY:
            raise self._error(where, f"{type(op).__name__} is no operation of the array")
        return self._node(_BINARY[type(op)], (a, b))

    def _unary(self, node: ast.UnaryOp, value: Any, scope: _Scope) -> Any:
        if isinstance(value, int):
            return _UNARY_PYTHON[type(node.op)](value)
        operand = self._operand(node, value, scope)
        if isinstance(node.op, ast.Not):
            return self._not(operand)
        if isinstance(node.op, ast.USub):
            return self._node(Operation.SUB, (Constant(0), operand))
        if isinstance(node.op, ast.Invert):
            return self._node(Operation.XOR, (operand, Constant(-1)))
        return operand

    def _compare(self, node: ast.Compare, scope: _Scope) -> Any:
        if len(node.ops) != 1:
            raise self._error(node, "one comparison at a time")
        left = self._expression(node.left, scope)
        right = self._expression(node.comparators[0], scope)
        if not any(isinstance(v, Use | Constant | Index) for v in (left, right)):
            return bool(
                eval(
                    compile(
                        ast.Expression(
                            ast.fix_missing_locations(
                                ast.Compare(ast.Constant(left), node.ops, [ast.Constant(right)])
                            )
                        ),
                        "",
                        "eval",
                    )
                )
            )
        operation, swap = _COMPARE[type(node.ops[0])]
        operands = (self._operand(node, left, scope), self._operand(node, right, scope))
        return self._node(operation, operands[::-1] if swap else operands)

    def _choice(self, node: ast.IfExp, scope: _Scope) -> Any:
        test = self._expression(node.test, scope)
        if not isinstance(test, Use | Constant | Index):
            return self._expression(node.body if test else node.orelse, scope)
        return self._select(
            self._operand(node, test, scope),
            self._operand(node, self._expression(node.body, scope), scope),
            self._operand(node, self._expression(node.orelse, scope), scope),
        )

    def _call(self, node: ast.Call, scope: _Scope) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            target = self._expression(node.func.value, scope)
            value = self._expression(node.args[0], scope)
            if isinstance(target, _ArrayName):
                self._append(target, self._operand(node, value, scope), scope)
            else:
                target.append(value)
            return None
        arguments = [self._expression(argument, scope) for argument in node.args]
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "range" and arguments == [Count]:
                return Count
            traced = any(isinstance(a, Use | Constant | Index) for a in arguments)
            if name == "select":
                test, *values = arguments
                first, second = (self._operand(node, value, scope) for value in values)
                return self._select(self._operand(node, test, scope), first, second)
            if name in FUNCTIONS and traced:
                operands = tuple(self._operand(node, value, scope) for value in arguments)
                result = operands[0]
                if len(operands) == 1:
                    return self._node(FUNCTIONS[name], operands)
                for operand in operands[1:]:
                    result = self._node(FUNCTIONS[name], (result, operand))
                return result
            if name in ("min", "max", "abs"):
                functions: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs}
                return functions[name](*arguments)
        return self._expression(node.func, scope)(*arguments)


_UNARY_PYTHON: dict[type[ast.unaryop], Callable[[int], int]] = {
    ast.USub: lambda value: -value,
    ast.UAdd: lambda value: value,
    ast.Invert: lambda value: ~value,
    ast.Not: lambda value: not value,
}


def _array(name: str, annotation: Input | Output) -> _ArrayName:
    byte = annotation.dtype == "int8"
    element = Element.BYTE_SIGNED if byte else Element.WORD
    return _ArrayName(name, element, 1 if byte else 4, isinstance(annotation, Output))


def _guard(scope: _Scope) -> dict[str, Any]:
    """Under what condition a store acts."""
    if scope.condition is None:
        return {}
    when = PredicateMode.IF_TRUE if scope.when else PredicateMode.IF_FALSE
    return {"predicate": scope.condition, "when": when}


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


def _index_arithmetic(op: ast.operator, left: Index | int, right: Index | int) -> Any:
    """Index arithmetic that stays an index; None if it does not."""
    if isinstance(left, int) and isinstance(right, int):
        return _python(op, left, right)
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


def _python(op: ast.operator, left: Any, right: Any) -> Any:
    """The result on values that are known when traced."""
    expression = ast.Expression(ast.BinOp(ast.Name("a", ast.Load()), op, ast.Name("b", ast.Load())))
    code = compile(ast.fix_missing_locations(expression), "kernel", "eval")
    return eval(code, {"a": left, "b": right})
