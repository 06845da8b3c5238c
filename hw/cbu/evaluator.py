"""What an event does to its block: the rules of the specification's section CBU."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..layouts.block import BlockEntry, BlockKind, Combine, Comparison
from ..layouts.descriptor import Status
from ..layouts.token import INDEX_BITS, TokenKind
from .records import (
    MAXIMUM_EXPECTED,
    MAXIMUM_FAN_OUT,
    Event,
    EventKind,
    Firing,
    FiringMode,
    ReadyTask,
    StoreEntry,
    map_value,
)


def combine(m: Module, operation: Value, so_far: Value, value: Value) -> Signal:
    """A signal with ``so_far`` and ``value`` combined as a ``Combine`` says (32 bits)."""
    result = Signal(32)
    less = value.as_signed() < so_far.as_signed()
    with m.Switch(operation):
        with m.Case(Combine.MINIMUM):
            m.d.comb += result.eq(Mux(less, value, so_far))
        with m.Case(Combine.MAXIMUM):
            m.d.comb += result.eq(Mux(less, so_far, value))
        with m.Case(Combine.AND):
            m.d.comb += result.eq(so_far & value)
        with m.Case(Combine.OR):
            m.d.comb += result.eq(so_far | value)
        with m.Default():
            m.d.comb += result.eq(so_far + value)
    return result


class BlockEvaluator(wiring.Component):
    """Decides what one event does: nothing yet, a ready task, or a firing.

    Purely combinational, without a clock, and hence no ``Block``; the unit around it reads the
    tables a cycle earlier and keeps what comes out.

    Parameters
    ----------
    none.

    Ports
    -----
    event, valid: In, the event and whether there is one.
    in_table: In, its block and instance exist. in_store: In, the token store has its index.
    inner_bits: In, of an index.
    entry: In, its block's entry; stored: In, its token store entry.
    shards_done, shards_value, shards_status: In, whether a completion is the last of its
        task's shards (always set for tasks without shards), and what the task gives.
    store, store_write: Out, the new token store entry.
    task, task_valid: Out, a task became ready. firing, firing_valid: Out, a block fired.
        At most one of the two is valid.
    hint_valid: Out, ``task`` is likely to become ready.
    completed: Out, a task finished, all its shards included. faulted: Out, a fault is reported.

    Timing: combinational from every input to every output.

    Errors: see FAULT in the specification's section CBU.

    Source: docs/specification.md, section 7.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "event": In(Event),
                "valid": In(1),
                "in_table": In(1),
                "in_store": In(1),
                "inner_bits": In(4),
                "entry": In(BlockEntry),
                "stored": In(StoreEntry),
                "shards_done": In(1),
                "shards_value": In(32),
                "shards_status": In(Status),
                "store": Out(StoreEntry),
                "store_write": Out(1),
                "task": Out(ReadyTask),
                "task_valid": Out(1),
                "hint_valid": Out(1),
                "firing": Out(Firing),
                "firing_valid": Out(1),
                "completed": Out(1),
                "faulted": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        event, entry = self.event, self.entry
        fault = Signal(Status)
        self._connect_payloads(m, fault)

        with m.If(self.valid):
            with m.If(event.event == EventKind.COMPLETION):
                succeeded = self.shards_status == Status.OK
                m.d.comb += self.completed.eq(self.shards_done)
                with m.If(self.shards_done & succeeded):
                    m.d.comb += [
                        self.firing_valid.eq(1),
                        self.firing.value.eq(self.shards_value),
                    ]
                with m.Elif(self.shards_done):
                    m.d.comb += fault.eq(self.shards_status)
            with m.Elif(event.event == EventKind.DISCARD):
                pass
            with m.Elif(~self.in_table | (entry.kind == BlockKind.INVALID)):
                m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)
            with m.Elif(event.kind == TokenKind.EXPECT):
                self._expect(m, fault)
            with m.Elif(event.kind == TokenKind.ARRIVE):
                self._arrive(m, fault)
            with m.Elif((event.kind == TokenKind.FORECAST) & (entry.kind == BlockKind.TASK)):
                m.d.comb += self.hint_valid.eq(self.task.shards == 1)
            with m.Else():
                m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)

        with m.If(fault != Status.OK):
            m.d.comb += [
                self.faulted.eq(1),
                self.firing_valid.eq(1),
                self.firing.mode.eq(FiringMode.FAULT),
                self.firing.selector.eq(fault),
                self.firing.value.eq(0),
                self.firing.index.eq(event.index),
            ]
        return m

    def _connect_payloads(self, m: Module, fault: data.View) -> None:
        event, entry = self.event, self.entry
        m.d.comb += [
            fault.eq(Status.OK),
            self.task.descriptor.eq(entry.descriptor),
            self.task.kernel.eq(entry.kernel),
            self.task.task_block_units.eq(entry.task_block_units),
            self.task.shards.eq(Mux(entry.shards == 0, 1, entry.shards)),
            self.task.block.eq(event.block),
            self.task.instance.eq(event.instance),
            self.task.index.eq(event.index),
            self.task.value.eq(event.value),
            self.task.domain.eq(entry.domain),
            self.firing.mode.eq(FiringMode.ALL),
            self.firing.block.eq(event.block),
            self.firing.instance.eq(event.instance),
            self.firing.index.eq(event.index),
            self.firing.value.eq(event.value),
            self.firing.first_successor.eq(entry.first_successor),
            self.firing.successor_count.eq(entry.successor_count),
            self.store.eq(self.stored),
        ]

    def _expect(self, m: Module, fault: data.View) -> None:
        """An EXPECT token: only a gather takes one."""
        count = self.event.value
        wrong = (self.entry.kind != BlockKind.GATHER) | (count > MAXIMUM_EXPECTED)
        with m.If(wrong | ~self.in_store):
            m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)
        with m.Else():
            m.d.comb += self.store_write.eq(1)
            with m.If(self.stored.arrivals >= count):
                m.d.comb += [
                    self.firing_valid.eq(1),
                    self.firing.value.eq(Mux(count == 0, 0, self.stored.combined)),
                    self.store.eq(0),
                ]
            with m.Else():
                m.d.comb += [self.store.expected.eq(count), self.store.expected_known.eq(1)]

    def _arrive(self, m: Module, fault: data.View) -> None:
        """An ARRIVE token, by the kind of its block."""
        value, operand = self.event.value, self.entry.operand
        with m.Switch(self.entry.kind):
            with m.Case(BlockKind.TASK):
                m.d.comb += self.task_valid.eq(1)
            with m.Case(BlockKind.SOURCE, BlockKind.SINK, BlockKind.MERGE):
                m.d.comb += self.firing_valid.eq(1)
            with m.Case(BlockKind.BRANCH):
                self._fire_arm(m, self._compare(m))
            with m.Case(BlockKind.SWITCH):
                self._fire_arm(m, Mux(value < operand, value, operand - 1)[:5])
            with m.Case(BlockKind.LOOP):
                with m.If((self.entry.comparison == Comparison.COUNT) & ~self.in_store):
                    m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)
                with m.Else():
                    self._loop(m)
            with m.Case(BlockKind.MULTICAST):
                m.d.comb += [
                    self.firing_valid.eq(1),
                    self.firing.mode.eq(FiringMode.MASK),
                    self.firing.selector.eq(_arms_chosen(value, operand)),
                ]
            with m.Case(BlockKind.MAP):
                self._map(m, fault)
            with m.Case(BlockKind.JOIN, BlockKind.GATHER):
                with m.If(self.in_store):
                    self._collect(m)
                with m.Else():
                    m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)
            with m.Default():
                m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)

    def _map(self, m: Module, fault: data.View) -> None:
        """A map: each index must be one of its own, also inside the body of another map."""
        value, nested = self.event.value, self.entry.nested
        shifted = Signal(INDEX_BITS + 15)
        inner_limit = Signal(INDEX_BITS + 4)
        m.d.comb += [
            shifted.eq(self.event.index << self.inner_bits),
            inner_limit.eq(1 << self.inner_bits),
        ]
        wrong = (value > MAXIMUM_FAN_OUT) | (
            nested & ((value > inner_limit) | shifted[INDEX_BITS:].any())
        )
        with m.If(wrong):
            m.d.comb += fault.eq(Status.DESCRIPTOR_INVALID)
        with m.Else():
            m.d.comb += [
                self.firing_valid.eq(1),
                self.firing.mode.eq(FiringMode.MAP),
                self.firing.selector.eq(nested),
                self.firing.value.eq(map_value(value, self.event.index)),
                self.firing.index.eq(0),
            ]

    def _fire_arm(self, m: Module, arm: Value) -> None:
        m.d.comb += [
            self.firing_valid.eq(1),
            self.firing.mode.eq(FiringMode.ARM),
            self.firing.selector.eq(arm),
        ]

    def _compare(self, m: Module) -> Signal:
        """Whether the entry's comparison of value and operand holds (not ``COUNT``)."""
        value, operand = self.event.value, self.entry.operand
        holds = Signal()
        less = value.as_signed() < operand.as_signed()
        with m.Switch(self.entry.comparison):
            with m.Case(Comparison.ALWAYS):
                m.d.comb += holds.eq(1)
            with m.Case(Comparison.EQ):
                m.d.comb += holds.eq(value == operand)
            with m.Case(Comparison.NE):
                m.d.comb += holds.eq(value != operand)
            with m.Case(Comparison.LT):
                m.d.comb += holds.eq(less)
            with m.Case(Comparison.GE):
                m.d.comb += holds.eq(~less)
            with m.Case(Comparison.LTU):
                m.d.comb += holds.eq(value < operand)
            with m.Case(Comparison.GEU):
                m.d.comb += holds.eq(value >= operand)
        return holds

    def _loop(self, m: Module) -> None:
        rounds = self.stored.combined
        again = Signal()
        m.d.comb += again.eq(self._compare(m))
        with m.If(self.entry.comparison == Comparison.COUNT):
            m.d.comb += [
                again.eq(rounds < self.entry.operand),
                self.store_write.eq(1),
                self.store.combined.eq(Mux(again, rounds + 1, 0)),
            ]
        self._fire_arm(m, again)

    def _collect(self, m: Module) -> None:
        """A token at a join or gather: combine it, and fire with the last."""
        stored = self.stored
        arrivals = Signal(len(stored.arrivals) + 1)
        combined = combine(m, self.entry.combine, stored.combined, self.event.value)
        total = Signal(32)
        complete = Signal()
        m.d.comb += [
            arrivals.eq(stored.arrivals + 1),
            total.eq(Mux(stored.arrivals == 0, self.event.value, combined)),
            complete.eq(
                Mux(
                    self.entry.kind == BlockKind.JOIN,
                    arrivals >= self.entry.join_count,
                    stored.expected_known & (arrivals >= stored.expected),
                )
            ),
            self.store_write.eq(1),
            self.store.arrivals.eq(arrivals),
            self.store.combined.eq(total),
        ]
        with m.If(complete):
            m.d.comb += [
                self.store.eq(0),
                self.firing_valid.eq(1),
                self.firing.value.eq(total),
            ]


def _arms_chosen(mask: Value, arms: Value) -> Value:
    """How many bits of ``mask`` below bit ``arms`` are set."""
    chosen = [mask[i] & (arms > i) for i in range(32)]
    level: list[Value] = [Cat(bit, Const(0, 1)) for bit in chosen]
    while len(level) > 1:
        level = [low + high for low, high in zip(level[::2], level[1::2], strict=True)]
    return level[0][:6]
