"""Chips of two clusters with something wrong in them, for tests of what the host learns of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from octopus.hw.chip import Chip as Circuit
from octopus.hw.config import OctopusConfig
from octopus.sim.build import build_library
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver


def two_clusters(**control_network: int) -> OctopusConfig:
    """The preset ``tiny`` with a second cluster in the east; changes of its control network."""
    fields = OctopusConfig.load("tiny").model_dump()
    fields["mesh"]["columns"] = 2
    fields["control_network"] |= control_network
    return OctopusConfig(**fields)


@contextmanager
def driven(circuit: Circuit) -> Iterator[ChipDriver]:
    """The circuit, simulated, behind its driver."""
    config = circuit.config
    library = build_library(circuit, config.model_dump())
    with Chip(library, config.task_block_units, config.clusters) as chip:
        yield ChipDriver(chip)
