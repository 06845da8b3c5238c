"""Writes a graph as a DOT file that ``dot.py`` reads as the same graph."""

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode

from .graph import Constant, Graph, Node, Operand, Role, Use

_ELEMENTS = {
    Element.WORD: "word",
    Element.BYTE_UNSIGNED: "byte",
    Element.BYTE_SIGNED: "byte_signed",
}
_PLACES = {
    Role.STORE: ("value",),
    Role.GATHER: ("address",),
    Role.SCATTER: ("address", "value"),
}


def write_dot(graph: Graph) -> str:
    """The text of a graph before lowering; constants become nodes of their own."""
    writer = _Writer(graph)
    for node in graph.nodes.values():
        writer.node(node)
    head = [f"digraph {_quoted(graph.name)} {{"]
    if graph.loops > 1 or graph.outer:
        head.append(f"    loops = {graph.loops}; rounds = {str(graph.outer).lower()};")
    return "\n".join([*head, *writer.nodes, *writer.edges, "}", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


class _Writer:
    """The statements under construction."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[str] = []
        self.edges: list[str] = []
        self._taken = set(graph.nodes)

    def node(self, node: Node) -> None:
        """A node and the edges of its operands."""
        attributes = {"opcode": self._opcode(node)}
        if node.exit:
            attributes["exit"] = "true"
        access = node.access
        if access is not None:
            attributes["array"] = access.array
            attributes["offset"] = str(access.offset)
            if node.role in (Role.LOAD, Role.STORE):
                attributes["stride"] = ",".join(map(str, access.strides))
            attributes["element"] = _ELEMENTS[access.element]
        self.nodes.append(f"    {_quoted(node.name)} [{_listed(attributes)}];")
        places = _PLACES.get(node.role, ("a", "b"))
        for place, operand in zip(places, node.operands, strict=False):
            self._edge(node, place, operand)
        if node.predicate is not None:
            chooses = node.operation is Operation.SELECT
            self._edge(node, "condition" if chooses else "predicate", node.predicate)

    @staticmethod
    def _opcode(node: Node) -> str:
        return node.operation.name if node.role is Role.COMPUTE else node.role.name

    def _edge(self, node: Node, place: str, operand: Operand) -> None:
        attributes = {"operand": place}
        if isinstance(operand, Use):
            source = operand.producer
            if operand.distance:
                attributes["distance"] = str(operand.distance)
                attributes["initial"] = str(operand.initial)
            if place == "predicate" and node.when is PredicateMode.IF_FALSE:
                attributes["when"] = "false"
        else:
            source = self._constant(operand)
        self.edges.append(f"    {_quoted(source)} -> {_quoted(node.name)} [{_listed(attributes)}];")

    def _constant(self, operand: Constant) -> str:
        name = f"constant_{operand.value}"
        while name in self.graph.nodes:
            name += "_"
        if name not in self._taken:
            self._taken.add(name)
            self.nodes.append(f"    {_quoted(name)} [opcode=CONST, value={operand.value}];")
        return name


def _listed(attributes: dict[str, str]) -> str:
    return ", ".join(f"{key}={_quoted(value)}" for key, value in attributes.items())
