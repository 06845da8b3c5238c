"""Reads data-flow graphs from DOT files with an ``opcode`` attribute on every node.

An operation's operands are its incoming edges in the order in which they are listed. A node of
opcode ``input`` is a stream in, ``output`` a stream out.
"""

import itertools
import re
from pathlib import Path

from octopus.hw.layouts.instruction import Operation

from .errors import CompileError
from .graph import UNARY, Access, Constant, Graph, Node, Role, Use

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", re.DOTALL | re.MULTILINE)
_HEAD = re.compile(r"\s*(?:strict\s+)?digraph\s+(?P<name>\w+|\"[^\"]*\")?\s*\{", re.IGNORECASE)
_STATEMENT = re.compile(r"(?P<nodes>[\w.]+(?:\s*->\s*[\w.]+)*)\s*(?:\[(?P<list>[^\]]*)\])?")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*(\"[^\"]*\"|[^\s,\]]+)")
_KEYWORDS = frozenset({"node", "edge", "graph"})
_OPCODES = {"LSHIFT": "SHL", "SHIFTL": "SHL", "ASHR": "SAR", "LSHR": "SHR", "SEL": "SELECT"}


def read_dot(path: Path) -> Graph:
    """The graph in a DOT file.

    Raises:
        CompileError: not in this form, an unknown opcode, or as :meth:`Graph.check`.
    """
    try:
        return parse_dot(path.read_text(), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise CompileError(f"{path}: {error}") from None


def parse_dot(text: str, name: str) -> Graph:
    """The graph that DOT text describes, called ``name``.

    Raises:
        CompileError: as :func:`read_dot`.
    """
    text = _COMMENT.sub("", text)
    head = _HEAD.match(text)
    if head is None:
        raise CompileError(f"{name}: no digraph")
    opcodes: dict[str, str] = {}
    operands: dict[str, list[str]] = {}
    body = text[head.end() :]
    for part in re.split(r"[;\n{}]", _protect(body)):
        statement = _STATEMENT.fullmatch(part.strip())
        if statement is None:
            continue
        names = re.split(r"\s*->\s*", statement["nodes"])
        attributes = {
            key.lower(): value.strip('"')
            for key, value in _ATTRIBUTE.findall(statement["list"] or "")
        }
        if names[0].lower() in _KEYWORDS:
            continue
        if len(names) == 1:
            if "opcode" not in attributes:
                raise CompileError(f"{name}: node {names[0]} has no opcode")
            opcodes[names[0]] = attributes["opcode"].upper()
        for source, target in itertools.pairwise(names):
            operands.setdefault(target, []).append(source)
    graph = Graph(name)
    for node, opcode in opcodes.items():
        graph.add(_node(name, node, opcode, operands.get(node, [])))
    graph.check()
    return graph


def _protect(body: str) -> str:
    """The text with every attribute list on one line and followed by the end of a statement."""
    return re.sub(r"\[[^\]]*\]", lambda part: re.sub(r"[\n;{}]", " ", part[0]) + ";", body)


def _node(kernel: str, name: str, opcode: str, sources: list[str]) -> Node:
    uses = tuple(Use(source) for source in sources)
    if opcode in ("INPUT", "LOAD"):
        return Node(name, Role.LOAD, access=Access(name))
    if opcode in ("OUTPUT", "STORE"):
        return Node(name, Role.STORE, operands=uses, access=Access(name))
    try:
        operation = Operation[_OPCODES.get(opcode, opcode)]
    except KeyError:
        raise CompileError(f"{kernel}: node {name} has the unknown opcode {opcode}") from None
    if operation not in UNARY and len(uses) == 1:
        # A graph that leaves out its constants: the operand that is missing is 1.
        return Node(name, Role.COMPUTE, operation, (*uses, Constant(1)))
    return Node(name, Role.COMPUTE, operation, uses)
