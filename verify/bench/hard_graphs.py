"""Random graphs that are hard on streams: many words on shared ports, strides of both signs, bytes,
nested loops and rounds, carried values, conditions, computed addresses, exits."""

import random
from dataclasses import dataclass, field

from octopus.hw.layouts.descriptor import Element
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

from .random_graphs import VALUES

LENGTHS = (1, 2, 3, 5, 8, 11, 37)
STRIDES = (1, 1, 1, 1, -1, -1, 2, -2, 3)
TABLE = 8
"""Elements of an array that is accessed at computed addresses."""

_PLAIN = [o for o in Operation if o not in STATEFUL | {Operation.NOP, Operation.SELECT}]


@dataclass
class HardGraph:
    """One draw: the graph, its counts, and the arrays it needs.

    Parameters
    ----------
    source: of all chance. operations: at most.
    """

    source: random.Random
    operations: int = 12
    name: str = "hard"
    inputs: dict[str, ArrayOperand] = field(default_factory=dict)
    outputs: dict[str, ArrayOperand] = field(default_factory=dict)
    starts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = self.source
        self.graph = Graph(self.name)
        self.counts: tuple[int, ...] = (source.choice(LENGTHS),)
        if source.random() < 0.25:
            self.graph.loops, self.graph.outer = 2, source.random() < 0.5
            self.counts = (source.choice((1, 2, 3, 7)), source.choice((1, 2, 4)))
        self.carries = source.random() < 0.5
        self.values: list[str] = []
        self.steady = source.random() < 0.5
        for number in range(source.randint(1, source.choice((2, 4, 9)))):
            self._load(number)
        count = source.randint(1, self.operations)
        self.later = [f"op{number}" for number in range(count)]
        for name in self.later:
            self._operation(name)
        if source.random() < 0.15:
            self._gather()
        for number in range(source.randint(1, source.choice((2, 4, 9)))):
            self._store(number)
        if source.random() < 0.06 and len(self.counts) == 1:
            self._exit()
        self.graph.check()

    def task(self, attempts: int = 2, effort: float = 1.0) -> CompiledTask:
        """A use of the graph."""
        return CompiledTask(
            GraphKernel(self.graph, attempts=attempts, effort=effort),
            self.counts,
            list(self.inputs.values()),
            list(self.outputs.values()),
            starts=self.starts,
        )

    def _elements(self) -> int:
        total = 1
        for count in self.counts:
            total *= count
        return total

    def _affine(self, whole: bool) -> tuple[int, tuple[int, ...], int]:
        """Offset, strides and elements of an array; ``whole``: all of them are touched."""
        source = self.source
        if whole:
            # Strides of the nest, each turned round or not: y[i + n * j], y[n - 1 - i + n * j] ...
            strides, offset, step = [], 0, 1
            for count in self.counts:
                turned = source.random() < 0.3
                strides.append(-step if turned else step)
                offset += (count - 1) * step if turned else 0
                step *= count
            return offset, tuple(strides), step
        strides = [source.choice((1,) if self.steady else STRIDES) for _ in self.counts]
        if source.random() < 0.1:
            strides[source.randrange(len(strides))] = 0
        low = sum(min(0, (c - 1) * s) for c, s in zip(self.counts, strides, strict=True))
        high = sum(max(0, (c - 1) * s) for c, s in zip(self.counts, strides, strict=True))
        before, behind = source.choice((0, 0, 1, 5)), source.choice((0, 0, 1, 6))
        return before - low, tuple(strides), before + high - low + 1 + behind

    def _load(self, number: int) -> None:
        name = f"in{number}"
        element = self.source.choice(
            (Element.WORD,) * 5 + (Element.BYTE_SIGNED, Element.BYTE_UNSIGNED)
        )
        offset, strides, size = self._affine(False)
        kind = "int32" if element is Element.WORD else "int8"
        self.inputs[name] = ArrayOperand(name, (size,), kind)
        self._add(Node(name, Role.LOAD, access=Access(name, offset, strides, element)))

    def _add(self, node: Node) -> None:
        self.graph.add(node)
        self.values.append(node.name)

    def _operand(self) -> Operand:
        chance = self.source.random()
        if chance < 0.15:
            return Constant(self.source.choice([*VALUES, self.source.getrandbits(32)]))
        if self.carries and chance < 0.3:
            maker = self.source.choice([*self.values, *self.later])
            distance = self.source.choice([1, 1, 1, 2, 3])
            return Use(maker, distance, self.source.choice([0, 0, *VALUES]))
        recent = self.values[-4:]
        return Use(self.source.choice(recent if self.source.random() < 0.4 else self.values))

    def _operation(self, name: str) -> None:
        operation = self.source.choice(_PLAIN)
        if self.source.random() < 0.05:
            operation = Operation.SELECT
        operands = [self._operand() for _ in range(1 if operation in UNARY else 2)]
        if all(isinstance(operand, Constant) for operand in operands):
            operands[0] = Use(self.source.choice(self.values))
        predicate = None
        if operation is Operation.SELECT:
            predicate = Use(self.source.choice(self.values))
        self._add(Node(name, Role.COMPUTE, operation, tuple(operands), predicate=predicate))

    def _address(self) -> Use:
        value = Use(self.source.choice(self.values))
        name = self.graph.fresh("offset")
        mask = Constant(4 * (TABLE - 1))
        self.graph.add(Node(name, Role.COMPUTE, Operation.AND, (value, mask)))
        return Use(name)

    def _gather(self) -> None:
        self.inputs["table"] = ArrayOperand("table", (TABLE,), "int32")
        address = self._address()
        access = Access("table", 0, ())
        self._add(Node("gathered", Role.GATHER, operands=(address,), access=access))

    def _start(self, name: str, size: int) -> None:
        self.starts[name] = f"start_{name}"
        self.inputs[f"start_{name}"] = ArrayOperand(f"start_{name}", (size,), "int32")

    def _guard(self) -> tuple[Use, PredicateMode]:
        when = self.source.choice([PredicateMode.IF_TRUE, PredicateMode.IF_FALSE])
        return Use(self.source.choice(self.values)), when

    def _store(self, number: int) -> None:
        name, source = f"out{number}", self.source
        value = Use(source.choice(self.values))
        chance = source.random()
        if chance < 0.86:
            self._plain_store(name, value)
            return
        size = max(self._elements(), TABLE)
        self.outputs[name] = ArrayOperand(name, (size,), "int32")
        self._start(name, size)
        if chance < 0.94:
            predicate, when = self._guard()
            self.graph.add(
                Node(
                    name, Role.STORE, Operation.NOP, (value,), predicate, when, access=Access(name)
                )
            )
            return
        operands = (self._address(), value)
        self.graph.add(Node(name, Role.SCATTER, operands=operands, access=Access(name, 0, ())))
        if source.random() < 0.5:
            predicate, when = self._guard()
            self.graph.change(name, predicate=predicate, when=when)

    def _plain_store(self, name: str, value: Use) -> None:
        source = self.source
        element = source.choice((Element.WORD,) * 6 + (Element.BYTE_SIGNED,))
        kind = "int32" if element is Element.WORD else "int8"
        if element is Element.WORD and source.random() < 0.25:
            offset, strides, size = self._affine(False)
            self._start(name, size)
        else:
            offset, strides, size = self._affine(True)
        parts = source.choice((1,) * 8 + (2,)) if name not in self.starts else 1
        self.outputs[name] = ArrayOperand(name, (size * parts,), kind)
        apart = source.random() < 0.5
        for part in range(parts):
            own = value if not part else Use(source.choice(self.values))
            access = Access(name, offset + part * size, strides, element)
            if parts > 1 and apart:
                doubled = tuple(2 * stride for stride in strides)
                access = Access(name, 2 * offset + part, doubled, element)
            node = f"{name}_{part}" if part else name
            self.graph.add(Node(node, Role.STORE, operands=(own,), access=access))

    def _exit(self) -> None:
        self.graph.add(
            Node(
                "leave",
                Role.COMPUTE,
                Operation.EQ,
                (Use(self.source.choice(self.values)), Constant(0)),
                exit=True,
            )
        )
        for name, operand in self.outputs.items():
            if name not in self.starts and operand.dtype == "int32":
                self._start(name, operand.shape[0])
