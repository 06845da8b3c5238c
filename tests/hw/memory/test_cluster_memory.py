"""ClusterMemory: bursts against a plain list, errors, back-pressure, throughput."""

import os
import random

import pytest
from amaranth.sim import Simulator

from octopus.hw.layouts.space import address_of
from octopus.hw.memory import ClusterMemory

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
WORDS = 64


class Requester:
    """Drives one port: a list of bursts, write words and answers, with random pauses."""

    def __init__(self, port, bursts, pace, seed):
        self.port, self.bursts, self.pace = port, bursts, pace
        self.generator = random.Random(seed)
        self.answers = []
        self.owed = sum(1 if b["write"] else len(b["words"]) for b in bursts)
        self.cycles = 0

    async def pause(self, context):
        while self.generator.random() > self.pace:
            await context.tick()

    async def requests(self, context):
        for burst in self.bursts:
            await self.pause(context)
            context.set(
                self.port.request.payload,
                {
                    "write": burst["write"],
                    "mask": burst["mask"],
                    "length": len(burst["words"]) - 1,
                    "address": burst["address"],
                },
            )
            context.set(self.port.request.valid, 1)
            await context.tick().until(self.port.request.ready)
            context.set(self.port.request.valid, 0)

    async def words(self, context):
        for burst in self.bursts:
            for word in burst["words"] if burst["write"] else []:
                await self.pause(context)
                context.set(self.port.write.payload, word)
                context.set(self.port.write.valid, 1)
                await context.tick().until(self.port.write.ready)
                context.set(self.port.write.valid, 0)

    async def collect(self, context):
        while len(self.answers) < self.owed:
            await self.pause(context)
            context.set(self.port.response.ready, 1)
            (payload,) = (
                await context.tick()
                .sample(self.port.response.payload)
                .until(self.port.response.valid)
            )
            self.answers.append((payload.data, payload.last, payload.error))
            context.set(self.port.response.ready, 0)


def run(memory, requesters, cycles=30_000):
    simulator = Simulator(memory)
    simulator.add_clock(1e-8)
    for requester in requesters:
        simulator.add_testbench(requester.requests)
        simulator.add_testbench(requester.words)
        simulator.add_testbench(requester.collect)

    async def limit(context):
        for _ in range(cycles):
            await context.tick()
        raise AssertionError(f"not finished after {cycles} cycles (OCTOPUS_SEED={SEED})")

    simulator.add_testbench(limit, background=True)
    simulator.run()


def read(address, length):
    return {"write": 0, "mask": 0, "address": address, "words": [0] * length}


def write(address, words, mask=15):
    return {"write": 1, "mask": mask, "address": address, "words": words}


def expected_answers(bursts, content, low, high):
    """Answers of a plain list; accesses are legal in words ``low`` to ``high - 1``."""
    answers = []
    for burst in bursts:
        start, length = (burst["address"] & 0x3FFFFF) >> 2, len(burst["words"])
        error = int(start + length > WORDS)
        assert error or (low <= start and start + length <= high)
        if burst["write"]:
            answers.append((0, 1, error))
        for index, word in enumerate(burst["words"]):
            last = int(index == length - 1)
            if error:
                if not burst["write"]:
                    answers.append((0, last, 1))
            elif burst["write"]:
                enable = sum(0xFF << 8 * i for i in range(4) if burst["mask"] >> i & 1)
                old = content[start + index]
                content[start + index] = old & ~enable | word & enable
            else:
                answers.append((content[start + index], last, 0))
    return answers


def random_bursts(generator, low, high, count):
    bursts = [write(4 * low, [generator.getrandbits(32) for _ in range(high - low)])]
    for _ in range(count):
        length = generator.randint(1, high - low)
        start = generator.randint(low, high - length)
        if generator.random() < 0.2:
            start = generator.choice([WORDS - length + 1, WORDS, 1 << 19, (1 << 20) - length])
        x, y = generator.randrange(32), generator.randrange(32)
        address = address_of(x, y, 4 * start)
        if generator.random() < 0.5:
            words = [generator.getrandbits(32) for _ in range(length)]
            bursts.append(write(address, words, generator.randrange(16)))
        else:
            bursts.append(read(address, length))
    return bursts


@pytest.mark.parametrize("pace", [1.0, 0.5])
def test_random_bursts_on_every_port(pace):
    generator = random.Random(SEED)
    memory = ClusterMemory(WORDS, 4, 3)
    slices = [(0, 20), (20, 40), (40, WORDS)]
    requesters = [
        Requester(port, random_bursts(generator, *part, 40), pace, SEED + index)
        for index, (port, part) in enumerate(zip(memory.ports, slices, strict=True))
    ]
    run(memory, requesters)
    for requester, part in zip(requesters, slices, strict=True):
        assert requester.answers == expected_answers(requester.bursts, [0] * WORDS, *part)


def test_a_write_burst_before_its_data_does_not_block_the_other_port():
    memory = ClusterMemory(WORDS, 4, 2)
    late = Requester(memory.ports[0], [write(0, [7] * 4)], 0.02, SEED)
    other = Requester(memory.ports[1], [read(0, 32)] * 4, 1.0, SEED)
    run(memory, [late, other])
    assert len(other.answers) == 128


def test_bursts_stream_a_word_a_cycle_without_gaps():
    memory = ClusterMemory(WORDS, 4, 4)
    first, last, words = [None] * 4, [0] * 4, [0] * 4

    async def bench(context):
        for index, port in enumerate(memory.ports):
            context.set(port.response.ready, 1)
            context.set(port.request.valid, 1)
            context.set(port.request.payload, {"length": 15, "address": 64 * index})
        for cycle in range(200):
            for index, port in enumerate(memory.ports):
                if context.get(port.response.valid):
                    first[index] = cycle if first[index] is None else first[index]
                    last[index] = cycle
                    words[index] += 1
            await context.tick()

    simulator = Simulator(memory)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    for index in range(4):
        # the ports start in the same bank: at most three cycles until they have parted
        assert first[index] <= 4 + 3
        assert last[index] - first[index] + 1 - words[index] <= 3


def test_invalid_parameters_are_named():
    with pytest.raises(ValueError, match="ports is 0"):
        ClusterMemory(WORDS, 4, 0)
    with pytest.raises(ValueError, match="words is 65"):
        ClusterMemory(65, 4, 1)
