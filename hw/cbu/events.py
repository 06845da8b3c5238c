"""What a cluster tells the host unasked."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..layouts.command import ClusterEvent
from ..layouts.space import COORDINATE_BITS
from ..layouts.token import ControlPacket, TokenKind
from ..library import Block

EVENTS = len(ClusterEvent)


class EventReporter(Block):
    """Keeps the EVENTS register and sends a notice for each event that sets a bit of it.

    Ports
    -----
    x, y: In, the cluster's coordinates.
    happens: In, a bit an event: it happens in this cycle.
    clear: In, bits of the register to be cleared.
    events: Out, the register. notice: Out stream, to the host.

    Timing: the bit rises in the next cycle, the notice is offered then. An event that happens
    while its bit is cleared sets it again.

    Source: docs/specification.md, section 7 (Events).
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "happens": In(EVENTS),
                "clear": In(EVENTS),
                "events": Out(EVENTS),
                "notice": Out(stream.Signature(ControlPacket)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        untold = Signal(EVENTS)
        told = Signal(EVENTS)
        kept = Signal(EVENTS)
        m.d.comb += kept.eq(self.events & ~self.clear)
        m.d.sync += [
            self.events.eq(kept | self.happens),
            untold.eq((untold & ~told) | (self.happens & ~kept)),
        ]
        packet = self.notice.payload
        number = Signal(range(EVENTS))
        m.d.comb += [
            self.notice.valid.eq(untold.any()),
            packet.destination.host.eq(1),
            packet.token.kind.eq(TokenKind.ARRIVE),
            packet.token.block.eq(number),
            packet.token.index.eq(self.x | (self.y << COORDINATE_BITS)),
            packet.token.value.eq(self.events),
        ]
        for event in reversed(ClusterEvent):
            with m.If(untold[event.value]):
                m.d.comb += [
                    number.eq(event.value),
                    told.eq(Mux(self.notice.ready, 1 << event.value, 0)),
                ]
        return m
