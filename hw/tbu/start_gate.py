"""Where a prepared task waits for its dispatch."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..library import Block
from .dispatch_queue import PreparedVerdict
from .layouts import task_layout


class StartGate(Block):
    """Lets tasks pass to the array; the prepared one only with its verdict.

    With GO it becomes a task like any other, with the value of its token; with DROP it passes
    as a failed one.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    task: stream in, passed: stream out, of ``task_layout``.
    verdict: in, :class:`PreparedVerdict`. resolved: out, pulse: the prepared task has passed
    (in the cycle before).

    Timing: combinational; a prepared task whose trips are the token's value passes a cycle after
    its verdict, for the array's plan is made of them.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        layout = task_layout(pea)
        super().__init__(
            {
                "task": In(stream.Signature(layout)),
                "passed": Out(stream.Signature(layout)),
                "verdict": In(PreparedVerdict),
                "resolved": Out(1),
            },
            context_banks=pea.context_banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        task, passed, verdict = self.task.payload, self.passed.payload, self.verdict
        said = Value.cast(verdict.verdict)  # one-hot: GO, DROP
        opens = Signal()
        go = Signal()
        went = Signal()  # it was GO in the cycle before
        trips = Signal.like(task.body_trips)
        m.d.sync += [
            went.eq(go),
            trips.eq(verdict.value),
            self.resolved.eq(self.passed.valid & self.passed.ready & task.prepared),
        ]
        m.d.comb += [
            go.eq(said[0]),
            opens.eq(~task.prepared | said[1] | (go & (went | ~task.trips_from_token))),
            self.passed.valid.eq(self.task.valid & opens),
            self.task.ready.eq(self.passed.ready & opens),
            passed.eq(task),
        ]
        with m.If(task.prepared & go):
            m.d.comb += [
                passed.prepared.eq(0),
                passed.value.eq(verdict.value),
                passed.started.eq(verdict.started),
                passed.body_trips.eq(Mux(task.trips_from_token, trips, task.body_trips)),
            ]
        with m.If(task.prepared & said[1] & (task.status == Status.OK)):
            m.d.comb += passed.status.eq(Status.ABORTED)
        return m
