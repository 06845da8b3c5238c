"""Random data-flow graphs, and tasks of them, to try the compiler on."""

import random
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.instruction import Operation, PredicateMode
from octopus.sched.compile.graph import (
    STATEFUL,
    UNARY,
    Access,
    Constant,
    Graph,
    Node,
    Operand,
    Role,
    Use,
)
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.operand import Operand as ArrayOperand

OPERATIONS = [
    *(o for o in Operation if o not in STATEFUL | {Operation.NOP, Operation.SELECT}),
    Operation.SELECT,
    Operation.SELECT,
]
VALUES = [0, 1, 2, 7, 31, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
TABLE = 8
"""Elements of an array that is accessed at computed addresses."""


class GraphMaker:
    """Draws one graph.

    Parameters
    ----------
    random: the source of all chance. operations: at most.
    """

    def __init__(self, source: random.Random, operations: int, name: str = "random") -> None:
        self.random = source
        self.graph = Graph(name)
        self.starts: dict[str, str] = {}
        self._values: list[str] = []
        self._pending: list[str] = []
        for number in range(source.randint(1, 3)):
            self._add(Node(f"in{number}", Role.LOAD, access=Access(f"in{number}")))
        count = source.randint(1, operations)
        self._names = [f"op{number}" for number in range(count)]
        for name in self._names:
            self._operation(name)
        if source.random() < 0.25:
            self._gather()
        for number in range(source.randint(1, 3)):
            self._store(number)
        self.graph.check()

    def _add(self, node: Node) -> None:
        self.graph.add(node)
        self._values.append(node.name)

    def _operand(self) -> Operand:
        chance = self.random.random()
        if chance < 0.15:
            return Constant(self.random.choice([*VALUES, self.random.getrandbits(32)]))
        if chance < 0.3:
            maker = self.random.choice([*self._values, *self._names])
            distance = self.random.choice([1, 1, 1, 2])
            return Use(maker, distance, self.random.choice([0, 0, *VALUES]))
        # Recent values are more likely, so that graphs are deep as well as wide.
        recent = self._values[-4:]
        return Use(self.random.choice(recent if self.random.random() < 0.6 else self._values))

    def _operation(self, name: str) -> None:
        operation = self.random.choice(OPERATIONS)
        operands = [self._operand() for _ in range(1 if operation in UNARY else 2)]
        if all(isinstance(operand, Constant) for operand in operands):
            operands[0] = Use(self.random.choice(self._values))
        predicate = None
        if operation is Operation.SELECT:
            predicate = Use(self.random.choice(self._values))
        self._add(Node(name, Role.COMPUTE, operation, tuple(operands), predicate=predicate))

    def _offset(self) -> Use:
        value = Use(self.random.choice(self._values))
        name = self.graph.fresh("offset")
        mask = Constant(4 * (TABLE - 1))
        self.graph.add(Node(name, Role.COMPUTE, Operation.AND, (value, mask)))
        return Use(name)

    def _gather(self) -> None:
        offset = self._offset()
        access = Access("table", 0, ())
        self._add(Node("gathered", Role.GATHER, operands=(offset,), access=access))

    def _store(self, number: int) -> None:
        name = f"out{number}"
        value = Use(self.random.choice(self._values[-3:]))
        chance = self.random.random()
        if chance < 0.7:
            self.graph.add(Node(name, Role.STORE, operands=(value,), access=Access(name)))
            return
        guard = {}
        if chance < 0.85 or self.random.random() < 0.5:
            when = self.random.choice([PredicateMode.IF_TRUE, PredicateMode.IF_FALSE])
            guard = {"predicate": Use(self.random.choice(self._values)), "when": when}
        self.starts[name] = f"start{number}"
        if chance < 0.85:
            node = Node(name, Role.STORE, operands=(value,), access=Access(name))
        else:
            operands = (self._offset(), value)
            node = Node(name, Role.SCATTER, operands=operands, access=Access(name, 0, ()))
        self.graph.add(node)
        if guard:
            self.graph.change(name, **guard)


def random_task(
    source: random.Random,
    operations: int = 12,
    name: str = "random",
    attempts: int = 4,
    effort: float = 2.0,
) -> CompiledTask:
    """A task of a random graph over a few iterations."""
    made = GraphMaker(source, operations, name)
    length = source.randint(1, 12)
    size = max(length, TABLE)
    inputs = [ArrayOperand(n.name, (length,), "int32") for n in made.graph.of_role(Role.LOAD)]
    if "gathered" in made.graph.nodes:
        inputs.append(ArrayOperand("table", (TABLE,), "int32"))
    inputs += [ArrayOperand(start, (size,), "int32") for start in made.starts.values()]
    outputs = [
        ArrayOperand(n.name, (size if n.name in made.starts else length,), "int32")
        for n in made.graph.nodes.values()
        if n.role in (Role.STORE, Role.SCATTER)
    ]
    kernel = GraphKernel(made.graph, attempts=attempts, effort=effort)
    return CompiledTask(kernel, (length,), inputs, outputs, starts=made.starts)


def random_arrays(task: CompiledTask, source: random.Random) -> list[NDArray[Any]]:
    """Inputs with many of the values that matter."""
    arrays = []
    for operand in task.inputs:
        words = [
            source.choice(VALUES) if source.random() < 0.5 else source.getrandbits(32)
            for _ in range(prod(operand.shape))
        ]
        whole = np.array(words, np.uint32).view(np.int32).reshape(operand.shape)
        arrays.append(whole.astype(np.int8) if operand.dtype == "int8" else whole)
    return arrays
