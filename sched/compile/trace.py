"""Makes a graph from a Python function. ``docs/compiler.md`` says which functions it takes.

A function takes arrays (annotated ``Input`` or ``Output``), numbers of iterations (``Count``) and
constants (any other parameter, given when it is compiled). It is followed symbolically, statement
by statement (``statements.py``, ``loops.py``); what it writes becomes the graph. What cannot be
proven to mean what Python means is refused, with its line.
"""

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.descriptor import Element

from .building import Builder
from .closing import Closing
from .errors import CompileError
from .expressions import frozen
from .graph import Graph
from .language import (
    ArrayName,
    Count,
    Extent,
    Input,
    Output,
    clamp8,
    geu,
    ltu,
    mulh,
    parameters_of,
    relu,
    select,
    shr,
)
from .loops import Again, Knowledge, Loops
from .oracle import run_function
from .source import FunctionText
from .statements import Frame
from .stores import Stores

DTYPES = {"int8": (Element.BYTE_SIGNED, 1), "int32": (Element.WORD, 4)}
MOST_WAYS = 200
"""Times that a function is followed, at most, before it is given up."""


@dataclass(frozen=True)
class Source:
    """The function behind a graph, and what was given when it was compiled.

    Attributes
    ----------
    counts: values of counts that were known. loops: what each loop runs over, innermost first.
    lines: where accesses are written, by node. guarded: loads under a condition, by node.
    """

    function: Callable[..., None]
    file: str
    constants: Mapping[str, Any]
    counts: Mapping[str, int]
    loops: tuple[tuple[str, int | None], ...]
    lines: Mapping[str, int]
    guarded: frozenset[str]

    def counts_of(self, trips: Sequence[int]) -> dict[str, int]:
        """The counts by parameter, from iterations of each loop, innermost first.

        Raises:
            CompileError: they are not those for which the function was compiled.
        """
        counts = dict(self.counts)
        for (name, known), given in zip(self.loops, trips, strict=True):
            wanted = counts.get(name) if known is None else known
            if wanted is not None and wanted != given:
                raise CompileError(
                    f"kernel {self.function.__name__}: {given} iterations of the loop over {name}; "
                    f"compiled for {wanted}"
                )
            if known is None:
                counts[name] = given
        return counts

    def run(
        self,
        trips: Sequence[int],
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, int],
        starts: Mapping[str, Sequence[int]],
    ) -> tuple[dict[str, list[int]], dict[str, list[bool]]]:
        """What the function gives when Python runs it, as :func:`.oracle.run_function`."""
        counts = {name: 0 for name, kind in parameters_of(self.function).items() if kind is Count}
        counts |= self.counts_of(trips)
        return run_function(self.function, counts, inputs, outputs, self.constants, starts)


@dataclass(frozen=True)
class KernelFunction:
    """A function that can be compiled; what :func:`kernel` makes."""

    function: Callable[..., None]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def parameters(self) -> dict[str, object]:
        """Annotations by parameter; None for a constant."""
        return parameters_of(self.function)

    @property
    def counts(self) -> list[str]:
        """The parameters that are counts."""
        return [name for name, kind in self.parameters.items() if kind is Count]

    def loop_counts(self) -> list[str]:
        """The count of every loop over counts, outermost first, as far as the text shows it."""
        text = FunctionText(self.function)
        found = []
        for loop in ast.walk(text.tree):
            if isinstance(loop, ast.For):
                names = [part.id for part in ast.walk(loop.iter) if isinstance(part, ast.Name)]
                found += [name for name in names if name in self.counts][:1]
        return found

    def graph(
        self, name: str | None = None, /, counts: Mapping[str, int] | None = None, **constants: Any
    ) -> Graph:
        """The graph for given constants.

        Parameters
        ----------
        counts: values of counts, by parameter. They must be known if the function uses one as a
            number, or loops over anything but ``range(count)``.

        Raises:
            CompileError: a constant is missing or unknown, or the function is not in the form that
                can be compiled; the message names the line.
        """
        return _trace(self, name or self.name, constants, counts or {})


def kernel(function: Callable[..., None]) -> KernelFunction:
    """Mark a function as a kernel."""
    return KernelFunction(function)


def _trace(
    source: KernelFunction, name: str, constants: Mapping[str, Any], counts: Mapping[str, int]
) -> Graph:
    text = FunctionText(source.function)
    variables = _arguments(source, name, constants, counts)
    knowledge = Knowledge()
    for _ in range(MOST_WAYS):
        builder = Builder(name, [facts.name for facts in knowledge.loops])
        loops = Loops(knowledge, name, builder)
        loops.file = text.file
        loops.stores = Stores(loops)
        loops.texts.append(text)
        loops.frames.append(Frame("function", loops.path))
        loops.variables.update({key: frozen(value) for key, value in variables.items()})
        try:
            loops.block(text.tree.body)
            if not loops.nest:
                raise loops.error(text.tree, "no loop over a Count")
            loops.stores.finish()
            Closing(loops)
        except Again:
            continue
        graph = builder.graph
        written = {node.access.array for node in graph.nodes.values() if node.access is not None}
        for parameter, annotation in source.parameters.items():
            if isinstance(annotation, Output) and parameter not in written:
                raise loops.error(text.tree, f"nothing is written to {parameter}")
        graph.source = Source(
            source.function,
            text.file,
            {key: value for key, value in variables.items() if source.parameters[key] is None},
            dict(counts),
            tuple((loop.over.counts[0], loop.over.trips) for loop in reversed(loops.nest)),
            {node: line for node, line in builder.lines.items() if node in graph.nodes},
            frozenset(builder.guarded & set(graph.nodes)),
        )
        return graph
    raise CompileError(f"kernel {name}: what the loops carry is not found out")


def _arguments(
    source: KernelFunction, name: str, constants: Mapping[str, Any], counts: Mapping[str, int]
) -> dict[str, Any]:
    """What the parameters are when the function begins."""
    variables: dict[str, Any] = {}
    signature = inspect.signature(source.function).parameters
    for parameter, annotation in source.parameters.items():
        default = signature[parameter].default
        if isinstance(annotation, Input | Output):
            if annotation.dtype not in DTYPES:
                raise CompileError(
                    f"kernel {name}: {parameter} is of {annotation.dtype!r}; "
                    f"allowed: {', '.join(DTYPES)}"
                )
            element, size = DTYPES[annotation.dtype]
            output = isinstance(annotation, Output)
            variables[parameter] = ArrayName(parameter, element, size, output)
        elif annotation is Count:
            variables[parameter] = Extent((parameter,), counts.get(parameter), plain=True)
        elif parameter in constants:
            variables[parameter] = constants[parameter]
        elif default is not inspect.Parameter.empty:
            variables[parameter] = default
        else:
            raise CompileError(f"kernel {name}: no value for the constant {parameter}")
    for given in constants:
        if source.parameters.get(given, 0) is not None:
            raise CompileError(f"kernel {name} has no constant {given}")
    for given in counts:
        if source.parameters.get(given) is not Count:
            raise CompileError(f"kernel {name} has no count {given}")
    return variables


__all__ = [
    "Count",
    "Input",
    "KernelFunction",
    "Output",
    "Source",
    "clamp8",
    "geu",
    "kernel",
    "ltu",
    "mulh",
    "relu",
    "select",
    "shr",
]
