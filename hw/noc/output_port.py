"""A router's output side: arbitration, credits, the packets in progress and the link register."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..library import Block, add_block
from .arbiter import arbitrate
from .credit import CreditCounter
from .input_port import BufferedFlit
from .link import NetworkLink, channel_shape


class OutputPort(Block):
    """Sends one of the offered flits a cycle to the next router.

    A channel of the next router belongs to a packet from its head flit to its tail flit;
    meanwhile it is not ready for another packet's head.

    Parameters
    ----------
    flit_bits, virtual_channels, buffer_depth: as for ``Router``; the depth is the receiver's.
    requesters: lanes of the input sides that may leave here.
    hold_output: a packet whose next flit is at hand goes before other packets.
    single_flit, arbiter: as for ``Router``.
    counts_held: ``held`` is built, else it is zero.

    Ports
    -----
    request (in, a bit a requester): only for a flit that ``packet_ready`` or ``flit_ready`` allows.
    offer, channel, tail (in, ``[requester]``): the flit, its channel in the next router, and
        whether it is its packet's last.
    grant (out, a bit a requester): one-hot; the flit is taken in this cycle.
    packet_ready, flit_ready (out, a bit a channel): a head flit, or a
        following flit of the packet in progress, can be sent to that channel.
    held (out): flits in the receiver's buffers or on the way there, of all channels; registered.
    link (out): to the next router; all outputs are registers.

    Timing: a flit granted in cycle t is on the link in cycle t + 1. ``grant`` depends
    combinationally on ``request``; ``packet_ready`` and ``flit_ready`` on ``link.credit``.
    """

    def __init__(
        self,
        flit_bits: int,
        virtual_channels: int,
        buffer_depth: int,
        requesters: int,
        hold_output: bool = False,
        single_flit: bool = False,
        arbiter: str = "matrix",
        counts_held: bool = False,
    ) -> None:
        self.virtual_channels = virtual_channels
        self.buffer_depth = buffer_depth
        self.requesters = requesters
        self.hold_output = hold_output
        self.single_flit = single_flit
        self.arbiter = arbiter
        self.counts_held = counts_held
        super().__init__(
            {
                "request": In(requesters),
                "offer": In(BufferedFlit(flit_bits)).array(requesters),
                "channel": In(channel_shape(virtual_channels)).array(requesters),
                "tail": In(1).array(requesters),
                "grant": Out(requesters),
                "packet_ready": Out(virtual_channels),
                "flit_ready": Out(virtual_channels),
                "held": Out(range(virtual_channels * buffer_depth + 1)),
                "link": Out(NetworkLink(flit_bits, virtual_channels)),
            },
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            requesters=requesters,
            hold_output=hold_output,
            single_flit=single_flit,
            arbiter=arbiter,
            counts_held=counts_held,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build arbiter, multiplexer, link register and channel state."""
        m = Module()
        grant = self._grant(m, platform)
        sends = Signal()
        m.d.comb += [
            self.grant.eq(grant),
            sends.eq(self.request.any()),
        ]
        chosen = Signal(self.offer[0].shape())
        channel = Signal(channel_shape(self.virtual_channels))
        tail = Signal()
        offers = [offer.as_value() for offer in self.offer]
        m.d.comb += [
            chosen.eq(_select(self.grant, offers)),
            tail.eq((self.grant & Cat(self.tail)).any()),
            channel.eq(_select(self.grant, list(self.channel))),
        ]
        m.d.sync += [
            self.link.valid.eq(sends),
            self.link.flit.eq(chosen.flit),
            self.link.parity.eq(chosen.parity),
            self.link.channel.eq(channel),
        ]
        if self.counts_held:
            given = sum((bit for bit in self.link.credit), Const(0))
            m.d.sync += self.held.eq(self.held + sends - given)
        for i in range(self.virtual_channels):
            counter = CreditCounter(self.buffer_depth)
            add_block(m, platform, f"credit_{i}", counter)
            taken = Signal(name=f"taken_{i}")
            busy = Signal(name=f"busy_{i}")
            m.d.comb += [
                taken.eq(sends & (channel == i)),
                counter.take.eq(taken),
                counter.give.eq(self.link.credit[i]),
                self.flit_ready[i].eq(counter.available),
                self.packet_ready[i].eq(counter.available & ~busy),
            ]
            if not self.single_flit:
                with m.If(taken):
                    m.d.sync += busy.eq(~tail)
        return m

    def _grant(self, m: Module, platform: Any) -> Value:
        """Arbitrate; with ``hold_output`` a packet that was begun and has a flit here goes on."""
        if not self.hold_output:
            return arbitrate(m, platform, "arbiter", self.request, Const(1), self.arbiter)
        begun = Signal(self.requesters)
        goes_on = Signal()
        tails = Cat(self.tail)
        with m.If(self.request.any()):
            m.d.sync += begun.eq(self.grant & ~tails)
        m.d.comb += goes_on.eq((self.request & begun).any())
        fresh = arbitrate(m, platform, "arbiter", self.request, ~goes_on, self.arbiter)
        return Mux(goes_on, self.request & begun, fresh)


def _select(grant: Any, values: list[Any]) -> Any:
    """The OR of ``values``, each gated by its bit of a one-hot ``grant``."""
    result: Any = 0
    for bit, value in zip(grant, values, strict=True):
        result |= value & bit.replicate(len(value))
    return result
