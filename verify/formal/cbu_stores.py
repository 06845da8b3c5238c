"""Properties of what the Control Block Unit keeps: firings, shards and the TBUs' books."""

from amaranth.hdl import Cat, Module, Mux, Signal

from octopus.hw.cbu.chooser import UnitChooser
from octopus.hw.cbu.firing_queue import FiringQueue
from octopus.hw.cbu.records import ShardGroup
from octopus.hw.cbu.shards import ShardTracker
from octopus.hw.layouts.block import Combine
from octopus.hw.layouts.descriptor import Status

from .property import Property


class FiringQueueExact(Property):
    """One firing that waits has a colour; where it stands is counted beside the queue."""

    claim = (
        "firing queue: no firing lost, duplicated or changed; oldest first below the pressure, "
        "newest first from there on; the level is exact"
    )
    depth = 12
    resets = True

    def __init__(self, depth: int, pressure: int) -> None:
        super().__init__(depth=depth, pressure=pressure)

    def build(self, m: Module) -> None:
        dut = FiringQueue(**self.parameters)
        self.place(m, dut, driven=("push", "push_valid"))
        m.d.comb += dut.push_valid.eq(self.free(1, "push_valid"))
        self.narrow(m, dut.push, "push", block=1, value=2)
        level, place = (Signal(range(dut.depth + 2), name=name) for name in ("level", "place"))
        present, due, note = Signal(), Signal(), Signal(2)
        colour = dut.push.block[0]
        pressed = level >= dut.pressure
        leaves = dut.take & present & (place == Mux(pressed, level - 1, 0))
        self.assume(~dut.take | (level != 0))
        self.assume(~dut.push_valid | (level < dut.depth))
        self.assume(~(dut.push_valid & colour & present))
        m.d.sync += [level.eq(level + dut.push_valid - dut.take), due.eq(leaves)]
        with m.If(dut.push_valid & colour):
            m.d.sync += [present.eq(1), note.eq(dut.push.value), place.eq(level - dut.take)]
        with m.Elif(leaves):
            m.d.sync += present.eq(0)
        with m.Elif(dut.take & ~pressed):
            m.d.sync += place.eq(place - 1)
        took = Signal()
        m.d.sync += took.eq(dut.take)
        self.require("level", dut.level == level)
        self.require("pressed", dut.pressed == pressed)
        self.require("leaves in its turn, once", ~took | (dut.taken.block[0] == due))
        self.require("unchanged", ~due | (dut.taken.value == note))
        self.cover("leaves as the newest", leaves & (level == dut.depth))
        self.cover("leaves as the oldest after waiting", leaves & ~pressed & (note == 2))


class ShardsExact(Property):
    """The shards of one task, whichever, among those of others."""

    claim = (
        "shard tracker: the last completion is told exactly when all shards have ended; status "
        "of the first that failed, values combined; no place lost; never two of one key"
    )
    depth = 8

    def __init__(self, groups: int) -> None:
        super().__init__(groups=groups)

    def build(self, m: Module) -> None:
        dut = ShardTracker(self.parameters["groups"])
        self.place(m, dut, driven=("begin_group", "group", "value", "begin_shards"))
        self.narrow(m, dut.begin_group, "begin", block=1, instance=1)
        self.narrow(m, dut.group, "group", block=1, instance=1)
        m.d.comb += [
            dut.value.eq(self.free(2, "value")),
            dut.begin_shards.eq(self.free(2, "begin_shards")),
        ]
        key = self.constant(m, len(dut.group.as_value()), "key")
        operation = self.constant(m, Combine.as_shape(), "operation")
        begins = dut.begin & (dut.begin_group.as_value() == key)
        ends = dut.finish & (dut.group.as_value() == key)
        present, first, total = Signal(), Signal(), Signal(32)
        left, used = Signal(4), Signal(range(dut.groups + 2))
        status = Signal(Status.as_shape())
        self.assume(~dut.begin | (dut.begin_allowed & (dut.begin_shards != 0)))
        self.assume(~ends | present)
        self.assume(dut.operation.as_value() == operation)
        combined = Mux(first, dut.value, _combine(operation, total, dut.value))
        worst = Mux(status == Status.OK.value, dut.status, status)
        with m.If(begins):
            m.d.sync += [present.eq(1), first.eq(1), left.eq(dut.begin_shards)]
            m.d.sync += status.eq(Status.OK.value)
        with m.Elif(ends):
            m.d.sync += [present.eq(left != 1), first.eq(0), left.eq(left - 1)]
            m.d.sync += [total.eq(combined), status.eq(worst)]
        m.d.sync += used.eq(used + dut.begin - (dut.finish & dut.last))
        asked = dut.begin_group.as_value() == key
        self.require("places counted", used <= dut.groups)
        self.require(
            "allowed exactly if a place is free and the key is not there",
            ~asked | (dut.begin_allowed == ((used < dut.groups) & ~present)),
        )
        self.require("last", ~ends | (dut.last == (left == 1)))
        self.require("value", ~ends | (dut.total == combined))
        self.require("status", ~ends | (dut.total_status.as_value() == worst))
        self.cover("all places used", used == dut.groups)
        self.cover("three shards end", ends & dut.last & (dut.total == 6))


def _combine(operation: Signal, so_far: Signal, value: Signal) -> Signal:
    """As the specification says of ``combine``; values here are small and not negative."""
    smaller = Mux(value < so_far, value, so_far)
    larger = Mux(value < so_far, so_far, value)
    result = so_far + value
    for code, other in (
        (Combine.MINIMUM, smaller),
        (Combine.MAXIMUM, larger),
        (Combine.AND, so_far & value),
        (Combine.OR, so_far | value),
    ):
        result = Mux(operation == code.value, other, result)
    return result[:32]


class ChooserBooks(Property):
    """What each TBU was given, counted beside the chooser."""

    claim = (
        "unit chooser: one candidate is chosen if there is one, an idle one if any is idle; no "
        "TBU is given more than its limit; its count is exact"
    )
    depth = 10

    def __init__(self, units: int, limit: int) -> None:
        super().__init__(units=units, limit=limit)

    def build(self, m: Module) -> None:
        limit = self.parameters["limit"]
        dut = UnitChooser(self.parameters["units"], limit, 2)
        self.place(m, dut, driven=("kernel", "arriving_kernel"))
        m.d.comb += dut.kernel.eq(self.free(2, "kernel"))
        m.d.comb += dut.arriving_kernel.eq(self.free(2, "arriving_kernel"))
        self.assume((dut.candidates & ~dut.open) == 0)
        acts = Cat(dut.give, dut.hint, dut.arrive)
        self.assume((acts & (acts - 1)) == 0)
        self.assume((dut.give & ~dut.open) == 0)
        self.assume((dut.arrive & ~dut.expected) == 0)
        idle = Signal(dut.task_block_units)
        for unit in range(dut.task_block_units):
            count = Signal(range(limit + 2), name=f"given{unit}")
            given = dut.give[unit] | dut.arrive[unit]
            m.d.sync += count.eq(count + given - dut.finished[unit])
            m.d.comb += idle[unit].eq(count == 0)
            self.assume(~dut.finished[unit] | (count != 0))
            self.require(f"unit {unit} within its limit", count <= limit)
            self.require(f"unit {unit} open exactly below it", dut.open[unit] == (count < limit))
            told, task = Signal(name=f"told{unit}"), Signal(ShardGroup, name=f"task{unit}")
            named = Signal(name=f"named{unit}")
            m.d.sync += named.eq(told & (dut.task.as_value() == task.as_value()))
            with m.If(dut.forget):
                m.d.sync += told.eq(0)
            with m.Elif(dut.hint[unit]):
                m.d.sync += [told.eq(1), task.eq(dut.task)]
            with m.Elif(
                dut.arrive[unit] | (dut.give[unit] & (dut.task.as_value() == task.as_value()))
            ):
                m.d.sync += told.eq(0)
            self.require(f"unit {unit} was told this task last", dut.announced[unit] == named)
            expects = told & (dut.arriving.as_value() == task.as_value()) & (count == 0)
            self.require(f"unit {unit} expects what it was told", ~dut.expected[unit] | expects)
        self.require("one is expected", (dut.expected & (dut.expected - 1)) == 0)
        self.require("one of the candidates", (dut.chosen & ~dut.candidates) == 0)
        self.require("one", (dut.chosen & (dut.chosen - 1)) == 0)
        self.require("some if there is one", dut.chosen.any() == dut.candidates.any())
        free = dut.candidates & idle
        self.require("an idle one first", ~free.any() | (dut.chosen & idle).any())
        self.cover("one arrives that is expected", dut.arrive.any())
        self.cover("all are full", ~dut.open.any())
