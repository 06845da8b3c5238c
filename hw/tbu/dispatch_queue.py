"""The queue of dispatched tasks, and the task that is prepared before it is dispatched."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.token import Dispatch
from ..library import Block


class Verdict(enum.Enum, shape=2):
    """About the prepared task: not yet known, it was dispatched, or another one was."""

    NONE = 0
    GO = 1
    DROP = 2


class PreparedVerdict(data.Struct):
    """What became of the prepared task; ``value`` and ``started`` are those of its dispatch."""

    verdict: Verdict
    value: 32
    started: 32


class Fetch(data.Struct):
    """A task to fetch; ``prepared``: only its verdict will tell whether it is to run."""

    dispatch: Dispatch
    prepared: 1


class DispatchQueue(Block):
    """Hands dispatches on in order; while there are none, the task that a hint names.

    At most one task is prepared at a time. It goes through the unit's stages like any other and
    stops before the array, until the next dispatch gives the verdict: if it is that of the
    prepared task, it only tells the token's value and is not handed on; if it is another one, the
    prepared task is dropped. So no dispatch ever waits for a prepared task.

    Parameters
    ----------
    depth: dispatches that may wait.

    Ports
    -----
    dispatch: In stream of :class:`Dispatch`.
    hint, hint_valid: In, a task that is likely to be dispatched; only the last one is kept.
    forget: In, pulse: what has been prepared is out of date.
    now: In, 32 bits, the clock.
    fetch: Out stream of :class:`Fetch`. A hint's may be withdrawn until it is taken.
    resolved: In, pulse: the prepared task has passed the place before the array.
    verdict: Out, :class:`PreparedVerdict`, until then.

    Timing: a dispatch is handed on in the cycle after it was taken; the verdict is there then, too.

    Errors: none. Source: docs/specification.md, section 6.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "dispatch": In(stream.Signature(Dispatch)),
                "hint": In(Dispatch),
                "hint_valid": In(1),
                "forget": In(1),
                "now": In(32),
                "fetch": Out(stream.Signature(Fetch)),
                "resolved": In(1),
                "verdict": Out(PreparedVerdict),
            },
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = data.Layout.cast(Dispatch).size
        m.submodules.queue = queue = SyncFIFO(width=width, depth=self.depth)
        hinted, hinted_valid = Signal(Dispatch), Signal()
        prepared, present = Signal(Dispatch), Signal()  # the task that is in the stages
        undecided, matches, offers = Signal(), Signal(), Signal()
        head = Signal(Dispatch)
        head_valid = queue.r_rdy | self.dispatch.valid
        m.d.comb += [
            undecided.eq(present & (self.verdict.verdict == Verdict.NONE)),
            head.eq(Mux(queue.r_rdy, queue.r_data, self.dispatch.payload.as_value())),
            matches.eq(undecided & head_valid & _same(head, prepared)),
            queue.w_data.eq(self.dispatch.payload),
            queue.w_en.eq(self.dispatch.valid & (queue.r_rdy | ~matches)),
            self.dispatch.ready.eq(queue.w_rdy),
            offers.eq(hinted_valid & ~present & ~head_valid),
            self.fetch.valid.eq((queue.r_rdy & ~undecided) | offers),
            self.fetch.payload.dispatch.eq(Mux(offers, hinted, queue.r_data)),
            self.fetch.payload.prepared.eq(offers),
            queue.r_en.eq(Mux(undecided, matches, self.fetch.ready)),
        ]
        with m.If(undecided & head_valid):
            m.d.sync += [
                self.verdict.verdict.eq(Mux(matches, Verdict.GO, Verdict.DROP)),
                self.verdict.value.eq(head.value),
                self.verdict.started.eq(self.now),
            ]
        with m.Elif(undecided & (self.forget | (self.hint_valid & ~_same(self.hint, prepared)))):
            m.d.sync += self.verdict.verdict.eq(Verdict.DROP)
        with m.If(self.resolved):
            m.d.sync += [present.eq(0), self.verdict.verdict.eq(Verdict.NONE)]

        with m.If(offers & self.fetch.ready):
            m.d.sync += [prepared.eq(hinted), present.eq(1), hinted_valid.eq(0)]
            with m.If(self.forget):
                m.d.sync += self.verdict.verdict.eq(Verdict.DROP)
        # A hint comes too late for a task that has been dispatched already.
        with m.If(self.forget | (self.dispatch.valid & _same(self.dispatch.payload, hinted))):
            m.d.sync += hinted_valid.eq(0)
        with m.If(self.hint_valid & ~(undecided & _same(self.hint, prepared))):
            m.d.sync += [hinted.eq(self.hint), hinted_valid.eq(1)]
        return m


def _same(first: Any, second: Any) -> Any:
    """Whether two dispatches agree in everything but the value."""
    equal: Any = 1
    for name, _ in Dispatch.as_shape():  # type: ignore[attr-defined]
        if name != "value":
            equal = equal & (getattr(first, name) == getattr(second, name))
    return equal
