"""What a DOT file says of its nodes: their kinds, and which operand every edge is."""

import re
from dataclasses import dataclass, field

import networkx as nx

from octopus.hw.layouts.instruction import Operation

from .dot_syntax import DotEdge, DotGraph, DotNode
from .errors import CompileError
from .graph import COMMUTATIVE, UNARY
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
)

_ANY_NODE = {"opcode", "type", "datatype", "approx"}
_ACCESS = {"array", "offset", "element"}
_NODE_ATTRIBUTES = {
    "load": _ACCESS | {"stride", "exit"},
    "store": _ACCESS | {"stride", "when", "constant"},
    "gather": _ACCESS | {"exit"},
    "scatter": _ACCESS | {"when", "constant"},
    "constant": {"value", "const_value", "constant"},
    "phi": {"exit"},
    "select": {"exit", "constant"},
    "unary": {"exit"},
    "binary": {"exit", "constant", "predicate", "relation"},
}
"""What a node of a kind may have, beside what any may."""
_EDGE_ATTRIBUTES = frozenset({"operand", "distance", "initial", "when"})
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_TYPES = {"input": "INPUT", "output": "OUTPUT", "const": "CONST"}
"""What ``type`` may say in place of an opcode."""


@dataclass
class Input:
    """An operand of a node of the file; ``operand`` is its place, or 'predicate'."""

    source: str
    operand: str
    distance: int | None
    initial: int
    when: bool
    line: int


@dataclass
class Item:
    """A node of the file and what goes into it. ``places``: of its operands, in order."""

    node: DotNode
    opcode: str
    kind: str
    places: tuple[str, ...]
    inputs: list[Input] = field(default_factory=list)

    def at(self, place: str) -> Input | None:
        """The operand at a place."""
        return next((one for one in self.inputs if one.operand == place), None)


class Items:
    """What a file says, node by node, with every operand at its place.

    Attributes
    ----------
    items: by name. labelled: labels are opcodes, since no node has one.

    Raises:
        CompileError: as :func:`.dot.parse_dot`.
    """

    def __init__(self, dot: DotGraph, name: str) -> None:
        self.dot, self.name = dot, name
        self.items: dict[str, Item] = {}
        self.labelled = not any({"opcode", "type"} & set(n.attributes) for n in dot.nodes.values())
        for edge in dot.edges:
            if not dot.nodes[edge.tail].attributes and self._unknown(edge.tail):
                self.refuse(edge.line, f"{edge.head} uses {edge.tail}, which does not exist")
        for node in dot.nodes.values():
            self.items[node.name] = self._item(node)
        seen: set[tuple[str, str]] = set()
        for edge in dot.edges:
            if dot.strict and (edge.tail, edge.head) in seen:
                self.refuse(edge.line, f"a strict graph has {edge.tail} -> {edge.head} once")
            seen.add((edge.tail, edge.head))
            self.items[edge.head].inputs.append(self._input(edge))
        for item in self.items.values():
            self._settle(item)
        self._cycles()

    def _unknown(self, name: str) -> bool:
        return all(edge.head != name for edge in self.dot.edges)

    def refuse(self, line: int, text: str) -> None:
        raise CompileError(f"{self.name}, line {line}: {text}")

    def integer(self, line: int, what: str, text: str, low: int = -(1 << 31)) -> int:
        try:
            value = int(text.strip(), 0)
        except ValueError:
            value = low - 1
        if not low <= value < 1 << 32:
            self.refuse(line, f"{what} is {text}; allowed: an integer from {low} to {2**32 - 1}")
        return value

    def truth(self, line: int, what: str, text: str) -> bool:
        if text.lower() not in _TRUTH:
            self.refuse(line, f"{what} is {text}; allowed: true or false")
        return _TRUTH[text.lower()]

    # -- what the file says ------------------------------------------------------------------

    def _item(self, node: DotNode) -> Item:
        attributes, line = node.attributes, node.line
        kind = attributes.get("type", "op").lower()
        opcode = attributes.get("opcode", _TYPES.get(kind, "")).upper()
        if not opcode and self.labelled and attributes.get("label", "").upper() in KNOWN:
            opcode = attributes["label"].upper()
        if not opcode:
            self.refuse(line, f"node {node.name} has no opcode")
        if attributes.get("datatype", "int").lower() not in ("int", "int32", "i32", "integer"):
            self.refuse(line, f"node {node.name} is of {attributes['datatype']}; allowed: int32")
        if opcode in COMPARISONS:
            relation = attributes.get("predicate", attributes.get("relation", "")).upper()
            if relation not in RELATIONS:
                self.refuse(
                    line,
                    f"node {node.name} compares by {relation or 'nothing'}; allowed: "
                    f"predicate = {', '.join(sorted(RELATIONS)).lower()}",
                )
            opcode = relation
        kind = self._kind(node, opcode)
        for attribute in attributes:
            if attribute not in _NODE_ATTRIBUTES[kind] | _ANY_NODE | DRAWING:
                self.refuse(line, f"node {node.name} has an unknown attribute {attribute}")
        return Item(node, opcode, kind, POSITIONS.get(kind, ()))

    def _kind(self, node: DotNode, opcode: str) -> str:
        for kind, names in (("load", LOADS), ("store", STORES), ("constant", CONSTANTS)):
            if opcode in names:
                return kind
        if opcode in ("GATHER", "SCATTER", "PHI"):
            return opcode.lower()
        if opcode not in OPCODES:
            self.refuse(node.line, f"node {node.name} has the unknown opcode {opcode}")
        known = OPCODES[opcode]
        if known.operation is Operation.SELECT:
            return "select"
        return "unary" if known.operation in UNARY or known.constant is not None else "binary"

    def _input(self, edge: DotEdge) -> Input:
        attributes, line = edge.attributes, edge.line
        for attribute in attributes:
            if attribute not in _EDGE_ATTRIBUTES | DRAWING:
                self.refuse(
                    line, f"{edge.tail} -> {edge.head} has an unknown attribute {attribute}"
                )
        if not re.fullmatch(r"(?i)(out(put)?|o|res(ult)?|value|q|f)?_?0?", edge.tail_port):
            self.refuse(line, f"{edge.tail} has no result {edge.tail_port}")
        operand = attributes.get("operand", "")
        if edge.head_port:
            if operand and operand.lower() != edge.head_port.lower():
                self.refuse(line, f"operand {operand} comes to the port {edge.head_port}")
            operand = edge.head_port
        distance = attributes.get("distance")
        return Input(
            edge.tail,
            self._place(edge, operand),
            None if distance is None else self.integer(line, "distance", distance, 0),
            self.integer(line, "initial", attributes.get("initial", "0")),
            self.truth(line, "when", attributes.get("when", "true")),
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
            self.refuse(
                edge.line,
                f"{edge.tail} is operand {operand} of {edge.head}; allowed: {', '.join(allowed)}",
            )
        assert number is not None
        return item.places[int(number[1])]

    # -- operands ----------------------------------------------------------------------------

    def _settle(self, item: Item) -> None:
        """Give every operand its place, and refuse what is missing or too many."""
        operation = OPCODES[item.opcode].operation if item.opcode in OPCODES else None
        if operation in COMMUTATIVE:
            # Numbers do not matter here, and some projects give both operands one.
            for one in item.inputs:
                one.operand = "" if one.operand != "predicate" else one.operand
        if item.kind == "phi":
            self._order_phi(item)
        taken = [one.operand for one in item.inputs if one.operand]
        for one in item.inputs:
            if one.operand == "predicate" and item.kind not in ("store", "scatter"):
                self.refuse(one.line, f"{item.node.name} has a predicate; allowed: of stores")
        for place in taken:
            if taken.count(place) > 1:
                line = [one.line for one in item.inputs if one.operand == place][1]
                self.refuse(line, f"{item.node.name} has two operands {place}")
        free = [place for place in item.places if place not in taken]
        for one in [one for one in item.inputs if not one.operand]:
            if not free:
                self.refuse(one.line, f"{item.node.name} has too many operands")
            one.operand = free.pop(0)
        self._check_places(item)

    def _check_places(self, item: Item) -> None:
        node, given = item.node, {one.operand for one in item.inputs}
        needed = set(item.places)
        if item.kind == "load":
            needed = set()
        elif item.kind == "store":
            needed = {"value"}
        elif item.kind == "phi":
            needed = {"carried"}
        if item.kind == "constant" and item.inputs:
            self.refuse(item.inputs[0].line, f"constant {node.name} has an operand")
        missing = sorted(needed - given)
        if len(missing) == 1 and item.kind in ("binary", "select", "store", "scatter"):
            if "constant" in node.attributes or self._leaves_out_constants(item):
                missing = []
        elif "constant" in node.attributes and item.kind != "constant":
            self.refuse(node.line, f"{node.name} has a constant and no operand missing")
        if missing:
            self.refuse(node.line, f"node {node.name} has no operand {' and '.join(missing)}")

    def _leaves_out_constants(self, item: Item) -> bool:
        """Whether this is a graph of the kind that says nothing about constants: they are 1.

        Such files (TRAM's) number no operands and have no constants anywhere.
        """
        if item.kind != "binary" or not item.inputs:
            return False
        says = any({"operand", "constant"} & set(edge.attributes) for edge in self.dot.edges)
        ports = any(edge.head_port for edge in self.dot.edges)
        constants = any(one.kind == "constant" for one in self.items.values())
        return not (says or ports or constants)

    def _order_phi(self, item: Item) -> None:
        """Which operand of a phi comes from the iteration before, where the file leaves it open."""
        named = [one for one in item.inputs if one.operand]
        if named or not item.inputs:
            return
        carried = [one for one in item.inputs if one.distance]
        if not carried:
            reached = nx.descendants(self._network(), item.node.name) | {item.node.name}
            carried = [one for one in item.inputs if one.source in reached]
        if len(carried) != 1:
            self.refuse(
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
                        self.refuse(one.line, f"{name} has distance 0 to what it carries")
                    now.add_edge(one.source, name, line=one.line)
        try:
            cycle = nx.find_cycle(now)
        except nx.NetworkXNoCycle:
            return
        lines = sorted({now.edges[edge[:2]]["line"] for edge in cycle})
        names = " -> ".join([edge[0] for edge in cycle] + [cycle[0][0]])
        self.refuse(
            lines[-1], f"{names} depend on each other within one iteration; say distance=1 or more"
        )
