"""A queue of tasks between two stages."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..library import Block
from .layouts import task_layout


class TaskQueue(Block):
    """Lets the stage before it go on while the stage behind it is at work.

    Parameters
    ----------
    pea: the array's configuration. depth: tasks that may wait, at least 1.

    Ports
    -----
    incoming: stream in, outgoing: stream out, of ``task_layout``.

    Timing: one cycle. Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth is {depth}; allowed: 1 or more")
        self.task_layout = task_layout(pea)
        self.depth = depth
        super().__init__(
            {
                "incoming": In(stream.Signature(self.task_layout)),
                "outgoing": Out(stream.Signature(self.task_layout)),
            },
            context_banks=pea.context_banks,
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = SyncFIFO(width=self.task_layout.size, depth=self.depth)
        m.d.comb += [
            queue.w_data.eq(self.incoming.payload),
            queue.w_en.eq(self.incoming.valid),
            self.incoming.ready.eq(queue.w_rdy),
            self.outgoing.payload.eq(self.task_layout(queue.r_data)),
            self.outgoing.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.outgoing.ready),
        ]
        return m
