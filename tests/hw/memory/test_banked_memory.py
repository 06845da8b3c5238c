"""BankedMemory: order, content and throughput under random traffic."""

import os
import random

import pytest
from amaranth.sim import Simulator

from octopus.hw.memory import BankedMemory
from octopus.hw.memory.banked import PATIENCE

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


def even_parity(word):
    return sum((word >> 8 * byte & 0xFF).bit_count() % 2 << byte for byte in range(4))


@pytest.mark.parametrize(
    ("words", "banks", "reads", "writes", "extra"),
    [
        (32, 4, 3, 2, {}),
        (8, 1, 1, 1, {}),
        (32, 4, 3, 3, {"scrub": True, "yielding": True}),
        (32, 4, 3, 3, {"scrub": True, "yielding": True, "registered": True}),
    ],
)
def test_random_traffic_reads_what_was_written(words, banks, reads, writes, extra):
    memory = BankedMemory(words, banks, reads, writes, **extra)
    content = [0] * words
    generator = random.Random(SEED)
    done = []

    async def traffic(context):
        late = extra.get("registered", False)
        expected = [[None] * reads] * (2 if late else 1)  # of the requests of earlier cycles
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
            row = None
            if extra and generator.random() < 0.2:
                row = generator.randrange(words // banks)
                context.set(memory.scrub_row, row)
            if extra:
                context.set(memory.scrub, row is not None)
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
                    assert row is None
            if row is not None:
                content[banks * row : banks * (row + 1)] = [0] * banks
            for index, word in enumerate(expected.pop(0)):
                if word is not None:
                    assert context.get(memory.reads[index].data) == word, f"OCTOPUS_SEED={SEED}"
                    assert context.get(memory.reads[index].parity) == even_parity(word)
            expected.append(upcoming)
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


def test_the_last_port_yields_but_not_for_ever():
    memory = BankedMemory(64, 4, 3, 3, yielding=True)
    counts = {"reads": [0] * 3, "writes": [0] * 3}

    async def stream(context):
        for side in counts:
            for port in getattr(memory, side):
                context.set(port.request.valid, 1)
        for _ in range(1600):
            for side, taken in counts.items():
                for index, port in enumerate(getattr(memory, side)):
                    taken[index] += context.get(port.request.ready)
            await context.tick()

    simulate(memory, (stream, False))
    assert counts["reads"][2] == counts["writes"][2] == 1600 // PATIENCE
    for taken in counts.values():
        assert sum(taken) == 1600
        assert abs(taken[0] - taken[1]) <= 1600 // PATIENCE


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
