"""The queue of dispatched tasks, and the task that is prepared before it is dispatched."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.token import Dispatch
from ..library import Block


class Verdict(enum.Enum, shape=2):
    """About the prepared task: not yet known, it was dispatched, or another one was; one-hot."""

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
    dispatch: In stream of :class:`Dispatch`. announced: In, with it: it is the task of the last
        hint that came before it was offered (the value may differ).
    hint, hint_valid: In, a task that is likely to be dispatched; only the last one is kept.
    forget: In, pulse: what has been prepared is out of date.
    now: In, 32 bits, the clock.
    fetch: Out stream of :class:`Fetch`. A hint's may be withdrawn until it is taken.
    resolved: In, pulse: the prepared task has passed the place before the array.
    verdict: Out, :class:`PreparedVerdict`, until then.

    Timing: a dispatch is handed on in the cycle after it was taken. GO is combinational from
    ``dispatch`` and ``announced``, and stays; DROP follows a cycle later, or
    two after a hint.

    Errors: none. Source: docs/specification.md, section 6.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "dispatch": In(stream.Signature(Dispatch)),
                "announced": In(1),
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
        hinted = Signal(Dispatch)
        hinted_valid = Signal()
        prepared = Signal(Dispatch)  # the task that is in the stages
        present = Signal()
        undecided = Signal()  # it is present, and there is no decision yet
        outdated = Signal()  # the hint of the cycle before was of another task
        matches = Signal()
        offers = Signal()
        decision = Signal(PreparedVerdict)  # what the verdict was in the cycle before
        dispatch, verdict = self.dispatch.payload, self.verdict
        m.d.comb += [
            # Nothing waits in the queue then: a task is only prepared while there is no dispatch,
            # and the first one that comes decides. Any other hint in between would have done so,
            # and none comes in the cycle in which the task is taken: the last one is its own.
            # nor is the dispatch that of the prepared task if the last hint was of another
            matches.eq(undecided & self.dispatch.valid & self.announced & ~outdated),
            queue.w_data.eq(dispatch),
            queue.w_en.eq(self.dispatch.valid & ~matches),
            self.dispatch.ready.eq(queue.w_rdy),
            offers.eq(
                hinted_valid & ~present & ~queue.r_rdy & ~self.dispatch.valid & ~self.hint_valid
            ),
            self.fetch.valid.eq(queue.r_rdy | offers),
            self.fetch.payload.dispatch.eq(Mux(offers, hinted, queue.r_data)),
            self.fetch.payload.prepared.eq(offers),
            queue.r_en.eq(self.fetch.ready),
            # it matches only while there is no decision; so DROP is a register, and early
            verdict.verdict.eq(Value.cast(decision.verdict) | matches),
            verdict.value.eq(Mux(undecided, dispatch.value, decision.value)),
            verdict.started.eq(Mux(undecided, self.now, decision.started)),
        ]
        m.d.sync += decision.eq(verdict)
        same = _same(self.hint, prepared)
        m.d.sync += outdated.eq(undecided & self.hint_valid & ~same)
        with m.If(undecided & ~matches & (self.dispatch.valid | self.forget | outdated)):
            m.d.sync += [decision.verdict.eq(Verdict.DROP), undecided.eq(0)]
        with m.Elif(matches):
            m.d.sync += undecided.eq(0)
        with m.If(self.resolved):
            m.d.sync += [present.eq(0), undecided.eq(0), decision.verdict.eq(Verdict.NONE)]

        with m.If(offers & self.fetch.ready):
            m.d.sync += [prepared.eq(hinted), present.eq(1), undecided.eq(~self.forget)]
            m.d.sync += hinted_valid.eq(0)
            with m.If(self.forget):
                m.d.sync += decision.verdict.eq(Verdict.DROP)
        # A hint comes too late for a task that has been dispatched already.
        with m.If(self.forget | (self.dispatch.valid & self.announced)):
            m.d.sync += hinted_valid.eq(0)
        with m.If(self.hint_valid):
            # kept in any case: where it is what is prepared, there is no other hint to be kept
            m.d.sync += hinted.eq(self.hint)
            with m.If(~(undecided & same)):
                m.d.sync += hinted_valid.eq(1)
        return m


def _same(first: Any, second: Any) -> Any:
    """Whether two dispatches agree in everything but the value."""
    equal: Any = 1
    for name, _ in Dispatch.as_shape():  # type: ignore[attr-defined]
        if name != "value":
            equal = equal & (getattr(first, name) == getattr(second, name))
    return equal
