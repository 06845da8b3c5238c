"""What a workload is: a workflow with real inputs, known answers and a summary."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from octopus.hw.config import OctopusConfig

from ..workflow import Instance, InstanceResult, Workflow

Summary = Mapping[str, float | int]
"""Figures by readable name; fractions are between 0 and 1."""


class WorkloadError(ValueError):
    """There is no such workload, or it cannot be made for the chip; the message says which."""


class Workload(ABC):
    """A workload for one chip. Making one may take seconds (training), then it is cached.

    Parameters
    ----------
    config: the chip; a workload may choose smaller sizes for a smaller chip.
    """

    name: ClassVar[str]
    description: ClassVar[str]

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config

    @property
    @abstractmethod
    def workflow(self) -> Workflow:
        """The workflow."""

    @abstractmethod
    def instances(self, count: int, seed: int) -> list[Instance]:
        """The inputs of ``count`` instances; equal for equal seeds."""

    @abstractmethod
    def labels(self, count: int, seed: int) -> list[int]:
        """What the answers of these instances ought to be."""

    @abstractmethod
    def summarise(self, results: Sequence[InstanceResult], labels: Sequence[int]) -> Summary:
        """Figures of a run: how good the answers are and which ways were taken."""
