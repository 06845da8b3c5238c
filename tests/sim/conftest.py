"""Fixtures of the simulation tests."""

import pytest

from octopus.sim.build import build_library
from octopus.sim.chip import Chip

from .probe import CLUSTERS, UNITS, Probe


@pytest.fixture(scope="session")
def probe_library():
    """The compiled probe."""
    return build_library(Probe(), {})


@pytest.fixture
def probe(probe_library):
    """A fresh probe."""
    with Chip(probe_library, UNITS, CLUSTERS) as chip:
        yield chip
