"""Every failure of a task: its status, and that the unit goes on with the next task."""

import sys
from pathlib import Path

from octopus.hw.layouts.activity import ActivityState
from octopus.hw.layouts.descriptor import Edge, Status, StreamMode
from octopus.hw.layouts.space import address_of
from octopus.hw.layouts.words import WORD_MASK

sys.path.insert(0, str(Path(__file__).parent))
from task_bench import (
    CONFIG,
    DATA,
    KERNELS,
    MEMORY_WORDS,
    RESULTS,
    Bench,
    adder_image,
    adder_task,
    descriptor,
)

SIZE = 4 * CONFIG.task_block_unit.scratchpad_words
BEYOND = 4 * MEMORY_WORDS
ELSEWHERE = RESULTS + 0x2000
INVALID, RANGE = Status.DESCRIPTOR_INVALID, Status.ADDRESS_OUT_OF_RANGE
ROW = {"row_words": 4, "rows": 2, "memory_address": DATA}
GROUP = {"edge": Edge.WEST_IN, "port_count": 2, "count0": 4, "stride0": 4}


def patched(content, word, value):
    """``content`` with one word replaced."""
    return [*content[:word], value & WORD_MASK, *content[word + 1 :]]


def with_input(**changes):
    return descriptor(inputs=[ROW | changes])


def with_group(*groups, **changes):
    return descriptor(streams=[GROUP | changes, *groups])


DESCRIPTORS = {
    "magic": (adder_task(magic=0xD4), INVALID),
    "fewer words than counts say": (adder_task(descriptor_words=47), INVALID),
    "more words than counts say": (adder_task(descriptor_words=49), INVALID),
    "huge length": (adder_task(descriptor_words=48 + (1 << 20)), INVALID),
    "too many words": (descriptor(streams=[GROUP] * 21), INVALID),
    "counts that wrap": (adder_task(input_count=255), INVALID),
    "memory address unaligned": (with_input(memory_address=DATA + 1), INVALID),
    "scratchpad address unaligned": (with_input(scratchpad_address=2), INVALID),
    "memory row stride unaligned": (with_input(memory_row_stride=5), INVALID),
    "scratchpad row stride unaligned": (with_input(scratchpad_row_stride=-2), INVALID),
    "instance stride unaligned": (with_input(instance_stride=3), INVALID),
    "index stride unaligned": (with_input(index_stride=1), INVALID),
    "shard stride unaligned": (with_input(shard_stride=2), INVALID),
    "no words in a row": (with_input(row_words=0), INVALID),
    "no rows": (with_input(rows=0), INVALID),
    "output entry unaligned": (descriptor(outputs=[ROW | {"memory_address": 2}]), INVALID),
    "port beyond the west edge": (with_group(first_port=1), INVALID),
    "port beyond the north edge": (with_group(edge=Edge.NORTH_OUT, port_count=3), INVALID),
    "no ports": (with_group(port_count=0), INVALID),
    "element 3": (patched(with_group(), 8, with_group()[8] | 3 << 3), INVALID),
    **{f"count {d} is 0": (with_group(**{f"count{d}": 0}), INVALID) for d in range(4)},
    "count of 17 bits": (with_group(count2=1 << 16), INVALID),
    "port with two inputs": (with_group(GROUP | {"first_port": 1, "port_count": 1}), INVALID),
    "gather on a port with an output": (
        with_group(GROUP | {"edge": Edge.WEST_OUT}, mode=StreamMode.COMPUTED),
        INVALID,
    ),
    "kernel beyond the table": (adder_task(kernel=KERNELS), Status.KERNEL_UNKNOWN),
    "kernel of length 0": (adder_task(kernel=2), Status.KERNEL_UNKNOWN),
    "kernel with a wrong header": (adder_task(kernel=3), Status.KERNEL_INVALID),
    "input beyond memory": (with_input(memory_address=BEYOND - 8), RANGE),
    "input from another, silent cluster": (with_input(memory_address=address_of(3, 1, 0)), RANGE),
    "input beyond the scratchpad": (with_input(scratchpad_address=SIZE - 12), RANGE),
    "input row before the scratchpad": (with_input(scratchpad_row_stride=-4), RANGE),
    "input row far outside": (with_input(scratchpad_row_stride=1 << 30), RANGE),
    "input beyond its half": (
        descriptor(inputs=[ROW | {"scratchpad_address": SIZE // 2 - 12}], half_scratchpad=1),
        RANGE,
    ),
    "output beyond memory": (descriptor(outputs=[ROW | {"memory_address": BEYOND}]), RANGE),
    "output beyond the scratchpad": (
        descriptor(outputs=[ROW | {"memory_address": RESULTS, "scratchpad_address": SIZE}]),
        RANGE,
    ),
    "result outside": (descriptor(has_result=1, result_address=SIZE), RANGE),
    "result far outside": (descriptor(has_result=1, result_address=1 << 31), RANGE),
    "result beyond its half": (
        descriptor(has_result=1, result_address=SIZE // 2, half_scratchpad=1),
        RANGE,
    ),
    "input stream outside": (with_group(base=SIZE - 8), RANGE),
    "output stream outside": (
        with_group({**GROUP, "edge": Edge.WEST_OUT, "base": SIZE - 8}),
        RANGE,
    ),
    "gather outside": (
        descriptor(
            trips=20,
            streams=[GROUP | {"mode": StreamMode.COMPUTED, "base": SIZE - 4, "port_count": 1}],
        ),
        Status.OK,  # nothing pushes an offset
    ),
    "watchdog": (adder_task(16, target=ELSEWHERE, cycle_limit=10), Status.WATCHDOG),
    "long run within its limit": (adder_task(16, target=ELSEWHERE, cycle_limit=60), Status.OK),
}


def test_every_fault_has_its_status_and_the_next_task_runs():
    bench = Bench(0.7)
    data = [bench.memory.generator.getrandbits(30) for _ in range(64)]
    bench.memory.store(DATA, data)
    bench.add_kernel(2, adder_image(0), length=0)
    bench.add_kernel(3, adder_image(0, magic=0))
    expected, targets = [], []
    for number, (content, status) in enumerate(DESCRIPTORS.values()):
        bench.task(content, value=7)
        expected.append(status)
        target = RESULTS + 32 * number
        bench.task(adder_task(4, target=target, kernel=number % 2, half_scratchpad=number // 2 % 2))
        expected.append(Status.OK)
        targets.append((target, [word + 10 * (number % 2 + 1) for word in data[:8]]))
    names = [name for fault in DESCRIPTORS for name in (fault, f"after {fault}")]
    results = bench.run(200_000)
    assert dict(zip(names, results, strict=True)) == dict(zip(names, expected, strict=True))
    for target, words in targets:
        assert bench.memory.load(target, 8) == words
    for completion in bench.completions:
        if Status(completion.status) != Status.OK:
            assert completion.value == 0


HEADERS = [
    {"rows": 3},
    {"columns": 1},
    {"stages": 0},
    {"stages": CONFIG.pea.stages + 1},
    {"body_length": 17},
    {"head_length": 16},
    {"tail_length": 250},
    {"image_words": 15},
    {"image_words": 17},
]


def test_kernel_images_are_checked():
    bench = Bench()
    images = [(adder_image(0, **header), None) for header in HEADERS]
    images += [(adder_image(0), length) for length in (4, 15, 17, 1 << 20)]
    for number, (image, length) in enumerate(images, 1):
        bench.add_kernel(number, image, length)
        bench.task(adder_task(kernel=number))
        bench.task(adder_task(kernel=0))
    assert bench.run() == [Status.KERNEL_INVALID, Status.OK] * len(images)


def test_memory_errors_in_descriptor_table_and_image():
    bench = Bench()
    good = adder_task(kernel=0)
    table, image = bench.table_entry(1)
    bench.memory.failing |= {table // 4 + 1, bench.table_entry(2)[1] // 4 + 2}
    bench.memory.failing.add(bench.table_entry(3)[1] // 4 + 9)
    for kernel in (1, 0, 2, 0, 3, 0):
        bench.task(adder_task(kernel=kernel))
    header = bench.task(good)
    bench.memory.failing.add(bench.dispatches[header]["descriptor"] // 4 + 3)
    rest = bench.task(good)
    bench.memory.failing.add(bench.dispatches[rest]["descriptor"] // 4 + 30)
    bench.dispatch(BEYOND)
    bench.dispatch(address_of(31, 31, 0))
    bench.task(good)
    assert bench.run() == [RANGE, Status.OK] * 3 + [RANGE] * 4 + [Status.OK]
    assert image


def test_unaligned_descriptor_is_invalid():
    bench = Bench()
    number = bench.task(adder_task())
    bench.dispatches[number]["descriptor"] += 2
    assert bench.run() == [INVALID]


def test_cancel_ends_the_present_run_only():
    bench = Bench()
    bench.task(adder_task(trips=20))
    bench.task(adder_task(trips=20))

    async def cancel(context):
        await context.tick().until(bench.unit.activity.state == ActivityState.RUN)
        context.set(bench.unit.cancel, 1)
        await context.tick()
        context.set(bench.unit.cancel, 0)

    assert bench.run(extra=cancel) == [Status.ABORTED, Status.OK]


def test_a_changed_kernel_table_forgets_resident_kernels():
    bench = Bench()
    bench.memory.store(DATA, [5] * 64)
    first = bench.task(adder_task(kernel=0, target=RESULTS))
    bench.task(adder_task(kernel=0, target=RESULTS + 64))

    async def change(context):
        await context.tick().until(bench.unit.completion.valid)
        bench.add_kernel(0, adder_image(1000))
        context.set(bench.unit.kernel_count, 0)
        await context.tick()
        context.set(bench.unit.kernel_count, KERNELS)

    bench.hold_after = first
    assert set(bench.run(extra=change)) == {Status.OK}
    assert bench.memory.load(RESULTS, 1) == [15]
    assert bench.memory.load(RESULTS + 64, 1) == [1005]
