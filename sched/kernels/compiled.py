"""Tasks whose kernel the compiler made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element, StreamMode
from octopus.hw.layouts.space import WORD_BYTES

from ..compile.compiler import ATTEMPTS, Compiled, compile_graph
from ..compile.graph import Graph, Role
from ..compile.interpret import Interpreter
from ..compile.streams import PortStream
from ..compile.trace import Source
from .launch import Launch
from .task import DTYPES, Array, Buffer, Kernel, Operand, Task, TaskError

EFFORT = 15.0
"""Of the exact method, unless told otherwise: a kernel is compiled while somebody waits."""


@dataclass(frozen=True, eq=False)
class GraphKernel(Kernel):
    """A graph, compiled for each array it is asked for, once."""

    graph: Graph
    attempts: int = ATTEMPTS
    effort: float = EFFORT
    _compiled: dict[str, Compiled] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether both have one image."""
        return isinstance(other, GraphKernel) and self._compiled is other._compiled

    def __hash__(self) -> int:
        """As equality."""
        return id(self._compiled)

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return self.graph.name

    def compiled(self, pea: PeaConfig) -> Compiled:
        """The kernel for an array.

        Raises:
            CompileError: it cannot be mapped.
        """
        key = pea.model_dump_json()
        if key not in self._compiled:
            self._compiled[key] = compile_graph(
                self.graph, pea, attempts=self.attempts, effort=self.effort
            )
        return self._compiled[key]

    def of(self, graph: Graph) -> "GraphKernel":
        """The same kernel for a graph of the same nodes, which other sources may give."""
        return GraphKernel(graph, self.attempts, self.effort, self._compiled)

    def use(self, compiled: Compiled) -> None:
        """Take what was compiled from the graph with other arguments, for the same array."""
        self._compiled[compiled.pea.model_dump_json()] = compiled

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        return self.compiled(pea).image(number)


def element_bytes(element: Element) -> int:
    """Bytes of a stream's element."""
    return WORD_BYTES if element is Element.WORD else 1


class _Layout:
    """Where the arrays of a compiled task lie in the scratchpad.

    Every stream has its own idea of where an array should be: words that mean nothing come before
    its first element, and arrays that share a port lie at equal distances. So an input is loaded
    once more where one place cannot serve all.
    """

    def __init__(self, task: "CompiledTask", launch: Launch) -> None:
        self.task, self.launch = task, launch
        self._places: dict[str, int] = {}
        self._fronts: dict[str, int] = {}

    def reserve(self, streams: Sequence[PortStream]) -> None:
        """Note what room outputs need before them: each has one place for all its streams."""
        for stream in streams:
            if stream.output and len(stream.nodes) == 1:
                name = stream.nodes[0].access.array
                self._fronts[name] = max(self._fronts.get(name, 0), self.front(stream))

    def front(self, stream: PortStream) -> int:
        """Bytes that the nodes of a stream touch before their arrays."""
        return max(
            node.shift * abs(node.access.strides[0]) * element_bytes(node.access.element)
            for node in stream.nodes
        )

    def array(self, name: str, front: int) -> int:
        """The byte address of an array with at least ``front`` bytes before it."""
        operand = self.task.by_name[name]
        output = name in self.task.output_names
        if output:
            front = self._fronts.get(name, 0)
        if name not in self._places or (front and not output):
            pad = -(-front // WORD_BYTES)
            address = self.launch.allocate(name, operand.words + pad) + pad * WORD_BYTES
            source = self.task.starts.get(name, name)
            if source in self.task.input_names:
                self.launch.load(self.task.by_name[source], address)
            if name in self.task.output_names and name not in self._places:
                self.launch.store(operand, address)
            self._places[name] = address
        return self._places[name]

    def spaced(self, stream: PortStream) -> tuple[int, int]:
        """Base of the first node and the distance from node to node of a shared port."""
        operands = [self.task.by_name[node.access.array] for node in stream.nodes]
        offsets = [self.offset(stream, i) for i in range(len(stream.nodes))]
        front = max(0, *(-offset for offset in offsets)) + WORD_BYTES
        pad = -(-front // WORD_BYTES)
        low, high = min(offsets), max(offsets)
        # Arrays start on words; the distance makes up for nodes that begin at other bytes.
        behind = [(offset - offsets[0]) % WORD_BYTES for offset in offsets]
        extra = next(
            (
                d
                for d in range(WORD_BYTES)
                if all(i * d % WORD_BYTES == b for i, b in enumerate(behind))
            ),
            None,
        )
        if extra is None:
            raise TaskError(f"{self.task.name}: {operands[0].name} cannot share a port of bytes")
        high += (offsets[0] - high) % WORD_BYTES
        size = max(o.words for o in operands) + pad + -(-(high - low) // WORD_BYTES) + 1
        size += len(operands)
        block = self.launch.allocate(f"port of {operands[0].name}", size * len(operands))
        for i, operand in enumerate(operands):
            # base + offset is the same for all but the distance.
            address = block + (i * size + pad) * WORD_BYTES + high + i * extra - offsets[i]
            if stream.output:
                self.launch.store(operand, address)
            else:
                self.launch.load(operand, address)
        return block + pad * WORD_BYTES + high, size * WORD_BYTES + extra

    @staticmethod
    def offset(stream: PortStream, index: int) -> int:
        """Bytes from an array's start to the first that its node touches."""
        node = stream.nodes[index]
        size = element_bytes(node.access.element)
        return (node.access.offset - node.shift * node.access.strides[0]) * size


class CompiledTask(Task):
    """One use of a compiled kernel.

    Parameters
    ----------
    kernel: the kernel. counts: iterations of each loop, innermost first.
    inputs, outputs: the arrays, as the graph names them. result: an output of one word that is
    the task's result as well. starts: for outputs of which a task may leave parts alone, the
    inputs as which they begin. written: outputs of which a task surely leaves no part alone.

    Raises:
        TaskError: wrong counts, or an array that is missing or may be left undefined.
    """

    has_result = False

    def __init__(
        self,
        kernel: GraphKernel,
        counts: Sequence[int],
        inputs: Sequence[Operand],
        outputs: Sequence[Operand],
        result: str | None = None,
        starts: Mapping[str, str] | None = None,
        written: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        self.name = name or kernel.name
        self._kernel = kernel
        self.counts = tuple(counts)
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.input_names = [operand.name for operand in self.inputs]
        self.output_names = [operand.name for operand in self.outputs]
        self.by_name = {operand.name: operand for operand in self.operands}
        self.result = result
        self.starts = dict(starts or {})
        self.has_result = result is not None
        if len(self.counts) != kernel.graph.loops or any(count < 1 for count in self.counts):
            raise TaskError(
                f"{self.name}.counts is {self.counts}; "
                f"allowed: {kernel.graph.loops} positive numbers"
            )
        for node in kernel.graph.nodes.values():
            if node.access is not None and node.access.array not in self.by_name:
                raise TaskError(f"{self.name} has no array {node.access.array}")
            partly = node.role is Role.SCATTER or node.predicate is not None
            whole = {*self.starts, *written}
            if partly and node.access is not None and node.access.array not in whole:
                raise TaskError(
                    f"{self.name}: {node.access.array} needs an input as which it starts"
                )
        for output, source in self.starts.items():
            if self.by_name[output].words != self.by_name[source].words:
                raise TaskError(f"{self.name}: {output} and {source} differ in size")

    @property
    def kernel(self) -> Kernel:
        """As :class:`Task`."""
        return self._kernel

    def use(self, compiled: Compiled) -> None:
        """As :class:`GraphKernel`."""
        self._kernel.use(compiled)

    @property
    def graph(self) -> Graph:
        """The kernel's graph, before lowering."""
        return self._kernel.graph

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`: the function itself, run by Python; of a kernel that is a graph, what
        the graph means, by :class:`Interpreter`."""
        given = self.checked(arrays)
        store: dict[str, list[int]] = {}
        for operand, array in zip(self.inputs, given, strict=True):
            store[operand.name] = [int(value) for value in array.ravel()]
        for operand in self.outputs:
            begin = store.get(self.starts.get(operand.name, ""), [0] * prod(operand.shape))
            store[operand.name] = list(begin)
        source = self._kernel.graph.source
        if source is not None:
            self._run_function(source, store)
        else:
            Interpreter(self._kernel.graph, self.counts, store).run()
        outputs = []
        for operand in self.outputs:
            values = np.array(store[operand.name], np.int64)
            outputs.append(values.astype(DTYPES[operand.dtype]).reshape(operand.shape))
        value = store[self.result][0] & 0xFFFFFFFF if self.result else None
        return tuple(outputs), value

    def _run_function(self, source: Source, store: dict[str, list[int]]) -> None:
        """Run the function behind the graph on the elements in ``store``, which it changes.

        Raises:
            TaskError: it does what no array can, or leaves an element undefined.
        """
        results, defined = source.run(
            self.counts,
            {name: store[name] for name in self.input_names},
            {operand.name: prod(operand.shape) for operand in self.outputs},
            {name: store[start] for name, start in self.starts.items()},
        )
        for name, elements in results.items():
            if not all(defined[name]):
                raise TaskError(
                    f"{self.name}: {name}[{defined[name].index(False)}] is never written, and "
                    f"{name} has no input as which it starts"
                )
            store[name] = elements

    def descriptor(
        self,
        config: OctopusConfig,
        kernel_number: int,
        buffers: Mapping[str, Buffer],
        *,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """As :class:`Task`."""
        compiled = self._kernel.compiled(config.pea)
        launch = Launch(config, self, buffers)
        layout = _Layout(self, launch)
        layout.reserve(compiled.streams)
        for stream in compiled.streams:
            self._stream(launch, layout, stream)
        address = layout.array(self.result, 0) if self.result else None
        graph = self._kernel.graph
        within = graph.inner_loops if graph.outer else graph.loops
        trips = prod(self.counts[:within])
        return launch.words(
            kernel_number,
            body_trips=trips + compiled.program.early,
            outer_trips=prod(self.counts[within:]),
            result_address=address,
            domain=domain,
            cycle_limit=cycle_limit,
        )

    def _stream(self, launch: Launch, layout: _Layout, stream: PortStream) -> None:
        first = stream.nodes[0]
        size = element_bytes(first.access.element)
        if stream.west:
            edge = Edge.WEST_OUT if stream.output else Edge.WEST_IN
        else:
            edge = Edge.NORTH_OUT if stream.output else Edge.NORTH_IN
        if stream.computed:
            base = layout.array(first.access.array, 0) + first.access.offset * size
            launch.stream(
                edge,
                base,
                [(1, 0)],
                first_port=stream.number,
                element=first.access.element,
                mode=StreamMode.COMPUTED,
            )
            return
        pattern = []
        for index, count in enumerate(self.counts):
            stride = first.access.strides[index] if index < len(first.access.strides) else 0
            pattern.append((count, stride * size))
        if stream.conditional:
            pattern = [(prod(self.by_name[first.access.array].shape), size)]
        most = max(node.shift for node in stream.nodes)
        pattern[0] = (pattern[0][0] + most, pattern[0][1])
        if len(stream.nodes) == 1:
            base = layout.array(first.access.array, layout.front(stream)) + layout.offset(stream, 0)
        else:
            base, distance = layout.spaced(stream)
            pattern.insert(0, (len(stream.nodes), distance))
        launch.stream(edge, base, pattern, first_port=stream.number, element=first.access.element)


__all__ = ["CompiledTask", "GraphKernel"]
