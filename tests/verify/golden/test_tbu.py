"""The golden TBU: what a sound task changes, and how a spoilt one ends."""

from random import Random

import numpy as np
import pytest
from amaranth.lib import data

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import DescriptorHeader, DmaEntry, Status, StreamGroup
from octopus.sched.kernels.elementwise import VectorAdd
from octopus.sched.kernels.reduction import ArgMax
from octopus.verify.bench.tbu_faults import (
    ANY_VALUE_IS_LEGAL,
    HEADER,
    REGIONS,
    descriptor_faults,
    image_faults,
)
from octopus.verify.bench.tbu_tasks import TaskMemory
from octopus.verify.golden.tbu import Task, TaskBlockUnit

TINY = OctopusConfig.load("tiny")
LEFT, RIGHT = np.arange(7) + 1, np.arange(7) * 100


class Rig:
    """A vector sum in memory, and the unit that is to compute it."""

    def __init__(self):
        self.store = TaskMemory(TINY)
        self.task = VectorAdd(7)
        self.number = self.store.kernel_number(self.task.kernel)
        self.buffers = self.store.place_operands(self.task, [LEFT, RIGHT])
        self.descriptor = self.task.descriptor(TINY, self.number, self.buffers)

    def run(self, descriptor=None, count=20, **dispatch):
        address = self.store.place(descriptor or self.descriptor)
        unit = TaskBlockUnit(TINY, self.store.memory, 0, count, regions=REGIONS)
        return unit.run(Task(address, **dispatch))

    @property
    def sums(self):
        return list(self.store.results(self.task, self.buffers)[0])


def test_a_sound_task():
    rig = Rig()
    outcome = rig.run(value=42)
    # Four trips for seven elements on two lanes; flush 3 * 1 + 2.
    assert (outcome.status, outcome.value, outcome.array_cycles) == (Status.OK, 42, 4 + 5)
    assert rig.sums == list(LEFT + RIGHT)


def test_trips_from_the_token():
    rig = Rig()
    outcome = rig.run(HEADER.changed(rig.descriptor, trips_from_token=1), value=2)
    assert outcome.array_cycles == 2 + 5
    assert rig.sums[:4] == list((LEFT + RIGHT)[:4])


@pytest.mark.parametrize(("limit", "status"), [(8, Status.WATCHDOG), (9, Status.OK)])
def test_watchdog(limit, status):
    rig = Rig()
    assert rig.run(HEADER.changed(rig.descriptor, cycle_limit=limit)).status is status


@pytest.mark.parametrize("tag", ["instance", "index", "shard"])
def test_strides(tag):
    rig = Rig()
    store = rig.store
    moved = store.place(rig.task.inputs[0].to_words(LEFT * 7))
    stride = moved - rig.buffers["left"].address
    buffer = type(rig.buffers["left"])(moved - 3 * stride, **{f"{tag}_stride": stride})
    descriptor = rig.task.descriptor(TINY, rig.number, rig.buffers | {"left": buffer})
    assert rig.run(descriptor, **{tag: 3}).status is Status.OK
    assert rig.sums == list(LEFT * 7 + RIGHT)


@pytest.mark.parametrize("fault", descriptor_faults(256, 1024), ids=lambda fault: fault.name)
def test_spoilt_descriptors(fault):
    rig = Rig()
    outcome = rig.run(fault.spoil(rig.descriptor, Random(1)), count=120, value=42)
    assert (outcome.status, outcome.value) == (fault.status, 0), outcome
    assert outcome.stored or rig.sums == [0] * 7


def test_every_field_of_a_descriptor_is_spoilt():
    """A new field needs a fault, or a reason why none of its values can be illegal."""
    fields = {
        (layout, name)
        for layout in (DescriptorHeader, DmaEntry, StreamGroup)
        for name, _ in data.Layout.cast(layout)
    }
    spoilt = {field for fault in descriptor_faults(256, 1024) for field in fault.fields}
    assert spoilt | ANY_VALUE_IS_LEGAL == fields


@pytest.mark.parametrize("fault", image_faults(), ids=lambda fault: fault.name)
def test_spoilt_images(fault):
    rig = Rig()
    rig.store.place_image(9, fault.spoil(rig.task.kernel.image(TINY.pea, 0), Random(1)))
    outcome = rig.run(HEADER.changed(rig.descriptor, kernel=9))
    assert outcome.status is fault.status


def test_the_kernel_count_bounds_the_table():
    rig = Rig()
    assert rig.run(count=0).status is Status.KERNEL_UNKNOWN


def test_tasks_do_not_disturb_each_other():
    rig = Rig()
    other = ArgMax(5)
    number = rig.store.kernel_number(other.kernel)
    buffers = rig.store.place_operands(other, [np.array([1, 2, 9, 9, 0])])
    unit = TaskBlockUnit(TINY, rig.store.memory, 0, 20)
    first = rig.store.place(rig.descriptor)
    second = rig.store.place(other.descriptor(TINY, number, buffers))
    for _ in range(2):
        assert unit.run(Task(first)).status is Status.OK
        assert unit.run(Task(second)).value == 2
    assert rig.sums == list(LEFT + RIGHT)
