"""What goes wrong in the networks comes to the host: damaged flits, nodes that are not there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octopus.hw.chip import Chip as Circuit
from octopus.hw.layouts.block import BlockEntry, BlockKind, SuccessorEntry
from octopus.hw.layouts.command import ClusterEvent
from octopus.hw.layouts.space import CONFIGURATION_BIT, ConfigurationRegion, address_of
from octopus.hw.layouts.token import TokenKind
from octopus.hw.noc.link import Port
from octopus.sched.driver_protocol import DriverError, HostToken
from octopus.sim.build import SOON_BUILT, build_library
from octopus.sim.driver import ChipDriver
from octopus.verify.bench.cbu_system import pack_bits

from .altered_chip import driven, two_clusters

NEAR, FAR = (0, 0), (1, 0)
FRAGILE = 0xBADB0B
"""A word that does not come through when it is written to ``FAR`` as the second of two."""
OUTSIDE = {"x": 7, "y": 0, "host": 0}


class DamagingChip(Circuit):
    """The links from ``NEAR`` east turn over a bit: the control network's of each flit, the data
    network's of those whose upper word is ``FRAGILE``."""

    @property
    def module_name(self) -> str:
        return f"{super().module_name}_damaging"

    def _join(
        self,
        m: Any,
        platform: Any,
        network: str,
        clusters: Any,
        place: Any,
        side: Port,
    ) -> None:
        if not (place == NEAR and side is Port.EAST):
            super()._join(m, platform, network, clusters, place, side)
            return
        sender = getattr(clusters[NEAR], f"{network}_east_out")
        receiver = getattr(clusters[FAR], f"{network}_west_in")
        damaged = network == "control" or sender.flit.payload[32:] == FRAGILE
        m.d.comb += [
            receiver.valid.eq(sender.valid),
            receiver.flit.eq(sender.flit),
            receiver.parity.eq(sender.parity ^ damaged),
            receiver.channel.eq(sender.channel),
            sender.credit.eq(receiver.credit),
        ]


@pytest.fixture(scope="module")
def library() -> Path:
    return build_library(DamagingChip(two_clusters()), {}, SOON_BUILT)


@pytest.fixture
def driver(library: Path) -> Iterator[ChipDriver]:
    with driven(library, two_clusters()) as driver:
        yield driver


def test_a_damaged_flit_is_told_by_the_cluster_that_it_came_to(driver: ChipDriver) -> None:
    driver.inject(*NEAR, HostToken(15, 0))  # a block that does not exist: its fault comes back
    assert len(driver.wait(1000)) == 1
    assert not driver.notices()
    driver.inject(*FAR, HostToken(15, 1))
    assert not driver.wait(1000), "it must not be taken for a token"
    (notice,) = driver.notices()
    assert (notice.event, notice.cluster) == (ClusterEvent.NETWORK_PARITY, FAR)


def test_each_damaged_flit_is_counted_once(driver: ChipDriver) -> None:
    """Also many in a row, which a cluster tells of only once."""
    assert not driver.parity_counts()
    for number in range(1, 25):
        driver.inject(*FAR, HostToken(15, number % 2))
        if number % 8 == 0:
            driver.wait(1000)
            counts = {"CONTROL_WEST": number, "CONTROL_ENDPOINT": number}
            assert driver.parity_counts() == {FAR: counts}
            came = driver.flit_counts()[FAR]
            assert {link: came[link] for link in counts} == counts
    assert len(driver.notices()) == 1


def test_all_flits_are_counted_link_by_link(driver: ChipDriver) -> None:
    """Tokens of blocks that do not exist: each comes to its cluster, and its fault goes back."""
    for _ in range(3):
        driver.inject(*NEAR, HostToken(15, 0))
    assert len(driver.wait(1000)) == 3
    before = driver.flit_counts()
    near = {link: n for link, n in before[NEAR].items() if link.startswith("CONTROL") and n}
    assert near.pop("CONTROL_ENDPOINT") == near.pop("CONTROL_LOCAL") == 3
    assert list(near.values()) == [3], "by the host's link, whichever side that is"
    driver.write_memory(address_of(*FAR, 64), [1, 2, 3, 4, 5])
    after = driver.flit_counts()
    grown = {link: after[FAR][link] - before[FAR][link] for link in after[FAR]}
    again = driver.flit_counts()
    read = {link: again[FAR][link] - after[FAR][link] for link in again[FAR]}
    # the write's head and three flits of two words to FAR, and its acknowledgement back
    assert grown["DATA_WEST"] - read["DATA_WEST"] == 4
    assert grown["DATA_ENDPOINT"] - read["DATA_ENDPOINT"] == 4
    assert grown["DATA_LOCAL"] - read["DATA_LOCAL"] == 1
    assert not any(after[FAR][link] for link in ("DATA_NORTH", "DATA_EAST", "DATA_SOUTH"))


def test_those_of_the_data_network_are_counted_apart(driver: ChipDriver) -> None:
    place = address_of(*FAR, 64)
    for number in range(1, 4):
        with pytest.raises(DriverError):
            driver.write_memory(place, [number, FRAGILE])
        counts = {"DATA_WEST": number, "DATA_ENDPOINT": number}
        assert driver.parity_counts() == {FAR: counts}
    driver.write_memory(place, [FRAGILE, 5])
    assert driver.read_memory(place, 2) == [FRAGILE, 5]


def test_a_token_to_a_cluster_that_does_not_exist_is_told(driver: ChipDriver) -> None:
    table = address_of(*NEAR, 1 << CONFIGURATION_BIT | ConfigurationRegion.BLOCK_TABLE)
    entry = pack_bits(BlockEntry, {"kind": BlockKind.MERGE, "successor_count": 1})
    driver.write_memory(table, [entry >> 32 * i & 0xFFFF_FFFF for i in range(8)])
    successor = pack_bits(SuccessorEntry, {"destination": OUTSIDE, "kind": TokenKind.ARRIVE})
    table = address_of(*NEAR, 1 << CONFIGURATION_BIT | ConfigurationRegion.SUCCESSOR_TABLE)
    driver.write_memory(table, [successor])
    driver.inject(*NEAR, HostToken(0, 0))
    assert not driver.wait(1000)
    (notice,) = driver.notices()
    assert (notice.event, notice.cluster) == (ClusterEvent.UNREACHABLE, NEAR)
