"""Properties of a router's halves: every flit leaves once, in order, by the right side.

A router is input ports wired to output ports and nothing else, so the two properties together are
those of the whole router: what each half assumes of the other is what the other requires.
"""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from octopus.hw.layouts.space import COORDINATE_BITS, Node
from octopus.hw.noc.input_port import InputPort
from octopus.hw.noc.link import NODE_BITS, Port, parity_is_wrong
from octopus.hw.noc.output_port import OutputPort

from .property import Property

HERE = 1
"""Both coordinates of the router: there are neighbours on all sides."""

PAYLOAD = {"x": 2, "y": 2, "host": 1, "colour": 1}
"""What of a payload is free. The other bits are zero: a narrow flit is as good for a proof."""

FLIT_BITS = NODE_BITS + 1


class InputFlow(Property):
    """The flits of one input channel, whichever, have a colour that no others have."""

    claim = (
        "input port: each flit of a channel is offered until granted, leaves exactly once, in "
        "order, unchanged, by the side of its route, with its packet's head; one credit for each"
    )
    depth = 12

    def __init__(self, virtual_channels: int, buffer_depth: int, **options: Any) -> None:
        names = {"message_classes": virtual_channels, "lanes": 1} | options
        super().__init__(virtual_channels=virtual_channels, buffer_depth=buffer_depth, **names)

    def build(self, m: Module) -> None:
        dut = InputPort(side=Port.WEST, **({"flit_bits": FLIT_BITS} | self.parameters))
        self.place(m, dut, driven=("x", "y", "link__flit"))
        m.d.comb += [dut.x.eq(HERE), dut.y.eq(HERE)]
        watched = self.constant(m, range(max(2, dut.virtual_channels)), "watched_channel")
        self.assume(watched < dut.virtual_channels)
        arrives = dut.link.valid & (dut.link.channel == watched)
        payload = free_payload(self, m, dut.link.flit)
        self.assume(~dut.link.valid | ~parity_is_wrong(dut.link.flit, dut.link.parity))
        self.assume(
            ~dut.link.valid | ~dut.link.flit.head | ((payload["x"] >= HERE) & ~payload["host"])
        )
        self.assume(payload["colour"] == (dut.link.channel == watched))
        self._sender(m, dut)
        leaves = [dut.grant[lane] & dut.offer[lane].flit.payload[-1] for lane in range(dut.lanes)]
        left = Signal()
        m.d.comb += left.eq(Cat(leaves).any())
        self._lanes(dut)
        credit = Signal()
        m.d.sync += credit.eq(left)
        self.require("at most one leaves", (Cat(leaves) & (Cat(leaves) - 1)) == 0)
        self.require("one credit for each", dut.link.credit.bit_select(watched, 1) == credit)
        self._watch(m, dut, watched, arrives, leaves, left)

    def _sender(self, m: Module, dut: InputPort) -> None:
        """A neighbour that keeps to the protocol."""
        link = dut.link
        self.assume(~link.valid | (link.channel < dut.virtual_channels))
        if dut.single_flit:
            self.assume(~link.valid | (link.flit.head & link.flit.tail))
        for channel in range(dut.virtual_channels):
            arrives = link.valid & (link.channel == channel)
            count = Signal(range(dut.buffer_depth + 2), name=f"stored{channel}")
            begun = Signal(name=f"begun{channel}")
            m.d.sync += count.eq(count + arrives - link.credit[channel])
            self.assume(~arrives | (count < dut.buffer_depth))
            self.assume(~arrives | (link.flit.head == ~begun))
            with m.If(arrives):
                m.d.sync += begun.eq(~link.flit.tail)
            self.require(f"credits of channel {channel} exact", count <= dut.buffer_depth)

    def _lanes(self, dut: InputPort) -> None:
        """What a lane may ask for; a grant is an answer to a request."""
        for lane in range(dut.lanes):
            request, flit = dut.request[lane], dut.offer[lane].flit
            asks = request.any()
            self.assume(~dut.grant[lane] | asks)
            ready = [
                Mux(flit.head, dut.packet_ready[port], dut.flit_ready[port]).bit_select(
                    dut.channel[lane], 1
                )
                for port in Port
            ]
            self.require(f"lane {lane}: asks for one side", (request & (request - 1)) == 0)
            self.require(f"lane {lane}: asks for what is ready", (request & ~Cat(ready)) == 0)
            self.require(f"lane {lane}: tail", ~asks | (dut.tail[lane] == flit.tail))

    def _watch(
        self,
        m: Module,
        dut: InputPort,
        watched: Value,
        arrives: Value,
        leaves: list[Value],
        left: Value,
    ) -> None:
        """One flit of the watched channel, whichever, from its arrival to its departure."""
        mark, marked = self.free(1, "mark"), Signal()
        waiting, ahead = (Signal(range(dut.buffer_depth + 2), name=n) for n in ("waiting", "ahead"))
        flit = Cat(dut.link.flit, dut.link.parity)
        note, way, packet = Signal(len(flit)), Signal(len(Port)), Signal(len(Port))
        heads = Cat(route_of(Node(dut.link.flit.payload[:NODE_BITS]), port) for port in Port)
        here = Signal(len(Port))
        m.d.comb += here.eq(Mux(dut.link.flit.head, heads, packet))
        m.d.sync += waiting.eq(waiting + arrives - left)
        with m.If(arrives):
            m.d.sync += packet.eq(here)
        passes = Signal()  # it leaves from the link
        m.d.comb += passes.eq(left & (waiting == 0) & dut.bypass)
        with m.If(~marked & mark & arrives & ~passes):
            m.d.sync += [marked.eq(1), note.eq(flit), way.eq(here), ahead.eq(waiting - left)]
        with m.Elif(marked & left):
            m.d.sync += ahead.eq(ahead - 1)
            with m.If(ahead == 0):
                m.d.sync += marked.eq(0)
        due = (marked & left & (ahead == 0)) | passes
        came, its_way = Mux(passes, flit, note), Mux(passes, here, way)
        out, side, channel = Signal(len(note)), Signal(len(Port)), Signal(len(dut.channel[0]))
        for lane, leaving in enumerate(leaves):
            with m.If(leaving):
                m.d.comb += [
                    out.eq(dut.offer[lane].as_value()),
                    side.eq(dut.request[lane]),
                    channel.eq(dut.channel[lane]),
                ]
        open_packet = Signal()  # the watched channel's head has left, its tail has not
        its_side, its_channel = Signal(len(Port)), Signal(len(channel))
        head, tail = out[dut.flit_bits], out[dut.flit_bits + 1]
        with m.If(left):
            m.d.sync += [open_packet.eq(~tail), its_side.eq(side), its_channel.eq(channel)]
        follows = left & open_packet
        size = dut.class_channels
        same_class = Array(i // size for i in range(dut.virtual_channels))
        self.require("nothing leaves that did not arrive", ~left | (waiting != 0) | arrives)
        if not dut.bypass:
            self.require("nothing leaves as it arrives", ~left | (waiting != 0))
        self.require("unchanged and in order", ~due | (out == came))
        self.require("by its route", ~due | (side == its_way))
        self.require("head first", ~left | (head == ~open_packet))
        self.require(
            "a packet keeps together", ~follows | ((side == its_side) & (channel == its_channel))
        )
        self.require("stays in its class", ~left | (same_class[channel] == same_class[watched]))
        follows_head = Const(1) if dut.single_flit else ~head
        self.cover("the last of a full buffer leaves", due & follows_head & (waiting == 1) & mark)
        if dut.bypass:
            self.cover("passes at once", passes)
        self.cover("arrives at a nearly full buffer", marked & (ahead == dut.buffer_depth - 1))


class OutputFlow(Property):
    """The flits of one requester, whichever, have a colour that no others have."""

    claim = (
        "output port: one grant, only to who asks, each granted flit is next on the link; packets "
        "are not interleaved in a channel; the receiver's buffer is not overfilled"
    )
    depth = 12

    def __init__(self, requesters: int, virtual_channels: int, buffer_depth: int, **o: Any) -> None:
        super().__init__(
            requesters=requesters, virtual_channels=virtual_channels, buffer_depth=buffer_depth, **o
        )

    def build(self, m: Module) -> None:
        dut = OutputPort(FLIT_BITS, **self.parameters)
        self.place(m, dut, driven=("offer",))
        watched = self.constant(m, range(dut.requesters), "watched")
        self.assume(watched < dut.requesters)
        sent, sends = Signal(FLIT_BITS + 3), Signal()
        m.d.sync += sends.eq(dut.grant.any())
        channel_sent = Signal(len(dut.link.channel))
        for i in range(dut.requesters):
            payload = free_payload(self, m, dut.offer[i].flit, f"offer{i}_")
            self.assume(payload["colour"] == (watched == i))
            with m.If(dut.grant[i]):
                m.d.sync += [sent.eq(dut.offer[i].as_value()), channel_sent.eq(dut.channel[i])]
        self._requesters(m, dut)
        link = dut.link
        self.require("one grant", (dut.grant & (dut.grant - 1)) == 0)
        self.require("only to who asks", (dut.grant & ~dut.request) == 0)
        self.require("somebody if anybody asks", dut.grant.any() == dut.request.any())
        self.require("what was granted is sent", link.valid == sends)
        self.require("unchanged", ~sends | (Cat(link.flit, link.parity) == sent))
        self.require("to its channel", ~sends | (link.channel == channel_sent))
        self._receiver(m, dut)

    def _requesters(self, m: Module, dut: OutputPort) -> None:
        """Input ports that ask for what is ready, and whose packets keep together."""
        for channel in range(dut.virtual_channels):
            busy, owner = Signal(name=f"busy{channel}"), Signal(range(dut.requesters + 1))
            for i in range(dut.requesters):
                flit = dut.offer[i].flit
                asks = dut.request[i] & (dut.channel[i] == channel)
                self.assume(~asks | ~flit.head | dut.packet_ready[channel])
                mine = busy & (owner == i)
                self.assume(~asks | flit.head | (dut.flit_ready[channel] & mine))
                with m.If(asks & dut.grant[i]):
                    m.d.sync += [busy.eq(~flit.tail), owner.eq(i)]
        for i in range(dut.requesters):
            self.assume(dut.tail[i] == dut.offer[i].flit.tail)
            self.assume(~dut.request[i] | (dut.channel[i] < dut.virtual_channels))

    def _receiver(self, m: Module, dut: OutputPort) -> None:
        """A neighbour with buffers."""
        link = dut.link
        coloured = link.flit.payload[-1]
        for channel in range(dut.virtual_channels):
            arrives = link.valid & (link.channel == channel)
            count = Signal(range(dut.buffer_depth + 2), name=f"used{channel}")
            begun, colour = Signal(name=f"begun{channel}"), Signal(name=f"colour{channel}")
            m.d.sync += count.eq(count + arrives - link.credit[channel])
            self.assume(~link.credit[channel] | (count != 0))
            with m.If(arrives):
                m.d.sync += [begun.eq(~link.flit.tail), colour.eq(coloured)]
            name = f"channel {channel}"
            self.require(f"{name}: buffer not overfilled", count <= dut.buffer_depth)
            self.require(f"{name}: head first", ~arrives | (link.flit.head == ~begun))
            self.require(f"{name}: not interleaved", ~arrives | ~begun | (coloured == colour))
            full = count == dut.buffer_depth
            self.cover(f"{name}: full", full)
            self.require(
                f"{name}: ready if there is room",
                full | arrives | dut.flit_ready[channel],
            )


def free_payload(item: Property, m: Module, flit: Any, prefix: str = "") -> dict[str, Any]:
    """Drive ``flit`` with free values, in the few bits that matter; its parts."""
    parts = {name: item.free(bits, f"{prefix}{name}") for name, bits in PAYLOAD.items()}
    gap = Const(0, COORDINATE_BITS - 2)
    wider = Const(0, len(flit.payload) - FLIT_BITS)
    payload = Cat(parts["x"], gap, parts["y"], gap, parts["host"], wider, parts["colour"])
    m.d.comb += flit.payload.eq(payload)
    for name in ("head", "tail"):
        m.d.comb += getattr(flit, name).eq(item.free(1, f"{prefix}{name}"))
    return parts


def route_of(node: Any, output: Port, x: Any = HERE, y: Any = HERE) -> Value:
    """Whether a packet to ``node`` leaves router (``x``, ``y``) by ``output``: along x first, then
    along y; the host is west of (0, 0), hence along with node (0, 0)."""
    return {
        Port.EAST: node.x > x,
        Port.WEST: (node.x < x) | ((node.x == x) & (node.y == y) & node.host),
        Port.SOUTH: (node.x == x) & (node.y > y),
        Port.NORTH: (node.x == x) & (node.y < y),
        Port.LOCAL: (node.x == x) & (node.y == y) & ~node.host,
    }[output]
