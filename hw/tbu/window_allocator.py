"""Gives each task its part of the scratchpad."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..layouts.region import DOMAIN_BITS
from ..library import Block
from .layouts import task_layout, window_layout

LOWER, UPPER, WHOLE = 0b01, 0b10, 0b11
"""Halves of the scratchpad, a bit each."""


class WindowAllocator(Block):
    """Halves go to tasks in turns; a task that needs the whole scratchpad waits for both.

    A half goes to a task only if it is blank or was last owned by a task of the same domain;
    otherwise it is zeroed first. So no task finds words of another domain.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    task: stream in, placed: stream out, of ``task_layout`` with its ``window``.
    release: in, pulse, the task that owned release_window has ended.
    scrub: out, pulse, zero scrub_window; scrubbing: in, that is being done.
    forget: in, pulse, the domains' numbers have got a new meaning: whatever the halves hold
    belongs to none of them.
    waiting: out, 1 bit, a task is here that waits for its part.

    Timing: two cycles if the window is free and fit; ``placed`` is a register. After reset both
    halves are zeroed.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.task_layout = task_layout(pea)
        super().__init__(
            {
                "task": In(stream.Signature(self.task_layout)),
                "placed": Out(stream.Signature(self.task_layout)),
                "release": In(1),
                "release_window": In(window_layout()),
                "scrub": Out(1),
                "scrub_window": Out(window_layout()),
                "scrubbing": In(1),
                "forget": In(1),
                "waiting": Out(1),
            },
            context_banks=pea.context_banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        owned = Signal(2)
        upper = Signal()
        wanted = Signal(2)
        incoming = self.task.payload
        healthy = incoming.status == Status.OK
        free = Signal()
        may = Signal()
        left = Signal(2)  # owned and not released in this cycle
        m.d.comb += [
            wanted.eq(Mux(incoming.half_scratchpad, Mux(upper, UPPER, LOWER), WHOLE)),
            free.eq(~(wanted & left).any()),
        ]
        fit = self._keep_blank(m, wanted, healthy & free)
        m.d.comb += [
            self.task.ready.eq((~self.placed.valid | self.placed.ready) & may),
            self.waiting.eq(self.task.valid & healthy & ~(free & fit)),
        ]
        # Decided a cycle before: once a task may have its part, nobody else can take that.
        m.d.sync += may.eq(
            self.task.valid & ~self.task.ready & ~self.forget & (~healthy | (free & fit))
        )
        taken = Signal(2)
        freed = Signal(2)
        released = self.release_window
        m.d.comb += freed.eq(Mux(released.half, Mux(released.upper, UPPER, LOWER), WHOLE))
        with m.If(~self.placed.valid | self.placed.ready):
            m.d.sync += self.placed.valid.eq(self.task.valid & self.task.ready)
        with m.If(self.task.valid & self.task.ready):
            m.d.sync += [
                self.placed.payload.eq(incoming),
                self.placed.payload.holds_window.eq(healthy),
                self.placed.payload.window.half.eq(incoming.half_scratchpad),
                self.placed.payload.window.upper.eq(incoming.half_scratchpad & upper),
            ]
            with m.If(healthy):
                m.d.comb += taken.eq(wanted)
                m.d.sync += upper.eq(upper ^ incoming.half_scratchpad)
        m.d.comb += left.eq(owned & ~Mux(self.release, freed, 0))
        m.d.sync += owned.eq(left | taken)
        return m

    def _keep_blank(self, m: Module, wanted: Signal, free: Any) -> Signal:
        """Whose words each half holds; have those zeroed that the task may not see.

        The signal returned is high if the task may have the halves ``wanted``.
        """
        blank = Signal(2)
        known = Signal(2)  # words of ``domain`` only
        domains = [Signal(DOMAIN_BITS, name=f"domain{half}") for half in range(2)]
        incoming = self.task.payload
        being = Signal(2)  # being zeroed
        same = Cat(domain == incoming.domain for domain in domains)
        unfit = Signal(2)
        fit = Signal()
        idle = Signal()
        ended = Signal()
        took = Signal(2)
        after_reset = Signal(init=1)
        m.d.comb += [
            unfit.eq(wanted & ~(blank | (known & same))),
            fit.eq(~unfit.any() & ~being.any()),
            idle.eq(~being.any()),
            self.scrub.eq(idle & (after_reset | (self.task.valid & free & unfit.any()))),
            self.scrub_window.half.eq(~after_reset & ~unfit.all()),
            self.scrub_window.upper.eq(unfit == UPPER),
        ]
        started = Signal()
        m.d.sync += started.eq(self.scrub)
        m.d.comb += ended.eq(being.any() & ~started & ~self.scrubbing)
        with m.If(self.scrub):
            m.d.sync += [being.eq(Mux(after_reset, WHOLE, unfit)), after_reset.eq(0)]
        with m.Elif(ended):
            m.d.sync += being.eq(0)
        with m.If(self.task.valid & self.task.ready & (incoming.status == Status.OK)):
            m.d.comb += took.eq(wanted)
        for half, domain in enumerate(domains):
            with m.If(took[half]):
                m.d.sync += domain.eq(incoming.domain)
        # What is taken while the domains' numbers change was checked under the old ones.
        m.d.sync += [
            known.eq(Mux(self.forget, 0, known | took)),
            blank.eq((blank | Mux(ended, being, 0)) & ~took),
        ]
        return fit
