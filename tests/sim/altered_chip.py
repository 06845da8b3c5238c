"""Chips of two clusters with something wrong in them, for tests of what the host learns of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver


def two_clusters(**control_network: int) -> OctopusConfig:
    """The preset ``tiny`` with a second cluster in the east; changes of its control network."""
    fields = OctopusConfig.load("tiny").model_dump()
    fields["mesh"]["columns"] = 2
    fields["control_network"] |= control_network
    return OctopusConfig(**fields)


@contextmanager
def driven(library: Path, config: OctopusConfig) -> Iterator[ChipDriver]:
    """A fresh chip of the library, behind its driver."""
    units, clusters = config.task_block_units, config.clusters
    with Chip(library, units, clusters, ActivityMap(units, clusters).words) as chip:
        yield ChipDriver(chip)
