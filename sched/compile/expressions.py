"""Traces the expressions of a kernel function: values, array accesses, operations."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from octopus.hw.layouts.instruction import Operation, PredicateMode

from .errors import CompileError
from .graph import Access, Constant, Graph, Node, Operand, Role, Use
from .interpret import compute
from .language import FUNCTIONS, ArrayName, Count, Index, index_arithmetic, python_value

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
_UNARY_PYTHON: dict[type[ast.unaryop], Callable[[int], int]] = {
    ast.USub: lambda value: -value,
    ast.UAdd: lambda value: value,
    ast.Invert: lambda value: ~value,
    ast.Not: lambda value: not value,
}


@dataclass
class Scope:
    """Variables and the condition under which statements hold."""

    variables: dict[str, Any]
    condition: Operand | None = None
    when: bool = True
    children: int = field(default=0)


class ExpressionTracer:
    """The graph so far, and what expressions add to it."""

    def __init__(self, name: str) -> None:
        self.graph = Graph(name)
        self._known: dict[object, Use] = {}
        self._loops: list[str] = []

    def _error(self, node: ast.AST, message: str) -> CompileError:
        line = getattr(node, "lineno", 0)
        return CompileError(f"kernel {self.graph.name}, line {line}: {message}")

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Give a value to a name or an array's element."""
        raise NotImplementedError

    # -- arrays ----------------------------------------------------------------------------

    def _access(self, array: ArrayName, index: Index) -> Access:
        strides = dict(index.strides)
        by_loop = tuple(strides.get(name, 0) for name in self._loops)
        return Access(array.name, index.offset, by_loop, array.element)

    def _load(self, where: ast.AST, array: ArrayName, index: Any, scope: Scope) -> Use:
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

    def _offset(self, where: ast.AST, array: ArrayName, index: Any, scope: Scope) -> Operand:
        operand = self._operand(where, index, scope)
        return operand if array.size == 1 else self._node(Operation.SHL, (operand, Constant(2)))

    def _store(
        self, where: ast.AST, array: ArrayName, index: Any, value: Any, scope: Scope
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

    def _append(self, array: ArrayName, value: Operand, scope: Scope) -> None:
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

    def _operand(self, where: ast.AST, value: Any, scope: Scope) -> Operand:
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

    def _expression(self, node: ast.expr, scope: Scope) -> Any:
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
            if isinstance(place, ArrayName):
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

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        if node.id in scope.variables:
            return scope.variables[node.id]
        known = {"range": range, "len": len, "enumerate": enumerate, "zip": zip, "list": list}
        if node.id in known:
            return known[node.id]
        raise self._error(node, f"{node.id} is not known here")

    def _binary(self, where: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        scope = Scope({})
        if isinstance(left, Index | int) and isinstance(right, Index | int):
            found = index_arithmetic(op, left, right)
            if found is not None:
                return found
        traced = isinstance(left, Use | Constant | Index) or isinstance(
            right, Use | Constant | Index
        )
        if not traced:
            return python_value(op, left, right)
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

    def _unary(self, node: ast.UnaryOp, value: Any, scope: Scope) -> Any:
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

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
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

    def _choice(self, node: ast.IfExp, scope: Scope) -> Any:
        test = self._expression(node.test, scope)
        if not isinstance(test, Use | Constant | Index):
            return self._expression(node.body if test else node.orelse, scope)
        return self._select(
            self._operand(node, test, scope),
            self._operand(node, self._expression(node.body, scope), scope),
            self._operand(node, self._expression(node.orelse, scope), scope),
        )

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            target = self._expression(node.func.value, scope)
            value = self._expression(node.args[0], scope)
            if isinstance(target, ArrayName):
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


def _guard(scope: Scope) -> dict[str, Any]:
    """Under what condition a store acts."""
    if scope.condition is None:
        return {}
    when = PredicateMode.IF_TRUE if scope.when else PredicateMode.IF_FALSE
    return {"predicate": scope.condition, "when": when}
