"""Where the blocks of a workflow run: what every scheduling policy decides."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from octopus.hw.config import OctopusConfig

from ..workflow import Workflow


class PlacementError(ValueError):
    """A placement does not suit the workflow or the chip; the message names the block."""


@dataclass(frozen=True, order=True)
class Place:
    """A cluster, and for task blocks the TBUs that may run them.

    ``units`` has bit i set for TBU i; 0 means any TBU of the cluster.
    """

    x: int
    y: int
    units: int = 0

    @property
    def cluster(self) -> tuple[int, int]:
        """The cluster's coordinates."""
        return self.x, self.y


@dataclass(frozen=True)
class Placement:
    """A place for every block, by name."""

    places: Mapping[str, Place]

    def check(self, workflow: Workflow, config: OctopusConfig) -> None:
        """Whether every block has a place that exists.

        Raises:
            PlacementError: a block without one, or outside the mesh or the cluster.
        """
        for block in workflow.blocks:
            place = self.places.get(block.name)
            if place is None:
                raise PlacementError(f"block {block.name}: the placement has no place for it")
            if not (0 <= place.x < config.mesh.columns and 0 <= place.y < config.mesh.rows):
                raise PlacementError(
                    f"block {block.name}: placed in cluster {place.cluster}; allowed: x below "
                    f"{config.mesh.columns}, y below {config.mesh.rows}"
                )
            if not 0 <= place.units < 1 << config.cluster.task_block_units:
                raise PlacementError(
                    f"block {block.name}: TBU mask is {place.units:#x}; a cluster has "
                    f"{config.cluster.task_block_units} TBUs"
                )

    def __getitem__(self, block: str) -> Place:
        """The place of a block."""
        return self.places[block]


class Policy(Protocol):
    """A scheduling policy: decides where blocks run before a workflow starts."""

    name: str

    def place(self, workflow: Workflow, config: OctopusConfig) -> Placement:
        """A placement of all blocks of a valid workflow."""


def clusters_of(config: OctopusConfig) -> list[tuple[int, int]]:
    """All clusters in a snake through the mesh, so that neighbours in the list are adjacent."""
    clusters: list[tuple[int, int]] = []
    for y in range(config.mesh.rows):
        row = [(x, y) for x in range(config.mesh.columns)]
        clusters += reversed(row) if y % 2 else row
    return clusters


def follow_tasks(
    workflow: Workflow, tasks: Mapping[str, Place], origin: tuple[int, int]
) -> Placement:
    """Place control blocks: in the cluster of the block before them; the source at ``origin``.

    Parameters
    ----------
    tasks: the places of the task blocks.
    """
    places = dict(tasks)
    places[workflow.source.name] = Place(*origin)
    waiting = [block.name for block in workflow.blocks if block.name not in places]
    while waiting:
        left = []
        for name in waiting:
            # Of a merge or join the first flow counts; a loop's way back is placed later.
            before = [flow.origin for flow in workflow.flows_in(name) if flow.origin in places]
            if before:
                places[name] = Place(*places[before[0]].cluster)
            else:
                left.append(name)
        waiting = left
    return Placement(places)


def random_placement(workflow: Workflow, config: OctopusConfig, seed: int) -> Placement:
    """Every block anywhere, on any TBUs: for tests."""
    generator = random.Random(seed)
    units = config.cluster.task_block_units
    return Placement(
        {
            block.name: Place(
                generator.randrange(config.mesh.columns),
                generator.randrange(config.mesh.rows),
                generator.randrange(1 << units),
            )
            for block in workflow.blocks
        }
    )
