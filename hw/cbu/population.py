"""How much of each instance is inside the unit."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.token import INSTANCE_BITS
from ..library import Block

COUNT_BITS = 16
"""Width of a count: more than all queues of the unit hold."""


class InstancePopulation(Block):
    """Counts, for each instance, the firings and tasks that were made and have not ended.

    There is a table for each place where they begin or end, so that all may happen in one
    cycle; an instance's population is the sum of its two counts.

    Parameters
    ----------
    instances: instance slots, a power of two.

    Ports
    -----
    ready: In, low after reset for at least ``instances`` cycles: the tables are cleared.
    evaluated_instance: In, of the event that is evaluated; made, ended: In, it makes a firing or
        a task, a task ended (or was discarded) with it.
    walked, walked_instance: In, a firing has been served or discarded.
    instance: In, whose population is wanted; present: Out, there is something of it.

    Timing: what happens is counted three cycles later; ``present`` follows ``instance`` by two.
    """

    def __init__(self, instances: int) -> None:
        if instances < 1 or instances & (instances - 1):
            raise ValueError(f"instances is {instances}; allowed: powers of two")
        self.instances = instances
        super().__init__(
            {
                "ready": In(1),
                "evaluated_instance": In(INSTANCE_BITS),
                "made": In(1),
                "ended": In(1),
                "walked": In(1),
                "walked_instance": In(INSTANCE_BITS),
                "instance": In(INSTANCE_BITS),
                "present": Out(1),
            },
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cleared = Signal(range(self.instances))
        with m.If(~self.ready):
            m.d.sync += cleared.eq(cleared + 1)
        evaluated = self.made ^ self.ended
        counts = [
            self._count(m, "evaluated", evaluated, self.ended, self.evaluated_instance, cleared),
            self._count(m, "walked", self.walked, 1, self.walked_instance, cleared),
        ]
        m.d.sync += self.present.eq((counts[0] + counts[1])[:COUNT_BITS].any())
        return m

    def _count(
        self, m: Module, name: str, happens: Value, down: Any, instance: Value, cleared: Signal
    ) -> Value:
        """A count an instance, up or ``down`` by one; the count of ``self.instance``."""
        counts = Memory(shape=COUNT_BITS, depth=self.instances, init=[])
        m.submodules[f"{name}_counts"] = counts
        write = counts.write_port()
        own = counts.read_port(transparent_for=(write,))
        shown = counts.read_port(transparent_for=(write,))
        bits = max(1, (self.instances - 1).bit_length())
        changes, minus = Signal(name=f"{name}_changes"), Signal(name=f"{name}_minus")
        place, read = Signal(bits, name=f"{name}_place"), Signal(bits, name=f"{name}_read")
        # A register in front: what happens is known late in its cycle.
        m.d.sync += [changes.eq(happens), minus.eq(down), read.eq(instance)]
        counting, subtract = Signal(name=f"{name}_counting"), Signal(name=f"{name}_subtract")
        m.d.sync += [counting.eq(changes), subtract.eq(minus), place.eq(read)]
        m.d.comb += [
            own.addr.eq(read),
            shown.addr.eq(self.instance),
            write.addr.eq(Mux(self.ready, place, cleared)),
            write.data.eq(Mux(self.ready, own.data + Mux(subtract, -1, 1), 0)),
            write.en.eq(counting | ~self.ready),
        ]
        return shown.data
