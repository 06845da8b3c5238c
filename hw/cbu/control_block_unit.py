"""The Control Block Unit: follows the workflow graph in hardware."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import OctopusConfig
from ..interfaces import ConfigurationPort
from ..layouts.activity import ControlDetail, ControlEvent
from ..layouts.block import BlockKind
from ..layouts.command import ClusterEvent
from ..layouts.descriptor import Status
from ..layouts.space import COORDINATE_BITS, OFFSET_BITS
from ..layouts.token import Completion, ControlPacket, Dispatch, TokenKind
from ..library import Block, add_block
from .dispatcher import TaskDispatcher
from .evaluator import BlockEvaluator
from .events import EventReporter
from .instance_control import InstanceControl
from .records import Event, EventKind, FiringMode
from .shards import ShardTracker
from .statistics import StatisticsTable
from .tables import ConfigurationTables
from .token_store import TokenStore
from .walker import SuccessorWalker

SHARD_GROUPS = 4
"""Tasks in shards that may run at once."""

SUSPENDED_MAPS = 16
"""Maps that may wait for what they started."""


class ControlBlockUnit(Block):
    """Takes tokens and completions, evaluates control blocks, dispatches tasks to its TBUs.

    One event a cycle enters (the tables are read), is evaluated in the next cycle, and becomes
    a ready task or a firing; firings are walked, one successor a cycle, and their tokens for
    this cluster enter again. Nothing an evaluation yields ever has to wait, for room is made
    sure of before an event enters (docs/control_block_unit.md).

    Parameters
    ----------
    config: of the chip. It gives the tables' sizes and queue depth, the number of TBUs, how many
        tasks a TBU is given at a time (its queue's depth) and how many kernels it keeps.

    Ports
    -----
    x, y: In, the cluster's coordinates.
    token_in: In stream, tokens of the control network for this cluster.
    token_out: Out stream, tokens to other clusters or the host (registered).
    stuck, parity_error, unreachable: In, events of the networks: a link of the control network is
        stuck, a flit was damaged, a packet's destination does not exist.
    dispatch: Out streams, one a TBU (registered). announced: Out, a bit a TBU, with ``dispatch``:
        it is what the TBU was told last to prepare. completion: In streams, one a TBU.
    configuration: In(ConfigurationPort), tables, statistics and registers.
    kernel_table_address: Out, byte offset in cluster memory; kernel_count: Out.
    closed: Out, a bit an instance: it is being aborted, its tasks are to be ended.
    prepare, prepare_units: Out, a TBU (one-hot) may prepare for this dispatch; forget: Out, pulse:
        what TBUs have prepared is out of date.

    watched, watched_detail: Out, :class:`ControlEvent` and :class:`ControlDetail`, for traces.

    Timing: completion to ``dispatch`` of a successor task that a TBU has prepared, 4 cycles;
    through one control block, 6 cycles (each successor entry examined before the right one: one
    more). Token to ``dispatch``: 2 cycles. A task that is not prepared: 6 cycles more. ``ready`` of
    tokens and completions is combinational from their valids. Tokens are accepted ``blocks *
    instances`` cycles after reset.

    Errors: tokens for blocks or instances that do not exist and failed tasks become FAULT
    tokens to the host.

    Source: docs/specification.md, section 7.
    """

    def __init__(self, config: OctopusConfig) -> None:
        task_block_units = config.cluster.task_block_units
        outstanding_limit = config.task_block_unit.descriptor_queue_depth
        resident_kernels = config.pea.context_banks
        self.task_block_units = task_block_units
        self.reserved = task_block_units * outstanding_limit + 4
        self.sizes = tables = config.control_block_unit
        queue_depth = max(4 * tables.successors, 1 << (8 * self.reserved - 1).bit_length())
        self.queue_depth = queue_depth
        self.tables = ConfigurationTables(
            tables.blocks, tables.successors, (tables.instances - 1).bit_length()
        )
        self.store = TokenStore(tables.blocks, tables.instances)
        self.statistics = StatisticsTable(tables.blocks)
        self.evaluator = BlockEvaluator()
        self.shards = ShardTracker(SHARD_GROUPS)
        self.walker = SuccessorWalker(
            queue_depth, queue_depth // 4, SUSPENDED_MAPS, tables.instances
        )
        self.instances = InstanceControl(tables.instances)
        self.events = EventReporter()
        self.dispatcher = TaskDispatcher(
            task_block_units,
            window=tables.queue_depth,
            backlog=max(tables.successors, 64),
            outstanding_limit=outstanding_limit,
            resident_kernels=resident_kernels,
            instances=tables.instances,
        )
        super().__init__(
            {
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "token_in": In(stream.Signature(ControlPacket)),
                "token_out": Out(stream.Signature(ControlPacket)),
                "stuck": In(1),
                "parity_error": In(1),
                "unreachable": In(1),
                "dispatch": Out(stream.Signature(Dispatch)).array(task_block_units),
                "announced": Out(task_block_units),
                "completion": In(stream.Signature(Completion)).array(task_block_units),
                "configuration": In(ConfigurationPort()),
                "kernel_table_address": Out(OFFSET_BITS),
                "kernel_count": Out(16),
                "closed": Out(tables.instances),
                "prepare": Out(Dispatch),
                "prepare_units": Out(task_block_units),
                "forget": Out(1),
                "watched": Out(ControlEvent),
                "watched_detail": Out(ControlDetail),
            },
            tables=tables,
            task_block_units=task_block_units,
            outstanding_limit=outstanding_limit,
            resident_kernels=resident_kernels,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in (
            "tables", "store", "statistics", "shards", "walker", "dispatcher", "instances",
            "events",
        ):  # fmt: skip
            add_block(m, platform, name, getattr(self, name))
        m.submodules.evaluator = self.evaluator
        connect(m, flipped(self.configuration), self.tables.configuration)
        connect(m, self.walker.packet, flipped(self.token_out))
        for inner, outer in zip(self.dispatcher.dispatch, self.dispatch, strict=True):
            connect(m, inner, flipped(outer))
        m.d.comb += [
            self.kernel_table_address.eq(self.tables.kernel_table_address),
            self.kernel_count.eq(self.tables.kernel_count),
            self.announced.eq(self.dispatcher.announced),
            self.dispatcher.forget.eq(self.forget),
            self.prepare.eq(self.dispatcher.prepare),
            self.prepare_units.eq(self.dispatcher.prepare_units),
        ]

        m.d.sync += self.forget.eq(self.tables.changed)
        taken = Signal(Event)
        taken_valid = Signal()
        event = Signal(Event)
        event_valid = Signal()
        in_table = Signal()
        closed = Signal()
        in_store = Signal()
        self._admit(m, taken, taken_valid)
        m.d.sync += [
            event.eq(taken),
            event_valid.eq(taken_valid),
            in_table.eq(
                (taken.block < self.sizes.blocks)
                & (taken.instance <= (self.sizes.instances - 1) >> self.tables.index.store_bits)
            ),
            in_store.eq((taken.index >> self.tables.index.store_bits) == 0),
            closed.eq(self.closed.bit_select(taken.instance, 1)),
        ]
        self._read_tables(m, taken)
        m.d.comb += self.evaluator.in_store.eq(in_store)
        self._evaluate(m, event, event_valid, in_table, closed)
        self._control_instances(m, event, event_valid)
        self._report_events(m)
        self._show(m, event, taken_valid)
        self._count(m, event, event_valid, in_table, closed)
        return m

    def _admit(self, m: Module, taken: Event, taken_valid: Signal) -> None:
        """Take one event: a completion, else a token of this cluster, else one from elsewhere.

        Completions always find room, for ``reserved`` places of the firing queue are theirs.
        When many firings wait, tokens from elsewhere have to wait too, and tokens of this
        cluster until the tasks that are ready have been dispatched.
        """
        walker, dispatcher = self.walker, self.dispatcher
        room = Signal()
        calm = Signal()
        m.d.comb += [
            calm.eq(~walker.pressed),
            room.eq(
                self.store.ready
                & dispatcher.room
                & (walker.level < self.queue_depth - self.reserved)
            ),
            dispatcher.allowed.eq(walker.level < self.queue_depth - 2 * self.reserved),
        ]
        m.d.comb += walker.map_allowed.eq(dispatcher.idle)
        completed = self._arbitrate(m)
        token = Mux(walker.token.valid, walker.token.payload, self.token_in.payload.token)
        m.d.comb += [
            walker.token.ready.eq(~completed.any() & room & (calm | dispatcher.drained)),
            self.token_in.ready.eq(~completed.any() & room & calm & ~walker.token.valid),
            dispatcher.finished.eq(completed),
        ]
        discard = dispatcher.discard
        token_taken = (walker.token.valid & walker.token.ready) | (
            self.token_in.valid & self.token_in.ready
        )
        m.d.comb += discard.ready.eq(~completed.any() & ~token_taken)
        with m.If(completed.any()):
            m.d.comb += [taken_valid.eq(1), taken.event.eq(EventKind.COMPLETION)]
            for unit, port in enumerate(self.completion):
                with m.If(completed[unit]):
                    for name in (
                        "block", "instance", "index", "status",
                        "value", "busy_cycles", "array_cycles",
                    ):  # fmt: skip
                        m.d.comb += getattr(taken, name).eq(getattr(port.payload, name))
        with m.Elif(discard.valid & discard.ready):
            m.d.comb += [taken_valid.eq(1), taken.event.eq(EventKind.DISCARD)]
            for name in ("block", "instance", "index"):
                m.d.comb += getattr(taken, name).eq(getattr(discard.payload, name))
        with m.Else():
            offered = Signal.like(self.walker.token.payload)
            m.d.comb += [
                offered.eq(token),
                taken_valid.eq(token_taken),
                taken.kind.eq(offered.kind),
            ]
            for name in ("block", "instance", "index", "value"):
                m.d.comb += getattr(taken, name).eq(getattr(offered, name))

    def _arbitrate(self, m: Module) -> Signal:
        """The completion taken in this cycle, one-hot, in rotation among the TBUs."""
        count = self.task_block_units
        granted = Signal(count)
        waiting = Signal(count)
        served = Signal(count)
        later = waiting & ~served
        pool = Mux(later.any(), later, waiting)
        m.d.comb += granted.eq((pool & -pool)[:count])
        with m.If(granted.any()):
            # Those up to the one served have had their turn.
            m.d.sync += served.eq(granted | (granted - 1))
        for unit, port in enumerate(self.completion):
            m.d.comb += [waiting[unit].eq(port.valid), port.ready.eq(granted[unit])]
        return granted

    def _read_tables(self, m: Module, taken: Event) -> None:
        m.d.comb += [
            self.tables.block.eq(taken.block),
            self.store.read_block.eq(taken.block),
            self.store.read_instance.eq(taken.instance),
            self.store.read_index.eq(taken.index),
            self.store.store_bits.eq(self.tables.index.store_bits),
            self.evaluator.inner_bits.eq(self.tables.index.inner_bits),
            self.walker.inner_bits.eq(self.tables.index.inner_bits),
            self.statistics.block.eq(taken.block),
            self.tables.successor.eq(self.walker.successor_address),
            self.walker.successor.eq(self.tables.successor_entry),
            self.walker.x.eq(self.x),
            self.walker.y.eq(self.y),
        ]

    def _evaluate(
        self, m: Module, event: Event, valid: Signal, in_table: Signal, closed: Signal
    ) -> None:
        """The event of the cycle before, with what the tables brought.

        Of a closed instance only the places are freed that its tasks took.
        """
        evaluator, shards = self.evaluator, self.shards
        in_shards = self.tables.entry.shards > 1
        m.d.comb += [
            evaluator.event.eq(event),
            evaluator.valid.eq(valid & ~closed),
            evaluator.in_table.eq(in_table),
            evaluator.entry.eq(self.tables.entry),
            evaluator.stored.eq(self.store.stored),
            evaluator.shards_done.eq(~in_shards | shards.last),
            evaluator.shards_value.eq(Mux(in_shards, shards.total, event.value)),
            evaluator.shards_status.eq(Mux(in_shards, shards.total_status, event.status)),
            shards.group.block.eq(event.block),
            shards.group.instance.eq(event.instance),
            shards.group.index.eq(event.index),
            shards.value.eq(event.value),
            shards.status.eq(event.status),
            shards.operation.eq(self.tables.entry.combine),
            shards.finish.eq(valid & (event.event == EventKind.COMPLETION) & in_shards),
            shards.begin_group.eq(self.dispatcher.group),
            shards.begin_shards.eq(self.dispatcher.group_shards),
            shards.begin.eq(self.dispatcher.group_begin),
            self.dispatcher.group_allowed.eq(shards.begin_allowed),
            self.dispatcher.task.eq(evaluator.task),
            self.dispatcher.task_valid.eq(evaluator.task_valid),
            self.dispatcher.hint.eq(evaluator.task),
            self.dispatcher.hint_valid.eq(evaluator.hint_valid),
            self.walker.firing.eq(evaluator.firing),
            self.walker.firing_valid.eq(
                evaluator.firing_valid
                & (
                    (evaluator.firing.successor_count != 0)
                    | (evaluator.firing.mode == FiringMode.FAULT)
                )
            ),
            self.store.write.eq(evaluator.store_write),
            self.store.write_block.eq(event.block),
            self.store.write_instance.eq(event.instance),
            self.store.write_index.eq(event.index),
            self.store.entry.eq(evaluator.store),
        ]

    def _control_instances(self, m: Module, event: Event, valid: Signal) -> None:
        """Commands of the host about instances, and what is there of each."""
        instances, tables, store = self.instances, self.tables, self.store
        walker, dispatcher = self.walker, self.dispatcher
        leaving = self.token_out.payload.token.instance
        m.d.comb += [
            instances.command.eq(tables.command),
            instances.command_valid.eq(tables.command_valid),
            tables.command_accepted.eq(instances.accepted),
            tables.busy.eq(instances.busy),
            self.closed.eq(instances.closed),
            walker.closed.eq(instances.closed),
            dispatcher.closed.eq(instances.closed),
            store.sweep.eq(instances.sweep),
            store.first.eq(instances.first),
            store.last.eq(instances.last),
            instances.swept.eq(store.swept),
            instances.ready.eq(store.ready),
            instances.evaluated_instance.eq(event.instance),
            instances.made.eq(walker.firing_valid | dispatcher.task_valid),
            instances.ended.eq(self._leaves(event, valid)),
            instances.walked.eq(walker.ended),
            instances.walked_instance.eq(walker.ended_instance),
            instances.leaving.eq(self.token_out.valid & instances.closed.bit_select(leaving, 1)),
        ]

    def _leaves(self, event: Event, valid: Value) -> Value:
        """The event ends a task: its last completion, or it was discarded."""
        completion = (event.event == EventKind.COMPLETION) & self.evaluator.shards_done
        return valid & (completion | (event.event == EventKind.DISCARD))

    def _report_events(self, m: Module) -> None:
        """Tell the host when tokens have to wait for room."""
        walker, events = self.walker, self.events
        waits = walker.token.valid | self.token_in.valid
        # Under pressure tokens wait that would have to have room in the queue otherwise.
        queue_full = (walker.level >= self.queue_depth - self.reserved) | (
            walker.pressed & ~(walker.token.valid & self.dispatcher.drained)
        )
        connect(m, events.notice, walker.notice)
        # A register in front keeps the register's logic off the queues' levels.
        m.d.sync += [
            events.happens[ClusterEvent.TASK_TABLE_FULL.value].eq(waits & ~self.dispatcher.room),
            events.happens[ClusterEvent.FIRING_QUEUE_FULL.value].eq(waits & queue_full),
            events.happens[ClusterEvent.CONTROL_NETWORK_STUCK.value].eq(self.stuck),
            events.happens[ClusterEvent.NETWORK_PARITY.value].eq(self.parity_error),
            events.happens[ClusterEvent.UNREACHABLE.value].eq(self.unreachable),
        ]
        m.d.comb += [
            events.x.eq(self.x),
            events.y.eq(self.y),
            events.clear.eq(self.tables.events_clear),
            self.tables.events.eq(events.events),
        ]

    def _show(self, m: Module, event: Event, taken_valid: Signal) -> None:
        """For traces: the event that is evaluated, and what comes of it."""
        evaluator, shown, detail = self.evaluator, self.watched, self.watched_detail
        firing = evaluator.firing
        m.d.sync += shown.count.eq(shown.count ^ taken_valid)
        m.d.comb += [
            *(
                getattr(shown, name).eq(getattr(event, name))
                for name in ("event", "kind", "block", "instance")
            ),
            shown.task.eq(evaluator.task_valid),
            shown.hint.eq(evaluator.hint_valid),
            shown.fires.eq(evaluator.firing_valid),
            shown.chooses.eq(evaluator.firing_valid & (firing.mode == FiringMode.ARM)),
            detail.index.eq(event.index),
            detail.status.eq(event.status),
            detail.arm.eq(Mux(shown.chooses, firing.selector, 0)),
        ]

    def _count(
        self, m: Module, event: Event, valid: Signal, in_table: Signal, closed: Signal
    ) -> None:
        """The statistics. Of a closed instance only the queue's length is kept right."""
        statistics, tables = self.statistics, self.tables
        completion = Signal()
        forecast = Signal()
        token = Signal()
        arrival: Value = token & (event.kind == TokenKind.ARRIVE)
        m.d.comb += [
            token.eq((event.event == EventKind.TOKEN) & ~closed),
            completion.eq((event.event == EventKind.COMPLETION) & ~closed),
            forecast.eq(
                token
                & (event.kind == TokenKind.FORECAST)
                & (self.tables.entry.kind == BlockKind.TASK)
            ),
            statistics.forecast.eq(Mux(forecast, event.value, 0)),
            statistics.queued.eq(self.evaluator.task_valid),
            statistics.left.eq(self._leaves(event, valid)),
            statistics.update.eq(valid & in_table),
            statistics.arrival.eq(arrival),
            statistics.completion.eq(self.evaluator.completed),
            statistics.fault.eq(self.evaluator.faulted),
            statistics.timed.eq(completion),
            statistics.busy_cycles.eq(event.busy_cycles),
            statistics.array_cycles.eq(event.array_cycles),
            statistics.access_block.eq(tables.statistics_block),
            statistics.access_field.eq(tables.statistics_field),
            tables.statistics_data.eq(statistics.access_data),
            statistics.clear.eq(tables.statistics_clear),
            statistics.write.eq(tables.statistics_write),
            statistics.write_data.eq(tables.statistics_write_data),
            tables.statistics_written.eq(statistics.written),
        ]


assert Status.OK.value == 0, "a cleared status is OK"
