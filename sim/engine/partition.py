"""Cuts a chip into parts, each a Verilog module of its own, and finds what joins them.

A *cut* block becomes a part: its module with all that is in it, compiled once for all its
instances. Blocks above a cut block are cut, too; each of them becomes a *shell*, the module without
its cut children, whose ports stand in their place. What only passes through a shell is no business
of it: it is joined directly, from the part that computes it to the part that needs it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from octopus.hw.emit import EmittedModule
from octopus.hw.wiring import PortKey, Segment, Wiring

from .shell import shell_text

HOST = 0
"""The index of the instance that is the driver: the chip's inputs are its outputs."""


@dataclass(frozen=True)
class PartPort:
    """A port of a part. follows: of an input, an output changes with it without a clock edge."""

    name: str
    width: int
    is_input: bool
    follows: bool = False


@dataclass
class Part:
    """A module that is compiled by itself.

    Attributes
    ----------
    name: the Verilog module's.
    texts: Verilog of the module and of all that is in it, by module.
    ports: the clock is none of them.
    follows: for each output, the inputs that it follows without a clock edge.
    reads_at_once: a memory in it is read without a clock edge.
    """

    name: str
    texts: dict[str, str]
    ports: list[PartPort]
    follows: dict[str, frozenset[str]]
    reads_at_once: bool

    def index(self, port: str) -> int:
        """The place of a port among ``ports``."""
        return self._indices[port]

    def __post_init__(self) -> None:
        self._indices = {port.name: index for index, port in enumerate(self.ports)}


@dataclass(frozen=True)
class Instance:
    """A part in its place. path: names of the blocks from the top to it."""

    path: tuple[str, ...]
    part: str


@dataclass(frozen=True)
class Join:
    """Bits that one instance gives to another (both by index, ports by name)."""

    source: int
    output: str
    source_offset: int
    sink: int
    input: str
    sink_offset: int
    width: int


@dataclass(frozen=True)
class Constant:
    """Bits of an input that never change."""

    sink: int
    input: str
    offset: int
    width: int
    value: int


@dataclass
class Partition:
    """A chip in parts.

    Attributes
    ----------
    parts: by name.
    instances: the first is the driver, whose part is ``""``.
    joins, constants: all bits of all inputs of parts, and of the driver's.
    driver_ports: the chip's ports: width, and whether it is an input of the chip.
    """

    parts: dict[str, Part]
    instances: list[Instance]
    driver_ports: dict[str, tuple[int, bool]]
    joins: list[Join] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)


def partition(modules: Sequence[EmittedModule], cuts: Iterable[str]) -> Partition:
    """Cut the chip whose modules, children first, were emitted with their wiring.

    Parameters
    ----------
    modules: what ``hw.emit.emit(top, wirings=True)`` gives.
    cuts: names of classes of blocks.
    """
    return _Partitioner(modules, cuts).result


class _Partitioner:
    def __init__(self, modules: Sequence[EmittedModule], cuts: Iterable[str]) -> None:
        self._modules = {module.name: module for module in modules}
        self._top = modules[-1].name
        self._followed: dict[str, dict[str, frozenset[str]]] = {}
        self._cut = self._closed(modules, cuts)
        self._exports: dict[str, dict[PortKey, str]] = {}
        parts = {name: self._part(name) for name in self._modules if name in self._cut}
        top = self._wiring(self._top)
        ports = {name: (width, True) for name, width in top.inputs.items()}
        ports |= {name: (width, False) for name, width in top.outputs.items()}
        self.result = Partition(parts, [Instance((), "")], ports)
        self._index: dict[tuple[str, ...], int] = {}
        self._place((), self._top)
        for path, index in self._index.items():
            self._join(path, index)
        self._join_driver()

    def _wiring(self, name: str) -> Wiring:
        wiring = self._modules[name].wiring
        if wiring is None:
            raise ValueError(f"module {name} was emitted without its wiring")
        return wiring

    def _closed(self, modules: Sequence[EmittedModule], cuts: Iterable[str]) -> set[str]:
        """The cut modules: the top, those named, and each that has one of them in it."""
        wanted = set(cuts)
        cut = {self._top}
        for module in modules:
            children = self._wiring(module.name).children.values()
            if module.block in wanted or not cut.isdisjoint(children):
                cut.add(module.name)
        return cut

    # Parts and shells

    def _is_cut(self, wiring: Wiring, child: str) -> bool:
        return child != "" and wiring.children[child] in self._cut

    def _part(self, name: str) -> Part:
        wiring = self._wiring(name)
        cut_children = [c for c, module in wiring.children.items() if module in self._cut]
        exports: dict[PortKey, str] = {}
        for key, segments in wiring.sinks.items():
            child, port = key
            outside = child == "" or child in cut_children
            if outside and any(self._of_shell(wiring, segment) for segment in segments):
                exports[key] = _port_name(child, port)
        self._exports[name] = exports
        follows = {exports[key]: self._shell_follows(name, key) for key in exports}
        used = self._used(wiring)
        inputs = {_port_name(*key): self._source_width(wiring, key) for key in used}
        reaching = frozenset().union(*follows.values()) if follows else frozenset()
        ports = [PartPort(port, width, True, port in reaching) for port, width in inputs.items()]
        ports += [
            PartPort(port, self._sink_width(wiring, key), False) for key, port in exports.items()
        ]
        texts = {
            module: self._modules[module].text
            for child, module in wiring.children.items()
            if child not in cut_children
            for module in self._below(module)
        }
        text = self._modules[name].text
        if cut_children:
            text = shell_text(
                text,
                name,
                {c: wiring.children[c] for c in cut_children},
                {_port_name(*key): (key, self._source_width(wiring, key)) for key in used},
                {port: (key, self._sink_width(wiring, key)) for key, port in exports.items()},
            )
        at_once = any(self._wiring(module).reads_at_once for module in [name, *texts])
        return Part(name, {**texts, name: text}, ports, follows, at_once)

    def _below(self, name: str) -> Iterable[str]:
        yield name
        for child in self._wiring(name).children.values():
            yield from self._below(child)

    def _of_shell(self, wiring: Wiring, segment: Segment) -> bool:
        """Whether these bits come from the block itself or from a child that stays in it."""
        if segment.source is None:
            return segment.value is None
        child = segment.source[0]
        return child != "" and not self._is_cut(wiring, child)

    def _used(self, wiring: Wiring) -> list[PortKey]:
        """The sources that the shell needs: its logic or a child that stays looks at them."""
        used = set(wiring.used)
        for (child, _), segments in wiring.sinks.items():
            if child != "" and not self._is_cut(wiring, child):
                used |= {segment.source for segment in segments if segment.source is not None}
        return sorted(key for key in used if key[0] == "" or self._is_cut(wiring, key[0]))

    def _source_width(self, wiring: Wiring, key: PortKey) -> int:
        child, port = key
        if child == "":
            return wiring.inputs[port]
        return self._wiring(wiring.children[child]).outputs[port]

    def _sink_width(self, wiring: Wiring, key: PortKey) -> int:
        return sum(segment.width for segment in wiring.sinks[key])

    # What follows what without a clock edge

    def _shell_follows(self, name: str, key: PortKey) -> frozenset[str]:
        """The ports of the shell that its output ``key`` follows."""
        wiring = self._wiring(name)
        reached: set[PortKey] = set()
        direct = {s.source for s in wiring.sinks[key] if self._of_shell(wiring, s)} - {None}
        stack = [*wiring.follows[key], *(source for source in direct if source is not None)]
        while stack:
            source = stack.pop()
            if source in reached:
                continue
            reached.add(source)
            child, port = source
            if child != "" and not self._is_cut(wiring, child):
                for entry in self._module_follows(wiring.children[child])[port]:
                    stack += self._before(wiring, (child, entry))
        return frozenset(
            _port_name(*source)
            for source in reached
            if source[0] == "" or self._is_cut(wiring, source[0])
        )

    def _module_follows(self, name: str) -> dict[str, frozenset[str]]:
        """For each output of a module with all its children, the inputs that it follows."""
        if name not in self._followed:
            wiring = self._wiring(name)
            result = {}
            for port in wiring.outputs:
                reached: set[PortKey] = set()
                stack = self._before(wiring, ("", port))
                while stack:
                    source = stack.pop()
                    if source in reached:
                        continue
                    reached.add(source)
                    if source[0] != "":
                        follows = self._module_follows(wiring.children[source[0]])
                        for entry in follows[source[1]]:
                            stack += self._before(wiring, (source[0], entry))
                result[port] = frozenset(entry for child, entry in reached if child == "")
            self._followed[name] = result
        return self._followed[name]

    @staticmethod
    def _before(wiring: Wiring, sink: PortKey) -> list[PortKey]:
        """The sources that a sink follows, directly or through the block's logic."""
        direct = [s.source for s in wiring.sinks[sink] if s.source is not None]
        return [*wiring.follows[sink], *direct]

    # Instances and joins

    def _place(self, path: tuple[str, ...], name: str) -> None:
        self._index[path] = len(self.result.instances)
        self.result.instances.append(Instance(path, name))
        for child, module in self._wiring(name).children.items():
            if module in self._cut:
                self._place((*path, child), module)

    def _module_at(self, path: tuple[str, ...]) -> str:
        return self.result.instances[self._index[path]].part

    def _join(self, path: tuple[str, ...], index: int) -> None:
        """Join the inputs of the instance at ``path``."""
        name = self._module_at(path)
        wiring = self._wiring(name)
        for key in self._used(wiring):
            child, port = key
            width = self._source_width(wiring, key)
            if child == "":
                pieces = list(self._of_input(path, port, 0, width))
            else:
                pieces = list(self._of_output((*path, child), port, 0, width))
            self._add(pieces, index, _port_name(child, port))

    def _join_driver(self) -> None:
        for port, width in self._wiring(self._top).outputs.items():
            self._add(list(self._of_output((), port, 0, width)), HOST, port)

    def _add(self, pieces: list["_Piece"], sink: int, port: str) -> None:
        offset = 0
        for source, output, first, width, value in _merged(pieces):
            if source is None:
                self.result.constants.append(Constant(sink, port, offset, width, value))
            else:
                self.result.joins.append(Join(source, output, first, sink, port, offset, width))
            offset += width

    def _of_input(
        self, path: tuple[str, ...], port: str, first: int, width: int
    ) -> Iterable["_Piece"]:
        """Where bits of an input of the block at ``path`` come from."""
        if path == ():
            yield (HOST, port, first, width, 0)
            return
        yield from self._of_sink(path[:-1], (path[-1], port), first, width)

    def _of_output(
        self, path: tuple[str, ...], port: str, first: int, width: int
    ) -> Iterable["_Piece"]:
        yield from self._of_sink(path, ("", port), first, width)

    def _of_sink(
        self, path: tuple[str, ...], key: PortKey, first: int, width: int
    ) -> Iterable["_Piece"]:
        """Where bits of a sink in the block at ``path`` come from."""
        name = self._module_at(path)
        wiring = self._wiring(name)
        position = 0
        for segment in wiring.sinks[key]:
            low, high = max(first, position), min(first + width, position + segment.width)
            if low < high:
                piece = segment.cut(low - position, high - low)
                if self._of_shell(wiring, segment):
                    yield (self._index[path], self._exports[name][key], low, high - low, 0)
                elif piece.source is None:
                    yield (None, "", 0, piece.width, piece.value or 0)
                elif piece.source[0] == "":
                    yield from self._of_input(path, piece.source[1], piece.offset, piece.width)
                else:
                    child, port = piece.source
                    yield from self._of_output((*path, child), port, piece.offset, piece.width)
            position += segment.width


_Piece = tuple[int | None, str, int, int, int]
"""(instance or None, output, first bit, width, value if it is a constant)."""


def _merged(pieces: list[_Piece]) -> Iterable[_Piece]:
    last: _Piece | None = None
    for piece in pieces:
        if (
            last is not None
            and last[0] is not None
            and last[:2] == piece[:2]
            and last[2] + last[3] == piece[2]
        ):
            last = (last[0], last[1], last[2], last[3] + piece[3], 0)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _port_name(child: str, port: str) -> str:
    """The name of a shell's port that stands for a child's port (or of the block's own)."""
    return f"{child}_{port}_cut" if child else port
