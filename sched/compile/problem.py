"""What every search at one interval works on."""

from dataclasses import dataclass

from octopus.hw.config import PeaConfig

from .graph import Graph


@dataclass(frozen=True, eq=False)
class Problem:
    """A lowered graph to be mapped to an array at an interval.

    Parameters
    ----------
    interval: cycles from an iteration to the next. window: stages that are told apart
    (``window_of`` of ``compiler.py``).
    """

    graph: Graph
    pea: PeaConfig
    interval: int
    window: int

    @property
    def latency(self) -> int:
        """Cycles an operation takes."""
        return self.pea.pipeline_stages
