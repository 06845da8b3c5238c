"""A chip with a dead control link: the host learns which cluster it is at, and a run ends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octopus.hw.chip import Chip as Circuit
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.command import ClusterEvent
from octopus.hw.noc.link import Port
from octopus.sched.driver_protocol import HostToken
from octopus.sched.kernels.elementwise import Scale
from octopus.sched.lowering import lower
from octopus.sched.policies.placement import Place, Placement
from octopus.sched.runtime import DeadNetworkError, Runtime
from octopus.sched.workflow import WorkflowBuilder
from octopus.sched.workflow.generate import random_instances
from octopus.sim.build import SOON_BUILT, build_library
from octopus.sim.driver import ChipDriver

from .altered_chip import driven, two_clusters

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
TIMEOUT = 200
BEFORE, BEHIND = (0, 0), (1, 0)
"""The cluster that the dead link starts from, and the one it does not reach."""


class CutChip(Circuit):
    """The control link from ``BEFORE`` east passes nothing on and gives nothing back."""

    @property
    def module_name(self) -> str:
        return f"{super().module_name}_cut"

    def _join(
        self, m: Any, platform: Any, network: str, clusters: Any, place: Any, side: Port
    ) -> None:
        if not (network == "control" and place == BEFORE and side is Port.EAST):
            super()._join(m, platform, network, clusters, place, side)


@pytest.fixture(scope="module")
def config() -> OctopusConfig:
    return two_clusters(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def library(config: OctopusConfig) -> Path:
    return build_library(CutChip(config), {}, SOON_BUILT)


@pytest.fixture
def driver(library: Path, config: OctopusConfig) -> Iterator[ChipDriver]:
    with driven(library, config) as driver:
        yield driver


def test_one_lost_token_is_enough_for_the_host_to_learn_of_it(driver: ChipDriver) -> None:
    driver.inject(*BEFORE, HostToken(15, 0))  # a block that does not exist: its fault comes back
    assert len(driver.wait(1000)) == 1
    assert not driver.stuck_clusters()
    driver.inject(*BEHIND, HostToken(0, 1))
    assert not driver.wait(2 * TIMEOUT + 200)
    (notice,) = driver.notices()
    assert notice.event is ClusterEvent.CONTROL_NETWORK_STUCK
    assert notice.cluster == BEFORE
    assert driver.stuck_clusters() == [BEFORE]
    assert not driver.errors()["stuck"]


def test_the_host_says_when_its_own_link_is_stuck(driver: ChipDriver) -> None:
    """So many tokens for the dead link that the router before it takes no more."""
    for number in range(12):
        driver.inject(*BEHIND, HostToken(0, number % 2))
    assert not driver.wait(2 * TIMEOUT + 200)
    assert driver.errors()["stuck"]
    assert driver.stuck_clusters() == [None, BEFORE]


def test_a_run_ends_with_an_error_that_names_the_cluster(
    driver: ChipDriver, config: OctopusConfig
) -> None:
    w = WorkflowBuilder("across")
    x, y = w.input("x", (6,), "int32"), w.tensor("y", (6,), "int32")
    w.source().task("scale", Scale(6, 2), values=x, scaled=y).sink("end")
    workflow = w.build()
    places = {block.name: Place(*BEFORE) for block in workflow.blocks} | {"scale": Place(*BEHIND)}
    runtime = Runtime(driver, lower(workflow, Placement(places), config))
    runtime.load()
    with pytest.raises(DeadNetworkError, match=r"control network is stuck behind \(0, 0\)"):
        runtime.run(random_instances(workflow, 1, SEED), limit_cycles=20_000)
