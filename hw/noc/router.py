"""The router of both networks: five ports, one cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arbiter import ARBITERS
from ..layouts.space import COORDINATE_BITS
from ..library import Block, add_block, only_if_set
from .aim import XY_PAIRS
from .input_port import InputPort
from .link import NetworkLink, Port, validate_network
from .multicast import validate_multicast
from .output_port import OutputPort
from .routing import turns_to, validate_routing


class Router(Block):
    """Forwards flits between four neighbours and the local endpoint of a 2D mesh.

    Wormhole switching: a packet holds its channel of the next router from head to tail. Credits
    say how many flits the next router can take, so a flit on a link is always taken. Packets stay
    in their message class, and those of one class from one source to one destination in order.

    Parameters
    ----------
    flit_bits: payload bits of a flit.
    virtual_channels: 1 to 8.
    buffer_depth: flits a virtual channel can hold, 1 to 32; 4 suffice for full throughput.
    routing: one of ``routing.ROUTINGS``; under the adaptive ones packets of one flow may overtake
        each other.
    message_classes: a divisor of ``virtual_channels``; channel c belongs to class
        ``c // (virtual_channels // message_classes)``. Default: each channel is a class.
    shared_lane: the channels of an input share one path to the crossbar (small), else each has
        its own (faster under load).
    free_choice: a packet may take any free channel of its class (faster under load); then packets
        of one class may overtake each other. Else the channel is a function of the flow.
    hold_output: a packet whose next flit is at hand goes before others: shorter latency of
        long packets if buffers hold a whole one.
    single_flit: every packet has one flit (smaller); then ``head`` and ``tail`` are always set.
    arbiter: ``"matrix"`` (least recently granted first) or ``"round_robin"``.
    multicast: a flit's destination is a rectangle of nodes (``layouts.space.Rectangle``), and each
        gets a copy (larger). Only with one channel, ``single_flit`` and dimension-ordered routing.
    direct: the local input is not behind a link register but next to an endpoint with ``direct``:
        its flits pass an empty buffer (``bypass`` of ``InputPort``).

    Ports
    -----
    north_in, east_in, south_in, west_in, local_in (in) and ..._out (out): :class:`NetworkLink`.
        A side at the mesh edge stays unconnected: nothing arrives there, nothing is sent there
        as long as destinations are inside the mesh (``NetworkEndpoint`` sees to it).
    x, y (in): the router's coordinates; x grows east, y south; constant in operation.
    parity_error (out, a bit a :class:`Port`, registered): a flit arrived with wrong parity.

    Timing: a flit on an input link in cycle t is on the output link in cycle t + 2 if its output
    is free: one cycle in the router, one on the link; with ``direct`` one on the local input in
    t + 1. A channel carries one flit a cycle with ``buffer_depth`` >= 4. There is no combinational
    path from input to output ports. Copies leave independently, each when its output is free; the
    flits behind them in the input wait for the last.

    Errors: a flit with wrong parity is reported by ``parity_error``. It ends its packet and goes on
    with its wrong parity, so that its destination sees it too; a packet's first flit goes to the
    local endpoint instead, which discards it with what follows it (see ``InputPort``).

    Source: W. J. Dally and B. Towles, Principles and Practices of Interconnection Networks,
    chapters 13 to 17; queues by next output after Tamir and Frazier, "Dynamically-allocated
    multi-queue buffers for VLSI communication switches", 1992.
    """

    def __init__(
        self,
        flit_bits: int,
        virtual_channels: int,
        buffer_depth: int,
        routing: str = "dimension_ordered",
        message_classes: int | None = None,
        shared_lane: bool = True,
        free_choice: bool = False,
        hold_output: bool = False,
        single_flit: bool = False,
        arbiter: str = "matrix",
        direct: bool = False,
        multicast: bool = False,
    ) -> None:
        classes = virtual_channels if message_classes is None else message_classes
        validate_network(virtual_channels, buffer_depth, classes)
        validate_routing(routing, virtual_channels // classes)
        if multicast:
            validate_multicast(flit_bits, virtual_channels, single_flit, routing)
        self.flit_bits = flit_bits
        self.virtual_channels = virtual_channels
        self.buffer_depth = buffer_depth
        self.routing = routing
        self.message_classes = classes
        self.lanes = 1 if shared_lane else virtual_channels
        self.free_choice = free_choice
        self.hold_output = hold_output
        self.single_flit = single_flit
        if arbiter not in ARBITERS:
            raise ValueError(f"arbiter is {arbiter!r}; allowed: {', '.join(ARBITERS)}")
        self.arbiter = arbiter
        self.direct = direct
        self.multicast = multicast
        link = NetworkLink(flit_bits, virtual_channels)
        sides = {f"{port.name.lower()}_in": In(link) for port in Port}
        sides |= {f"{port.name.lower()}_out": Out(link) for port in Port}
        super().__init__(
            {
                **sides,
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "parity_error": Out(len(Port)),
            },
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            routing=routing,
            message_classes=classes,
            lanes=self.lanes,
            free_choice=free_choice,
            hold_output=hold_output,
            single_flit=single_flit,
            arbiter=arbiter,
            direct=direct,
            **only_if_set(multicast=multicast),
        )

    def elaborate(self, platform: Any) -> Module:
        """Join input and output ports by the turns that the routing takes."""
        m = Module()
        inputs = {port: self._input(m, platform, port) for port in Port}
        outputs: dict[Port, OutputPort] = {}
        grants: dict[Port, list[Any]] = {
            port: [0] * (len(Port) if self.multicast else self.lanes) for port in Port
        }
        for output in Port:
            sources = turns_to(self.routing, output)
            block = self._output(m, platform, output, len(sources) * self.lanes)
            outputs[output] = block
            for i, source in enumerate(sources):
                for lane in range(self.lanes):
                    place = i * self.lanes + lane
                    m.d.comb += [
                        block.request[place].eq(inputs[source].request[lane][output]),
                        block.offer[place].eq(inputs[source].offer[lane]),
                        block.channel[place].eq(inputs[source].channel[lane]),
                        block.tail[place].eq(inputs[source].tail[lane]),
                    ]
                    grants[source][output if self.multicast else lane] |= block.grant[place]
            for port in Port:
                if port in sources:
                    m.d.comb += [
                        inputs[port].packet_ready[output].eq(block.packet_ready),
                        inputs[port].flit_ready[output].eq(block.flit_ready),
                    ]
        # Where both ways are equally full they take turns, so that an idle mesh is used evenly.
        turn = Signal()
        m.d.sync += turn.eq(~turn)
        prefer_x = Cat(outputs[x].held < outputs[y].held + turn for x, y in XY_PAIRS)
        for port in Port:
            m.d.comb += [
                inputs[port].grant.eq(Cat(grants[port])),
                inputs[port].prefer_x.eq(prefer_x),
            ]
        m.d.comb += self.parity_error.eq(Cat(inputs[port].parity_error for port in Port))
        return m

    def _input(self, m: Module, platform: Any, side: Port) -> InputPort:
        block = InputPort(
            self.flit_bits,
            self.virtual_channels,
            self.buffer_depth,
            self.message_classes,
            self.lanes,
            side,
            self.free_choice,
            self.routing,
            self.single_flit,
            self.arbiter,
            bypass=self.direct and side is Port.LOCAL,
            multicast=self.multicast,
        )
        add_block(m, platform, f"{side.name.lower()}_input", block)
        connect(m, flipped(getattr(self, f"{side.name.lower()}_in")), block.link)
        m.d.comb += [block.x.eq(self.x), block.y.eq(self.y)]
        return block

    def _output(self, m: Module, platform: Any, side: Port, requesters: int) -> OutputPort:
        block = OutputPort(
            self.flit_bits,
            self.virtual_channels,
            self.buffer_depth,
            requesters,
            self.hold_output,
            self.single_flit,
            self.arbiter,
            counts_held=self.routing != "dimension_ordered",
        )
        add_block(m, platform, f"{side.name.lower()}_output", block)
        connect(m, block.link, flipped(getattr(self, f"{side.name.lower()}_out")))
        return block
