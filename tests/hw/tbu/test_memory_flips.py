"""Bits that flip inside the unit's own memories: noticed, or without any effect."""

import random
import sys
from pathlib import Path

import pytest
from amaranth.lib import memory

from octopus.hw.layouts.descriptor import Status
from octopus.hw.tbu.layouts import DESCRIPTOR_SLOTS

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import CONFIG, DATA, RESULTS, SEED, Bench, adder_task

TRIPS, TASKS = 8, 14
WORD_BITS = 36
UNIT = CONFIG.task_block_unit
DESCRIPTOR_WORDS = len(adder_task(TRIPS))


@pytest.fixture
def memories(monkeypatch):
    """Every memory with parity that is built, by its depth."""
    built = {}
    create = memory.Memory.__init__

    def record(self, *args, **options):
        create(self, *args, **options)
        built.setdefault(options.get("depth"), []).append(self)

    monkeypatch.setattr(memory.Memory, "__init__", record)
    return built


def flip_buffer(generator, memories, number):
    """A bit of the descriptor of dispatch ``number``, which has a slot of its own."""
    (storage,) = memories[DESCRIPTOR_SLOTS * UNIT.descriptor_words]
    slot = number % DESCRIPTOR_SLOTS
    return storage, slot * UNIT.descriptor_words + generator.randrange(DESCRIPTOR_WORDS)


def flip_scratchpad(generator, memories, number):
    """A bit of an operand or a result."""
    banks = memories[UNIT.scratchpad_words // UNIT.scratchpad_banks]
    word = generator.randrange(4 * TRIPS)
    return banks[word % UNIT.scratchpad_banks], word // UNIT.scratchpad_banks


@pytest.mark.parametrize("flip", [flip_buffer, flip_scratchpad])
def test_a_flipped_bit_is_noticed_or_changes_nothing(flip, memories):
    """At a random moment of every second task; the task between is sound."""
    generator = random.Random(f"{SEED} {flip.__name__}")
    bench = Bench()
    source = [generator.getrandbits(31) for _ in range(2 * TRIPS)]
    bench.memory.store(DATA, source)
    for number in range(TASKS):
        bench.task(adder_task(TRIPS, DATA, RESULTS + 64 * number))

    async def dispatch(context):
        port = bench.unit.dispatch
        for number, fields in enumerate(bench.dispatches):
            context.set(port.payload, fields)
            context.set(port.valid, 1)
            await context.tick().until(port.ready)
            context.set(port.valid, 0)
            if number % 2:
                await context.tick().repeat(generator.randrange(30, 170))
                storage, word = flip(generator, memories, number)
                row = storage.data[word]
                context.set(row, context.get(row) ^ 1 << generator.randrange(WORD_BITS))
            while len(bench.completions) <= number:
                await context.tick()

    bench._dispatch = dispatch
    statuses = bench.run(20_000)
    assert set(statuses) <= {Status.OK, Status.MEMORY_PARITY}
    assert set(statuses[::2]) == {Status.OK}, "a flip had an effect on the next task"
    assert Status.MEMORY_PARITY in statuses, "no flip was noticed: the test shows nothing"
    for number, status in enumerate(statuses):
        if status is Status.OK:
            found = bench.memory.load(RESULTS + 64 * number, 2 * TRIPS)
            assert found == [word + 10 for word in source], f"task {number} (OCTOPUS_SEED={SEED})"
