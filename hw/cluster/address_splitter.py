"""Sends a client's bursts to the own cluster's memory or to the network, by address."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.memory import LENGTH_BITS
from ..layouts.space import COORDINATE_BITS, Address
from ..library import Block

OUTSTANDING_BITS = 3
"""Width of the count of bursts under way: up to seven."""


class AddressSplitter(Block):
    """One memory port in, two out; answers stay in the order of the requests.

    Bursts to one side may overlap; a burst to the other side waits until all are answered.

    Ports
    -----
    client (in): :class:`MemoryPort`.
    local, remote (out): :class:`MemoryPort`.
    x, y (in): coordinates of the own cluster.

    Timing: combinational in both directions; a write burst's words must be taken before the next
    request passes.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "client": In(MemoryPort()),
                "local": Out(MemoryPort()),
                "remote": Out(MemoryPort()),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Route requests by address and everything else by the side in use."""
        m = Module()
        request = self.client.request
        address = Address(request.payload.address)
        here = Signal()
        side = Signal()
        outstanding = Signal(OUTSTANDING_BITS)
        words_owed = Signal(LENGTH_BITS + 1)
        passes = Signal()
        m.d.comb += [
            here.eq((address.x == self.x) & (address.y == self.y)),
            passes.eq(
                (words_owed == 0) & ((outstanding == 0) | ((side == here) & ~outstanding.all()))
            ),
        ]
        for target, chosen in ((self.local, 1), (self.remote, 0)):
            m.d.comb += [
                target.request.payload.eq(request.payload),
                target.request.valid.eq(request.valid & passes & (here == chosen)),
                target.write.payload.eq(self.client.write.payload),
                target.write.valid.eq(
                    self.client.write.valid & (words_owed != 0) & (side == chosen)
                ),
                target.response.ready.eq(self.client.response.ready & (side == chosen)),
            ]
        m.d.comb += [
            request.ready.eq(
                passes & Mux(here, self.local.request.ready, self.remote.request.ready)
            ),
            self.client.write.ready.eq(
                (words_owed != 0) & Mux(side, self.local.write.ready, self.remote.write.ready)
            ),
            self.client.response.payload.eq(
                Mux(side, self.local.response.payload, self.remote.response.payload)
            ),
            self.client.response.valid.eq(
                Mux(side, self.local.response.valid, self.remote.response.valid)
            ),
        ]
        starts = request.valid & request.ready
        response = self.client.response
        ends = response.valid & response.ready & response.payload.last
        m.d.sync += outstanding.eq(outstanding + starts - ends)
        with m.If(starts):
            m.d.sync += side.eq(here)
            with m.If(request.payload.write):
                m.d.sync += words_owed.eq(request.payload.length + 1)
        with m.Elif(self.client.write.valid & self.client.write.ready):
            m.d.sync += words_owed.eq(words_owed - 1)
        return m
