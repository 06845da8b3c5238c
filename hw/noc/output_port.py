"""A router's output side: arbitration, credits, the packets in progress and the link registers."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..library import Block, add_block
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
    link (out): to the next router; ``valid`` and ``channel`` are registers, ``flit`` and ``parity``
        the OR of one register a requester (a table of four inputs a bit for up to four).

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
        """Build arbiter, link registers and channel state."""
        m = Module()
        grant = self._grant(m, platform)
        sends = Signal()
        m.d.comb += [
            self.grant.eq(grant),
            sends.eq(self.request.any()),
        ]
        channel = Signal(channel_shape(self.virtual_channels))
        tail = Signal()
        m.d.comb += [
            tail.eq((self.grant & Cat(self.tail)).any()),
            channel.eq(_select(self.grant, list(self.channel))),
        ]
        m.d.sync += [self.link.valid.eq(sends), self.link.channel.eq(channel)]
        self._send(m)
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

    def _send(self, m: Module) -> None:
        """Put the granted flit on the link.

        Every requester has a register, which is reset unless it is granted, and the link is their
        OR: where registers have a reset the choice takes no logic, only the OR does. Without a
        grant all are zero, so they need no other reset.
        """
        shape = self.offer[0].shape()
        sent = Signal(shape)
        candidates = []
        for i, offer in enumerate(self.offer):
            candidate = Signal(shape.size, name=f"candidate_{i}", reset_less=True)
            m.d.sync += candidate.eq(Mux(self.grant[i], offer.as_value(), 0))
            candidates.append(candidate)
        m.d.comb += [
            sent.eq(reduce(or_, candidates)),
            self.link.flit.eq(sent.flit),
            self.link.parity.eq(sent.parity),
        ]
        if self.single_flit:  # constants need no registers
            m.d.comb += [self.link.flit.head.eq(1), self.link.flit.tail.eq(1)]

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
