"""Hands ready tasks to TBUs."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..layouts.token import SHARD_BITS, Dispatch
from ..library import Block, add_block
from .backlog import TaskBacklog
from .chooser import UnitChooser
from .records import ReadyTask, ShardGroup
from .window import TaskWindow


class TaskDispatcher(Block):
    """Keeps ready tasks and dispatches the oldest that a TBU can take.

    Tasks wait in a window that is searched, and behind it in a backlog that is not. A task
    whose TBUs are all taken does not hold up the others of the window; if none of the window
    can go although a TBU is open, its oldest goes to the end of the backlog. A task whose
    instance is closed is discarded when its turn has come (shards that follow one already
    dispatched are not, for their task is waited for).

    A task that an idle TBU has prepared, and that finds nobody waiting, goes to that TBU at once.
    Any other takes the steps search, take, judge, choose, give, of which one a cycle is made.

    Parameters
    ----------
    task_block_units: number of TBUs (1 to 8).
    window: tasks that are searched (2 to 64). backlog: tasks behind them (from 8).
    outstanding_limit: tasks a TBU is given at a time (from 1).
    resident_kernels: kernels a TBU keeps (1 to 8).
    instances: instance slots.

    Ports
    -----
    task, task_valid: In, a ready task, always taken. It needs ``room`` two cycles earlier.
    room: Out, the backlog had six free places a cycle ago. drained: Out, the backlog is empty.
    idle: Out, the backlog is empty and half the window free.
    allowed: In, dispatching is allowed.
    finished: In, one bit a TBU: it ended a task.
    closed: In, a bit an instance.
    discard: Out stream, a task to be discarded.
    hint, hint_valid: In, a task that is likely to come, without shards and with the mask that it
        will have; only the last one is kept.
    group, group_shards, group_begin: Out, group_allowed: In, see ``ShardTracker``.
    dispatch: Out streams, one a TBU (registered). announced: Out, a bit a TBU, with ``dispatch``:
        ``prepare`` named this task to it last, and nothing was forgotten since.
    forget: In, pulse, what was hinted is out of date.
    prepare, prepare_units: Out, a TBU (one-hot) may prepare for this dispatch (registered).

    Timing: a task that a TBU has prepared is offered in the next cycle; one that finds the window
    empty and a TBU free, after 7 cycles. One task is dispatched in 5 cycles, a shard in 4.

    Source: docs/specification.md, section 7.
    """

    def __init__(
        self,
        task_block_units: int,
        window: int,
        backlog: int,
        outstanding_limit: int,
        resident_kernels: int,
        instances: int = 1,
    ) -> None:
        self.task_block_units = task_block_units
        self.window = window
        self.backlog = TaskBacklog(backlog)
        self.chooser = UnitChooser(task_block_units, outstanding_limit, resident_kernels)
        self.tasks = TaskWindow(window, task_block_units)
        super().__init__(
            {
                "task": In(ReadyTask),
                "task_valid": In(1),
                "room": Out(1),
                "drained": Out(1),
                "idle": Out(1),
                "allowed": In(1),
                "finished": In(task_block_units),
                "closed": In(instances),
                "discard": Out(stream.Signature(ShardGroup)),
                "hint": In(ReadyTask),
                "hint_valid": In(1),
                "group": Out(ShardGroup),
                "group_shards": Out(SHARD_BITS),
                "group_begin": Out(1),
                "group_allowed": In(1),
                "dispatch": Out(stream.Signature(Dispatch)).array(task_block_units),
                "announced": Out(task_block_units),
                "forget": In(1),
                "prepare": Out(Dispatch),
                "prepare_units": Out(task_block_units),
            },
            task_block_units=task_block_units,
            window=window,
            backlog=backlog,
            outstanding_limit=outstanding_limit,
            resident_kernels=resident_kernels,
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chooser, window, backlog = self.chooser, self.tasks, self.backlog
        add_block(m, platform, "chooser", chooser)
        add_block(m, platform, "window", window)
        add_block(m, platform, "backlog", backlog)
        arrived, arrived_valid, at_once = Signal(ReadyTask), Signal(), Signal()
        m.d.sync += [arrived.eq(self.task), arrived_valid.eq(self.task_valid & ~at_once)]

        # The task at hand. ``hinting``: it is only announced. ``in_parts``: it is a shard's.
        task, shard = Signal(ReadyTask), Signal(SHARD_BITS)
        hinting, in_parts = Signal(), Signal()
        selected, announced = Signal(self.task_block_units), Signal(self.task_block_units)
        # The task whose shards are handed out.
        parts, parts_valid, parts_next = Signal(ReadyTask), Signal(), Signal(SHARD_BITS)
        parts_begun, parts_closed, parts_allowed = Signal(), Signal(), Signal()
        hinted, hinted_valid = Signal(ReadyTask), Signal()

        waiting, open_units = Signal(self.task_block_units), Signal(self.task_block_units)
        allowed, quiet, parts_go, rotates = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            allowed.eq(self.allowed),
            parts_closed.eq(self.closed.bit_select(parts.instance, 1)),
            parts_allowed.eq(self.group_allowed),
        ]
        m.d.comb += [
            waiting.eq(Cat(port.valid for port in self.dispatch)),
            open_units.eq(chooser.open & ~waiting),
            window.open_units.eq(Mux(allowed, open_units, 0)),
            window.single.eq(parts_valid),
            parts_go.eq(
                Mux(
                    parts_begun,
                    (self._mask(parts) & window.open_units).any(),
                    parts_closed | (parts_allowed & (self._mask(parts) & window.open_units).any()),
                )
                & parts_valid
            ),
            rotates.eq(window.full & chooser.open.any() & backlog.waiting),
            quiet.eq((window.level == 0) & self.drained & ~arrived_valid & ~parts_valid),
            self.group.block.eq(parts.block),
            self.group.instance.eq(parts.instance),
            self.group.index.eq(parts.index),
            self.group_shards.eq(parts.shards),
            self.discard.payload.block.eq(task.block),
            self.discard.payload.instance.eq(task.instance),
            self.discard.payload.index.eq(task.index),
        ]
        giving, searching = Signal(), Signal()
        m.d.comb += [
            window.search.eq(searching),
            window.oldest.eq(~window.found),
            backlog.task.eq(arrived),
            backlog.task_valid.eq(arrived_valid),
            backlog.returned.eq(task),
            backlog.full.eq(window.full),
            window.enter.eq(backlog.enter),
            window.enter_valid.eq(backlog.enter_valid),
            window.enter_mask.eq(self._mask(backlog.enter)),
            self.room.eq(backlog.room),
            self.drained.eq(backlog.drained),
            self.idle.eq(self.drained & (window.level <= self.window // 2)),
        ]
        with m.FSM():
            with m.State("search"):
                m.d.comb += searching.eq(1)
                m.d.sync += [
                    task.eq(Mux(parts_valid, parts, hinted)),
                    shard.eq(parts_next),
                    hinting.eq(0),
                    in_parts.eq(parts_go),
                ]
                with m.If(parts_go):
                    m.next = "judge"
                with m.Elif(window.found):
                    m.next = "take"
                with m.Elif(rotates):
                    m.next = "rotate"
                with m.Elif(quiet & hinted_valid & ~self.task_valid):
                    m.d.sync += hinting.eq(1)
                    m.next = "judge"
            with m.State("take"):
                m.d.comb += window.remove.eq(1)
                m.d.sync += [task.eq(window.chosen), shard.eq(0)]
                m.next = "judge"
            with m.State("rotate"):
                m.d.comb += window.remove.eq(1)
                m.d.sync += task.eq(window.chosen)
                m.next = "return"
            with m.State("return"), m.If(~arrived_valid & backlog.returnable):
                m.d.comb += backlog.returned_valid.eq(1)
                m.next = "search"
            with m.State("judge"):
                closed = self.closed.bit_select(task.instance, 1)
                with m.If(closed & ~hinting & ~(in_parts & parts_begun)):
                    m.next = "discard"
                with m.Elif(hinting | in_parts | (task.shards == 1)):
                    m.next = "choose"
                with m.Else():
                    m.d.sync += [
                        parts.eq(task),
                        parts_valid.eq(1),
                        parts_next.eq(0),
                        parts_begun.eq(0),
                    ]
                    m.next = "split"
            with m.State("split"):  # what is asked of the tracker is answered a cycle later
                m.next = "search"
            with m.State("discard"):
                m.d.comb += self.discard.valid.eq(1)
                with m.If(self.discard.ready):
                    with m.If(in_parts):
                        m.d.sync += parts_valid.eq(0)
                    m.next = "search"
            with m.State("choose"):
                m.d.sync += [selected.eq(chooser.chosen), announced.eq(chooser.announced)]
                with m.If(chooser.chosen.any() | hinting):
                    m.next = "give"
            with m.State("give"):
                m.d.comb += [giving.eq(1), self.group_begin.eq(in_parts & ~parts_begun)]
                with m.If(in_parts):
                    m.d.sync += [parts_begun.eq(1), parts_next.eq(parts_next + 1)]
                    with m.If(parts_next + 1 == parts.shards):
                        m.d.sync += parts_valid.eq(0)
                m.next = "search"

        self._keep_hint(m, hinted, hinted_valid, task, giving, at_once)
        m.d.comb += [
            chooser.task.block.eq(task.block),
            chooser.task.instance.eq(task.instance),
            chooser.task.index.eq(task.index),
            chooser.kernel.eq(task.kernel),
            chooser.candidates.eq(
                self._mask(task) & Mux(hinting, chooser.hintable & ~waiting, open_units)
            ),
            chooser.give.eq(Mux(giving & ~hinting, selected, 0)),
            chooser.hint.eq(Mux(giving & hinting, selected, 0)),
            chooser.arriving.block.eq(self.task.block),
            chooser.arriving.instance.eq(self.task.instance),
            chooser.arriving.index.eq(self.task.index),
            chooser.arriving_kernel.eq(self.task.kernel),
            chooser.arrive.eq(
                Mux(self.task_valid & searching & quiet & allowed, chooser.expected, 0)
            ),
            chooser.forget.eq(self.forget),
            chooser.finished.eq(self.finished),
            at_once.eq(chooser.arrive.any()),
        ]
        self._dispatch(m, task, shard, selected, announced, giving)
        return m

    def _mask(self, task: data.View) -> Value:
        """The TBUs a task may use: those of its mask that exist, all if there are none."""
        mask = task.task_block_units[: self.task_block_units]
        return Mux(mask == 0, (1 << self.task_block_units) - 1, mask)[: self.task_block_units]

    def _keep_hint(
        self,
        m: Module,
        hinted: data.View,
        hinted_valid: Signal,
        task: data.View,
        giving: Signal,
        at_once: Signal,
    ) -> None:
        """The last hint, until a TBU was told of it or the task itself came."""
        for end, ends in ((task, giving), (self.task, at_once)):
            same = (end.block == hinted.block) & (end.instance == hinted.instance)
            with m.If(ends & same & (end.index == hinted.index)):
                m.d.sync += hinted_valid.eq(0)
        with m.If(self.hint_valid):
            m.d.sync += [hinted.eq(self.hint), hinted_valid.eq(1)]
        with m.If(self.forget):
            m.d.sync += hinted_valid.eq(0)

    def _dispatch(
        self,
        m: Module,
        task: data.View,
        shard: Signal,
        selected: Signal,
        announced: Signal,
        giving: Signal,
    ) -> None:
        """What the TBUs are given, and what they are told to prepare."""
        chooser = self.chooser
        names = ("descriptor", "block", "instance", "index", "value", "domain")
        m.d.sync += [
            self.prepare_units.eq(chooser.hint),
            self.prepare.shards.eq(1),
            *(getattr(self.prepare, n).eq(getattr(task, n)) for n in names if n != "value"),
        ]
        for unit, port in enumerate(self.dispatch):
            payload = port.payload
            with m.If(port.ready):
                m.d.sync += port.valid.eq(0)
            with m.If(chooser.give[unit] | chooser.arrive[unit]):
                m.d.sync += port.valid.eq(1)
            with m.If(chooser.give[unit]):
                m.d.sync += [
                    *(getattr(payload, n).eq(getattr(task, n)) for n in names),
                    payload.shard.eq(shard),
                    payload.shards.eq(task.shards),
                    self.announced[unit].eq(announced[unit]),
                ]
            with m.Elif(~port.valid):  # in case that it goes at once
                m.d.sync += [
                    *(getattr(payload, n).eq(getattr(self.task, n)) for n in names),
                    payload.shard.eq(0),
                    payload.shards.eq(1),
                    self.announced[unit].eq(1),
                ]
