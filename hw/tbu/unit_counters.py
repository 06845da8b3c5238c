"""Counts how tasks ended and what the unit's cycles went to."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib.wiring import In, Out

from ..layouts.counters import COUNTERS, CycleCounter
from ..layouts.descriptor import Status
from ..library import Block

COUNTER_BITS = 32


class UnitCounters(Block):
    """32-bit counters that wrap; read one at a time.

    Ports
    -----
    completed: in, pulse, a task ended with ``status``.
    cycle: in, what this cycle goes to.
    index: in, which counter; value: out, it, a cycle later.
    counted: out, ``cycle`` of the cycle before: what is being counted now.

    Timing: ``value`` is a register. Errors: none; an index without a counter gives zero.
    Source: own; indices as in :mod:`octopus.hw.layouts.counters`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "completed": In(1),
                "status": In(Status),
                "cycle": In(CycleCounter),
                "index": In(range(COUNTERS)),
                "value": Out(COUNTER_BITS),
                "counted": Out(CycleCounter),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        counters: list[Any] = [Const(0, COUNTER_BITS)] * COUNTERS
        completed = Signal()
        status = Signal(Status)
        m.d.sync += [completed.eq(self.completed), status.eq(self.status)]
        for member in Status:
            counters[member.value] = counter = Signal(COUNTER_BITS, name=member.name.lower())
            m.d.sync += counter.eq(counter + (completed & (status == member)))
        m.d.sync += self.counted.eq(self.cycle)
        for cause in CycleCounter:
            counters[cause] = counter = Signal(COUNTER_BITS, name=cause.name.lower())
            m.d.sync += counter.eq(counter + (self.counted == cause))
        m.d.sync += self.value.eq(Array(counters)[self.index])
        return m
