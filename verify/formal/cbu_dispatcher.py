"""The dispatcher: each ready task goes to one TBU, once, or is discarded with its instance."""

from typing import Any

from amaranth.hdl import Array, Cat, Fragment, Module, Mux, Signal, Value

from octopus.hw.cbu.backlog import TaskBacklog
from octopus.hw.cbu.dispatcher import TaskDispatcher
from octopus.hw.cbu.window import TaskWindow

from .handshake import kept_until_ready
from .property import Property

EAGER_CYCLES = 16
"""Cycles in which some task that waits goes on if nothing outside hinders it."""

BACKLOG = 8
"""Places of the backlog, the fewest that there may be."""

OUTSTANDING = 2
"""Tasks that a TBU may have."""


class WindowExact(Property):
    """Beside the window stands the plain form of what it must be: a list, oldest first.

    A task's content is one bit, which stands for any other, for the window looks at none.
    """

    claim = (
        "task window: what is noted is the oldest that can go (or the oldest, if none can); it "
        "leaves once and unchanged; none is lost; level and ``full`` are exact"
    )
    depth = 12

    def __init__(self, depth: int) -> None:
        super().__init__(depth=depth)

    def build(self, m: Module) -> None:
        depth = self.parameters["depth"]
        dut = TaskWindow(depth, 2)
        self.place(m, dut, driven=("enter", "oldest"))
        self.narrow(m, dut.enter, "enter", value=1, shards=2)
        listed = Array(Signal(4, name=f"listed{i}") for i in range(depth + 1))
        level, noted = Signal(range(depth + 1)), Signal(range(depth + 1))
        going, place = Signal(depth), Signal(range(depth + 1))
        new = Cat(dut.enter.value[0], dut.enter.shards == 1, dut.enter_mask)
        for i in range(depth):
            single, mask = listed[i][1], listed[i][2:4]
            m.d.comb += going[i].eq(
                (i < level) & (mask & dut.open_units).any() & (single | ~dut.single)
            )
        for i in reversed(range(depth)):
            with m.If(going[i]):
                m.d.comb += place.eq(i)
        known = Signal()  # what leaves was noted, and is still there
        m.d.comb += dut.oldest.eq(~going.any())
        m.d.sync += known.eq((known & ~dut.remove) | (dut.search & (level != 0) & ~dut.remove))
        with m.If(dut.search):
            m.d.sync += noted.eq(place)
        self.assume(~dut.remove | (known & ~dut.search))
        self.assume(~dut.enter_valid | (level < depth))
        for i in range(depth):
            with m.If(dut.remove & (i >= noted)):
                m.d.sync += listed[i].eq(listed[i + 1])
        with m.If(dut.enter_valid):
            m.d.sync += listed[(level - dut.remove)[: len(level)]].eq(new)
        m.d.sync += level.eq(level + dut.enter_valid - dut.remove)
        self.require("level", dut.level == level)
        self.require("full", dut.full == (level == depth))
        self.require("found", dut.found == going.any())
        self.require("the noted one", ~known | (dut.chosen.value[0] == listed[noted][0]))
        self.cover("leaves from the middle of a full one", dut.remove & (noted == 1) & dut.full)
        enters = dut.remove & dut.enter_valid & (noted == 0)
        self.cover("one enters as the oldest leaves", enters & (level == depth - 1))


class BacklogExact(Property):
    """One task, whichever, has a colour; all are counted."""

    claim = (
        "task backlog: each task that comes or returns enters the window exactly once, unchanged; "
        "what it says of its places is exact; a task waits at most two cycles for itself"
    )
    depth = 16

    def __init__(self, depth: int) -> None:
        super().__init__(depth=depth)

    def build(self, m: Module) -> None:
        depth = self.parameters["depth"]
        dut = TaskBacklog(depth)
        self.place(m, dut, driven=("task", "task_valid", "returned"))
        valid = self.free(1, "task_valid")
        m.d.comb += dut.task_valid.eq(valid)
        self.narrow(m, dut.task, "task", block=1, value=1)
        self.narrow(m, dut.returned, "returned", block=1, value=1)
        comes = dut.task_valid | dut.returned_valid
        colour, value = Signal(), Signal()
        m.d.comb += Cat(colour, value).eq(
            Mux(
                dut.returned_valid,
                Cat(dut.returned.block[0], dut.returned.value[0]),
                Cat(dut.task.block[0], dut.task.value[0]),
            )
        )
        room, level = Signal(3), Signal(range(depth + 1))
        present, note, enough, late = Signal(), Signal(), Signal(), Signal(2)
        m.d.sync += [room.eq(Cat(dut.room, room[:2])), enough.eq(level <= depth - 6)]
        m.d.sync += level.eq(level + comes - dut.enter_valid)
        self.assume(~valid | room[2])
        self.assume(~dut.returned_valid | (dut.returnable & ~valid))
        mine = comes & colour
        self.assume(~(mine & present))
        leaves = dut.enter_valid & dut.enter.block[0]
        straight = dut.task_valid & (level == 0)
        with m.If(mine):
            m.d.sync += [present.eq(~leaves), note.eq(value)]
        with m.Elif(leaves):
            m.d.sync += present.eq(0)
        m.d.sync += late.eq(Mux(dut.waiting | (level == 0), 0, late + 1))
        self.require("none invented", ~dut.enter_valid | (level != 0) | straight)
        self.require("once", ~leaves | present | (mine & straight))
        self.require("the last one there is the one", ~present | (level != 0))
        self.require(
            "the only one there leaves",
            ~(dut.enter_valid & present & (level == 1)) | leaves,
        )
        self.require("unchanged", ~(leaves & present) | (dut.enter.value[0] == note))
        self.require("unchanged at once", ~(leaves & ~present) | (dut.enter.value[0] == value))
        self.require("drained", dut.drained == (level == 0))
        self.require("room", ~dut.room | enough)
        self.require("returnable", dut.returnable == (level < depth))
        self.require("goes when it can", ~(dut.waiting & ~dut.full) | dut.enter_valid)
        self.require("waits not long", late <= 2)
        self.require("not into a full one", ~(dut.full & dut.enter_valid))
        self.cover("leaves as the last of all", leaves & present & (level == 1))
        self.cover("all places taken", level == depth)


class AnyOrder(TaskBacklog):
    """What ``BacklogExact`` leaves open of a backlog: in which order tasks leave, and how late.

    The coloured task is kept; of the others only the number. ``pick`` and ``late`` say what goes
    next and when, ``other`` is the content of those that are not kept: all three are free. A task
    is here what ``DispatcherExact`` gives it: its lowest bits of some fields, and one shard.
    """

    def __init__(self, depth: int, shards: int, pick: Signal, late: Signal, other: Signal) -> None:
        super().__init__(depth)
        self.shards = shards
        self.pick, self.late, self.other = pick, late, other

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        level, was_late = Signal(range(64), name="level"), Signal(2, name="was_late")
        kept, there = Signal.like(self.other, name="kept"), Signal(name="there")
        late, picks, comes = (Signal(name=name) for name in ("go_late", "picks", "comes"))
        new, goes = Signal.like(kept, name="new"), Signal.like(kept, name="goes")
        m.d.comb += [
            new.eq(Mux(self.returned_valid, _content(self.returned), _content(self.task))),
            late.eq(self.late & (was_late < 2)),
            picks.eq(there & (self.pick | (level == 1))),
            comes.eq(self.task_valid | self.returned_valid),
            self.drained.eq(level == 0),
            self.waiting.eq(~self.drained & ~late),
            self.returnable.eq(level < self.depth),
            goes.eq(Mux(self.drained, _content(self.task), Mux(picks, kept, self.other & ~1))),
            _content(self.enter).eq(goes),
            self.enter.shards.eq(Mux(goes[0], self.shards, 1)),
            self.enter_valid.eq(Mux(self.drained, self.task_valid, self.waiting) & ~self.full),
        ]
        m.d.sync += [
            self.room.eq(level <= self.depth - 6),
            was_late.eq(Mux(late & ~self.drained, was_late + 1, 0)),
            level.eq(level + comes - self.enter_valid),
        ]
        with m.If(comes & new[0] & ~(self.drained & self.enter_valid)):
            m.d.sync += [there.eq(1), kept.eq(new)]
        with m.Elif(picks & self.enter_valid):
            m.d.sync += there.eq(0)
        return m


def _content(task: Any) -> Cat:
    """The bits of a task that are not always the same; the first is its colour."""
    return Cat(task.block[0], task.instance[0], task.value[0], task.task_block_units[:2])


class _Dispatcher(Property):
    """The dispatcher in its world, of which two things are proven apart.

    A task has a colour and one shard, or the coloured one, of which only one is inside at a time,
    ``shards`` of them. The backlog is any that ``BacklogExact`` allows.
    """

    depth = 24

    def __init__(self, units: int, shards: int) -> None:
        super().__init__(units=units, shards=shards)

    def _place(self, m: Module) -> TaskDispatcher:
        units, shards = self.parameters["units"], self.parameters["shards"]
        dut = TaskDispatcher(units, 2, BACKLOG, OUTSTANDING, 1, 2)
        Fragment.get(dut.backlog, None)  # not built: another stands for it
        free = (self.free(width, name) for name, width in (("pick", 1), ("late", 1), ("other", 5)))
        dut.backlog = AnyOrder(BACKLOG, shards, *free)
        self.place(m, dut, driven=("task_valid", "hint", "hint_valid"))
        task, hint = dut.task, dut.hint
        self.assume((task.instance <= 1) & (task.block <= 1))
        self.assume(task.shards == Mux(task.block == 0, 1, shards))
        valid, room = self.free(1, "task_valid"), Signal(2)
        m.d.comb += dut.task_valid.eq(valid)
        m.d.sync += room.eq(Cat(dut.room, room[0]))
        self.assume(~valid | room[1])
        # A hint says of its task what the same table says of the task itself; of shards it is none.
        self.narrow(m, hint, "hint", block=1, instance=1, task_block_units=units)
        m.d.comb += dut.hint_valid.eq(self.free(1, "hint_valid"))
        self.assume(~dut.hint_valid | (hint.block == 0) | (shards == 1))
        for block in range(2):
            mask = self.constant(m, units, f"units_of_block{block}")
            for item in (task, hint):
                self.assume((item.block != block) | (item.task_block_units[:units] == mask))
        for unit, port in enumerate(dut.dispatch):
            running = Signal(range(OUTSTANDING + 1), name=f"running{unit}")
            taken = port.valid & port.ready
            m.d.sync += running.eq(running + taken - dut.finished[unit])
            self.assume(~dut.finished[unit] | (running != 0))
        return dut


class DispatcherExact(_Dispatcher):
    """One task, whichever, is followed by its colour."""

    claim = (
        "dispatcher: each shard of a ready task is dispatched to one of its TBUs, or the task is "
        "discarded after its instance was closed, once and unchanged; what is offered stays"
    )

    def build(self, m: Module) -> None:
        units, shards = self.parameters["units"], self.parameters["shards"]
        dut = self._place(m)
        colour = dut.task.block[0] & dut.task_valid
        outs = Cat(port.valid & port.ready for port in dut.dispatch)
        mine = Cat(port.payload.block[0] for port in dut.dispatch) & outs
        discarded = dut.discard.valid & dut.discard.ready & dut.discard.payload.block[0]
        done, after = Signal(shards), Signal(shards)
        present, note, allowed = Signal(), Signal(), Signal(units)
        instance, was_closed = Signal(), Signal()
        self.assume(~(colour & present))
        with m.If(colour):
            mask = dut.task.task_block_units[:units]
            m.d.sync += [
                present.eq(1),
                done.eq(0),
                note.eq(dut.task.value),
                instance.eq(dut.task.instance),
                allowed.eq(Mux(mask == 0, ~mask, mask)),
                was_closed.eq(0),
            ]
        with m.Else():
            m.d.sync += [
                done.eq(after),
                present.eq(present & ~after.all() & ~discarded),
                was_closed.eq(was_closed | dut.closed.bit_select(instance, 1)),
            ]
        once = present | ~mine.any()
        for number in range(shards):
            hits = Cat(port.payload.shard == number for port in dut.dispatch) & mine
            m.d.comb += after[number].eq(done[number] | hits.any())
            once &= sum(hits) + done[number] <= 1
        self.require("each shard once", once)
        whole = present & (after == 0)
        self.require("discarded as a whole, if closed", ~discarded | (whole & was_closed))
        self.require("to one of its TBUs", (mine & ~allowed) == 0)
        for unit, port in enumerate(dut.dispatch):
            payload = port.payload
            same = (payload.value[0] == note) & (payload.shards == shards)
            self.require(f"unchanged to {unit}", ~mine[unit] | (same & (payload.shard < shards)))
            stays = kept_until_ready(m, port.valid, port.ready, Value.cast(payload))
            self.require(f"offered to {unit} until taken", stays)
        self.cover("the last shard goes", (mine != 0) & after.all())
        self.cover("it is discarded", discarded)


class DispatcherProgress(_Dispatcher):
    """The shards of all tasks are counted.

    That none is lost follows: a lost one would be counted as inside for ever, and in the end
    nothing would go on although something is inside.
    """

    claim = (
        "dispatcher: no more shards are dispatched and discarded than came; while any is inside "
        "and nothing outside hinders it, one goes on within a bounded time"
    )

    def build(self, m: Module) -> None:
        shards = self.parameters["shards"]
        dut = self._place(m)
        outs = Cat(port.valid & port.ready for port in dut.dispatch)
        discards = dut.discard.valid & dut.discard.ready
        many = discards & dut.discard.payload.block[0]
        leaving, inside = sum(outs) + Mux(many, shards, discards), Signal(range(64))
        coming = Mux(dut.task_valid & dut.task.block[0], shards, dut.task_valid)
        m.d.sync += inside.eq(inside + coming - leaving)
        waits = Signal(range(EAGER_CYCLES + 2))
        eager = dut.allowed & dut.group_allowed & dut.discard.ready & dut.chooser.open.all()
        eager &= Cat(port.ready for port in dut.dispatch).all() & ~dut.task_valid
        m.d.sync += waits.eq(Mux(eager & (inside != 0) & (leaving == 0), waits + 1, 0))
        self.require("none invented", leaving <= inside)
        self.require("one goes on", waits < EAGER_CYCLES)
        self.cover("four are inside", inside == 4)
        self.cover("it waits for a while", waits == 5)
