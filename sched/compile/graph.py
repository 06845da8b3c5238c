"""The data-flow graph of one loop body, with networkx underneath.

A node is an operation of the PE, a word that enters from a stream (LOAD), a word that leaves to
one (STORE), an access at a computed address (GATHER, SCATTER), or both halves of such an access
after lowering. Every node is done once an iteration. An edge brings the value of its producer, of
the same iteration or of ``distance`` iterations before; the iterations that have none before them
see ``initial``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

import networkx as nx

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode
from octopus.hw.layouts.words import WORD_MASK

from .errors import CompileError

if TYPE_CHECKING:
    from .trace import Source

UNARY = frozenset({Operation.PASS, Operation.ABS, Operation.RELU, Operation.CLAMP8})
COMMUTATIVE = frozenset(
    {
        Operation.ADD,
        Operation.MUL,
        Operation.MULH,
        Operation.AND,
        Operation.OR,
        Operation.XOR,
        Operation.MIN,
        Operation.MAX,
        Operation.EQ,
        Operation.NE,
    }
)
STATEFUL = frozenset({Operation.DOT4, Operation.READ_ACCUMULATOR, Operation.REQUANTISE})
"""Operations on the PE's accumulator, which the compiler does not use."""


class Role(Enum):
    """What a node does."""

    COMPUTE = "compute"
    LOAD = "load"
    STORE = "store"
    GATHER = "gather"
    SCATTER = "scatter"


@dataclass(frozen=True)
class Constant:
    """An operand known at compile time, as a 32-bit pattern."""

    value: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.value & WORD_MASK)


@dataclass(frozen=True)
class Use:
    """An operand computed by a node, ``distance`` iterations before the one that uses it."""

    producer: str
    distance: int = 0
    initial: int = 0


Operand = Constant | Use


@dataclass(frozen=True)
class Access:
    """Which elements of an array a stream node touches, one an iteration.

    Parameters
    ----------
    array: the operand's name. offset: first element.
    strides: elements from one iteration to the next, a loop each, innermost first.
    element: what is transferred.
    """

    array: str
    offset: int = 0
    strides: tuple[int, ...] = (1,)
    element: Element = Element.WORD


@dataclass(frozen=True)
class Node:
    """One node.

    Parameters
    ----------
    operands: of a COMPUTE node a and b; of a STORE the value; of a GATHER the byte offset; of
        a SCATTER the byte offset and the value.
    predicate, when: the node acts only in iterations in which the predicate agrees; SELECT chooses
        by ``predicate``.
    exit: the loop ends after the first iteration in which the result is not 0.
    access: of a stream node. pair: nodes that share a port for one computed access.
    """

    name: str
    role: Role
    operation: Operation = Operation.NOP
    operands: tuple[Operand, ...] = ()
    predicate: Use | None = None
    when: PredicateMode = PredicateMode.ALWAYS
    exit: bool = False
    access: Access | None = None
    pair: str | None = None

    @property
    def uses(self) -> tuple[Use, ...]:
        """Operands that other nodes compute, without the predicate."""
        return tuple(operand for operand in self.operands if isinstance(operand, Use))


@dataclass(frozen=True)
class Order:
    """``second`` is done ``cycles`` after the ``first`` of ``distance`` iterations before, or
    later."""

    first: str
    second: str
    cycles: int
    distance: int


@dataclass
class Graph:
    """A loop body.

    Attributes
    ----------
    name: of the kernel. nodes: by name, in the order of their making.
    loops: nested loops around the body (1: a single loop). outer: the loops outside the
        ``inner_loops`` innermost are rounds of the array: carried values start anew in each.
        orders: beside the values' own.
    partial: outputs with elements that the graph leaves alone and would reach in further
        iterations: no word that means nothing may be stored there.
    source: the function that the graph is of (:class:`.trace.Source`), if it is one's.
    """

    name: str
    nodes: dict[str, Node] = field(default_factory=dict)
    loops: int = 1
    outer: bool = False
    orders: list["Order"] = field(default_factory=list)
    inner_loops: int = 1
    partial: frozenset[str] = frozenset()
    source: "Source | None" = field(default=None, compare=False, repr=False)

    def add(self, node: Node) -> Use:
        """Add a node and return its value.

        Raises:
            CompileError: the name is taken.
        """
        if node.name in self.nodes:
            raise CompileError(f"kernel {self.name} has two nodes {node.name}")
        self.nodes[node.name] = node
        return Use(node.name)

    def fresh(self, stem: str) -> str:
        """A name that no node has."""
        number = len(self.nodes)
        while f"{stem}_{number}" in self.nodes:
            number += 1
        return f"{stem}_{number}"

    def change(self, name: str, **fields: object) -> None:
        """Replace fields of a node."""
        self.nodes[name] = replace(self.nodes[name], **fields)  # type: ignore[arg-type]

    def of_role(self, role: Role) -> Iterator[Node]:
        """The nodes of one role, in order."""
        return (node for node in self.nodes.values() if node.role is role)

    @property
    def exits(self) -> list[Node]:
        """The nodes that can end the loop."""
        return [node for node in self.nodes.values() if node.exit]

    def network(self) -> "nx.MultiDiGraph[str]":
        """The graph as networkx has it; edges carry ``use`` and ``operand`` (-1: predicate)."""
        network: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=self.name)
        for node in self.nodes.values():
            network.add_node(node.name, node=node)
        for node in self.nodes.values():
            for number, operand in enumerate(node.operands):
                if isinstance(operand, Use):
                    network.add_edge(operand.producer, node.name, use=operand, operand=number)
            if node.predicate is not None:
                network.add_edge(node.predicate.producer, node.name, use=node.predicate, operand=-1)
        return network

    def order(self) -> list[str]:
        """Names in an order in which every value of the same iteration comes before its uses.

        Raises:
            CompileError: an operand does not exist, or values depend on themselves within an
                iteration.
        """
        network = self.network()
        for name, attributes in network.nodes(data=True):
            if "node" not in attributes:
                user = next(iter(network.successors(name)))
                raise CompileError(f"kernel {self.name}: {user} uses {name}, which does not exist")
        now = nx.DiGraph()
        now.add_nodes_from(self.nodes)
        now.add_edges_from((a, b) for a, b, use in network.edges(data="use") if use.distance == 0)
        try:
            return list(nx.lexicographical_topological_sort(now, key=list(self.nodes).index))
        except nx.NetworkXUnfeasible:
            cycle = " -> ".join(edge[0] for edge in nx.find_cycle(now))
            raise CompileError(
                f"kernel {self.name}: {cycle} depend on each other within one iteration"
            ) from None

    def check(self) -> None:
        """Refuse a graph that means nothing.

        Raises:
            CompileError: wrong number of operands, an operation without meaning here, a node
                that should not have a value is used, or as :meth:`order`.
        """
        self.order()
        for node in self.nodes.values():
            self._check_node(node)

    def _check_node(self, node: Node) -> None:
        where = f"kernel {self.name}: {node.name}"
        if node.role is Role.COMPUTE:
            needed = 1 if node.operation in UNARY else 2
            if node.operation in STATEFUL or node.operation is Operation.NOP:
                raise CompileError(f"{where} is {node.operation.name}, which is no function")
        else:
            needed = {Role.LOAD: 0, Role.STORE: 1, Role.GATHER: 1, Role.SCATTER: 2}[node.role]
            if node.access is None and node.pair is None:
                raise CompileError(f"{where} has no access")
        if len(node.operands) != needed:
            raise CompileError(f"{where} has {len(node.operands)} operands; needed: {needed}")
        if (node.operation is Operation.SELECT) and node.predicate is None:
            raise CompileError(f"{where} is SELECT without a predicate")
        uses = [*node.uses, *([node.predicate] if node.predicate else [])]
        for use in uses:
            if self.nodes[use.producer].role in (Role.STORE, Role.SCATTER):
                raise CompileError(f"{where} uses {use.producer}, which has no value")
            if use.distance < 0:
                raise CompileError(f"{where}: distance is {use.distance}; allowed: 0 or more")
