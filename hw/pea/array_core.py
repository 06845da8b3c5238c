"""The sequencer and the array it drives, as the TBU sees them."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import PeaConfig
from ..library import Block, add_block
from .array import ProcessingElementArray
from .interfaces import ArrayInput, ArrayOutput, ContextWrite, run_command
from .sequencer import Sequencer


class ArrayCore(Block):
    """Runs kernels: takes run commands one by one and steps the array through each of them.

    This is the whole of ``hw/pea`` behind one border.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    command: stream in of ``run_command``. A command is accepted when the run before it is done;
    a command that waits is prepared meanwhile (its context bank must be loaded when it is offered).
    done: out, 1 bit, pulse: the accepted run ends with this clock, flush included.
    running: out, 1 bit, a command is accepted and not done.
    abort: in, 1 bit, stop now: the accepted run is dropped without ``done``, links, pipelines and
    accumulators are emptied; a command that waits is not affected.
    executing: out, 1 bit, there is an array cycle to do; advance: out, 1 bit, the array does it in
    this clock; blocked: out, 1 bit, it does not, for an output has no room.
    west_in, west_out: ``rows`` edge streams; north_in, north_out: ``columns`` edge streams.
    context_write: writes instructions into the context store.

    Timing: the first array cycle comes three clocks after an idle sequencer accepts a command; no
    idle clock (two if ``skew`` changes) between the last array cycle of a run and the first of
    the next if its command waits and ``flush`` is at least 3. Combinational: see the parts.
    Errors: none; who issues commands has checked them.
    Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        super().__init__(
            {
                "command": In(stream.Signature(run_command(pea))),
                "done": Out(1),
                "running": Out(1),
                "abort": In(1),
                "executing": Out(1),
                "advance": Out(1),
                "blocked": Out(1),
                "west_in": Out(ArrayInput()).array(pea.rows),
                "north_in": Out(ArrayInput()).array(pea.columns),
                "west_out": Out(ArrayOutput()).array(pea.rows),
                "north_out": Out(ArrayOutput()).array(pea.columns),
                "context_write": Out(ContextWrite(pea)),
            },
            pea=pea,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "sequencer", sequencer := Sequencer(self.pea))
        add_block(m, platform, "array", array := ProcessingElementArray(self.pea))
        connect(m, flipped(self.command), sequencer.command)
        m.d.comb += [
            array.token.eq(sequencer.token),
            array.skew.eq(sequencer.skew),
            array.turn.eq(sequencer.command.valid & sequencer.command.ready),
            sequencer.advance.eq(array.advance),
            sequencer.exit.eq(array.exit),
            sequencer.abort.eq(self.abort),
            self.done.eq(sequencer.done),
            self.running.eq(sequencer.running),
            self.executing.eq(array.executing),
            self.advance.eq(array.advance),
            self.blocked.eq(array.blocked),
        ]
        for name in ("west_in", "north_in", "west_out", "north_out"):
            for outer, inner in zip(getattr(self, name), getattr(array, name), strict=True):
                connect(m, flipped(outer), inner)
        connect(m, flipped(self.context_write), array.context_write)
        return m
