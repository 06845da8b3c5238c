"""The set-up of a stream for the next epoch."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from ..library import Block
from .layouts import stream_layout
from .setup import StreamSetup


class PendingStream(Block):
    """Holds what a stream will do in the next epoch until it is taken into use.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address.

    Ports
    -----
    setup: ``In(StreamSetup)``.
    valid: out, a committed set-up waits; enabled: out, it configures a stream, ``stream``.
    take: in, it is taken into use.

    Timing: outputs are registers. Errors: none. Source: own.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "setup": In(StreamSetup(address_bits)),
                "valid": Out(1),
                "enabled": Out(1),
                "stream": Out(stream_layout(address_bits)),
                "take": In(1),
            },
            address_bits=address_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.setup.busy.eq(self.valid)
        with m.If(self.setup.begin):
            m.d.sync += self.enabled.eq(0)
        with m.If(self.setup.load):
            m.d.sync += [self.enabled.eq(1), self.stream.eq(self.setup.stream)]
        with m.If(self.setup.commit):
            m.d.sync += self.valid.eq(1)
        with m.Elif(self.take):
            m.d.sync += self.valid.eq(0)
        return m
