"""A Task Block Unit on a memory model, and tasks for it."""

import os
import sys
from pathlib import Path

from amaranth.sim import Simulator

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts import words
from octopus.hw.layouts.descriptor import (
    DescriptorHeader,
    DmaEntry,
    Edge,
    Status,
    StreamGroup,
)
from octopus.hw.layouts.instruction import Control, OperandSource, Operation, OutputSelect
from octopus.hw.layouts.kernel import KernelHeader
from octopus.hw.layouts.region import OPEN_REGION
from octopus.hw.tbu import TaskBlockUnit

sys.path.insert(0, str(Path(__file__).parent))
from memory_model import MemoryModel

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
CONFIG = OctopusConfig.load("tiny")
MEMORY_WORDS = 1 << 14
TABLE = 0x40
KERNELS = 16
IMAGES = 0x400
DESCRIPTORS = 0x1000
DATA = 0x8000
RESULTS = 0xA000


def adder_image(constant, number=0, **changes):
    """Rows add ``constant`` to what comes from the west and send it back west."""
    pea = CONFIG.pea
    image = []
    for _row in range(pea.rows):
        for column in range(pea.columns):
            control = {}
            if column == 0:
                control = {
                    "operation": Operation.ADD,
                    "a": OperandSource.WEST,
                    "b": OperandSource.CONSTANT,
                    "west": OutputSelect.RESULT,
                }
            image += [*words.pack(Control, control), constant]
    header = {
        "magic": 0x4F43,
        "rows": pea.rows,
        "columns": pea.columns,
        "body_length": 1,
        "stages": 1,
        "flush": 4,
        "kernel": number,
        "image_words": 4 + len(image),
    }
    return words.pack(KernelHeader, header | changes) + image


def descriptor(
    kernel=0,
    trips=8,
    inputs=(),
    outputs=(),
    streams=(),
    **header,
):
    entries = [*inputs, *outputs]
    fields = {
        "magic": 0xD5,
        "kernel": kernel,
        "body_trips": trips,
        "outer_trips": 1,
        "input_count": len(inputs),
        "output_count": len(outputs),
        "stream_count": len(streams),
        "descriptor_words": 8 + 8 * len(entries) + 12 * len(streams),
    }
    result = words.pack(DescriptorHeader, fields | header)
    for entry in entries:
        result += words.pack(DmaEntry, {"row_words": 1, "rows": 1} | entry)
    for group in streams:
        defaults = {"port_count": 1, "count0": 1, "count1": 1, "count2": 1, "count3": 1}
        result += words.pack(StreamGroup, defaults | group)
    return result


def adder_task(trips=8, source=DATA, target=RESULTS, **header):
    """Both rows add; row r works on words ``trips * r`` and following."""
    row = {"row_words": trips, "rows": 2, "memory_row_stride": 4 * trips}
    group = {"port_count": 2, "port_stride": 4 * trips, "count0": trips, "stride0": 4}
    out = 8 * trips
    return descriptor(
        trips=trips,
        inputs=[row | {"memory_address": source, "scratchpad_row_stride": 4 * trips}],
        outputs=[
            row
            | {
                "memory_address": target,
                "scratchpad_address": out,
                "scratchpad_row_stride": 4 * trips,
            }
        ],
        streams=[
            group | {"edge": Edge.WEST_IN},
            group | {"edge": Edge.WEST_OUT, "base": out},
        ],
        **header,
    )


class Bench:
    """A TBU on a memory model; dispatches tasks and collects completions."""

    def __init__(self, pace=1.0, seed=SEED):
        self.unit = TaskBlockUnit(CONFIG)
        self.memory = MemoryModel(self.unit.memory, MEMORY_WORDS, pace, seed)
        self.pace = pace
        self.dispatches = []
        self.completions = []
        self.regions = [OPEN_REGION]
        self.tables = {}  # region table to set before a dispatch, when all before have ended
        self.hold_after = None  # dispatch nothing more until this many tasks have ended
        for number in range(KERNELS):
            self.add_kernel(number, adder_image(10 * (number + 1), number))
        self._next = DESCRIPTORS

    def add_kernel(self, number, image, length=None):
        entry, offset = self.table_entry(number)
        self.memory.store(offset, image)
        self.memory.store(entry, [offset, len(image) if length is None else length])

    def table_entry(self, number):
        """Byte addresses of a kernel's table entry and image."""
        return TABLE + 8 * number, IMAGES + 0x80 * number

    def task(self, content, **dispatch):
        address = self._next
        self.memory.store(address, content)
        self._next += 4 * len(content)
        return self.dispatch(address, **dispatch)

    def dispatch(self, descriptor, **fields):
        self.dispatches.append({"descriptor": descriptor, "block": len(self.dispatches)} | fields)
        return len(self.dispatches) - 1

    async def _dispatch(self, context):
        port = self.unit.dispatch
        for number, dispatch in enumerate(self.dispatches):
            if number in self.tables:
                while len(self.completions) < number:
                    await context.tick()
                self._set_regions(context, self.tables[number])
            context.set(port.payload, dispatch)
            context.set(port.valid, 1)
            await context.tick().until(port.ready)
            context.set(port.valid, 0)
            while self.hold_after is not None and len(self.completions) <= self.hold_after:
                await context.tick()
            if self.hold_after is not None:
                await context.tick().repeat(4)

    async def _collect(self, context):
        port = self.unit.completion
        while len(self.completions) < len(self.dispatches):
            while self.memory.generator.random() > self.pace:
                await context.tick()
            context.set(port.ready, 1)
            (payload,) = await context.tick().sample(port.payload).until(port.valid)
            self.completions.append(payload)
            context.set(port.ready, 0)

    async def _set_up(self, context):
        context.set(self.unit.kernel_table_address, TABLE)
        context.set(self.unit.kernel_count, KERNELS)
        self._set_regions(context, self.regions)

    def _set_regions(self, context, regions):
        for number in range(CONFIG.cluster.regions):
            entry = regions[number] if number < len(regions) else {}
            for name in ("first", "last", "readers", "writers"):
                context.set(getattr(self.unit.regions[number], name), entry.get(name, 0))

    async def _limit(self, context):
        for _ in range(self.cycles):
            await context.tick()
        raise AssertionError(f"not finished after {self.cycles} cycles (OCTOPUS_SEED={SEED})")

    def run(self, cycles=20_000, extra=None):
        self.cycles = cycles
        simulator = Simulator(self.unit)
        simulator.add_clock(1e-8)
        simulator.add_testbench(self._set_up)
        simulator.add_testbench(self._dispatch)
        simulator.add_testbench(self._collect)
        simulator.add_testbench(self.memory.serve, background=True)
        simulator.add_testbench(self._limit, background=True)
        if extra:
            simulator.add_testbench(extra, background=True)
        simulator.run()
        assert [c.block for c in self.completions] == [d["block"] for d in self.dispatches]
        return [Status(c.status) for c in self.completions]
