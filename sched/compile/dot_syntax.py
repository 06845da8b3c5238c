"""The DOT language: text to nodes and edges with their attributes and lines, by Lark.

The grammar is that of Graphviz (https://graphviz.org/doc/info/lang.html): quoted and HTML
identifiers, ports, edge chains, subgraphs as ends of edges, defaults of attributes in their scope.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from .errors import CompileError

_HTML = "[^<>]*"
for _ in range(8):
    _HTML = rf"[^<>]*(?:<{_HTML}>[^<>]*)*"

_GRAMMAR = rf"""
start: STRICT? (DIGRAPH | GRAPH) id? "{{" statements "}}"
statements: (_statement ";"?)*
_statement: assignment | defaults | edges | node | subgraph
assignment: id "=" id
defaults: (GRAPH | NODE | EDGE) attributes
attributes: attribute_list+
attribute_list: "[" (attribute (";" | ",")?)* "]"
attribute: id "=" id
edges: end (edge_operator end)+ attributes?
edge_operator: ARROW | LINE
end: node_id | subgraph
node: node_id attributes?
node_id: id (port port?)?
port: ":" id
subgraph: (SUBGRAPH id?)? "{{" statements "}}"
id: NAME | NUMERAL | HTML | QUOTED ("+" QUOTED)*
ARROW: "->"
LINE: "--"
STRICT: /strict\b/i
DIGRAPH: /digraph\b/i
GRAPH: /graph\b/i
NODE: /node\b/i
EDGE: /edge\b/i
SUBGRAPH: /subgraph\b/i
NAME: /(?!(strict|digraph|graph|node|edge|subgraph)\b)[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*/i
NUMERAL: /-?(\.[0-9]+|[0-9]+(\.[0-9]*)?)/
QUOTED: /"(\\.|[^"\\])*"/s
HTML: /<{_HTML}>/s
COMMENT: /\/\*.*?\*\//s | /\/\/[^\n]*/ | /\#[^\n]*/
%ignore COMMENT
%ignore /\s+/
%ignore /\ufeff/
"""


@dataclass
class DotNode:
    """A node: its attributes (names in lower case) and the line that says them."""

    name: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DotEdge:
    """An edge; ports are empty where there are none (compass points of a drawing are none)."""

    tail: str
    tail_port: str
    head: str
    head_port: str
    attributes: dict[str, str]
    line: int


@dataclass
class DotGraph:
    """What a DOT file says, without meaning."""

    name: str
    strict: bool
    attributes: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, DotNode] = field(default_factory=dict)
    edges: list[DotEdge] = field(default_factory=list)


_COMPASS = frozenset({"n", "ne", "e", "se", "s", "sw", "w", "nw", "c", "_"})


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def parse(text: str, name: str) -> DotGraph:
    """The one directed graph of a text; ``name``: for errors, and of a graph without a name.

    Raises:
        CompileError: not DOT (with the line), or not directed.
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        where = f"{name}, line {max(error.line, 1)}"
        lines = text.splitlines()
        shown = lines[error.line - 1].strip() if 0 < error.line <= len(lines) else "the end"
        raise CompileError(f"{where}: not DOT: {shown[:60]}") from None
    return _Reader(name).read(tree)


class _Reader:
    """Walks the syntax tree; scopes are pairs of defaults (of nodes, of edges)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.graph = DotGraph(name, strict=False)

    def read(self, tree: Tree[Token]) -> DotGraph:
        """The graph of a whole file."""
        for child in tree.children:
            if isinstance(child, Tree) and child.data == "id":
                self.graph.name = _text(child)
            elif isinstance(child, Tree):
                self._statements(child, {}, {}, True)
            elif child.type == "STRICT":
                self.graph.strict = True
            elif child.type == "GRAPH":
                raise CompileError(f"{self.name}, line {child.line}: no digraph")
        return self.graph

    def _statements(
        self, tree: Tree[Token], nodes: dict[str, str], edges: dict[str, str], top: bool
    ) -> list[str]:
        """Read statements with the defaults of their scope; the nodes they name, in order."""
        found: dict[str, None] = {}
        for part in tree.children:
            assert isinstance(part, Tree)
            if part.data == "assignment":
                if top:
                    self._assign(part)
            elif part.data == "defaults":
                kind, attributes = part.children
                assert isinstance(kind, Token)
                if kind.type == "GRAPH" and top:
                    self.graph.attributes.update(_attributes(attributes))
                elif kind.type == "NODE":
                    nodes.update(_attributes(attributes))
                elif kind.type == "EDGE":
                    edges.update(_attributes(attributes))
            elif part.data == "node":
                name, _ = self._node(part.children[0], nodes)
                if len(part.children) > 1:
                    self.graph.nodes[name].line = part.meta.line
                    self.graph.nodes[name].attributes.update(_attributes(part.children[1]))
                found[name] = None
            elif part.data == "edges":
                found |= dict.fromkeys(self._edges(part, nodes, edges))
            else:
                found |= dict.fromkeys(self._subgraph(part, nodes, edges))
        return list(found)

    def _assign(self, part: Tree[Token]) -> None:
        key, value = map(_text, part.children)
        self.graph.attributes[key.lower()] = value

    def _subgraph(
        self, tree: Tree[Token], nodes: dict[str, str], edges: dict[str, str]
    ) -> list[str]:
        return self._statements(_last(tree), dict(nodes), dict(edges), False)

    def _node(self, tree: Any, defaults: dict[str, str]) -> tuple[str, str]:
        """Name and port of a node, which is made if it is new."""
        parts = [
            _text(child if child.data == "id" else child.children[0]) for child in tree.children
        ]
        name, ports = parts[0], [port for port in parts[1:] if port not in _COMPASS]
        if name not in self.graph.nodes:
            self.graph.nodes[name] = DotNode(name, tree.meta.line, dict(defaults))
        return name, ports[0] if ports else ""

    def _edges(self, tree: Tree[Token], nodes: dict[str, str], edges: dict[str, str]) -> list[str]:
        attributes = dict(edges)
        ends: list[list[tuple[str, str]]] = []
        for part in tree.children:
            assert isinstance(part, Tree)
            if part.data == "attributes":
                attributes.update(_attributes(part))
            elif part.data == "edge_operator":
                operator = part.children[0]
                if isinstance(operator, Token) and operator.type == "LINE":
                    raise CompileError(
                        f"{self.name}, line {operator.line}: an edge without direction (--)"
                    )
            elif (end := part.children[0]).data == "node_id":  # type: ignore[union-attr]
                ends.append([self._node(end, nodes)])
            else:
                names = self._subgraph(end, nodes, edges)  # type: ignore[arg-type]
                ends.append([(name, "") for name in names])
        for tails, heads in pairwise(ends):
            for (tail, out), (head, into) in product(tails, heads):
                line = tree.meta.line
                self.graph.edges.append(DotEdge(tail, out, head, into, attributes, line))
        return [name for end in ends for name, _ in end]


def _last(tree: Tree[Token]) -> Tree[Token]:
    last = tree.children[-1]
    assert isinstance(last, Tree)
    return last


def _text(tree: Any) -> str:
    """What an identifier says: without quotes, joined."""
    parts = []
    for token in tree.children:
        if token.type == "QUOTED":
            parts.append(re.sub(r'\\("|\n)', lambda m: m[1].strip(), token[1:-1]))
        else:
            parts.append(str(token))
    return "".join(parts)


def _attributes(tree: Any) -> dict[str, str]:
    pairs = (map(_text, attribute.children) for attribute in tree.find_data("attribute"))
    return {key.lower(): value.strip() for key, value in pairs}
