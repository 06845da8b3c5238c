"""Which failure of a task's transfers is reported."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import Status
from ..library import Block


class TransferStatus(Block):
    """Remembers what went wrong with a task's transfers; the first row in order counts.

    Memory answers in order, and a row outside the window is found ahead of the answers to the
    rows before it. So an answer's failure wins over what the engine or the scratchpad found.

    Ports
    -----
    clear: in, a new task. answered: in, with answer (in): the status of an answer.
    damaged: in, a word or an entry had wrong parity. outside: in, a row lies outside the window.
    failed: out, something has gone wrong. status: out, what.

    Timing: outputs depend on registers only. Errors: none. Source: own.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "answered": In(1),
                "answer": In(Status),
                "damaged": In(1),
                "outside": In(1),
                "failed": Out(1),
                "status": Out(Status),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first = Signal(Status)
        damaged = Signal()
        outside = Signal()
        refused = first != Status.OK
        m.d.comb += [
            self.failed.eq(refused | damaged | outside),
            self.status.eq(
                Mux(
                    refused,
                    first,
                    Mux(
                        damaged,
                        Status.MEMORY_PARITY,
                        Mux(outside, Status.ADDRESS_OUT_OF_RANGE, Status.OK),
                    ),
                )
            ),
        ]
        with m.If(self.clear):
            m.d.sync += [first.eq(Status.OK), damaged.eq(0), outside.eq(0)]
        with m.Else():
            m.d.sync += [damaged.eq(damaged | self.damaged), outside.eq(outside | self.outside)]
            with m.If(self.answered & ~refused):
                m.d.sync += first.eq(self.answer)
        return m
