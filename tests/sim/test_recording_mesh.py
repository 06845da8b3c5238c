"""Of a chip of several clusters, each unit's and each link's record is its own."""

import numpy as np
import pytest

from octopus.hw.chip import Chip as ChipHardware
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap
from octopus.hw.layouts.counters import CycleCounter, LinkCount
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    WORD_BYTES,
    ConfigurationRegion,
    address_of,
)
from octopus.sched.job import Job
from octopus.sched.runtime import Runtime
from octopus.sim.build import SOON_BUILT, build_library
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.figures import figures
from octopus.sim.profile import FIRST_CAUSE, IDLE, Profile
from octopus.sim.recording import Counts

from .altered_chip import two_clusters


@pytest.fixture(scope="module")
def config() -> OctopusConfig:
    """Two clusters of a TBU."""
    return two_clusters()


def unit_counters(chip: Chip, config: OctopusConfig) -> np.ndarray:
    """(units, causes): the hardware's counts, read through the window."""
    rows = []
    for unit in range(config.task_block_units):
        cluster, number = divmod(unit, config.cluster.task_block_units)
        y, x = divmod(cluster, config.mesh.columns)
        base = 1 << CONFIGURATION_BIT | ConfigurationRegion.UNIT_COUNTERS
        first = 32 * number + FIRST_CAUSE
        address = address_of(x, y, base + WORD_BYTES * first)
        rows.append(chip.read_memory(address, len(CycleCounter)))
    return np.array(rows)


@pytest.fixture(scope="module")
def ran(config):
    """A run with the counters and flits of before and after."""
    library = build_library(ChipHardware(config), config.model_dump(), SOON_BUILT)
    words = ActivityMap(config.task_block_units, config.clusters).words
    job = Job.prepare("control_tour", config, count=4)
    with Chip(library, config.task_block_units, config.clusters, words) as chip:
        driver = ChipDriver(chip)
        flits: list[dict] = []
        counts = Counts(chip)

        def edge() -> None:
            counts.note()
            flits.append(driver.flit_counts())

        runtime = Runtime(driver, job.program, edge=edge)
        runtime.load()
        before = unit_counters(chip, config)
        report = runtime.run(job.instances)
        after = unit_counters(chip, config)
        assert report.differences(job.references) == []
        profile = Profile(counts.recording(config, report), job.program, report.outcomes)
    return profile, after - before, flits


def test_the_cycles_of_every_unit_are_those_that_it_counted(ran):
    profile, counted, _ = ran
    np.testing.assert_array_equal(profile.by_unit[:, :IDLE], counted[:, :IDLE])
    assert (profile.by_unit.sum(axis=1) == profile.cycles).all()
    assert (counted[:, :IDLE].sum(axis=1) > 0).sum() > 1, "both units worked"


def test_both_clusters_have_events_of_their_own_blocks(ran):
    profile, _, _ = ran
    events = profile.control
    for cluster in range(2):
        names = {profile.names[int(b)] for b in events.block[events.cluster == cluster]}
        places = {profile.program.placement[name].x for name in names}
        assert places == {cluster}


def test_control_flits_of_the_links_are_those_that_came_to_the_neighbour(ran):
    profile, _, (before, after) = ran
    came = {
        place: {name: after[place][name] - before[place][name] for name in after[place]}
        for place in after
    }
    links = {
        (link["x"], link["side"]): link["flits"]
        for link in figures(profile)["links"]
        if link["network"] == "control"
    }
    assert links[0, "east"] == came[1, 0][LinkCount.CONTROL_WEST.name] > 0
    assert links[1, "west"] == came[0, 0][LinkCount.CONTROL_EAST.name] > 0
