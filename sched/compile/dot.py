"""Reads data-flow graphs from DOT files: an ``opcode`` on every node, operands as edges.

docs/compiler.md has the attributes, and the projects whose files are read. What is not understood
is refused with its line; only the attributes of drawings are passed over.
"""

from collections.abc import Sequence
from pathlib import Path

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode

from .dot_items import Input, Item, Items
from .dot_syntax import parse
from .errors import CompileError
from .graph import Access, Constant, Graph, Node, Operand, Role, Use
from .opcodes import DRAWING, OPCODES

_GRAPH_ATTRIBUTES = frozenset({"loops", "rounds"})
_ELEMENTS = {
    "word": Element.WORD,
    "byte": Element.BYTE_UNSIGNED,
    "byte_signed": Element.BYTE_SIGNED,
}


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


class _Builder(Items):
    """Makes a graph of what a file says."""

    def build(self) -> Graph:
        """The graph.

        Raises:
            CompileError: as :func:`parse_dot`.
        """
        self.graph = Graph(self.name)
        for attribute, value in self.dot.attributes.items():
            if attribute not in _GRAPH_ATTRIBUTES | DRAWING:
                raise CompileError(f"{self.name}: the graph has an unknown attribute {attribute}")
            if attribute == "loops":
                self.graph.loops = self.integer(1, "loops", value, 1)
        self.graph.outer = self.truth(1, "rounds", self.dot.attributes.get("rounds", "false"))
        for item in self.items.values():
            if item.kind == "phi":
                self._phi(item)
        for item in self.items.values():
            if item.kind not in ("phi", "constant"):
                self.graph.add(self._node(item))
        self.graph.check()
        return self.graph

    def _phi(self, item: Item) -> None:
        """A phi is what was carried, or where it begins with a value, a choice in the first one."""
        name, carried, initial = item.node.name, item.at("carried"), item.at("initial")
        assert carried is not None and carried.distance is not None
        begin: Operand = Constant(carried.initial)
        if initial is not None:
            begin = self._operand(initial)
        if isinstance(begin, Constant):
            use = self._use(carried, begin.value)
            self.graph.add(Node(name, Role.COMPUTE, Operation.PASS, (use,), exit=self._exit(item)))
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
        self.graph.add(
            Node(name, Role.COMPUTE, Operation.SELECT, operands, predicate, exit=self._exit(item))
        )

    def _exit(self, item: Item) -> bool:
        return self.truth(item.node.line, "exit", item.node.attributes.get("exit", "false"))

    def _fresh(self, stem: str) -> str:
        while stem in self.items or stem in self.graph.nodes:
            stem += "_"
        return stem

    def _use(self, one: Input, initial: int) -> Use:
        source = self.items[one.source]
        if source.kind == "constant":
            self.refuse(one.line, f"{one.source} is a constant; allowed: distance 0")
        return Use(one.source, one.distance or 0, initial)

    def _operand(self, one: Input) -> Operand:
        source = self.items[one.source]
        if source.kind != "constant":
            return self._use(one, one.initial)
        if one.distance:
            self.refuse(one.line, f"{one.source} is a constant; allowed: distance 0")
        attributes = source.node.attributes
        for attribute in ("value", "const_value", "constant"):
            if attribute in attributes:
                what = f"{attribute} of {one.source}"
                return Constant(self.integer(source.node.line, what, attributes[attribute]))
        self.refuse(source.node.line, f"constant {one.source} has no value")
        raise AssertionError

    def _operands(self, item: Item, places: Sequence[str]) -> tuple[Operand, ...]:
        found: list[Operand] = []
        for place in places:
            one = item.at(place)
            if one is not None:
                found.append(self._operand(one))
            else:
                text = item.node.attributes.get("constant", "1")
                found.append(Constant(self.integer(item.node.line, "constant", text)))
        return tuple(found)

    def _node(self, item: Item) -> Node:
        name = item.node.name
        predicate, when = self._predicate(item)
        leave = self._exit(item)
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
        known = OPCODES[item.opcode]
        if item.kind == "select":
            return self._select(item, leave)
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

    def _predicate(self, item: Item) -> tuple[Use | None, PredicateMode]:
        one = item.at("predicate")
        if one is None:
            if "when" in item.node.attributes:
                self.refuse(item.node.line, f"node {item.node.name} has when and no predicate")
            return None, PredicateMode.ALWAYS
        text = item.node.attributes.get("when")
        when = one.when if text is None else self.truth(item.node.line, "when", text)
        return self._use(
            one, one.initial
        ), PredicateMode.IF_TRUE if when else PredicateMode.IF_FALSE

    def _select(self, item: Item, leave: bool) -> Node:
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
    def _access_kind(item: Item) -> tuple[Role, tuple[str, ...]]:
        """A load or store with an address is a computed access."""
        if item.kind == "gather" or (item.kind == "load" and item.at("address")):
            return Role.GATHER, ("address",)
        if item.kind == "scatter" or (item.kind == "store" and item.at("address")):
            return Role.SCATTER, ("address", "value")
        return (Role.LOAD, ()) if item.kind == "load" else (Role.STORE, ("value",))

    def _access(self, item: Item, role: Role) -> Access:
        attributes, line = item.node.attributes, item.node.line
        element = attributes.get("element", "word").lower()
        if element not in _ELEMENTS:
            self.refuse(line, f"element is {element}; allowed: {', '.join(_ELEMENTS)}")
        strides = tuple(
            self.integer(line, "stride", part) for part in attributes.get("stride", "1").split(",")
        )
        if role in (Role.GATHER, Role.SCATTER) and "stride" in attributes:
            self.refuse(line, f"node {item.node.name} has an address and a stride")
        if len(strides) > self.graph.loops:
            self.refuse(
                line,
                f"{item.node.name} has {len(strides)} strides; allowed: {self.graph.loops} "
                "(the graph's loops)",
            )
        offset = self.integer(line, "offset", attributes.get("offset", "0"))
        return Access(attributes.get("array", item.node.name), offset, strides, _ELEMENTS[element])


__all__ = ["parse_dot", "read_dot"]
