"""Tasks whose kernel the compiler made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, StreamMode
from octopus.hw.layouts.space import WORD_BYTES

from ..compile.compiler import ATTEMPTS, Compiled, compile_graph
from ..compile.graph import Graph
from ..compile.streams import PortStream
from ..compile.trace import Source
from .access_check import check_accesses
from .compiled_layout import Layout, element_bytes, rounds_of
from .graph_reference import DataFlowError, evaluate
from .launch import Launch
from .task import DTYPES, Array, Buffer, Kernel, Operand, Task, TaskError

EFFORT = 15.0
"""Of the exact method, unless told otherwise: a kernel is compiled while somebody waits."""


def _key(pea: PeaConfig, graph: Graph) -> str:
    return f"{pea.model_dump_json()} {sorted(graph.partial)}"


@dataclass(frozen=True, eq=False)
class GraphKernel(Kernel):
    """A graph, compiled for each array it is asked for, once."""

    graph: Graph
    attempts: int = ATTEMPTS
    effort: float = EFFORT
    _compiled: dict[str, Compiled] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether both have one image."""
        return (
            isinstance(other, GraphKernel)
            and self._compiled is other._compiled
            and self.graph.partial == other.graph.partial
        )

    def __hash__(self) -> int:
        """As equality."""
        return hash((id(self._compiled), self.graph.partial))

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return self.graph.name

    def compiled(self, pea: PeaConfig) -> Compiled:
        """The kernel for an array.

        Raises:
            CompileError: it cannot be mapped.
        """
        key = _key(pea, self.graph)
        if key not in self._compiled:
            self._compiled[key] = compile_graph(
                self.graph, pea, attempts=self.attempts, effort=self.effort
            )
        return self._compiled[key]

    def of(self, graph: Graph) -> "GraphKernel":
        """The same kernel for a graph of the same nodes, which other sources may give."""
        return GraphKernel(graph, self.attempts, self.effort, self._compiled)

    def leaving(self, partial: frozenset[str]) -> "GraphKernel":
        """The kernel for tasks that leave parts of some outputs alone."""
        name = "_".join([self.graph.name, "leaving", *sorted(partial)])
        return self.of(replace(self.graph, name=name, partial=partial))

    def use(self, compiled: Compiled) -> None:
        """Take what was compiled from the graph with other arguments, for the same array."""
        self._compiled[_key(compiled.pea, compiled.graph)] = compiled

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        return self.compiled(pea).image(number)


class CompiledTask(Task):
    """One use of a compiled kernel.

    Parameters
    ----------
    kernel: the kernel. counts: iterations of each loop, innermost first.
    inputs, outputs: the arrays, as the graph names them. result: an output of one word that is
    the task's result as well. starts: for outputs of which a task may leave parts alone, the
    inputs as which they begin. written: outputs of which a task surely leaves no part alone.

    Raises:
        TaskError: wrong counts, or as :func:`check_accesses`.
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
        left_alone = check_accesses(
            self.name,
            kernel.graph,
            self.counts,
            {operand.name: operand for operand in self.inputs},
            {operand.name: operand for operand in self.outputs},
            [*self.starts, *written],
        )
        if left_alone:
            self._kernel = kernel.leaving(left_alone)
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
        the graph means, by an evaluation that shares nothing with the compiler.

        Raises:
            TaskError: an array does not fit, or the kernel does what has no meaning.
        """
        given = self.checked(arrays)
        source = self._kernel.graph.source
        run = self.run_graph if source is None else partial(self._run_function, source)
        results = run(given)
        outputs = tuple(results[operand.name] for operand in self.outputs)
        value = int(results[self.result].reshape(-1)[0]) & 0xFFFFFFFF if self.result else None
        return outputs, value

    def run_graph(self, given: Sequence[Array]) -> dict[str, Array]:
        """The outputs of the graph, by name, evaluated without the compiler's mapping."""
        memory = {
            operand.name: _bytes(operand.to_words(array))
            for operand, array in zip(self.inputs, given, strict=True)
        }
        for operand in self.outputs:
            begin = memory.get(self.starts.get(operand.name, ""), bytes(operand.bytes))
            memory[operand.name] = bytearray(begin)
        try:
            evaluate(self._kernel.graph, self.counts, memory)
        except DataFlowError as error:
            raise TaskError(f"{self.name}: {error}") from None
        return {o.name: o.from_words(_words(bytes(memory[o.name]))) for o in self.outputs}

    def _run_function(self, source: Source, given: Sequence[Array]) -> dict[str, Array]:
        """The outputs of the function behind the graph.

        Raises:
            TaskError: it does what no array can, or leaves an element undefined.
        """
        store = {
            operand.name: [int(value) for value in array.ravel()]
            for operand, array in zip(self.inputs, given, strict=True)
        }
        results, defined = source.run(
            self.counts,
            store,
            {operand.name: prod(operand.shape) for operand in self.outputs},
            {name: store[start] for name, start in self.starts.items()},
        )
        for name, there in defined.items():
            if not all(there):
                raise TaskError(
                    f"{self.name}: {name}[{there.index(False)}] is never written, and "
                    f"{name} has no input as which it starts"
                )
        return {
            operand.name: np.array(results[operand.name], np.int64)
            .astype(DTYPES[operand.dtype])
            .reshape(operand.shape)
            for operand in self.outputs
        }

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
        layout = Layout(self, launch, compiled.streams)
        for stream in compiled.streams:
            self._stream(launch, layout, stream)
        address = layout.array(self.result) if self.result else None
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

    def _stream(self, launch: Launch, layout: Layout, stream: PortStream) -> None:
        first = stream.nodes[0]
        size = element_bytes(first.access.element)
        if stream.west:
            edge = Edge.WEST_OUT if stream.output else Edge.WEST_IN
        else:
            edge = Edge.NORTH_OUT if stream.output else Edge.NORTH_IN
        if stream.computed:
            base = layout.array(first.access.array) + first.access.offset * size
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
            left = self.by_name[first.access.array].bytes // size - first.access.offset
            pattern = [(left, size)]
        pattern[0] = (rounds_of(stream, pattern[0][0]), pattern[0][1])
        if len(stream.nodes) == 1:
            base = layout.single(stream)
        else:
            base, distance = layout.shared(stream)
            pattern.insert(0, (len(stream.nodes), distance))
        launch.stream(edge, base, pattern, first_port=stream.number, element=first.access.element)


def _bytes(words: Sequence[int]) -> bytearray:
    return bytearray(b"".join(word.to_bytes(WORD_BYTES, "little") for word in words))


def _words(image: bytes) -> list[int]:
    parts = range(0, len(image), WORD_BYTES)
    return [int.from_bytes(image[i : i + WORD_BYTES], "little") for i in parts]


__all__ = ["CompiledTask", "GraphKernel"]
