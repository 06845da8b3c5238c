"""Where the arrays of a compiled task lie in the scratchpad, with guard words on both sides.

Streams of deep pipelines have words that mean nothing before and after those that do. They come
from, or go to, the elements that the stream's stride leads to: before the array or behind it, as
the stride's sign says. So every array has room on both sides for all that its streams touch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.space import WORD_BYTES

from ..compile.streams import PortStream, StreamNode
from .launch import Launch
from .operand import Operand, TaskError


class Arrays(Protocol):
    """What of a task a layout needs: ``starts`` are the inputs as which outputs begin."""

    @property
    def name(self) -> str: ...

    @property
    def counts(self) -> tuple[int, ...]: ...

    @property
    def by_name(self) -> dict[str, Operand]: ...

    @property
    def input_names(self) -> list[str]: ...

    @property
    def output_names(self) -> list[str]: ...

    @property
    def starts(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Reach:
    """Bytes that accesses touch, from an array's start: from ``low`` to before ``high``."""

    low: int
    high: int

    def join(self, other: "Reach") -> "Reach":
        """What both touch, and all between."""
        return Reach(min(self.low, other.low), max(self.high, other.high))

    def in_words(self) -> "Reach":
        """The same with whole words."""
        return Reach(self.low // WORD_BYTES * WORD_BYTES, -(-self.high // WORD_BYTES) * WORD_BYTES)


def element_bytes(element: Element) -> int:
    """Bytes of a stream's element."""
    return WORD_BYTES if element is Element.WORD else 1


def first_byte(node: StreamNode) -> int:
    """Bytes from an array's start to the first element that a node's stream touches."""
    stride = node.access.strides[0] if node.access.strides else 0
    return (node.access.offset - node.shift * stride) * element_bytes(node.access.element)


def rounds_of(stream: PortStream, count: int) -> int:
    """Turns that every node of a stream gets in ``count`` iterations."""
    return count + stream.early + stream.longer


def reach_of(stream: PortStream, node: StreamNode, counts: Sequence[int]) -> Reach:
    """What a node of an affine stream touches in all its turns, meaningless ones included."""
    size = element_bytes(node.access.element)
    low = high = first_byte(node)
    for number, stride in enumerate(node.access.strides[: len(counts)]):
        turns = counts[number] if number else rounds_of(stream, counts[0])
        last = (turns - 1) * stride * size
        low, high = low + min(last, 0), high + max(last, 0)
    return Reach(low, high + size)


class Layout:
    """Places arrays as streams ask for them.

    Arrays that share a port lie at equal distances. So an input is loaded once more where one place
    cannot serve all.
    """

    def __init__(self, task: Arrays, launch: Launch, streams: Sequence[PortStream]) -> None:
        self.task, self.launch = task, launch
        self._places: dict[str, int] = {}
        self._room: dict[str, Reach] = {}
        for stream in streams:
            # An output has one place for all its streams.
            if stream.output and len(stream.nodes) == 1 and not stream.computed:
                name = stream.nodes[0].access.array
                self._room[name] = self._around(name).join(self._reach(stream, stream.nodes[0]))

    def _reach(self, stream: PortStream, node: StreamNode) -> Reach:
        if stream.conditional:
            return self._whole(node.access.array)
        return reach_of(stream, node, self.task.counts).in_words()

    def _whole(self, name: str) -> Reach:
        return Reach(0, self.task.by_name[name].bytes)

    def _around(self, name: str) -> Reach:
        return self._room.get(name, self._whole(name))

    def array(self, name: str, reach: Reach | None = None) -> int:
        """The byte address of an array with room for what a stream touches (None: only itself)."""
        output = name in self.task.output_names
        needed = self._around(name)
        if reach is not None:
            needed = needed.join(reach)
        elsewhere = not output and needed != self._whole(name)
        if name not in self._places or elsewhere:
            block = self.launch.allocate(name, (needed.high - needed.low) // WORD_BYTES)
            address = block - needed.low
            self._fill(name, address)
            if elsewhere and name in self._places:
                return address
            self._places[name] = address
        return self._places[name]

    def _fill(self, name: str, address: int) -> None:
        """Have an array copied in before the run, and out after it."""
        operand = self.task.by_name[name]
        source = self.task.starts.get(name, name)
        if source in self.task.input_names:
            self.launch.load(self.task.by_name[source], address)
        if name in self.task.output_names:
            self.launch.store(operand, address)

    def single(self, stream: PortStream) -> int:
        """The base of a stream that a node has for itself."""
        (node,) = stream.nodes
        return self.array(node.access.array, self._reach(stream, node)) + first_byte(node)

    def shared(self, stream: PortStream) -> tuple[int, int]:
        """Base of the first node and the distance from node to node of a shared port.

        Raises:
            TaskError: bytes of the arrays cannot lie at equal distances.
        """
        nodes = stream.nodes
        firsts = [first_byte(node) for node in nodes]
        rooms = [
            self._whole(node.access.array).join(self._reach(stream, node)).in_words()
            for node in nodes
        ]
        least = max(
            (rooms[i].high - firsts[i]) - (rooms[i + 1].low - firsts[i + 1])
            for i in range(len(nodes) - 1)
        )
        # Arrays start on words; the distance makes up for nodes that begin at other bytes.
        behind = [(first - firsts[0]) % WORD_BYTES for first in firsts]
        distance = next(
            (
                d
                for d in range(least, least + WORD_BYTES)
                if all(i * d % WORD_BYTES == byte for i, byte in enumerate(behind))
            ),
            None,
        )
        if distance is None:
            names = ", ".join(node.access.array for node in nodes)
            raise TaskError(f"{self.task.name}: {names} cannot share a port of bytes")
        places = [i * distance + firsts[0] - first for i, first in enumerate(firsts)]
        end = places[-1] + rooms[-1].high
        words = (end - rooms[0].low) // WORD_BYTES
        what = f"port of {nodes[0].access.array}"
        start = self.launch.allocate(what, words) - rooms[0].low
        for node, place in zip(nodes, places, strict=True):
            name = node.access.array
            self._fill(name, start + place)
            if stream.output:
                self._places[name] = start + place
        return start + firsts[0], distance
