"""The verdict on bursts at the borders of what a user may reach, against the golden model."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from amaranth.sim import Simulator

from octopus.hw.host.address_check import AddressCheck
from octopus.hw.host.axi import Response
from octopus.hw.host.registers import USER_REGIONS
from octopus.verify.golden.host import AxiBurst, Region, WindowModel

MEMORY_WORDS = 1024
BURSTS = 800
BORDER = 128
"""Bytes around a region's first or last word in which bursts begin."""


def _burst(generator: Random, regions: list[Region]) -> AxiBurst:
    """A user's burst near a region's border; WRAP ones mostly of legal shape."""
    region = generator.choice(regions)
    border = 4 * generator.choice((region.first, region.last))
    size, kind = generator.randrange(3), generator.choice((0, 1, 2, 2))
    address = max(border + generator.randrange(-BORDER, BORDER), 0)
    if generator.random() < 0.9:
        address = address >> size << size
    length = generator.choice((0, 1, 3, 7, 15, generator.randrange(20)))
    return AxiBurst(address, length, size, kind, generator.random() < 0.5, privileged=False)


@pytest.mark.parametrize("write", [False, True])
def test_bursts_at_the_border_of_a_region(write: bool) -> None:
    generator = Random(1 + write)
    regions = [
        Region(first, first + generator.randrange(100), True, generator.random() < 0.7)
        for first in generator.sample(range(MEMORY_WORDS - 50), USER_REGIONS)
    ]
    model = WindowModel(1, 1, MEMORY_WORDS, {}, enforce=True, regions=regions)
    device = AddressCheck(MEMORY_WORDS, 1, 1, write)
    verdicts: Counter[tuple[int, int]] = Counter()

    async def testbench(context: Any) -> None:
        context.set(device.enforce, 1)
        for port, region in zip(device.regions, regions, strict=True):
            for name in ("read", "write", "first", "last"):
                context.set(getattr(port, name), getattr(region, name))
        context.set(device.checked.ready, 1)
        for _ in range(BURSTS):
            burst = _burst(generator, regions)
            payload = device.address.payload
            context.set(payload.addr, burst.address)
            context.set(payload.len, burst.length)
            context.set(payload.size, burst.size)
            context.set(payload.burst.as_value(), burst.burst)
            context.set(payload.lock, burst.lock)
            context.set(device.address.valid, 1)
            await context.tick().until(device.address.ready)
            context.set(device.address.valid, 0)
            found, *_ = (
                await context.tick().sample(device.checked.payload).until(device.checked.valid)
            )
            expected = model.verdict(burst, write)
            assert found.verdict == Response(expected), f"{burst}: {found.verdict}"
            verdicts[burst.burst, expected] += 1

    simulator = Simulator(device)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert len(verdicts) == 6 and min(verdicts.values()) > BURSTS // 50, verdicts
