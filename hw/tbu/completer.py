"""Reports the end of a task."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..layouts.token import Completion
from ..library import Block
from .layouts import task_layout, window_layout


class Completer(Block):
    """Turns a finished task into its completion and frees what it owned.

    A prepared task that was dropped has no completion.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    task: stream in of ``task_layout``. completion: stream out of :class:`Completion`, registered.
    now: in, 32 bits, the clock, which goes on while ``occupied``: in, a dispatched task is here.
    finished: out, pulse, a task's descriptor slot is free. release: out, pulse, so is
    release_window.

    Timing: one cycle. Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.task_layout = task_layout(pea)
        super().__init__(
            {
                "task": In(stream.Signature(self.task_layout)),
                "completion": Out(stream.Signature(Completion)),
                "now": In(32),
                "occupied": In(1),
                "finished": Out(1),
                "release": Out(1),
                "release_window": Out(window_layout()),
            },
            context_banks=pea.context_banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        completion, task = self.completion, self.task.payload
        # Cycles since the previous completion in which a task was here, saturated. The others do
        # not matter: the task after them has been here for less than that.
        previous = Signal(32)
        since_dispatch = Signal(32)
        m.d.comb += [
            self.task.ready.eq(~completion.valid | completion.ready),
            self.finished.eq(self.task.valid & self.task.ready),
            self.release.eq(self.finished & task.holds_window),
            self.release_window.eq(task.window),
            since_dispatch.eq(self.now - task.started),
        ]
        reported = self.finished & ~task.prepared
        with m.If(reported):
            m.d.sync += previous.eq(0)
        with m.Elif(self.occupied & ~previous.all()):
            m.d.sync += previous.eq(previous + 1)
        with m.If(self.task.ready):
            m.d.sync += completion.valid.eq(reported)
        with m.If(reported):
            m.d.sync += [
                getattr(completion.payload, name).eq(getattr(task, name))
                for name in ("block", "instance", "index", "shard", "status", "array_cycles")
            ]
            m.d.sync += [
                completion.payload.value.eq(Mux(task.status == Status.OK, task.value, 0)),
                completion.payload.busy_cycles.eq(
                    Mux(previous < since_dispatch, previous, since_dispatch) + 1
                ),
            ]
        return m
