"""Domains: what a task may touch, and that it finds nothing of another domain."""

import random
import sys
from pathlib import Path

from amaranth.sim import Simulator

from octopus.hw.layouts.descriptor import Edge, Status
from octopus.hw.layouts.region import OPEN_REGION
from octopus.hw.layouts.space import CONFIGURATION_BIT, address_of
from octopus.hw.tbu.region_checker import RegionChecker
from octopus.verify.golden.regions import GuardedMemory, Region, RegionError

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import (
    DATA,
    DESCRIPTORS,
    IMAGES,
    KERNELS,
    RESULTS,
    SEED,
    TABLE,
    Bench,
    adder_image,
    adder_task,
    descriptor,
)

VIOLATION = Status.REGION_VIOLATION


def region(first, words, readers=0, writers=0):
    return {
        "first": first,
        "last": first + 4 * (words - 1),
        "readers": readers,
        "writers": writers,
    }


PROGRAM = region(TABLE, (DATA - TABLE) // 4, readers=0b11)
"""Kernel table, images and descriptors: both domains read them."""


def test_every_kind_of_access_is_checked():
    """One region after the other is missing or short; the task fails and nothing is written."""
    inputs, outputs = region(DATA, 16, readers=2), region(RESULTS, 16, writers=2)
    table = region(TABLE, 2 * KERNELS, readers=2)
    images = region(IMAGES, (DESCRIPTORS - IMAGES) // 4, readers=2)
    descriptors = region(DESCRIPTORS, (DATA - DESCRIPTORS) // 4, readers=2)
    program = region(TABLE, (DATA - TABLE) // 4, readers=2)
    cases = {
        "all": [table, region(IMAGES, (DATA - IMAGES) // 4, readers=2), inputs, outputs],
        "no table": [images, descriptors, inputs, outputs],
        "no images": [table, descriptors, inputs, outputs],
        "no descriptors": [table, images, inputs, outputs],
        "no inputs": [program, outputs],
        "no outputs": [program, inputs],
        "inputs only written": [program, outputs, inputs | {"readers": 0, "writers": 2}],
        "outputs only read": [program, inputs, outputs | {"readers": 2, "writers": 0}],
        "inputs begin late": [program, outputs, region(DATA + 4, 15, readers=2)],
        "inputs end early": [program, outputs, region(DATA, 15, readers=2)],
        "outputs begin late": [program, inputs, region(RESULTS + 4, 15, writers=2)],
        "outputs end early": [program, inputs, region(RESULTS, 15, writers=2)],
        "inputs in two regions": [
            program,
            outputs,
            region(DATA, 7, readers=2),
            region(DATA + 28, 9, readers=2),
        ],
        "other domains": [program | {"readers": 0xFFFD}, inputs, outputs],
        "in the end": [program, inputs, outputs],
    }
    bench = Bench()
    bench.memory.store(DATA, list(range(100, 116)))
    for number, regions in enumerate(cases.values()):
        # kernels of their own: none is resident
        bench.tables[number] = regions
        bench.task(adder_task(domain=1, kernel=number), domain=1)
    found = dict(zip(cases, bench.run(40_000), strict=True))
    assert found == {
        name: Status.OK if name in ("all", "in the end") else VIOLATION for name in cases
    }
    last = 10 * len(cases)
    assert bench.memory.load(RESULTS, 16) == [word + last for word in range(100, 116)]
    # of the spoilt outputs only the other row, which was allowed
    assert bench.memory.writes == 2 * 16 + 8 + 8


def test_a_violation_leaves_the_unit_ready():
    bench = Bench(0.6)
    bench.regions = [
        OPEN_REGION,
        PROGRAM,
        region(DATA, 64, readers=2),
        region(RESULTS + 0x100, 64, writers=2),
    ]
    bench.memory.store(DATA, list(range(64)))
    configuration = address_of(0, 0, 1 << CONFIGURATION_BIT)
    expected = []
    for content, domain, status in (
        (adder_task(target=RESULTS + 0x100), 1, Status.OK),
        (adder_task(target=RESULTS), 1, VIOLATION),
        (adder_task(target=RESULTS), 0, Status.OK),
        (adder_task(source=RESULTS, target=RESULTS + 0x100), 1, VIOLATION),
        (adder_task(trips=32, target=RESULTS + 0x100), 1, Status.OK),
        (adder_task(trips=33, target=RESULTS + 0x100), 1, VIOLATION),
        (adder_task(), 2, VIOLATION),
        (adder_task(), 16, VIOLATION),
        (adder_task(), 255, VIOLATION),
        (adder_task(source=configuration), 0, VIOLATION),
        (adder_task(target=configuration + 0x80000), 0, VIOLATION),
        (adder_task(source=configuration - 4), 0, VIOLATION),
        (adder_task(domain=1), 0, Status.DESCRIPTOR_INVALID),
        (adder_task(target=RESULTS + 0x200), 0, Status.OK),
    ):
        header = content.copy()
        header[0] ^= domain << 8
        bench.task(header, domain=domain)
        expected.append(status)
    assert bench.run() == expected
    assert bench.memory.load(RESULTS, 16) == [word + 10 for word in range(16)]
    assert bench.memory.load(RESULTS + 0x100, 64) == [word + 10 for word in range(64)]
    assert bench.memory.load(RESULTS + 0x200, 16) == [word + 10 for word in range(16)]


def copies(target, words, domain, **header):
    """Writes ``words`` of scratchpad that were never filled to ``target``."""
    entry = {"memory_address": target, "row_words": words, "rows": 1}
    return descriptor(outputs=[entry], trips=1, domain=domain, **header)


def test_kernels_are_resident_for_their_domain_only():
    """The same kernel runs for two domains: the image is read once for each."""
    bench = Bench()
    bench.regions = [OPEN_REGION | {"readers": 3, "writers": 3}]
    for domain in (0, 1, 0, 1):
        bench.task(adder_task(domain=domain, half_scratchpad=1), domain=domain)
    # one that may not read the image cannot use what another has loaded
    bench.tables[4] = [
        OPEN_REGION,
        region(DESCRIPTORS, (RESULTS + 64 - DESCRIPTORS) // 4, readers=4, writers=4),
    ]
    bench.task(adder_task(domain=2), domain=2)
    fetched = []

    async def count(context):
        request = bench.unit.memory.request
        while True:
            await context.tick().until(request.valid & request.ready)
            address = context.get(request.payload.address)
            if address == bench.table_entry(0)[1]:
                fetched.append(address)

    assert bench.run(extra=count) == [Status.OK] * 4 + [VIOLATION]
    assert len(fetched) == 2


def test_a_new_table_forgets_kernels_and_zeroes_the_scratchpad():
    bench = Bench()
    bench.memory.store(DATA, [7] * 16)
    first = bench.task(adder_task(kernel=0))
    bench.task(copies(RESULTS + 0x100, 16, 0, kernel=0))

    async def change(context):
        await context.tick().until(bench.unit.completion.valid)
        bench.add_kernel(0, adder_image(1000))
        context.set(bench.unit.regions_changed, 1)
        await context.tick()
        context.set(bench.unit.regions_changed, 0)

    bench.hold_after = first
    bench.memory.store(RESULTS + 0x100, [1] * 16)
    assert set(bench.run(extra=change)) == {Status.OK}
    assert bench.memory.load(RESULTS, 1) == [17]
    assert bench.memory.load(RESULTS + 0x100, 16) == [0] * 16


def test_the_checker_agrees_with_the_model():
    """Random tables and bursts, crowded around the regions' ends."""
    generator = random.Random(SEED)
    checker = RegionChecker(4, 2)
    places = [0, 64, 128, 0x20_0000, 0x40_0000, 0xFFFF_FFF0, 0x60_0000]

    def near(places):
        return (generator.choice(places) + 4 * generator.randrange(-3, 4)) & 0xFFFFFFFC

    async def testbench(context):
        context.set(checker.checked.ready, 1)
        allowed = 0
        for _ in range(1500):
            table = []
            for number in range(4):
                entry = {
                    "first": near(places),
                    "last": near(places),
                    "readers": generator.getrandbits(16),
                    "writers": generator.getrandbits(16),
                }
                table.append(Region(**entry))
                context.set(checker.regions[number], entry)
            domain = generator.choice((0, 3, 15, 16, 200))
            write, length = generator.getrandbits(1), generator.choice((0, 3, 15, 63))
            first = near(places)
            request = {"write": write, "length": length, "address": first, "mask": 15}
            context.set(
                checker.request.payload, {"request": request, "domain": domain, "client": 1}
            )
            context.set(checker.request.valid, 1)
            await context.tick()
            context.set(checker.request.valid, 0)
            await context.tick()
            assert context.get(checker.checked.valid)
            needed = True
            try:
                GuardedMemory(None, table, 64)._check(domain, bool(write), first, length + 1)
            except RegionError:
                needed = False
            assert context.get(checker.allowed) == needed, (table, request, domain)
            allowed += needed
        assert allowed > 100, "hardly anything was allowed: the test shows little"

    simulator = Simulator(checker)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


def test_streams_of_a_failed_task_leave_no_words_for_the_next():
    """A task of domain 1 dies with words queued at its ports; domain 0 sees none of them."""
    bench = Bench()
    bench.regions = [OPEN_REGION | {"readers": 3, "writers": 3}]
    bench.memory.store(DATA, [0x5EC0] * 64)
    bench.task(adder_task(trips=32, domain=1, cycle_limit=5), domain=1)
    group = {"edge": Edge.WEST_OUT, "port_count": 2, "port_stride": 64, "count0": 8, "stride0": 4}
    out = {"memory_address": RESULTS, "row_words": 32, "rows": 1}
    bench.task(descriptor(trips=8, streams=[group], outputs=[out]))
    assert bench.run() == [Status.WATCHDOG, Status.OK]
    assert bench.memory.load(RESULTS, 32) == [0] * 32
