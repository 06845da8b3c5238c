"""Where the first flit of a queue asks to go: an output and a channel of the next router."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..library import Block
from .link import Port, channel_shape
from .route_note import RouteNote

XY_PAIRS = (
    (Port.EAST, Port.NORTH),
    (Port.EAST, Port.SOUTH),
    (Port.WEST, Port.NORTH),
    (Port.WEST, Port.SOUTH),
)
"""The pairs of outputs between which an adaptive packet can choose."""


def fixed_aim(
    note: Any, channel: Value, packet_ready: list[Value], flit_ready: list[Value]
) -> Value:
    """The output that the flit wants and can take, one-hot or zero; its channel is given.

    ``note``: the flit's :class:`RouteNote`, with one output. ``packet_ready`` and ``flit_ready``:
    of every output, a bit a channel.
    """
    ready = [
        Mux(note.head, packet, flit).bit_select(channel, 1)
        for packet, flit in zip(packet_ready, flit_ready, strict=True)
    ]
    return note.outputs & Cat(ready)


class FreeAim(Block):
    """Takes any output that the note allows and any free channel of the class.

    The preferred channel comes first, then the lowest. Where the note allows an output along x and
    one along y, the one with fewer flits ahead comes first. The packet's other flits follow its
    head.

    Parameters
    ----------
    virtual_channels, class_channels: as for ``Router``; the queue's class starts at channel
        ``first_channel``.
    escape: the class's first channel is only for dimension-ordered hops.

    Ports
    -----
    note (in): of the flit at the front. present (in): there is one. leaves (in): it is granted.
    packet_ready, flit_ready (in, ``[output][channel]``): state of the outputs.
    prefer_x (in, a bit a pair of ``XY_PAIRS``): of that pair take the output along x first.
    want (out, a bit an output): the output asked for, one-hot or zero. channel (out).

    Timing: combinational from ``note`` and the outputs' state to ``want`` and ``channel``.
    """

    def __init__(
        self, virtual_channels: int, class_channels: int, first_channel: int, escape: bool = False
    ) -> None:
        self.escape = escape
        self.class_channels = class_channels
        self.first_channel = first_channel
        super().__init__(
            {
                "note": In(RouteNote(virtual_channels)),
                "present": In(1),
                "leaves": In(1),
                "packet_ready": In(virtual_channels).array(len(Port)),
                "flit_ready": In(virtual_channels).array(len(Port)),
                "prefer_x": In(len(XY_PAIRS)),
                "want": Out(len(Port)),
                "channel": Out(channel_shape(virtual_channels)),
            },
            virtual_channels=virtual_channels,
            class_channels=class_channels,
            first_channel=first_channel,
            escape=escape,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the choice for heads and the memory for the flits that follow."""
        m = Module()
        first, count = self.first_channel, self.class_channels
        free = Signal(len(Port))
        along_x = self.note.outputs[Port.EAST] | self.note.outputs[Port.WEST]
        usable = {port: Signal(count, name=f"usable_{port.name.lower()}") for port in Port}
        for port in Port:
            m.d.comb += usable[port].eq(self.packet_ready[port][first : first + count])
            if self.escape and port in (Port.NORTH, Port.SOUTH):
                with m.If(along_x):
                    m.d.comb += usable[port][0].eq(0)
            m.d.comb += free[port].eq(self.note.outputs[port] & usable[port].any())
        output = Signal(len(Port))
        m.d.comb += output.eq(lowest(free))
        for prefer, (x, y) in zip(self.prefer_x, XY_PAIRS, strict=True):
            with m.If(free[x] & free[y]):
                m.d.comb += output.eq(Mux(prefer, 1 << x, 1 << y))

        ready = Signal(count)
        for port in Port:
            with m.If(output[port]):
                m.d.comb += ready.eq(usable[port])
        preferred = Signal(count)
        m.d.comb += preferred.eq(1 << (self.note.channel - first)[: max(1, count.bit_length())])
        place = Signal(count)
        m.d.comb += place.eq(Mux((ready & preferred).any(), preferred, lowest(ready)))

        kept_output = Signal(len(Port))
        kept_channel = Signal.like(self.channel)
        follows = Cat(line.bit_select(kept_channel, 1) for line in self.flit_ready)
        with m.If(self.note.head):
            m.d.comb += self.want.eq(output & self.present.replicate(len(Port)))
            for i in range(count):
                with m.If(place[i]):
                    m.d.comb += self.channel.eq(first + i)
        with m.Else():
            m.d.comb += [
                self.want.eq(kept_output & follows & self.present.replicate(len(Port))),
                self.channel.eq(kept_channel),
            ]
        with m.If(self.leaves & self.note.head):
            m.d.sync += [kept_output.eq(self.want), kept_channel.eq(self.channel)]
        return m


def lowest(bits: Value) -> Value:
    """``bits`` with only its lowest one left."""
    return bits & -bits
