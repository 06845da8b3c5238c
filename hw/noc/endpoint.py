"""The interface between a router's local port and the streams of a cluster or the host bridge."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..layouts.space import COORDINATE_BITS, Node, Rectangle
from ..library import Block, add_block, only_if_set
from .credit import CreditCounter, count_places, next_place
from .link import (
    NODE_BITS,
    Flit,
    NetworkLink,
    channel_shape,
    odd_parity,
    parity_is_wrong,
    validate_network,
)
from .multicast import RECTANGLE_BITS, validate_multicast
from .routing import RouteComputation, greater


class QueuedFlit(data.StructLayout):
    """A flit in an ejection queue; ``discard``: nobody gets it."""

    def __init__(self, flit_bits: int) -> None:
        super().__init__({"flit": Flit(flit_bits), "discard": 1})


class NetworkEndpoint(Block):
    """Injects packets from streams into a router and ejects packets from it to streams.

    There is a stream a message class in each direction. A packet enters its stream flit by
    flit, ``head`` set on the first and ``tail`` on the last; it leaves likewise, whole.

    Parameters
    ----------
    flit_bits, virtual_channels, buffer_depth, message_classes: as for ``Router``.
    columns, rows: size of the mesh, for the check of destinations.
    free_choice: as for ``Router``.
    host: this is the host bridge's endpoint, on the west port of router (0, 0).
    direct: next to a router with ``direct``: ``link_out`` is no register, and what comes to an
        empty queue is offered at once. Only with one channel a class.
    multicast: as for ``Router``; destinations are rectangles.

    Ports
    -----
    inject (in, ``[message class]``): stream of :class:`Flit`.
    eject (out, ``[message class]``): stream of :class:`Flit`.
    link_out, link_in: to and from the router.
    x, y (in): coordinates of the router; used only if a class has several channels.
    unreachable (out, a bit a class, registered): high for a cycle for each packet that was
        discarded because its destination is not in the mesh.
    parity_error (out, registered): a flit with wrong parity came from the network.

    Timing: a flit taken from ``inject`` in cycle t is on the link in t + 1; one on the link in
    cycle t is offered by ``eject`` in t + 1; with ``direct`` both happen in t. One flit a cycle
    each way. ``inject.ready`` depends combinationally on ``inject`` (valid and payload); ``eject``
    is independent of its ``ready``, and with ``direct`` depends combinationally on ``link_in``.

    Errors: a first flit with wrong parity is discarded, one inside a packet is delivered with
    head and tail set: the packet broke off. Both are reported by ``parity_error``. What follows of
    such a packet (a flit without ``head`` where no packet is open) is discarded. A packet to a
    node outside the mesh (or from the host to the host; with ``multicast``: to no rectangle, or one
    that reaches beyond the mesh) is taken whole, not sent, and reported by
    ``unreachable``.
    """

    def __init__(
        self,
        flit_bits: int,
        virtual_channels: int,
        buffer_depth: int,
        columns: int,
        rows: int,
        message_classes: int | None = None,
        host: bool = False,
        free_choice: bool = False,
        direct: bool = False,
        multicast: bool = False,
    ) -> None:
        classes = virtual_channels if message_classes is None else message_classes
        validate_network(virtual_channels, buffer_depth, classes)
        for name, value in (("columns", columns), ("rows", rows)):
            if not 1 <= value <= 1 << COORDINATE_BITS:
                raise ValueError(f"{name} is {value}; allowed: 1 to {1 << COORDINATE_BITS}")
        self.flit_bits = flit_bits
        self.virtual_channels = virtual_channels
        self.buffer_depth = buffer_depth
        self.columns = columns
        self.rows = rows
        self.message_classes = classes
        self.class_channels = virtual_channels // classes
        self.host = host
        self.free_choice = free_choice
        self.direct = direct
        if direct and self.class_channels != 1:
            raise ValueError(
                f"direct is True; allowed: only with one channel a class, not {self.class_channels}"
            )
        self.multicast = multicast
        if multicast:
            validate_multicast(flit_bits, virtual_channels)
        flits = stream.Signature(Flit(flit_bits))
        link = NetworkLink(flit_bits, virtual_channels)
        super().__init__(
            {
                "inject": In(flits).array(classes),
                "eject": Out(flits).array(classes),
                "link_out": Out(link),
                "link_in": In(link),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "unreachable": Out(classes),
                "parity_error": Out(1),
            },
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            columns=columns,
            rows=rows,
            message_classes=classes,
            host=host,
            free_choice=free_choice,
            direct=direct,
            **only_if_set(multicast=multicast),
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the injecting and the ejecting side."""
        m = Module()
        self._inject(m, platform)
        wrong = Signal()
        m.d.comb += wrong.eq(
            self.link_in.valid & parity_is_wrong(self.link_in.flit, self.link_in.parity)
        )
        m.d.sync += self.parity_error.eq(wrong)
        queues = [self._queue(m, i, wrong) for i in range(self.virtual_channels)]
        count = self.class_channels
        for index in range(self.message_classes):
            members = queues[index * count : (index + 1) * count]
            if count == 1:
                flit, present, leaves = members[0]
                output = self.eject[index]
                m.d.comb += [
                    output.payload.eq(flit),
                    output.valid.eq(present),
                    leaves.eq(output.valid & output.ready),
                ]
            else:
                self._merge(m, platform, index, members)
        return m

    def _inject(self, m: Module, platform: Any) -> None:
        """Check destinations, choose a class that has credit, and fill the link register."""
        credits = []
        for i in range(self.virtual_channels):
            counter = CreditCounter(self.buffer_depth)
            add_block(m, platform, f"credit_{i}", counter)
            m.d.comb += counter.give.eq(self.link_out.credit[i])
            credits.append(counter)
        available = Cat(counter.available for counter in credits)

        requests = Signal(self.message_classes)
        grant = arbitrate(m, platform, "arbiter", requests, Const(1))
        channel = Signal(channel_shape(self.virtual_channels))
        flit = Signal(Flit(self.flit_bits))
        for index, source in enumerate(self.inject):
            reject = self._reject(m, index)
            wanted = self._channel(m, index, available)
            sends = grant[index]
            m.d.comb += [
                requests[index].eq(source.valid & ~reject & available.bit_select(wanted, 1)),
                source.ready.eq(sends | (source.valid & reject)),
            ]
            with m.If(sends):
                m.d.comb += [flit.eq(source.payload), channel.eq(wanted)]
        sending = Signal()
        m.d.comb += sending.eq(requests.any())
        link = m.d.comb if self.direct else m.d.sync
        link += [
            self.link_out.valid.eq(sending),
            self.link_out.flit.eq(flit),
            self.link_out.parity.eq(odd_parity(flit)),
            self.link_out.channel.eq(channel),
        ]
        for i, counter in enumerate(credits):
            m.d.comb += counter.take.eq(sending & (channel == i))

    def _reject(self, m: Module, index: int) -> Signal:
        """High while the flit offered by a class belongs to a packet that cannot be delivered."""
        source = self.inject[index]
        to = Node(source.payload.payload[:NODE_BITS])
        inside = (to.x < self.columns) & (to.y < self.rows)
        to_host = (to.x == 0) & (to.y == 0) & (not self.host)
        exists = Mux(to.host, to_host, inside)
        if self.multicast:
            exists = self._is_rectangle(Rectangle(source.payload.payload[:RECTANGLE_BITS]))
        rejecting = Signal(name=f"rejecting_{index}")
        reject = Signal(name=f"reject_{index}")
        m.d.comb += reject.eq(Mux(source.payload.head, ~exists, rejecting))
        m.d.sync += self.unreachable[index].eq(source.valid & source.payload.head & reject)
        with m.If(source.valid & source.ready):
            m.d.sync += rejecting.eq(reject & ~source.payload.tail)
        return reject

    def _is_rectangle(self, to: Any) -> Value:
        """Whether a rectangle is one of nodes of the mesh."""
        columns = ~greater(to.first.x, to.x_last) & (to.x_last < self.columns)
        rows = ~greater(to.first.y, to.y_last) & (to.y_last < self.rows)
        corner = ~Cat(to.first.x, to.first.y, to.x_last, to.y_last).any()
        return Mux(to.first.host, corner & (not self.host), columns & rows)

    def _channel(self, m: Module, index: int, available: Value) -> Value:
        """The channel of the router's buffer: by the packet's first step, so that order is kept."""
        count = self.class_channels
        if count == 1:
            return Value.cast(index)
        source = self.inject[index]
        route = RouteComputation()
        m.submodules[f"route_{index}"] = route
        fresh = Signal(channel_shape(self.virtual_channels), name=f"fresh_channel_{index}")
        kept = Signal.like(fresh, name=f"kept_channel_{index}")
        choice = Signal.like(fresh, name=f"choice_{index}")
        m.d.comb += [
            route.destination.eq(Node(source.payload.payload[:NODE_BITS])),
            route.x.eq(self.x),
            route.y.eq(self.y),
        ]
        for side, code in enumerate((2, 0, 3, 1, 3)):
            with m.If(route.output[side]):
                m.d.comb += fresh.eq(index * count + code % count)
        mine = available[index * count : (index + 1) * count]
        with m.If(self.free_choice & mine.any() & ~available.bit_select(fresh, 1)):
            for i in reversed(range(count)):
                with m.If(mine[i]):
                    m.d.comb += choice.eq(index * count + i)
        with m.Else():
            m.d.comb += choice.eq(fresh)
        with m.If(source.valid & source.payload.head):
            m.d.sync += kept.eq(choice)
        return Mux(source.payload.head, choice, kept)

    def _queue(self, m: Module, channel: int, wrong: Value) -> tuple[Any, Signal, Signal]:
        """One channel's ejection queue: its first flit, whether there is one, and the pop.

        A flit to be discarded takes its place in the queue, so that its credit goes back in turn.
        """
        depth = self.buffer_depth
        flits = Memory(shape=QueuedFlit(self.flit_bits), depth=depth, init=[])
        m.submodules[f"flits_{channel}"] = flits
        write, read = flits.write_port(), flits.read_port(domain="comb")
        leaves = Signal(name=f"leaves_{channel}")
        taken = Signal(name=f"taken_{channel}")
        begun = Signal(name=f"begun_{channel}")
        offered = Signal(name=f"offered_{channel}")
        first = Signal(Flit(self.flit_bits), name=f"first_{channel}")
        present, _ = count_places(m, depth, f"level_{channel}", write.en, leaves)
        m.d.comb += [
            write.en.eq(self.link_in.valid & (self.link_in.channel == channel)),
            write.data.flit.payload.eq(self.link_in.flit.payload),
            write.data.flit.head.eq(self.link_in.flit.head | wrong),
            write.data.flit.tail.eq(self.link_in.flit.tail | wrong),
            write.data.discard.eq((wrong | ~self.link_in.flit.head) & ~begun),
            offered.eq(present & ~read.data.discard),
            leaves.eq(taken | (present & read.data.discard)),
            first.eq(read.data.flit),
        ]
        if self.direct:
            with m.If(~present):
                m.d.comb += [
                    first.eq(write.data.flit),
                    offered.eq(write.en & ~write.data.discard),
                ]
        m.d.sync += self.link_in.credit[channel].eq(leaves)
        with m.If(write.en):
            m.d.sync += begun.eq(~(write.data.flit.tail | write.data.discard))
        for port, moves in ((write, write.en), (read, leaves)):
            index = Signal(range(depth), name=f"index_{channel}")
            m.d.comb += port.addr.eq(index)
            with m.If(moves):
                m.d.sync += index.eq(next_place(index, depth))
        return first, offered, taken

    def _merge(
        self, m: Module, platform: Any, index: int, queues: list[tuple[Any, Signal, Signal]]
    ) -> None:
        """Offer the packets of a class's channels one after the other."""
        output = self.eject[index]
        locked = Signal(name=f"locked_{index}")
        requests = Cat(present for _, present, _ in queues)
        grant = arbitrate(m, platform, f"eject_arbiter_{index}", requests, ~locked)
        owner = Signal(range(len(queues)), name=f"owner_{index}")
        chosen = Signal.like(owner, name=f"chosen_{index}")
        m.d.comb += chosen.eq(owner)
        with m.If(~locked):
            for i in range(len(queues)):
                with m.If(grant[i]):
                    m.d.comb += chosen.eq(i)
        done = output.valid & output.ready & output.payload.tail
        m.d.comb += [
            output.payload.eq(Array(flit for flit, _, _ in queues)[chosen]),
            output.valid.eq(Array(present for _, present, _ in queues)[chosen]),
        ]
        m.d.sync += [owner.eq(chosen), locked.eq((locked | output.valid) & ~done)]
        for i, (_, _, leaves) in enumerate(queues):
            m.d.comb += leaves.eq(output.valid & output.ready & (chosen == i))
