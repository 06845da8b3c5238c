"""Hands ready tasks to TBUs."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.token import SHARD_BITS, Dispatch
from ..library import Block, add_block
from .chooser import UnitChooser
from .records import ReadyTask, ShardGroup


class TaskDispatcher(Block):
    """Keeps ready tasks and dispatches the oldest that a TBU can take, one a cycle.

    Tasks wait in a window that is searched, and behind it in a backlog that is not. A task
    whose TBUs are all taken does not hold up the others of the window; if none of the window
    can go although a TBU is open, its oldest goes to the end of the backlog. A task whose
    instance is closed is discarded when its turn has come (shards that follow one already
    dispatched are not, for their task is waited for).

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
    room: Out, the backlog has four free places. drained: Out, the backlog is empty.
    idle: Out, the backlog is empty and half the window free.
    allowed: In, dispatching is allowed.
    finished: In, one bit a TBU: it ended a task.
    closed: In, a bit an instance.
    discard: Out stream, a task to be discarded.
    hint, hint_valid: In, a task that is likely to come; only the last one is kept.
    group, group_shards, group_begin: Out, group_allowed: In, see ``ShardTracker``.
    dispatch: Out streams, one a TBU (registered). announced: Out, a bit a TBU, with ``dispatch``:
        ``prepare`` named this task to it last, and nothing was forgotten since.
    forget: In, pulse, what was hinted is out of date.
    prepare, prepare_units: Out, a TBU (one-hot) may prepare for this dispatch (registered).

    Timing: a task that finds the window empty and a TBU free is offered in the next cycle.

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
        for name, value, low, high in (
            ("window", window, 2, 64),
            ("backlog", backlog, 8, 1 << 16),
            ("outstanding_limit", outstanding_limit, 1, 64),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
        self.task_block_units = task_block_units
        self.window = window
        self.backlog = backlog
        self.chooser = UnitChooser(task_block_units, outstanding_limit, resident_kernels)
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
        add_block(m, platform, "chooser", self.chooser)
        m.d.comb += self.chooser.finished.eq(self.finished)

        task, usable, shard = Signal(ReadyTask), Signal(), Signal(SHARD_BITS)
        enter, enter_valid, bypass = Signal(ReadyTask), Signal(), Signal()
        window = _Window(m, self.window, self._mask(enter), enter, enter_valid)
        backlog = self._backlog(m, window, enter, enter_valid, bypass)

        open_units = Signal(self.task_block_units)
        m.d.comb += open_units.eq(
            Mux(self.allowed, self.chooser.open & ~Cat(port.valid for port in self.dispatch), 0)
        )
        parts, parts_valid, parts_next = Signal(ReadyTask), Signal(), Signal(SHARD_BITS)
        parts_begun = Signal()
        m.d.comb += [
            self.group.block.eq(parts.block),
            self.group.instance.eq(parts.instance),
            self.group.index.eq(parts.index),
            self.group_shards.eq(parts.shards),
        ]
        serve_parts = (
            parts_valid
            & (self._mask(parts) & open_units).any()
            & (parts_begun | self.group_allowed)
        )
        window.search(open_units, ~parts_valid)
        parts_closed, window_closed = Signal(), Signal()
        hinted, hinted_valid, usable_or_hint = Signal(ReadyTask), Signal(), Signal()
        m.d.comb += [
            parts_closed.eq(parts_valid & ~parts_begun & self.closed.bit_select(parts.instance, 1)),
            window_closed.eq(self.closed.bit_select(window.chosen.instance, 1)),
        ]

        with m.If(parts_closed):
            m.d.comb += [self.discard.valid.eq(1), self.discard.payload.eq(self.group)]
            with m.If(self.discard.ready):
                m.d.sync += parts_valid.eq(0)
        with m.Elif(serve_parts):
            m.d.comb += [
                task.eq(parts),
                usable.eq(1),
                shard.eq(parts_next),
                self.group_begin.eq(~parts_begun),
            ]
            m.d.sync += [parts_begun.eq(1), parts_next.eq(parts_next + 1)]
            with m.If(parts_next + 1 == parts.shards):
                m.d.sync += parts_valid.eq(0)
        with m.Elif(window.found & window_closed):
            m.d.comb += [
                self.discard.valid.eq(1),
                self.discard.payload.block.eq(window.chosen.block),
                self.discard.payload.instance.eq(window.chosen.instance),
                self.discard.payload.index.eq(window.chosen.index),
                window.remove.eq(self.discard.ready),
            ]
        with m.Elif(window.found):
            m.d.comb += [task.eq(window.chosen), window.remove.eq(1)]
            with m.If(task.shards == 1):
                m.d.comb += usable.eq(1)
            with m.Else():
                m.d.sync += [
                    parts.eq(task),
                    parts_valid.eq(1),
                    parts_next.eq(0),
                    parts_begun.eq(0),
                ]
        with m.Elif(
            window.full & self.chooser.open.any() & backlog.r_rdy & backlog.w_rdy & ~self.task_valid
        ):
            m.d.comb += window.rotate.eq(1)
        with m.Elif((window.level == 0) & self.drained & self.task_valid & (self.task.shards == 1)):
            m.d.comb += task.eq(self.task)
            with m.If((self._mask(task) & open_units).any()):
                m.d.comb += [usable.eq(1), bypass.eq(1)]
        with m.Elif((window.level == 0) & self.drained & ~parts_valid & hinted_valid):
            m.d.comb += [task.eq(hinted), self.chooser.hint.eq(1)]
        m.d.comb += usable_or_hint.eq(usable | self.chooser.hint)
        same = (task.block == hinted.block) & (task.instance == hinted.instance)
        with m.If(self.hint_valid):
            m.d.sync += [hinted.eq(self.hint), hinted_valid.eq(1)]
        with m.Elif(usable_or_hint & same & (task.index == hinted.index)):
            m.d.sync += hinted_valid.eq(0)
        with m.If(self.forget):
            m.d.sync += hinted_valid.eq(0)
        self._dispatch(m, task, usable, shard, open_units)
        return m

    def _mask(self, task: data.View) -> Value:
        """The TBUs a task may use: those of its mask that exist, all if there are none."""
        mask = task.task_block_units[: self.task_block_units]
        return Mux(mask == 0, (1 << self.task_block_units) - 1, mask)[: self.task_block_units]

    def _backlog(
        self,
        m: Module,
        window: "_Window",
        enter: data.View,
        enter_valid: Signal,
        bypass: Signal,
    ) -> SyncFIFOBuffered:
        """Where a task goes that comes, and which task enters the window."""
        width = ReadyTask.as_shape().size  # type: ignore[attr-defined]
        m.submodules.backlog = backlog = SyncFIFOBuffered(width=width, depth=self.backlog)
        m.d.comb += [
            self.drained.eq(backlog.level == 0),
            self.room.eq(backlog.level <= self.backlog - 4),
            self.idle.eq(self.drained & (window.level <= self.window // 2)),
            backlog.w_data.eq(Mux(window.rotate, window.chosen, self.task)),
        ]
        with m.If(self.drained):
            m.d.comb += enter.eq(self.task)
            with m.If(self.task_valid & ~bypass):
                m.d.comb += [enter_valid.eq(~window.full), backlog.w_en.eq(window.full)]
        with m.Else():
            m.d.comb += [
                enter.eq(backlog.r_data),
                enter_valid.eq(backlog.r_rdy & ~window.full),
                backlog.r_en.eq(~window.full),
                backlog.w_en.eq(self.task_valid | window.rotate),
            ]
        return backlog

    def _dispatch(
        self, m: Module, task: data.View, usable: Signal, shard: Signal, open_units: Signal
    ) -> None:
        """Give ``task`` to the best of its TBUs."""
        chooser = self.chooser
        waiting = Cat(port.valid for port in self.dispatch)
        units = Mux(chooser.hint, chooser.hintable & ~waiting, open_units)
        m.d.comb += [
            chooser.candidates.eq(self._mask(task) & units),
            chooser.kernel.eq(task.kernel),
            chooser.task.block.eq(task.block),
            chooser.task.instance.eq(task.instance),
            chooser.task.index.eq(task.index),
            chooser.give.eq(usable),
            chooser.forget.eq(self.forget),
        ]
        m.d.sync += [
            self.prepare_units.eq(Mux(chooser.hint, chooser.chosen, 0)),
            self.prepare.descriptor.eq(task.descriptor),
            self.prepare.block.eq(task.block),
            self.prepare.instance.eq(task.instance),
            self.prepare.index.eq(task.index),
            self.prepare.shards.eq(1),
            self.prepare.domain.eq(task.domain),
        ]
        for unit, port in enumerate(self.dispatch):
            with m.If(port.ready):
                m.d.sync += port.valid.eq(0)
            with m.If(usable & chooser.chosen[unit]):
                m.d.sync += [
                    port.valid.eq(1),
                    self.announced[unit].eq(chooser.announced[unit]),
                    port.payload.descriptor.eq(task.descriptor),
                    port.payload.block.eq(task.block),
                    port.payload.instance.eq(task.instance),
                    port.payload.index.eq(task.index),
                    port.payload.shard.eq(shard),
                    port.payload.shards.eq(task.shards),
                    port.payload.value.eq(task.value),
                    port.payload.domain.eq(task.domain),
                ]


class _Window:
    """Tasks by age. What is searched is in registers, the rest in a small memory.

    ``slots`` is a permutation of the memory's places: those of the waiting tasks, oldest
    first, then the free ones.
    """

    def __init__(
        self, m: Module, depth: int, mask: Value, enter: data.View, enter_valid: Signal
    ) -> None:
        self._m = m
        self._depth = depth
        m.submodules.window = memory = Memory(shape=ReadyTask, depth=depth, init=[])
        self._write = memory.write_port()
        self._read = memory.read_port(domain="comb")
        self._slots = [Signal(range(depth), init=i, name=f"slot{i}") for i in range(depth)]
        self._masks = [Signal(len(mask), name=f"mask{i}") for i in range(depth)]
        self._single = Signal(depth)
        self.level = Signal(range(depth + 1))
        self.full = Signal()
        self.found = Signal()
        self.chosen = self._read.data
        self.remove = Signal()
        self.rotate = Signal()
        self._leaves = Signal(depth)
        m.d.comb += [
            self.full.eq(self.level == depth),
            self._write.data.eq(enter),
            self._write.en.eq(enter_valid),
        ]
        for i, slot in enumerate(self._slots):
            with m.If(self.level == i):
                m.d.comb += self._write.addr.eq(slot)
        m.d.sync += self.level.eq(self.level + enter_valid - (self.remove | self.rotate))
        self._shift(mask, enter.shards == 1, enter_valid)

    def search(self, open_units: Value, shards_allowed: Value) -> None:
        """Find the oldest task that could go to one of ``open_units``."""
        m, hits = self._m, Signal(self._depth)
        for i, mask in enumerate(self._masks):
            m.d.comb += hits[i].eq(
                (i < self.level) & (mask & open_units).any() & (self._single[i] | shards_allowed)
            )
        m.d.comb += [self.found.eq(hits.any()), self._leaves.eq(Mux(self.found, hits, 1))]
        for i, slot in reversed(list(enumerate(self._slots))):
            with m.If(self._leaves[i]):
                m.d.comb += self._read.addr.eq(slot)

    def _shift(self, mask: Value, single: Value, enter_valid: Signal) -> None:
        """Close the gap of the task that leaves; the task that enters goes behind the last."""
        m, depth = self._m, self._depth
        leaving = self.remove | self.rotate
        at_or_after = [leaving & self._leaves[: i + 1].any() for i in range(depth)]
        removed = self._read.addr
        for i in range(depth):
            with m.If(at_or_after[i]):
                following = self._slots[i + 1] if i + 1 < depth else removed
                m.d.sync += self._slots[i].eq(following)
                if i + 1 < depth:
                    m.d.sync += [
                        self._masks[i].eq(self._masks[i + 1]),
                        self._single[i].eq(self._single[i + 1]),
                    ]
            with m.If(enter_valid & (self.level == i + leaving)):
                m.d.sync += [self._masks[i].eq(mask), self._single[i].eq(single)]
