"""Reads data-flow graphs from DOT files: an ``opcode`` on every node, operands as edges.

docs/compiler.md has the attributes, and the projects whose files are read. What is not understood
is refused with its line; only the attributes of drawings are passed over.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode

from .dot_syntax import DotEdge, DotGraph, DotNode, parse
from .errors import CompileError
from .graph import COMMUTATIVE, UNARY, Access, Constant, Graph, Node, Operand, Role, Use
from .opcodes import (
    COMPARISONS,
    CONSTANTS,
    DRAWING,
    KNOWN,
    LOADS,
    OPCODES,
    OPERANDS,
    POSITIONS,
    RELATIONS,
    STORES,
    Opcode,
)

_NODE_WORDS = """
    opcode type datatype value const_value constant array offset stride element exit when
    predicate relation approx
"""
_NODE_ATTRIBUTES = frozenset(_NODE_WORDS.split())
_EDGE_ATTRIBUTES = frozenset({"operand", "distance", "initial", "when"})
_GRAPH_ATTRIBUTES = frozenset({"loops", "rounds"})
_ELEMENTS = {
    "word": Element.WORD,
    "byte": Element.BYTE_UNSIGNED,
    "byte_signed": Element.BYTE_SIGNED,
}
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_TYPES = {"input": "INPUT", "output": "OUTPUT", "const": "CONST"}
"""What ``type`` may say in place of an opcode."""


def read_dot(path: Path) -> Graph:
    """The graph in a DOT file.

    Raises:
        CompileError: the file cannot be read, or as :func:`parse_dot`.
    """
    try:
        return parse_dot(path.read_text(encoding="utf-8"), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise CompileError(f"{path}: {error}") from None


def parse_dot(text: str, name: str) -> Graph:
    """The graph that DOT text describes, called ``name``.

    Raises:
        CompileError: not DOT, a node or an attribute that means nothing here, operands that are
            missing or too many (all with the line), or as :meth:`Graph.check`.
    """
    return _Builder(parse(text, name), name).build()


@dataclass
class _Input:
    """An operand of a node of the file; ``operand`` is its place, or 'predicate'."""

    source: str
    operand: str
    distance: int | None
    initial: int
    when: bool
    line: int


@dataclass
class _Item:
    """A node of the file and what goes into it. ``places``: of its operands, in order."""

    node: DotNode
    opcode: str
    kind: str
    places: tuple[str, ...]
    inputs: list[_Input] = field(default_factory=list)

    def at(self, place: str) -> _Input | None:
        """The operand at a place."""
        return next((one for one in self.inputs if one.operand == place), None)


class _Builder:
    """Makes a graph of what a file says."""

    def __init__(self, dot: DotGraph, name: str) -> None:
        self.dot, self.name = dot, name
        self.graph = Graph(name)
        self.items: dict[str, _Item] = {}
        self.labelled = not any({"opcode", "type"} & set(n.attributes) for n in dot.nodes.values())
        self.values: dict[str, Operand] = {}

    def build(self) -> Graph:
        """The graph.

        Raises:
            CompileError: as :func:`parse_dot`.
        """
        for attribute, value in self.dot.attributes.items():
            if attribute not in _GRAPH_ATTRIBUTES | DRAWING:
                raise CompileError(f"{self.name}: the graph has an unknown attribute {attribute}")
            if attribute == "loops":
                self.graph.loops = self._integer(1, "loops", value, 1)
        self.graph.outer = self._truth(1, "rounds", self.dot.attributes.get("rounds", "false"))
        for edge in self.dot.edges:
            if not self.dot.nodes[edge.tail].attributes and self._unknown(edge.tail):
                self._refuse(edge.line, f"{edge.head} uses {edge.tail}, which does not exist")
        for node in self.dot.nodes.values():
            self.items[node.name] = self._item(node)
        seen: set[tuple[str, str]] = set()
        for edge in self.dot.edges:
            if self.dot.strict and (edge.tail, edge.head) in seen:
                self._refuse(edge.line, f"a strict graph has {edge.tail} -> {edge.head} once")
            seen.add((edge.tail, edge.head))
            self.items[edge.head].inputs.append(self._input(edge))
        for item in self.items.values():
            self._settle(item)
        self._cycles()
        for item in self.items.values():
            if item.kind == "phi":
                self._phi(item)
        for item in self.items.values():
            if item.kind not in ("phi", "constant"):
                self.graph.add(self._node(item))
        self.graph.check()
        return self.graph

    def _unknown(self, name: str) -> bool:
        return all(edge.head != name for edge in self.dot.edges)

    def _refuse(self, line: int, text: str) -> None:
        raise CompileError(f"{self.name}, line {line}: {text}")

    def _integer(self, line: int, what: str, text: str, low: int = -(1 << 31)) -> int:
        try:
            value = int(text.strip(), 0)
        except ValueError:
            value = low - 1
        if not low <= value < 1 << 32:
            self._refuse(line, f"{what} is {text}; allowed: an integer from {low} to {2**32 - 1}")
        return value

    def _truth(self, line: int, what: str, text: str) -> bool:
        if text.lower() not in _TRUTH:
            self._refuse(line, f"{what} is {text}; allowed: true or false")
        return _TRUTH[text.lower()]

    # -- what the file says ------------------------------------------------------------------

    def _item(self, node: DotNode) -> _Item:
        attributes, line = node.attributes, node.line
        for attribute in attributes:
            if attribute not in _NODE_ATTRIBUTES | DRAWING:
                self._refuse(line, f"node {node.name} has an unknown attribute {attribute}")
        kind = attributes.get("type", "op").lower()
        opcode = attributes.get("opcode", _TYPES.get(kind, "")).upper()
        if not opcode and self.labelled and attributes.get("label", "").upper() in KNOWN:
            opcode = attributes["label"].upper()
        if not opcode:
            self._refuse(line, f"node {node.name} has no opcode")
        if attributes.get("datatype", "int").lower() not in ("int", "int32", "i32", "integer"):
            self._refuse(line, f"node {node.name} is of {attributes['datatype']}; allowed: int32")
        if opcode in COMPARISONS:
            relation = attributes.get("predicate", attributes.get("relation", "")).upper()
            if relation not in RELATIONS:
                self._refuse(
                    line,
                    f"node {node.name} compares by {relation or 'nothing'}; allowed: "
                    f"predicate = {', '.join(sorted(RELATIONS)).lower()}",
                )
            opcode = relation
        kind = self._kind(node, opcode)
        return _Item(node, opcode, kind, POSITIONS.get(kind, ()))

    def _kind(self, node: DotNode, opcode: str) -> str:
        for kind, names in (("load", LOADS), ("store", STORES), ("constant", CONSTANTS)):
            if opcode in names:
                return kind
        if opcode in ("GATHER", "SCATTER", "PHI"):
            return opcode.lower()
        if opcode not in OPCODES:
            self._refuse(node.line, f"node {node.name} has the unknown opcode {opcode}")
        known = OPCODES[opcode]
        if known.operation is Operation.SELECT:
            return "select"
        return "unary" if known.operation in UNARY or known.constant is not None else "binary"

    def _input(self, edge: DotEdge) -> _Input:
        attributes, line = edge.attributes, edge.line
        for attribute in attributes:
            if attribute not in _EDGE_ATTRIBUTES | DRAWING:
                self._refuse(
                    line, f"{edge.tail} -> {edge.head} has an unknown attribute {attribute}"
                )
        if not re.fullmatch(r"(?i)(out(put)?|o|res(ult)?|value|q|f)?_?0?", edge.tail_port):
            self._refuse(line, f"{edge.tail} has no result {edge.tail_port}")
        operand = attributes.get("operand", "")
        if edge.head_port:
            if operand and operand.lower() != edge.head_port.lower():
                self._refuse(line, f"operand {operand} comes to the port {edge.head_port}")
            operand = edge.head_port
        distance = attributes.get("distance")
        return _Input(
            edge.tail,
            self._place(edge, operand),
            None if distance is None else self._integer(line, "distance", distance, 0),
            self._integer(line, "initial", attributes.get("initial", "0")),
            self._truth(line, "when", attributes.get("when", "true")),
            line,
        )

    def _place(self, edge: DotEdge, operand: str) -> str:
        """The place that an operand's number or name means; '' if the file leaves it open."""
        item = self.items[edge.head]
        known = OPERANDS.get(operand.upper())
        if not operand or known in item.places:
            return known or ""
        number = re.fullmatch(r"(?i)(?:in(?:put)?|op(?:erand)?|i|p|f)?_?(\d+)", operand)
        if known == "predicate":
            return known
        if number is None or int(number[1]) >= len(item.places):
            allowed = [*map(str, range(len(item.places))), *item.places, "predicate"]
            self._refuse(
                edge.line,
                f"{edge.tail} is operand {operand} of {edge.head}; allowed: {', '.join(allowed)}",
            )
        assert number is not None
        return item.places[int(number[1])]

    # -- operands ----------------------------------------------------------------------------

    def _settle(self, item: _Item) -> None:
        """Give every operand its place, and refuse what is missing or too many."""
        operation = OPCODES[item.opcode].operation if item.opcode in OPCODES else None
        if operation in COMMUTATIVE:
            # Numbers do not matter here, and some projects give both operands one.
            for one in item.inputs:
                one.operand = "" if one.operand != "predicate" else one.operand
        if item.kind == "phi":
            self._order_phi(item)
        taken = [one.operand for one in item.inputs if one.operand]
        for place in taken:
            if taken.count(place) > 1:
                line = [one.line for one in item.inputs if one.operand == place][1]
                self._refuse(line, f"{item.node.name} has two operands {place}")
        free = [place for place in item.places if place not in taken]
        for one in [one for one in item.inputs if not one.operand]:
            if not free:
                self._refuse(one.line, f"{item.node.name} has too many operands")
            one.operand = free.pop(0)
        self._check_places(item)

    def _check_places(self, item: _Item) -> None:
        node, given = item.node, {one.operand for one in item.inputs}
        needed = set(item.places)
        if item.kind == "load":
            needed = set()
        elif item.kind == "store":
            needed = {"value"}
        elif item.kind == "phi":
            needed = {"carried"}
        if item.kind == "constant" and item.inputs:
            self._refuse(item.inputs[0].line, f"constant {node.name} has an operand")
        missing = sorted(needed - given)
        if len(missing) == 1 and item.kind in ("binary", "select", "store", "scatter"):
            if "constant" in node.attributes or self._leaves_out_constants(item):
                missing = []
        elif "constant" in node.attributes and item.kind != "constant":
            self._refuse(node.line, f"{node.name} has a constant and no operand missing")
        if missing:
            self._refuse(node.line, f"node {node.name} has no operand {' and '.join(missing)}")

    def _leaves_out_constants(self, item: _Item) -> bool:
        """Whether this is a graph of the kind that says nothing about constants: they are 1.

        Such files (TRAM's) number no operands and have no constants anywhere.
        """
        if item.kind != "binary" or not item.inputs:
            return False
        says = any({"operand", "constant"} & set(edge.attributes) for edge in self.dot.edges)
        ports = any(edge.head_port for edge in self.dot.edges)
        constants = any(one.kind == "constant" for one in self.items.values())
        return not (says or ports or constants)

    def _order_phi(self, item: _Item) -> None:
        """Which operand of a phi comes from the iteration before, where the file leaves it open."""
        named = [one for one in item.inputs if one.operand]
        if named or not item.inputs:
            return
        carried = [one for one in item.inputs if one.distance]
        if not carried:
            reached = nx.descendants(self._network(), item.node.name) | {item.node.name}
            carried = [one for one in item.inputs if one.source in reached]
        if len(carried) != 1:
            self._refuse(
                item.inputs[0].line,
                f"which operand of {item.node.name} is carried? say operand=initial and "
                "operand=carried",
            )
        for one in item.inputs:
            one.operand = "carried" if one is carried[0] else "initial"

    def _network(self) -> "nx.DiGraph[str]":
        network: nx.DiGraph[str] = nx.DiGraph()
        network.add_nodes_from(self.items)
        network.add_edges_from((edge.tail, edge.head) for edge in self.dot.edges)
        return network

    def _cycles(self) -> None:
        """Distances where the file leaves them open: 1 into itself or a phi's carried operand.

        Raises:
            CompileError: another cycle of values of one iteration.
        """
        now: nx.DiGraph[str] = nx.DiGraph()
        for name, item in self.items.items():
            for one in item.inputs:
                if one.distance is None:
                    again = one.source == name or one.operand == "carried"
                    one.distance = int(again)
                if one.distance == 0:
                    if one.operand == "carried":
                        self._refuse(one.line, f"{name} has distance 0 to what it carries")
                    now.add_edge(one.source, name, line=one.line)
        try:
            cycle = nx.find_cycle(now)
        except nx.NetworkXNoCycle:
            return
        lines = sorted({now.edges[edge[:2]]["line"] for edge in cycle})
        names = " -> ".join([edge[0] for edge in cycle] + [cycle[0][0]])
        self._refuse(
            lines[-1], f"{names} depend on each other within one iteration; say distance=1 or more"
        )

    # -- nodes of the graph ------------------------------------------------------------------

    def _phi(self, item: _Item) -> None:
        """A phi is what was carried, or where it begins with a value, a choice in the first one."""
        name, carried, initial = item.node.name, item.at("carried"), item.at("initial")
        assert carried is not None and carried.distance is not None
        begin: Operand = Constant(carried.initial)
        if initial is not None:
            begin = self._operand(initial)
        if isinstance(begin, Constant):
            use = self._use(carried, begin.value)
            self.graph.add(Node(name, Role.COMPUTE, Operation.PASS, (use,)))
            return
        first = self.graph.add(
            Node(self._fresh(f"{name}_first"), Role.COMPUTE, Operation.PASS, (Constant(0),))
        )
        flag = Node(
            self._fresh(f"{name}_begins"),
            Role.COMPUTE,
            Operation.PASS,
            (Use(first.producer, carried.distance, 1),),
        )
        predicate = self.graph.add(flag)
        operands = (begin, self._use(carried, 0))
        self.graph.add(Node(name, Role.COMPUTE, Operation.SELECT, operands, predicate=predicate))

    def _fresh(self, stem: str) -> str:
        while stem in self.items or stem in self.graph.nodes:
            stem += "_"
        return stem

    def _use(self, one: _Input, initial: int) -> Use:
        source = self.items[one.source]
        if source.kind == "constant":
            self._refuse(one.line, f"{one.source} is a constant; allowed: distance 0")
        return Use(one.source, one.distance or 0, initial)

    def _operand(self, one: _Input) -> Operand:
        source = self.items[one.source]
        if source.kind != "constant":
            return self._use(one, one.initial)
        if one.distance:
            self._refuse(one.line, f"{one.source} is a constant; allowed: distance 0")
        attributes = source.node.attributes
        for attribute in ("value", "const_value", "constant"):
            if attribute in attributes:
                what = f"{attribute} of {one.source}"
                return Constant(self._integer(source.node.line, what, attributes[attribute]))
        self._refuse(source.node.line, f"constant {one.source} has no value")
        raise AssertionError

    def _operands(self, item: _Item, places: Sequence[str]) -> tuple[Operand, ...]:
        found: list[Operand] = []
        for place in places:
            one = item.at(place)
            if one is not None:
                found.append(self._operand(one))
            else:
                text = item.node.attributes.get("constant", "1")
                found.append(Constant(self._integer(item.node.line, "constant", text)))
        return tuple(found)

    def _node(self, item: _Item) -> Node:
        name, attributes, line = item.node.name, item.node.attributes, item.node.line
        predicate, when = self._predicate(item)
        leave = self._truth(line, "exit", attributes.get("exit", "false"))
        if item.kind in ("load", "store", "gather", "scatter"):
            role, places = self._access_kind(item)
            return Node(
                name,
                role,
                operands=self._operands(item, places),
                predicate=predicate,
                when=when,
                exit=leave,
                access=self._access(item, role),
            )
        for attribute in ("array", "offset", "stride", "element"):
            if attribute in attributes:
                self._refuse(line, f"node {name} is no access and has {attribute}")
        known = OPCODES[item.opcode]
        if item.kind == "select":
            return self._select(item, leave, predicate)
        operands = self._operands(item, item.places)
        if known.constant is not None:
            operands = (*operands, Constant(known.constant))
        if known.swapped:
            operands = operands[::-1]
        return Node(
            name,
            Role.COMPUTE,
            known.operation,
            operands,
            predicate=predicate,
            when=when,
            exit=leave,
        )

    def _predicate(self, item: _Item) -> tuple[Use | None, PredicateMode]:
        one = item.at("predicate")
        if one is None:
            if "when" in item.node.attributes:
                self._refuse(item.node.line, f"node {item.node.name} has when and no predicate")
            return None, PredicateMode.ALWAYS
        text = item.node.attributes.get("when")
        when = one.when if text is None else self._truth(item.node.line, "when", text)
        return self._use(
            one, one.initial
        ), PredicateMode.IF_TRUE if when else PredicateMode.IF_FALSE

    def _select(self, item: _Item, leave: bool, predicate: Use | None) -> Node:
        if predicate is not None:
            self._refuse(item.node.line, f"node {item.node.name} is a select with a predicate")
        condition, *operands = self._operands(item, item.places)
        if isinstance(condition, Constant):
            passed = operands[0] if condition.value else operands[1]
            return Node(item.node.name, Role.COMPUTE, Operation.PASS, (passed,), exit=leave)
        return Node(
            item.node.name,
            Role.COMPUTE,
            Operation.SELECT,
            tuple(operands),
            predicate=condition,
            exit=leave,
        )

    @staticmethod
    def _access_kind(item: _Item) -> tuple[Role, tuple[str, ...]]:
        """A load or store with an address is a computed access."""
        if item.kind == "gather" or (item.kind == "load" and item.at("address")):
            return Role.GATHER, ("address",)
        if item.kind == "scatter" or (item.kind == "store" and item.at("address")):
            return Role.SCATTER, ("address", "value")
        return (Role.LOAD, ()) if item.kind == "load" else (Role.STORE, ("value",))

    def _access(self, item: _Item, role: Role) -> Access:
        attributes, line = item.node.attributes, item.node.line
        element = attributes.get("element", "word").lower()
        if element not in _ELEMENTS:
            self._refuse(line, f"element is {element}; allowed: {', '.join(_ELEMENTS)}")
        strides = tuple(
            self._integer(line, "stride", part) for part in attributes.get("stride", "1").split(",")
        )
        if role in (Role.GATHER, Role.SCATTER) and "stride" in attributes:
            self._refuse(line, f"node {item.node.name} has an address and a stride")
        if len(strides) > self.graph.loops:
            self._refuse(
                line,
                f"{item.node.name} has {len(strides)} strides; allowed: {self.graph.loops} "
                "(the graph's loops)",
            )
        offset = self._integer(line, "offset", attributes.get("offset", "0"))
        return Access(attributes.get("array", item.node.name), offset, strides, _ELEMENTS[element])


__all__ = ["Opcode", "parse_dot", "read_dot"]
