"""The partitioned engine and Verilator's whole model: equal in everything, to the cycle."""

from functools import cache

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap
from octopus.sim.build import Features, build_chip
from octopus.sim.chip import Chip
from octopus.verify.bench.control_latency import small_chip
from octopus.verify.bench.engine_equality import (
    aborts,
    first_difference,
    kernel,
    nothing,
    reset_in_flight,
    resumed,
    workflow,
)

WHOLE = Features(optimised=False, engine="plain")
PARTS = Features()


def two_clusters() -> OctopusConfig:
    """Two clusters of one small Task Block Unit, with tables for small workflows."""
    content = small_chip().model_dump()
    content["name"] = "pair"
    content["cluster"] |= {"task_block_units": 1, "memory_words": 8192}
    content["control_block_unit"] |= {"blocks": 32, "successors": 64, "instances": 8}
    return OctopusConfig.model_validate(content)


PAIR = two_clusters()


def chip(features, threads=1):
    """A fresh chip."""
    words = ActivityMap(PAIR.task_block_units, PAIR.clusters).words
    return Chip(build_chip(PAIR, features), PAIR.task_block_units, PAIR.clusters, words, threads)


@cache
def expected(scenario, seed):
    """What the whole model shows."""
    with chip(WHOLE) as whole:
        return scenario(whole, PAIR, seed)


def shown(scenario, seed, threads=1):
    """What the partitioned engine shows."""
    with chip(PARTS, threads) as parts:
        return scenario(parts, PAIR, seed)


GEMM, SORT = kernel("gemm"), kernel("argmax")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scenario", [workflow, reset_in_flight, aborts, nothing, GEMM, SORT])
def test_every_scenario_shows_the_same(scenario, threads):
    notes = shown(scenario, 3, threads)
    assert first_difference(expected(scenario, 3), notes) is None
    assert scenario is nothing or any(note[0] == "event" for note in notes)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_restored_chip_goes_on_as_the_saved_one(tmp_path, threads):
    with chip(PARTS, threads) as parts:
        future, again, once_more = resumed(parts, PAIR, 7, tmp_path / "state")
    assert any(note[0] == "event" for note in future)
    assert first_difference(future, again) is None
    assert first_difference(future, once_more) is None


def test_a_seed_replays_a_run():
    assert first_difference(shown(workflow, 3), shown(workflow, 3)) is None


def test_a_cycle_more_is_a_difference():
    """The comparison can fail: one idle cycle before the run changes what is noted."""
    with chip(PARTS) as late:
        late.step(1)
        notes = nothing(late, PAIR, 3)
    assert first_difference(shown(nothing, 3), notes) is not None


def test_an_event_a_cycle_later_is_a_difference():
    notes = list(shown(GEMM, 3))
    place = next(number for number, note in enumerate(notes) if note[0] == "event")
    kind, cycle, *rest = notes[place]
    notes[place] = (kind, cycle + 1, *rest)
    assert str(cycle + 1) in str(first_difference(shown(GEMM, 3), notes))
