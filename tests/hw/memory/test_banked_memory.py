"""BankedMemory: order, content and throughput under random traffic."""

import os
import random

import pytest
from amaranth.sim import Simulator

from octopus.hw.memory import BankedMemory

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))


def simulate(component, *testbenches, cycles=20_000):
    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    for bench, background in testbenches:
        simulator.add_testbench(bench, background=background)

    async def limit(context):
        for _ in range(cycles):
            await context.tick()
        raise AssertionError(f"not finished after {cycles} cycles (OCTOPUS_SEED={SEED})")

    simulator.add_testbench(limit, background=True)
    simulator.run()


@pytest.mark.parametrize(("words", "banks", "reads", "writes"), [(32, 4, 3, 2), (8, 1, 1, 1)])
def test_random_traffic_reads_what_was_written(words, banks, reads, writes):
    memory = BankedMemory(words, banks, reads, writes)
    content = [0] * words
    generator = random.Random(SEED)
    done = []

    async def traffic(context):
        expected = [None] * reads
        for _ in range(600):
            for port in memory.reads:
                context.set(port.request.valid, generator.random() < 0.8)
                context.set(port.request.payload, generator.randrange(words))
            for port in memory.writes:
                context.set(port.request.valid, generator.random() < 0.6)
                context.set(
                    port.request.payload,
                    {
                        "address": generator.randrange(words),
                        "mask": generator.randrange(16),
                        "data": generator.getrandbits(32),
                    },
                )
            # what the coming clock edge does
            upcoming = [None] * reads
            for index, port in enumerate(memory.reads):
                if context.get(port.request.valid) and context.get(port.request.ready):
                    upcoming[index] = content[context.get(port.request.payload)]
            for port in memory.writes:
                if context.get(port.request.valid) and context.get(port.request.ready):
                    payload = context.get(port.request.payload)
                    enable = sum(0xFF << 8 * i for i in range(4) if payload.mask >> i & 1)
                    old = content[payload.address]
                    content[payload.address] = old & ~enable | payload.data & enable
            for index, word in enumerate(expected):
                if word is not None:
                    assert context.get(memory.reads[index].data) == word, f"OCTOPUS_SEED={SEED}"
            expected = upcoming
            await context.tick()
        done.append(True)

    simulate(memory, (traffic, False))
    assert done


def test_ports_in_different_banks_move_a_word_a_cycle():
    memory = BankedMemory(64, 4, 4, 1)
    counts = [0] * 4

    async def stream(context):
        addresses = list(range(4))
        for _ in range(100):
            for index, port in enumerate(memory.reads):
                context.set(port.request.valid, 1)
                context.set(port.request.payload, addresses[index] % 64)
            for index, port in enumerate(memory.reads):
                if context.get(port.request.ready):
                    counts[index] += 1
                    addresses[index] += 1
            await context.tick()

    simulate(memory, (stream, False))
    assert counts == [100] * 4


def test_ports_in_one_bank_share_it_fairly():
    memory = BankedMemory(64, 4, 3, 1)
    counts = [0] * 3

    async def stream(context):
        for port in memory.reads:
            context.set(port.request.valid, 1)
            context.set(port.request.payload, 4)
        for _ in range(99):
            for index, port in enumerate(memory.reads):
                counts[index] += context.get(port.request.ready)
            await context.tick()

    simulate(memory, (stream, False))
    assert counts == [33] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((48, 4, 1, 1), "words is 48"),
        ((64, 3, 1, 1), "banks is 3"),
        ((4, 8, 1, 1), "banks is 8"),
        ((64, 4, 0, 1), "read_ports is 0"),
        ((64, 4, 1, 0), "write_ports is 0"),
    ],
)
def test_invalid_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BankedMemory(*arguments)
