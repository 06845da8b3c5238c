"""Parts a cluster's configuration space between its blocks."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..interfaces import ConfigurationPort
from ..layouts.space import ConfigurationRegion
from ..library import Block

UNIT_BIT = (ConfigurationRegion.REGION_TABLE).bit_length() - 1
"""Offset bit that tells the Task Block Units' part from the Control Block Unit's."""


class ConfigurationSplitter(Block):
    """One access at a time: to the Control Block Unit, or to the Task Block Units' part.

    Ports
    -----
    configuration (in), control (out), units (out): :class:`ConfigurationPort`.

    Timing: combinational in both directions; the next access waits for the answer to the last.
    Errors: those of the block that answers. Source: own.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "configuration": In(ConfigurationPort()),
                "control": Out(ConfigurationPort()),
                "units": Out(ConfigurationPort()),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Remember whose answer is due."""
        m = Module()
        busy = Signal()
        side = Signal()
        request, response = self.configuration.request, self.configuration.response
        chosen = request.payload.offset[UNIT_BIT:].any()
        for target, number in ((self.control, 0), (self.units, 1)):
            m.d.comb += [
                target.request.payload.eq(request.payload),
                target.request.valid.eq(request.valid & ~busy & (chosen == number)),
                target.response.ready.eq(busy & (side == number) & response.ready),
            ]
        control, units = self.control.response, self.units.response
        m.d.comb += [
            request.ready.eq(
                ~busy & Mux(chosen, self.units.request.ready, self.control.request.ready)
            ),
            response.valid.eq(busy & Mux(side, units.valid, control.valid)),
            response.payload.eq(Mux(side, units.payload, control.payload)),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += [busy.eq(1), side.eq(chosen)]
        with m.Elif(response.valid & response.ready):
            m.d.sync += busy.eq(0)
        return m
