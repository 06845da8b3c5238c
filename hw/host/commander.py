"""Carries out the host's commands to instances, in the bridge and in every cluster."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.command import (
    BALANCE_BITS,
    ClusterCommand,
    ClusterCommandStatus,
    CommandOperation,
    HostOperation,
)
from ..layouts.space import (
    CONFIGURATION_BIT,
    COORDINATE_BITS,
    Address,
    ClusterRegister,
    ConfigurationRegion,
)
from ..layouts.token import INSTANCE_BITS
from ..library import Block
from .instance_range import InstanceRange

CONFIGURATION = 1 << CONFIGURATION_BIT


class Phase(enum.Enum, shape=2):
    """What the clusters are visited for: all are told or asked before the next phase."""

    ABORT = 0
    WAIT = 1
    BALANCE = 2
    OPEN = 3


class InstanceCommander(Block):
    """ABORT, DRAIN and ADMIT of a range of instances.

    Parameters
    ----------
    columns, rows: size of the mesh. instances: instance slots of a cluster.

    Ports
    -----
    begin, operation, first, last (in): a command. refused (out): it is not taken (combinational).
    limit (in): cycles after which a command is given up, 0 for never.
    busy, failed, timed_out (out): of the latest command. ended (out): high for a cycle at its end.
    aborted, draining (out): :class:`InstanceRange`.
    clean (in): nothing of the aborted instances is left in the bridge's queues.
    instance (out): the instance looked at. active (in): it is active (combinational).
    clear (out): it is no longer active.
    balance (in): the bridge's token balance of the instance, two cycles later.
    memory (out): :class:`MemoryPort` to the clusters' configuration spaces.

    Timing: an access to a cluster after the other.

    Errors: ``failed``, ``timed_out``.

    Source: docs/specification.md, section 9.
    """

    def __init__(self, columns: int, rows: int, instances: int) -> None:
        self.columns = columns
        self.rows = rows
        self.instances = instances
        super().__init__(
            {
                "begin": In(1),
                "operation": In(HostOperation),
                "first": In(INSTANCE_BITS),
                "last": In(INSTANCE_BITS),
                "refused": Out(1),
                "limit": In(32),
                "busy": Out(1),
                "failed": Out(1),
                "timed_out": Out(1),
                "ended": Out(1),
                "aborted": Out(InstanceRange),
                "draining": Out(InstanceRange),
                "clean": In(1),
                "instance": Out(INSTANCE_BITS),
                "active": In(1),
                "clear": Out(1),
                "balance": In(BALANCE_BITS),
                "memory": Out(MemoryPort()),
            },
            columns=columns,
            rows=rows,
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the state machine."""
        m = Module()
        self._phase = Signal(Phase)
        self._sum = Signal(BALANCE_BITS)
        self._x = Signal(COORDINATE_BITS)
        self._y = Signal(COORDINATE_BITS)
        self._first = Signal(INSTANCE_BITS)
        self._last = Signal(INSTANCE_BITS)
        self._last_cluster = Signal()
        self._at_last = Signal()
        self._give_up = Signal()
        self._elapsed = Signal(32)
        known = Signal()
        m.d.comb += [
            self._last_cluster.eq((self._x == self.columns - 1) & (self._y == self.rows - 1)),
            self._at_last.eq(self.instance == self._last),
            known.eq(
                (self.operation == HostOperation.ABORT)
                | (self.operation == HostOperation.DRAIN)
                | (self.operation == HostOperation.ADMIT)
            ),
            self.refused.eq(~known | self.aborted.valid),
        ]
        m.d.sync += self._give_up.eq(
            self.busy & ~self.ended & (self.limit != 0) & (self._elapsed >= self.limit)
        )
        with m.If(self.busy):
            m.d.sync += self._elapsed.eq(self._elapsed + 1)
        self._request(m)
        with m.FSM():
            with m.State("IDLE"):
                self._begin(m)
            with m.State("SCAN"):
                self._scan(m)
                self._begin(m)
            with m.State("CLEAN"):
                with m.If(self._give_up):
                    self._end(m, timed_out=1)
                with m.Elif(self.clean):
                    self._visit(m, Phase.ABORT)
            with m.State("ASK"):
                m.next = "REQUEST"
                with m.If(self._give_up):
                    self._end(m, timed_out=1)
            with m.State("REQUEST"):
                m.d.comb += self.memory.request.valid.eq(1)
                with m.If(self.memory.request.ready):
                    m.next = "ANSWER"
                    with m.If(self.memory.request.payload.write):
                        m.next = "WORD"
            with m.State("WORD"):
                m.d.comb += self.memory.write.valid.eq(1)
                with m.If(self.memory.write.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.memory.response.ready.eq(1)
                with m.If(self.memory.response.valid):
                    self._answered(m)
            with m.State("COMPARE"):
                self._compare(m)
            with m.State("CLEAR"):
                m.d.comb += self.clear.eq(1)
                m.d.sync += self.instance.eq(self.instance + 1)
                with m.If(self._at_last):
                    self._end(m)
        return m

    def _begin(self, m: Module) -> None:
        """Take a command."""
        none = (self.last < self.first) | (self.first >= self.instances)
        named = [("first", self.first), ("last", self.last)]
        with m.If(self.begin & ~self.refused):
            m.d.sync += [
                self.busy.eq(1),
                self.failed.eq(0),
                self.timed_out.eq(0),
                self._elapsed.eq(0),
                self._give_up.eq(0),
                self._first.eq(self.first),
                self._last.eq(Mux(self.last < self.instances, self.last, self.instances - 1)),
                self.instance.eq(self.first),
            ]
            with m.If(self.operation == HostOperation.ABORT):
                m.d.sync += [getattr(self.aborted, name).eq(value) for name, value in named]
                m.next = "CLEAN"
                with m.If(none):
                    self._end(m)
                with m.Else():
                    m.d.sync += self.aborted.valid.eq(1)
            with m.Elif(self.operation == HostOperation.DRAIN):
                m.d.sync += [getattr(self.draining, name).eq(value) for name, value in named]
                m.d.sync += self.draining.valid.eq(1)
                m.next = "SCAN"
                with m.If(none):
                    self._end(m)
            with m.Else():
                m.d.sync += self.draining.valid.eq(0)
                self._end(m)

    def _end(self, m: Module, timed_out: int = 0) -> None:
        """The command ends, as it should or because it took too long."""
        m.d.comb += self.ended.eq(1)
        m.d.sync += [
            self.busy.eq(0),
            self.timed_out.eq(timed_out),
            self.aborted.valid.eq(0),
        ]
        m.next = "IDLE"

    def _scan(self, m: Module) -> None:
        """Go on to the next instance when this one is not active; it cannot become so again."""
        with m.If(self._give_up):
            self._end(m, timed_out=1)
        with m.Elif(~self.active):
            m.d.sync += self.instance.eq(self.instance + 1)
            with m.If(self._at_last):
                self._end(m)

    def _visit(self, m: Module, phase: Phase) -> None:
        """Begin a round through the clusters."""
        m.d.sync += [self._phase.eq(phase), self._x.eq(0), self._y.eq(0), self._sum.eq(0)]
        m.next = "ASK"

    def _request(self, m: Module) -> None:
        """The access of the present phase, to the present cluster."""
        request = self.memory.request.payload
        word = Signal(ClusterCommand)
        place = Address(request.address)
        offset = Signal(CONFIGURATION_BIT)
        tells = (self._phase == Phase.ABORT) | (self._phase == Phase.OPEN)
        with m.Switch(self._phase):
            with m.Case(Phase.WAIT):
                m.d.comb += offset.eq(ClusterRegister.COMMAND_STATUS)
            with m.Case(Phase.BALANCE):
                m.d.comb += offset.eq(ConfigurationRegion.TOKEN_BALANCE + (self.instance << 2))
            with m.Default():
                m.d.comb += offset.eq(ClusterRegister.COMMAND)
        m.d.comb += [
            request.write.eq(tells),
            request.mask.eq(~0),
            request.length.eq(0),
            place.x.eq(self._x),
            place.y.eq(self._y),
            place.offset.eq(CONFIGURATION | offset),
            word.operation.eq(
                Mux(self._phase == Phase.ABORT, CommandOperation.ABORT, CommandOperation.OPEN)
            ),
            word.first.eq(self._first),
            word.last.eq(self._last),
            self.memory.write.payload.eq(word),
        ]

    def _answered(self, m: Module) -> None:
        """Go on to the next cluster, or to the next phase; ask a busy cluster again."""
        response = self.memory.response.payload
        status = ClusterCommandStatus(response.data)
        m.d.sync += [self.failed.eq(self.failed | response.error), self._x.eq(self._x + 1)]
        m.next = "ASK"
        with m.If(self._x == self.columns - 1):
            m.d.sync += [self._x.eq(0), self._y.eq(self._y + 1)]
        with m.If(self._phase == Phase.BALANCE):
            m.d.sync += self._sum.eq(self._sum + response.data[:BALANCE_BITS])
        with m.If((self._phase == Phase.WAIT) & status.busy & ~response.error):
            m.d.sync += [self._x.eq(self._x), self._y.eq(self._y)]
        with m.Elif(self._last_cluster), m.Switch(self._phase):
            with m.Case(Phase.ABORT):
                self._visit(m, Phase.WAIT)
            with m.Case(Phase.WAIT):
                self._visit(m, Phase.BALANCE)
            with m.Case(Phase.BALANCE):
                m.next = "COMPARE"
            with m.Default():
                m.d.sync += self.instance.eq(self._first)
                m.next = "CLEAR"

    def _compare(self, m: Module) -> None:
        """All balances of an instance are summed up: ask again, or go on to the next instance."""
        self._visit(m, Phase.BALANCE)
        total = Signal(BALANCE_BITS)
        m.d.comb += total.eq(self._sum + self.balance)
        with m.If(total == 0):
            m.d.sync += self.instance.eq(self.instance + 1)
            with m.If(self._at_last):
                self._visit(m, Phase.OPEN)
