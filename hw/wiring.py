"""What a block's borders connect: found in Amaranth's netlist while the block is converted.

A simulator that evaluates blocks one by one needs three things of each of them: where every bit of
a child's input comes from, which inputs an output follows at once (without a clock edge between),
and which values the block's own logic looks at.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from amaranth.hdl import _nir as nir

CLOCK = "clk"
"""The port that every block has and that carries no data."""

LOGIC = ""
"""The source of a bit that the block's own logic computes."""

PortKey = tuple[str, str]
"""(child, port): an output of a child; ("", port): an input of the block itself."""


@dataclass(frozen=True)
class Segment:
    """Neighbouring bits with one source.

    Attributes
    ----------
    width: bits.
    source: what gives them, or None: a constant, or the block's own logic.
    offset: the first bit of ``source`` that is taken.
    value: the constant, if it is one; None: logic.
    """

    width: int
    source: PortKey | None = None
    offset: int = 0
    value: int | None = None

    def cut(self, first: int, width: int) -> "Segment":
        """``width`` bits of this from bit ``first`` on."""
        value = None if self.value is None else self.value >> first & ((1 << width) - 1)
        return Segment(width, self.source, self.offset + (first if self.source else 0), value)


@dataclass
class Wiring:
    """The borders of a block.

    Attributes
    ----------
    inputs, outputs: width of each port, without the clock.
    children: module name of each child block, by instance name.
    sinks: for each own output ``("", port)`` and each child's input ``(child, port)``, where its
        bits come from, the lowest first.
    follows: for each of these, the sources that its logic bits follow without a clock edge.
    used: the sources that the block's own logic looks at.
    reads_at_once: a memory of the block is read without a clock edge.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    sinks: dict[PortKey, list[Segment]] = field(default_factory=dict)
    follows: dict[PortKey, frozenset[PortKey]] = field(default_factory=dict)
    used: frozenset[PortKey] = frozenset()
    reads_at_once: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON can have it; see :meth:`from_plain`."""
        sinks = [
            [
                *key,
                [[s.width, s.source, s.offset, s.value] for s in segments],
                sorted(self.follows[key]),
            ]
            for key, segments in self.sinks.items()
        ]
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "children": self.children,
            "sinks": sinks,
            "used": sorted(self.used),
            "reads_at_once": self.reads_at_once,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """What :meth:`to_plain` made, perhaps through JSON."""
        wiring = cls(plain["inputs"], plain["outputs"], plain["children"])
        for child, port, segments, follows in plain["sinks"]:
            key = (child, port)
            wiring.sinks[key] = [
                Segment(width, source and (source[0], source[1]), offset, value)
                for width, source, offset, value in segments
            ]
            wiring.follows[key] = frozenset((one[0], one[1]) for one in follows)
        wiring.used = frozenset((one[0], one[1]) for one in plain["used"])
        wiring.reads_at_once = plain["reads_at_once"]
        return wiring


def wiring_of(netlist: nir.Netlist) -> Wiring:
    """The borders of the block that ``netlist`` was built of.

    Raises:
        ValueError: a child is not directly in the block but in a helper module of its own.
    """
    return _Extraction(netlist).wiring


class _Extraction:
    def __init__(self, netlist: nir.Netlist) -> None:
        self._cells = netlist.cells
        self._sources: list[PortKey] = []
        self._origin: dict[int, tuple[int, int]] = {}
        """Of the nets that come from inputs and children: the source's index, the bit."""
        self._reached: dict[int, int] = {}
        """Of a net: the sources that it follows at once, a bit each."""
        self.wiring = Wiring()
        top = netlist.top
        children = [cell for cell in netlist.cells if isinstance(cell, nir.Instance)]
        self._sources_of("", 0, top.ports_i)
        for index, cell in enumerate(netlist.cells):
            if isinstance(cell, nir.Instance):
                self._sources_of(cell.name, index, cell.ports_o)
        self.wiring.inputs = {n: w for n, (_, w) in top.ports_i.items() if n != CLOCK}
        self.wiring.outputs = {name: len(value) for name, value in top.ports_o.items()}
        sinks: dict[PortKey, nir.Value] = {("", name): v for name, v in top.ports_o.items()}
        for cell in children:
            if cell.module_idx != 0:
                raise ValueError(f"{cell.name} ({cell.type}) is in a module that is no block")
            self.wiring.children[cell.name] = cell.type
            sinks |= {(cell.name, n): v for n, v in cell.ports_i.items() if n != CLOCK}
        for key, value in sinks.items():
            self.wiring.sinks[key] = list(self._segments(value))
            self.wiring.follows[key] = self._follows(value)
        self.wiring.used = self._used()
        self.wiring.reads_at_once = any(
            isinstance(cell, nir.AsyncReadPort) for cell in netlist.cells
        )

    def _sources_of(self, child: str, cell: int, ports: dict[str, tuple[int, int]]) -> None:
        for name, (start, width) in ports.items():
            for bit in range(width):
                self._origin[(cell << 16) | (start + bit)] = (len(self._sources), bit)
            self._sources.append((child, name))

    def _segments(self, value: nir.Value) -> Iterable[Segment]:
        """The bits of ``value``, neighbours of one source together."""
        last: Segment | None = None
        for net in map(int, value):
            if net in (0, 1):
                bit = Segment(1, value=net)
            elif net in self._origin:
                source, offset = self._origin[net]
                bit = Segment(1, self._sources[source], offset)
            else:
                bit = Segment(1)
            joined = None if last is None else _joined(last, bit)
            if last is not None and joined is None:
                yield last
            last = bit if joined is None else joined
        if last is not None:
            yield last

    def _follows(self, value: nir.Value) -> frozenset[PortKey]:
        reached = 0
        for net in map(int, value):
            if net > 1 and net not in self._origin:
                reached |= self._reach(net)
        return self._keys(reached)

    def _reach(self, start: int) -> int:
        """The sources that a net of the logic follows at once."""
        done, stack = self._reached, [start]
        while stack:
            net = stack[-1]
            if net in done:
                stack.pop()
                continue
            if net in (0, 1):
                done[net] = 0
            elif net in self._origin:
                done[net] = 1 << self._origin[net][0]
            else:
                cell = self._cells[net >> 16]
                before = {int(edge[0]) for edge in cell.comb_edges_to(net & 0xFFFF)}
                missing = [other for other in before if other not in done]
                if missing:
                    stack += missing
                    continue
                mask = 0
                for other in before:
                    mask |= done[other]
                done[net] = mask
            stack.pop()
        return done[start]

    def _used(self) -> frozenset[PortKey]:
        used = 0
        for cell in self._cells:
            if not isinstance(cell, nir.Instance | nir.Top):
                for net in map(int, cell.input_nets()):
                    if net in self._origin:
                        used |= 1 << self._origin[net][0]
        return self._keys(used)

    def _keys(self, mask: int) -> frozenset[PortKey]:
        return frozenset(
            key
            for index, key in enumerate(self._sources)
            if mask >> index & 1 and key != ("", CLOCK)
        )


def _joined(first: Segment, second: Segment) -> Segment | None:
    """Both as one, if they are neighbours of one source."""
    width = first.width + second.width
    if first.source is None and second.source is None:
        if first.value is None and second.value is None:
            return Segment(width)
        if first.value is not None and second.value is not None:
            return Segment(width, value=first.value | second.value << first.width)
        return None
    if first.source == second.source and first.offset + first.width == second.offset:
        return Segment(width, first.source, first.offset)
    return None
