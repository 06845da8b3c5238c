"""Gives each task its part of the scratchpad."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..library import Block
from .layouts import task_layout, window_layout


class WindowAllocator(Block):
    """Halves go to tasks in turns; a task that needs the whole scratchpad waits for both.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    task: stream in, placed: stream out, of ``task_layout`` with its ``window``.
    release: in, pulse, the task that owned release_window has ended.

    Timing: one cycle if the window is free; ``placed`` is a register.
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
            },
            context_banks=pea.context_banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        owned, upper, wanted = Signal(2), Signal(), Signal(2)  # one bit a half: lower, upper
        incoming = self.task.payload
        healthy = incoming.status == Status.OK
        m.d.comb += [
            wanted.eq(Mux(incoming.half_scratchpad, Mux(upper, 0b10, 0b01), 0b11)),
            self.task.ready.eq(
                (~self.placed.valid | self.placed.ready) & (~healthy | ~(wanted & owned).any())
            ),
        ]
        taken, freed = Signal(2), Signal(2)
        released = self.release_window
        m.d.comb += freed.eq(Mux(released.half, Mux(released.upper, 0b10, 0b01), 0b11))
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
        m.d.sync += owned.eq((owned | taken) & ~Mux(self.release, freed, 0))
        return m
