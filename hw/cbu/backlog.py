"""Where ready tasks wait for a place in the window."""

from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..library import Block
from .records import ReadyTask


class TaskBacklog(Block):
    """Tasks in the order in which they came; one that finds nobody before it goes straight on.

    Parameters
    ----------
    depth: places (8 to 65536).

    Ports
    -----
    task, task_valid: In, a task that has come. It needs ``room`` three cycles earlier.
    returned, returned_valid: In, a task that left the window and waits again (only if
        ``returnable`` and no task comes).
    enter, enter_valid: Out, a task that goes to the window. full: In, the window is.
    room: Out, six places were free a cycle ago. returnable: Out, one is free.
    waiting: Out, a task waits that may go on now. drained: Out, none waits.

    Timing: a task goes on in the cycle in which it comes, or after two.

    Source: own.
    """

    def __init__(self, depth: int) -> None:
        if not 8 <= depth <= 1 << 16:
            raise ValueError(f"backlog is {depth}; allowed: 8 to {1 << 16}")
        self.depth = depth
        super().__init__(
            {
                "task": In(ReadyTask),
                "task_valid": In(1),
                "returned": In(ReadyTask),
                "returned_valid": In(1),
                "enter": Out(ReadyTask),
                "enter_valid": Out(1),
                "full": In(1),
                "room": Out(1),
                "returnable": Out(1),
                "waiting": Out(1),
                "drained": Out(1),
            },
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = ReadyTask.as_shape().size  # type: ignore[attr-defined]
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=width, depth=self.depth)
        m.d.sync += self.room.eq(fifo.level <= self.depth - 6)
        m.d.comb += [
            self.returnable.eq(fifo.w_rdy),
            self.waiting.eq(fifo.r_rdy),
            self.drained.eq(fifo.level == 0),
            self.enter.eq(Mux(self.drained, self.task, fifo.r_data)),
            self.enter_valid.eq(Mux(self.drained, self.task_valid, fifo.r_rdy) & ~self.full),
            fifo.r_en.eq(~self.drained & ~self.full),
            fifo.w_data.eq(Mux(self.returned_valid, self.returned, self.task)),
            fifo.w_en.eq(
                self.returned_valid | (self.task_valid & ~(self.drained & self.enter_valid))
            ),
        ]
        return m
