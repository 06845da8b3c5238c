"""What every search at one interval works on."""

from dataclasses import dataclass

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation

from .graph import Graph
from .latency import latency, node_latency


@dataclass(frozen=True, eq=False)
class Problem:
    """A lowered graph to be mapped to an array at an interval.

    Parameters
    ----------
    interval: cycles from an iteration to the next. window: stages that are told apart
    (``window_of`` of ``compiler.py``). lenient: instructions that may act too early share a slot
    with any other.
    """

    graph: Graph
    pea: PeaConfig
    interval: int
    window: int
    lenient: bool = False

    @property
    def bounded(self) -> bool:
        """Whether nothing may act but in real iterations: no time is after the stages."""
        graph = self.graph
        return self.window > 1 and (graph.loops > 1 or graph.outer or bool(graph.exits))

    def latency(self, name: str) -> int:
        """Cycles from the issue of a node to the first in which its value can be used."""
        return node_latency(self.pea, self.graph.nodes[name])

    @property
    def copy_latency(self) -> int:
        """Cycles of the PASS that copies a value on its way."""
        return latency(self.pea, Operation.PASS)
