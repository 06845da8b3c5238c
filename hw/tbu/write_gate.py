"""Lets the words of allowed write bursts pass and swallows those of refused ones."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.memory import LENGTH_BITS
from ..library import Block


def verdict_layout() -> data.StructLayout:
    """A write burst of ``length`` plus one words; ``refused``: its words go nowhere."""
    return data.StructLayout({"length": LENGTH_BITS, "refused": 1})


class WriteGate(Block):
    """A word moves only after its burst's verdict has come.

    Parameters
    ----------
    outstanding: verdicts that may wait.

    Ports
    -----
    verdict: stream in of ``verdict_layout``, in the order of the bursts.
    words: stream in, out: stream out, 32 bits.

    Timing: a word a cycle, combinational from ``words`` to ``out`` and back.
    Errors: none. Source: own.
    """

    def __init__(self, outstanding: int) -> None:
        self.outstanding = outstanding
        super().__init__(
            {
                "verdict": In(stream.Signature(verdict_layout())),
                "words": In(stream.Signature(32)),
                "out": Out(stream.Signature(32)),
            },
            outstanding=outstanding,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = verdict_layout()
        m.submodules.verdicts = queue = SyncFIFO(width=layout.size, depth=self.outstanding)
        left = Signal(LENGTH_BITS + 1)
        refused = Signal()
        following = layout(queue.r_data)
        moved = self.words.valid & self.words.ready
        m.d.comb += [
            queue.w_data.eq(self.verdict.payload),
            queue.w_en.eq(self.verdict.valid),
            self.verdict.ready.eq(queue.w_rdy),
            self.out.payload.eq(self.words.payload),
            self.out.valid.eq(self.words.valid & (left != 0) & ~refused),
            self.words.ready.eq((left != 0) & (refused | self.out.ready)),
            queue.r_en.eq((left == 0) | (moved & (left == 1))),
        ]
        with m.If(queue.r_en):
            m.d.sync += left.eq(0)
            with m.If(queue.r_rdy):
                m.d.sync += [left.eq(following.length + 1), refused.eq(following.refused)]
        with m.Elif(moved):
            m.d.sync += left.eq(left - 1)
        return m
