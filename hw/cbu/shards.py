"""The shards of tasks: which of a task's parts are still running."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..layouts.block import Combine
from ..layouts.descriptor import Status
from ..layouts.token import SHARD_BITS
from ..library import Block
from .evaluator import combine
from .records import ShardGroup


class _Tracked(data.Struct):
    valid: 1
    first: 1
    group: ShardGroup
    remaining: SHARD_BITS
    value: 32
    status: Status


class ShardTracker(Block):
    """Joins the shards of tasks: counts their completions, combines values and statuses.

    A task in shards takes a place when its first shard is dispatched and leaves it with the
    last completion. Its key is (block, instance, index); a second task with a key that is
    present has to wait, as has one that finds no place.

    Parameters
    ----------
    groups: tasks in shards that may run at once (1 to 16).

    Ports
    -----
    begin_group, begin_shards: In, the task whose first shard is to be dispatched.
    begin_allowed: Out, there is a place and the key is not present.
    begin: In, take the place now (only with ``begin_allowed``).
    group, value, status, operation: In, a completion and its block's ``combine``.
    finish: In, count it now.
    last: Out, this is the last of its shards; total, total_status: Out, what the task gives:
        the values combined, and the status of the first shard that failed.

    Timing: outputs are combinational from the inputs; places change at the clock edge.

    Source: docs/specification.md, section 7.
    """

    def __init__(self, groups: int) -> None:
        if not 1 <= groups <= 16:
            raise ValueError(f"groups is {groups}; allowed: 1 to 16")
        self.groups = groups
        super().__init__(
            {
                "begin_group": In(ShardGroup),
                "begin_shards": In(SHARD_BITS),
                "begin_allowed": Out(1),
                "begin": In(1),
                "group": In(ShardGroup),
                "value": In(32),
                "status": In(Status),
                "operation": In(Combine),
                "finish": In(1),
                "last": Out(1),
                "total": Out(32),
                "total_status": Out(Status),
            },
            groups=groups,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        places = [Signal(_Tracked, name=f"place{i}") for i in range(self.groups)]
        self._begin(m, places)

        found = Signal(_Tracked)
        matches = Signal(self.groups)
        for i, place in enumerate(places):
            m.d.comb += matches[i].eq(
                place.valid & (place.group.as_value() == self.group.as_value())
            )
            with m.If(matches[i]):
                m.d.comb += found.eq(place)
        combined = combine(m, self.operation, found.value, self.value)
        m.d.comb += [
            self.last.eq(found.remaining == 1),
            self.total.eq(Mux(found.first, self.value, combined)),
            self.total_status.eq(
                Mux(found.status == Status.OK, self.status, found.status),
            ),
        ]
        for i, place in enumerate(places):
            with m.If(self.finish & matches[i]):
                m.d.sync += [
                    place.valid.eq(~self.last),
                    place.first.eq(0),
                    place.remaining.eq(place.remaining - 1),
                    place.value.eq(self.total),
                    place.status.eq(self.total_status),
                ]
        return m

    def _begin(self, m: Module, places: list[data.View]) -> None:
        """Whether a task may take a place, and taking it."""
        present = Signal()
        chosen = Signal(self.groups)
        key = self.begin_group.as_value()
        for place in places:
            with m.If(place.valid & (place.group.as_value() == key)):
                m.d.comb += present.eq(1)
        for i, place in reversed(list(enumerate(places))):
            with m.If(~place.valid):
                m.d.comb += chosen.eq(1 << i)
        m.d.comb += self.begin_allowed.eq(chosen.any() & ~present)
        for i, place in enumerate(places):
            with m.If(self.begin & chosen[i]):
                m.d.sync += [
                    place.valid.eq(1),
                    place.first.eq(1),
                    place.group.eq(self.begin_group),
                    place.remaining.eq(self.begin_shards),
                    place.status.eq(Status.OK),
                ]
