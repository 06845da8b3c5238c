"""The store of firings whose successors are still to be served."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..library import Block
from .records import Firing


class FiringQueue(Block):
    """Firings in a memory; taken oldest first, or newest first when many wait.

    Oldest first is fair. Newest first bounds what accumulates: the work of one firing ends
    before the next begins (see docs/control_block_unit.md).

    Parameters
    ----------
    depth: places, a power of two from 4.
    pressure: number of firings from which on the newest is taken first (1 to depth).

    Ports
    -----
    push, push_valid: In, a firing to keep. Pushing into a full queue is a fault of the user.
    take: In, remove the firing that is next (only if ``level`` is not 0).
    taken: Out, the firing removed in the cycle before.
    level: Out, number of firings. pressed: Out, ``level`` is at least ``pressure``.

    Timing: one push and one take a cycle; ``taken`` follows ``take`` by one cycle.
    """

    def __init__(self, depth: int, pressure: int) -> None:
        if depth < 4 or depth & (depth - 1):
            raise ValueError(f"depth is {depth}; allowed: powers of two from 4")
        if not 1 <= pressure <= depth:
            raise ValueError(f"pressure is {pressure}; allowed: 1 to {depth}")
        self.depth = depth
        self.pressure = pressure
        super().__init__(
            {
                "push": In(Firing),
                "push_valid": In(1),
                "take": In(1),
                "taken": Out(Firing),
                "level": Out(range(depth + 1)),
                "pressed": Out(1),
            },
            depth=depth,
            pressure=pressure,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=Firing, depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        oldest = Signal(range(self.depth))
        newest = Signal(range(self.depth))
        take_newest = Signal()
        m.d.comb += [
            self.pressed.eq(self.level >= self.pressure),
            newest.eq(oldest + self.level - 1),
            take_newest.eq(self.take & self.pressed),
            read.addr.eq(Mux(self.pressed, newest, oldest)),
            self.taken.eq(read.data),
            # A firing that comes while the newest leaves takes the place that becomes free.
            write.addr.eq(newest + ~take_newest),
            write.data.eq(self.push),
            write.en.eq(self.push_valid),
        ]
        m.d.sync += self.level.eq(self.level + self.push_valid - self.take)
        with m.If(self.take & ~take_newest):
            m.d.sync += oldest.eq(oldest + 1)
        return m
