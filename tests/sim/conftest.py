"""Fixtures of the simulation tests."""

import pytest

from octopus.sim.build import build_library
from octopus.sim.chip import Chip
from octopus.sim.run import RunSettings, run

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


@pytest.fixture(scope="session")
def tour():
    """The control tour on the smallest chip: every kind of control block, wrong forecasts."""
    return run(RunSettings("control_tour", "tiny", instances=3))
