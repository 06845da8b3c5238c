"""Which workflow instances the host has started."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ..layouts.token import INSTANCE_BITS
from ..library import Block


class InstanceTable(Block):
    """A bit an instance: it was started and has not ended.

    Parameters
    ----------
    instances: instance slots, a power of two (1 to 256). Others are never active.

    Ports
    -----
    start, started (in): instance ``started`` (a cycle earlier and still) becomes active; wins over
        its end in the same cycle.
    started_active (out): it is active already.
    end, ended (in), clear, cleared (in): the instance is no longer active.
    cleared_active (out): instance ``cleared`` is active.
    count (out): active instances.

    Timing: ``started_active`` comes a cycle after ``started``, ``cleared_active`` at once; changes
    show in the next cycle, in ``count`` a cycle later.
    """

    def __init__(self, instances: int) -> None:
        if not 1 <= instances <= 1 << INSTANCE_BITS or instances & (instances - 1):
            raise ValueError(
                f"instances is {instances}; allowed: powers of two from 1 to {1 << INSTANCE_BITS}"
            )
        self.instances = instances
        super().__init__(
            {
                "start": In(1),
                "started": In(INSTANCE_BITS),
                "started_active": Out(1),
                "end": In(1),
                "ended": In(INSTANCE_BITS),
                "clear": In(1),
                "cleared": In(INSTANCE_BITS),
                "cleared_active": Out(1),
                "count": Out(range(instances + 1)),
            },
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        """Bits and their count."""
        m = Module()
        active = Signal(self.instances)

        def place(name: str, instance: Value) -> Signal:
            """The bit of an instance, none if it does not exist."""
            bit = Signal(self.instances, name=f"{name}_bit")
            with m.If(instance < self.instances):
                m.d.comb += bit.eq(Const(1, self.instances) << instance)
            return bit

        def only_if(condition: Value, bits: Value) -> Value:
            return bits & condition.replicate(self.instances)

        started = Signal(self.instances)
        ended = place("ended", self.ended)
        cleared = place("cleared", self.cleared)
        m.d.sync += started.eq(place("started", self.started))
        starts = Signal(self.instances)
        ends = Signal(self.instances)
        clears = Signal(self.instances)
        m.d.comb += [
            starts.eq(only_if(self.start, started)),
            ends.eq(only_if(self.end, ended) & ~starts & active),
            clears.eq(only_if(self.clear, cleared) & ~starts & ~ends & active),
            self.started_active.eq((active & started).any()),
            self.cleared_active.eq((active & cleared).any()),
        ]
        begun = Signal()
        over = Signal()
        removed = Signal()
        m.d.sync += [
            active.eq((active | starts) & ~ends & ~clears),
            begun.eq((starts & ~active).any()),
            over.eq(ends.any()),
            removed.eq(clears.any()),
            self.count.eq(self.count + begun - over - removed),
        ]
        return m
