"""The queue of dispatches: each runs exactly once, also if it was prepared beforehand."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from octopus.hw.tbu.dispatch_queue import DispatchQueue, Verdict

from .property import Property

EAGER_CYCLES = 8
"""Cycles in which a dispatch that waits is handed on if nothing else hinders it."""


class DispatchesExact(Property):
    """One dispatch, whichever, has an instance of its own; hints may name it, too.

    A dispatch is spent when it is handed on, or when the verdict on the prepared task is GO. All
    is counted a cycle later. ``announced`` may be clear for any dispatch, and set only for the task
    of the last hint.
    """

    claim = (
        "dispatch queue: each dispatch is handed on, or becomes the prepared task's GO with its "
        "value, exactly once and in order; none is invented; none waits for what is prepared"
    )
    depth = 12

    def __init__(self, depth: int) -> None:
        super().__init__(depth=depth)

    def build(self, m: Module) -> None:
        dut = DispatchQueue(self.parameters["depth"])
        self.place(m, dut, driven=("dispatch__payload", "hint", "now"))
        self.narrow(m, dut.dispatch.payload, "dispatch", block=1, instance=1, value=1)
        self.narrow(m, dut.hint, "hint", block=1, instance=1, value=1)
        self._announced(m, dut)
        come, fetch = dut.dispatch.valid & dut.dispatch.ready, dut.fetch
        taken = fetch.valid & fetch.ready
        arrived, colour, value = Signal(), Signal(), Signal()
        handed, handed_colour, handed_value = Signal(), Signal(), Signal()
        m.d.sync += [
            arrived.eq(come),
            colour.eq(dut.dispatch.payload.instance[0]),
            value.eq(dut.dispatch.payload.value[0]),
            handed.eq(taken & ~fetch.payload.prepared),
            handed_colour.eq(fetch.payload.dispatch.instance[0]),
            handed_value.eq(fetch.payload.dispatch.value[0]),
        ]
        going, prepared, block = self._prepared(m, dut, taken)
        given = Signal()
        m.d.sync += given.eq(dut.verdict.value[0])
        spent = handed | going
        inside, ahead = Signal(range(8)), Signal(range(8))
        present, note = Signal(), Signal()
        mine = arrived & colour
        self.assume(~(mine & present))
        due = spent & ((present & (ahead == 0)) | (mine & (inside == 0)))
        expected = Mux(mine & (inside == 0), value, note)
        m.d.sync += inside.eq(inside + arrived - spent)
        with m.If(mine & ~due):
            m.d.sync += [present.eq(1), note.eq(value), ahead.eq(inside - spent)]
        with m.Elif(present & spent):
            m.d.sync += [ahead.eq(ahead - 1), present.eq(ahead != 0)]
        self.require("not both ways", ~(handed & going))
        self.require("none invented", ~spent | (inside != 0) | arrived)
        self.require("handed on in order", ~handed | (handed_colour == due))
        self.require("handed on unchanged", ~(handed & due) | (handed_value == expected))
        self.require("GO for the prepared one only", ~going | (prepared == due))
        self.require("with its value", ~(going & due) | (given == expected))
        self.require("no more than it holds", inside <= dut.depth + 1)
        verdict = Value.cast(dut.verdict.verdict)
        eager = fetch.ready & ((verdict == Verdict.NONE.value) | dut.resolved)
        waits = Signal(range(EAGER_CYCLES + 2))
        m.d.sync += waits.eq(Mux(eager & (inside != 0) & ~spent, waits + 1, 0))
        self.require("none waits for what is prepared", waits < EAGER_CYCLES)
        still = Signal(Verdict.as_shape())
        m.d.sync += still.eq(Mux(dut.resolved, Verdict.NONE.value, verdict))
        self.require("a verdict stays", (still == Verdict.NONE.value) | (verdict == still))
        self.cover("a prepared task goes", going & due & expected)
        self.cover("one waited behind others", handed & due & (note == 1) & (block == 1))

    def _announced(self, m: Module, dut: DispatchQueue) -> None:
        """What ``announced`` may say: the last hint before the dispatch was offered."""
        names = ("instance", "block")
        last, about, held = Signal(3), Signal(3), Signal(3)
        waiting = Signal()
        dispatch, hint = (
            Cat(1, *(getattr(task, name)[0] for name in names))
            for task in (dut.dispatch.payload, dut.hint)
        )
        m.d.comb += about.eq(Mux(waiting, held, last))
        m.d.sync += [held.eq(about), waiting.eq(dut.dispatch.valid & ~dut.dispatch.ready)]
        with m.If(dut.hint_valid):
            m.d.sync += last.eq(hint)
        self.assume(~(dut.dispatch.valid & dut.announced) | (dispatch == about))

    def _prepared(
        self, m: Module, dut: DispatchQueue, taken: Value
    ) -> tuple[Value, Signal, Signal]:
        """That the verdict becomes GO, whether the prepared task is the watched one; its block."""
        there, colour, block = Signal(), Signal(), Signal()
        before = Signal(Verdict.as_shape())
        verdict = Value.cast(dut.verdict.verdict)
        m.d.sync += before.eq(verdict)
        with m.If(taken & dut.fetch.payload.prepared):
            task = dut.fetch.payload.dispatch
            m.d.sync += [there.eq(1), colour.eq(task.instance[0]), block.eq(task.block[0])]
        with m.Elif(dut.resolved):
            m.d.sync += there.eq(0)
        self.assume(~dut.resolved | (there & (verdict != Verdict.NONE.value)))
        self.require("a verdict on what is prepared", there | (verdict == Verdict.NONE.value))
        going = Signal()
        m.d.sync += going.eq((verdict == Verdict.GO.value) & (before != Verdict.GO.value))
        return going, colour, block
