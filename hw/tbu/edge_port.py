"""Both streams of one edge port of the array."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..library import Block, add_block
from ..memory import BankReadPort, BankWritePort
from ..pea.interfaces import ArrayInput, ArrayOutput
from .input_stream import InputStream
from .output_stream import OutputStream
from .setup import EpochControl, PortSetup


class EdgePort(Block):
    """The input stream and the output stream of a port, joined for gathers.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address. depth: words queued in each direction.

    Ports
    -----
    setup: ``In(PortSetup)``. control: ``In(EpochControl)``.
    read, write: the ports on the scratchpad.
    array_input, array_output: the array's edge.

    Timing and errors: see :class:`InputStream` and :class:`OutputStream`.
    Source: own.
    """

    def __init__(self, address_bits: int, depth: int) -> None:
        self.address_bits = address_bits
        self.depth = depth
        super().__init__(
            {
                "setup": In(PortSetup(address_bits)),
                "control": In(EpochControl()),
                "read": Out(BankReadPort(address_bits - 2)),
                "write": Out(BankWritePort(address_bits - 2)),
                "array_input": In(ArrayInput()),
                "array_output": In(ArrayOutput()),
            },
            address_bits=address_bits,
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        entering = InputStream(self.address_bits, self.depth)
        leaving = OutputStream(self.address_bits, self.depth)
        add_block(m, platform, "entering", entering)
        add_block(m, platform, "leaving", leaving)
        wiring.connect(m, entering.read, wiring.flipped(self.read))
        wiring.connect(m, leaving.write, wiring.flipped(self.write))
        wiring.connect(m, entering.array, wiring.flipped(self.array_input))
        wiring.connect(m, leaving.array, wiring.flipped(self.array_output))
        wiring.connect(m, leaving.offsets, entering.offsets)
        for engine, load in (
            (entering, self.setup.load_input),
            (leaving, self.setup.load_output),
        ):
            m.d.comb += [
                engine.setup.begin.eq(self.setup.begin),
                engine.setup.load.eq(load),
                engine.setup.stream.eq(self.setup.stream),
                engine.setup.commit.eq(self.setup.commit),
                engine.epoch.eq(self.control.epoch),
            ]
        m.d.comb += [
            self.setup.busy.eq(entering.setup.busy | leaving.setup.busy),
            leaving.start.eq(self.control.start),
            leaving.gather.eq(self.setup.load_input),
            entering.offset_epoch.eq(leaving.offset_epoch),
            entering.pending.eq(leaving.pending),
            entering.filled.eq(leaving.filled),
            leaving.drain_epoch.eq(self.control.drain_epoch),
            self.control.holds.eq(leaving.holds),
            self.control.fault.eq(entering.fault | leaving.fault),
            self.control.drain_fault.eq(leaving.drain_fault),
            self.control.damaged.eq(entering.damaged),
        ]
        return m
