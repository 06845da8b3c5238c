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
        for name, block in (
            ("chooser", self.chooser),
            ("window", self.tasks),
            ("backlog", self.backlog),
        ):
            add_block(m, platform, name, block)
        at = _AtHand(self.task_block_units)
        m.d.sync += [
            at.arrived.eq(self.task),
            at.arrived_valid.eq(self.task_valid & ~at.at_once),
            at.allowed.eq(self.allowed),
            at.parts_closed.eq(self.closed.bit_select(at.parts.instance, 1)),
            at.parts_allowed.eq(self.group_allowed),
        ]
        self._look(m, at)
        self._store(m, at)
        with m.FSM():
            self._search(m, at)
            self._take(m, at)
            self._judge(m, at)
            self._give(m, at)
        self._keep_hint(m, at)
        self._choose(m, at)
        self._dispatch(m, at)
        return m

    def _look(self, m: Module, at: "_AtHand") -> None:
        """What can be done: whose TBUs are open, whether anything waits at all."""
        chooser, window = self.chooser, self.tasks
        parts_open = (self._mask(at.parts) & window.open_units).any()
        m.d.comb += [
            at.waiting.eq(Cat(port.valid for port in self.dispatch)),
            at.open_units.eq(chooser.open & ~at.waiting),
            window.open_units.eq(Mux(at.allowed, at.open_units, 0)),
            window.single.eq(at.parts_valid),
            at.parts_go.eq(
                Mux(
                    at.parts_begun,
                    parts_open,
                    at.parts_closed | (at.parts_allowed & parts_open),
                )
                & at.parts_valid
            ),
            at.rotates.eq(window.full & chooser.open.any() & self.backlog.waiting),
            at.quiet.eq((window.level == 0) & self.drained & ~at.arrived_valid & ~at.parts_valid),
        ]

    def _store(self, m: Module, at: "_AtHand") -> None:
        """Tasks on their way through backlog and window, and what is said of them outside."""
        window, backlog = self.tasks, self.backlog
        m.d.comb += [
            window.search.eq(at.searching),
            window.oldest.eq(~window.found),
            window.enter.eq(backlog.enter),
            window.enter_valid.eq(backlog.enter_valid),
            window.enter_mask.eq(self._mask(backlog.enter)),
            backlog.task.eq(at.arrived),
            backlog.task_valid.eq(at.arrived_valid),
            backlog.returned.eq(at.task),
            backlog.full.eq(window.full),
            self.room.eq(backlog.room),
            self.drained.eq(backlog.drained),
            self.idle.eq(self.drained & (window.level <= self.window // 2)),
            self.group.block.eq(at.parts.block),
            self.group.instance.eq(at.parts.instance),
            self.group.index.eq(at.parts.index),
            self.group_shards.eq(at.parts.shards),
            self.discard.payload.block.eq(at.task.block),
            self.discard.payload.instance.eq(at.task.instance),
            self.discard.payload.index.eq(at.task.index),
        ]

    def _search(self, m: Module, at: "_AtHand") -> None:
        """Find what is next: a shard, a task of the window, or a hint if there is nothing else."""
        window = self.tasks
        with m.State("search"):
            m.d.comb += at.searching.eq(1)
            m.d.sync += [
                at.task.eq(Mux(at.parts_valid, at.parts, at.hinted)),
                at.shard.eq(at.parts_next),
                at.hinting.eq(0),
                at.in_parts.eq(at.parts_go),
            ]
            with m.If(at.parts_go):
                m.next = "judge"
            with m.Elif(window.found):
                m.next = "take"
            with m.Elif(at.rotates):
                m.next = "rotate"
            with m.Elif(at.quiet & at.hinted_valid & ~self.task_valid):
                m.d.sync += at.hinting.eq(1)
                m.next = "judge"

    def _take(self, m: Module, at: "_AtHand") -> None:
        """Take a task out of the window, to dispatch it or to let others go before it."""
        window, backlog = self.tasks, self.backlog
        with m.State("take"):
            m.d.comb += window.remove.eq(1)
            m.d.sync += [at.task.eq(window.chosen), at.shard.eq(0)]
            m.next = "judge"
        with m.State("rotate"):
            m.d.comb += window.remove.eq(1)
            m.d.sync += at.task.eq(window.chosen)
            m.next = "return"
        with m.State("return"), m.If(~at.arrived_valid & backlog.returnable):
            m.d.comb += backlog.returned_valid.eq(1)
            m.next = "search"

    def _judge(self, m: Module, at: "_AtHand") -> None:
        """Discard it if its instance is closed, split it if it has shards, else choose its TBU."""
        with m.State("judge"):
            closed = self.closed.bit_select(at.task.instance, 1)
            with m.If(closed & ~at.hinting & ~(at.in_parts & at.parts_begun)):
                m.next = "discard"
            with m.Elif(at.hinting | at.in_parts | (at.task.shards == 1)):
                m.next = "choose"
            with m.Else():
                m.d.sync += [
                    at.parts.eq(at.task),
                    at.parts_valid.eq(1),
                    at.parts_next.eq(0),
                    at.parts_begun.eq(0),
                ]
                m.next = "split"
        with m.State("split"):  # what is asked of the tracker is answered a cycle later
            m.next = "search"
        with m.State("discard"):
            m.d.comb += self.discard.valid.eq(1)
            with m.If(self.discard.ready):
                with m.If(at.in_parts):
                    m.d.sync += at.parts_valid.eq(0)
                m.next = "search"

    def _give(self, m: Module, at: "_AtHand") -> None:
        """Choose a TBU, and give it the task, the shard or the hint."""
        chooser = self.chooser
        with m.State("choose"):
            m.d.sync += [at.selected.eq(chooser.chosen), at.announced.eq(chooser.announced)]
            with m.If(chooser.chosen.any() | at.hinting):
                m.next = "give"
        with m.State("give"):
            m.d.comb += [at.giving.eq(1), self.group_begin.eq(at.in_parts & ~at.parts_begun)]
            with m.If(at.in_parts):
                m.d.sync += [at.parts_begun.eq(1), at.parts_next.eq(at.parts_next + 1)]
                with m.If(at.parts_next + 1 == at.parts.shards):
                    m.d.sync += at.parts_valid.eq(0)
            m.next = "search"

    def _choose(self, m: Module, at: "_AtHand") -> None:
        """What the chooser is asked: for the task at hand, and for one that comes just now."""
        chooser, task = self.chooser, at.task
        arrives = self.task_valid & at.searching & at.quiet & at.allowed
        m.d.comb += [
            chooser.task.block.eq(task.block),
            chooser.task.instance.eq(task.instance),
            chooser.task.index.eq(task.index),
            chooser.kernel.eq(task.kernel),
            chooser.candidates.eq(
                self._mask(task) & Mux(at.hinting, chooser.hintable & ~at.waiting, at.open_units)
            ),
            chooser.give.eq(Mux(at.giving & ~at.hinting, at.selected, 0)),
            chooser.hint.eq(Mux(at.giving & at.hinting, at.selected, 0)),
            chooser.arriving.block.eq(self.task.block),
            chooser.arriving.instance.eq(self.task.instance),
            chooser.arriving.index.eq(self.task.index),
            chooser.arriving_kernel.eq(self.task.kernel),
            chooser.arrive.eq(Mux(arrives, chooser.expected, 0)),
            chooser.forget.eq(self.forget),
            chooser.finished.eq(self.finished),
            at.at_once.eq(chooser.arrive.any()),
        ]

    def _mask(self, task: data.View) -> Value:
        """The TBUs a task may use: those of its mask that exist, all if there are none."""
        mask = task.task_block_units[: self.task_block_units]
        return Mux(mask == 0, (1 << self.task_block_units) - 1, mask)[: self.task_block_units]

    def _keep_hint(self, m: Module, at: "_AtHand") -> None:
        """The last hint, until a TBU was told of it or the task itself came."""
        hinted = at.hinted
        for end, ends in ((at.task, at.giving), (self.task, at.at_once)):
            same = (end.block == hinted.block) & (end.instance == hinted.instance)
            with m.If(ends & same & (end.index == hinted.index)):
                m.d.sync += at.hinted_valid.eq(0)
        with m.If(self.hint_valid):
            m.d.sync += [hinted.eq(self.hint), at.hinted_valid.eq(1)]
        with m.If(self.forget):
            m.d.sync += at.hinted_valid.eq(0)

    def _dispatch(self, m: Module, at: "_AtHand") -> None:
        """What the TBUs are given, and what they are told to prepare."""
        chooser = self.chooser
        names = ("descriptor", "block", "instance", "index", "value", "domain")
        m.d.sync += [
            self.prepare_units.eq(chooser.hint),
            self.prepare.shards.eq(1),
            *(getattr(self.prepare, n).eq(getattr(at.task, n)) for n in names if n != "value"),
        ]
        for unit, port in enumerate(self.dispatch):
            payload = port.payload
            with m.If(port.ready):
                m.d.sync += port.valid.eq(0)
            with m.If(chooser.give[unit] | chooser.arrive[unit]):
                m.d.sync += port.valid.eq(1)
            with m.If(chooser.give[unit]):
                m.d.sync += [
                    *(getattr(payload, n).eq(getattr(at.task, n)) for n in names),
                    payload.shard.eq(at.shard),
                    payload.shards.eq(at.task.shards),
                    self.announced[unit].eq(at.announced[unit]),
                ]
            with m.Elif(~port.valid):  # in case that it goes at once
                m.d.sync += [
                    *(getattr(payload, n).eq(getattr(self.task, n)) for n in names),
                    payload.shard.eq(0),
                    payload.shards.eq(1),
                    self.announced[unit].eq(1),
                ]


class _AtHand:
    """The dispatcher's state, and what is known of it in a cycle."""

    def __init__(self, task_block_units: int) -> None:
        # The task that came last.
        self.arrived = Signal(ReadyTask)
        self.arrived_valid = Signal()
        self.at_once = Signal()
        # The task at hand. ``hinting``: it is only announced. ``in_parts``: it is a shard's.
        self.task = Signal(ReadyTask)
        self.shard = Signal(SHARD_BITS)
        self.hinting = Signal()
        self.in_parts = Signal()
        self.selected = Signal(task_block_units)
        self.announced = Signal(task_block_units)
        self.searching = Signal()
        self.giving = Signal()
        # The task whose shards are handed out.
        self.parts = Signal(ReadyTask)
        self.parts_valid = Signal()
        self.parts_next = Signal(SHARD_BITS)
        self.parts_begun = Signal()
        self.parts_closed = Signal()
        self.parts_allowed = Signal()
        self.parts_go = Signal()
        # The last hint.
        self.hinted = Signal(ReadyTask)
        self.hinted_valid = Signal()
        # TBUs, and what can be done with them.
        self.waiting = Signal(task_block_units)
        self.open_units = Signal(task_block_units)
        self.allowed = Signal()
        self.quiet = Signal()
        self.rotates = Signal()
