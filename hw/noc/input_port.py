"""A router's input side: buffers, route computation and the choice between its channels."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..layouts.space import COORDINATE_BITS
from ..library import Block, add_block, only_if_set
from .aim import XY_PAIRS, FreeAim, fixed_aim
from .credit import count_places, next_place
from .link import (
    Flit,
    NetworkLink,
    Port,
    channel_shape,
    parity_is_wrong,
    validate_network,
)
from .multicast import RectangleRoute, validate_multicast
from .route_note import NoteFormat, RouteNote
from .routing import FollowingStep, RouteComputation, turns_from


class BufferedFlit(data.StructLayout):
    """What a lane offers to the crossbar: the flit and the parity bit it came with."""

    def __init__(self, flit_bits: int) -> None:
        super().__init__({"flit": Flit(flit_bits), "parity": 1})


class _Queue:
    """The signals of one virtual channel's queue."""

    def __init__(self, virtual_channels: int, depth: int, channel: int) -> None:
        self.channel = channel
        self.note = Signal(RouteNote(virtual_channels), name=f"note_{channel}")
        self.present = Signal(name=f"present_{channel}")
        self.write_index = Signal(range(depth), name=f"write_index_{channel}")
        self.read_index = Signal(range(depth), name=f"read_index_{channel}")
        self.arrives = Signal(name=f"arrives_{channel}")
        self.leaves = Signal(name=f"leaves_{channel}")
        # The first flit and whether there is one: in the buffer or, with ``bypass``, on the link.
        self.first = Signal(RouteNote(virtual_channels), name=f"first_{channel}")
        self.offers = Signal(name=f"offers_{channel}")
        self.parity = Signal(name=f"parity_{channel}")  # used only if parity is noted


class InputPort(Block):
    """Buffers arriving flits by virtual channel and offers one a lane to the crossbar.

    The route is computed while the flit is on the link and stored with it, so that the
    buffered flit can be granted in the first cycle in which it is in the buffer. The state of
    the outputs is known here: a lane asks only for what can be sent at once.

    Parameters
    ----------
    flit_bits, virtual_channels, buffer_depth, message_classes: as for ``Router``.
    lanes: flits that may leave in one cycle: 1, or ``virtual_channels``.
    side: the router's side; only the turns from there are built.
    free_choice: a packet takes any free channel of its class, else the one its flow belongs to.
    routing, single_flit, arbiter: as for ``Router``.
    bypass: a flit that finds the buffer empty is offered while it is on the link already. Only with
        one channel, ``single_flit`` and dimension-ordered routing.
    multicast: as for ``Router``.

    Ports
    -----
    link (in): from the neighbour. x, y (in): the router's coordinates.
    packet_ready, flit_ready (in, ``[output][channel]``): the output can take a head flit, or
        a following flit, for that channel of the next router.
    prefer_x (in, a bit a pair of ``XY_PAIRS``): see ``FreeAim``.
    request (out, ``[lane]``): one-hot, the output (:class:`Port`) the lane asks for; with
        ``multicast`` all that are ready of those whose copies have not left yet.
    offer, channel, tail (out, ``[lane]``): the flit, its channel in the next router, and whether
        it is its packet's last (as in the flit, but earlier in the cycle).
    grant (in, a bit a lane; with ``multicast`` a bit an output): the offered flit leaves in this
        cycle; or copies of it, and with the last of them the flit.
    parity_error (out, registered): a flit with wrong parity arrived.

    Errors: a flit with wrong parity ends its packet; as a first flit it has no destination to be
    trusted and leaves by the local side. So does a flit without a head before it (what follows
    a packet that was ended so). The endpoint there discards it. Routers on the way see the same
    flits and do the same, so no channel stays occupied by a packet whose tail is lost.

    Timing: a flit on the link in cycle t is offered from cycle t + 1, with ``bypass`` from t if no
    other is in the buffer (then ``request`` and ``offer`` depend combinationally on the link).
    ``request`` depends combinationally on ``packet_ready`` and ``flit_ready``, never on ``grant``.
    The credit is on the link in the cycle after the grant.
    """

    def __init__(
        self,
        flit_bits: int,
        virtual_channels: int,
        buffer_depth: int,
        message_classes: int,
        lanes: int,
        side: Port,
        free_choice: bool = False,
        routing: str = "dimension_ordered",
        single_flit: bool = False,
        arbiter: str = "matrix",
        bypass: bool = False,
        multicast: bool = False,
    ) -> None:
        validate_network(virtual_channels, buffer_depth, message_classes)
        simple = virtual_channels == 1 and single_flit and routing == "dimension_ordered"
        if bypass and not simple:
            raise ValueError(
                "bypass is True; allowed: only with virtual_channels 1, single_flit and "
                "routing 'dimension_ordered'"
            )
        if multicast:
            validate_multicast(flit_bits, virtual_channels, single_flit, routing)
        if lanes not in (1, virtual_channels):
            raise ValueError(f"lanes is {lanes}; allowed: 1 or {virtual_channels}")
        self.flit_bits = flit_bits
        self.virtual_channels = virtual_channels
        self.buffer_depth = buffer_depth
        self.class_channels = virtual_channels // message_classes
        self.lanes = lanes
        self.side = side
        self.free_choice = free_choice
        self.routing = routing
        self.single_flit = single_flit
        self.arbiter = arbiter
        self.bypass = bypass
        self.multicast = multicast
        one_way = routing == "dimension_ordered" and not multicast
        self.format = NoteFormat(
            tuple(turns_from(routing, side)), one_way, self.class_channels > 1, single_flit
        )
        super().__init__(
            {
                "link": In(NetworkLink(flit_bits, virtual_channels)),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "packet_ready": In(virtual_channels).array(len(Port)),
                "flit_ready": In(virtual_channels).array(len(Port)),
                "prefer_x": In(len(XY_PAIRS)),
                "request": Out(len(Port)).array(lanes),
                "offer": Out(BufferedFlit(flit_bits)).array(lanes),
                "channel": Out(channel_shape(virtual_channels)).array(lanes),
                "tail": Out(1).array(lanes),
                "grant": In(len(Port) if multicast else lanes),
                "parity_error": Out(1),
            },
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            message_classes=message_classes,
            lanes=lanes,
            side=int(side),
            free_choice=free_choice,
            routing=routing,
            single_flit=single_flit,
            arbiter=arbiter,
            bypass=bypass,
            **only_if_set(multicast=multicast),
        )

    def elaborate(self, platform: Any) -> Module:
        """Build arrival, queues and lanes."""
        m = Module()
        wrong = Signal()
        m.d.comb += wrong.eq(self.link.valid & parity_is_wrong(self.link.flit, self.link.parity))
        m.d.sync += self.parity_error.eq(wrong)
        note, parity = self._arrival(m, wrong)
        width = self.virtual_channels // self.lanes
        for lane in range(self.lanes):
            queues = [self._queue(m, lane * width + i, note, parity) for i in range(width)]
            selected = self._select(m, platform, lane, queues)
            self._store(m, lane, queues, selected, parity)
        return m

    def _arrival(self, m: Module, wrong: Value) -> tuple[Signal, Value]:
        """The note of the flit on the link, from its destination or that of its packet's head; and
        its parity for the ``head`` and ``tail`` of the note, wrong if it was or if it is astray."""
        computation = (
            RectangleRoute(self.side)
            if self.multicast
            else RouteComputation(self.routing, self.side)
        )
        m.submodules.route = computation
        flit, channel = self.link.flit, self.link.channel
        note = Signal(RouteNote(self.virtual_channels))
        astray = wrong if self.single_flit else wrong | ~flit.head
        outputs = Mux(astray, 1 << Port.LOCAL, computation.output)
        m.d.comb += [
            Value.cast(computation.destination).eq(flit.payload),
            computation.x.eq(self.x),
            computation.y.eq(self.y),
        ]
        if self.single_flit:
            m.d.comb += [
                note.outputs.eq(outputs),
                note.channel.eq(self._next_channel(m, computation)),
                note.head.eq(1),
                note.tail.eq(1),
            ]
            return note, self.link.parity ^ flit.head ^ flit.tail
        fresh = Signal(RouteNote(self.virtual_channels))
        channels = range(self.virtual_channels)
        kept = Array(Signal(fresh.shape(), name=f"kept_{i}") for i in channels)
        begun = Array(Signal(name=f"begun_{i}") for i in channels)
        follows = Signal()
        m.d.comb += [
            fresh.outputs.eq(outputs),
            fresh.channel.eq(self._next_channel(m, computation)),
            follows.eq(begun[channel]),
            note.eq(Mux(follows, kept[channel], fresh)),
            note.head.eq(~follows),
            note.tail.eq(flit.tail | wrong | ~(follows | flit.head)),
        ]
        with m.If(self.link.valid):
            m.d.sync += begun[channel].eq(~note.tail)
            with m.If(~follows):
                m.d.sync += kept[channel].eq(fresh)
        lost = ~(follows | flit.head)
        parity = self.link.parity ^ flit.head ^ flit.tail ^ note.head ^ note.tail
        return note, parity ^ (lost & ~wrong)

    def _next_channel(self, m: Module, computation: RouteComputation) -> Value:
        """The channel in the next router: a function of the flow, so that order is kept.

        Channels of a class are split by what the packet does there (:class:`FollowingStep`), at
        an exit by where it came from: packets for different outputs do not wait in one queue.
        """
        here, count = self.link.channel, self.class_channels
        if count == 1:
            return here
        following = FollowingStep()
        m.submodules.following = following
        m.d.comb += [
            following.destination.eq(computation.destination),
            following.x.eq(self.x),
            following.y.eq(self.y),
        ]
        first = Array(i - i % count for i in range(self.virtual_channels))[here]
        by_step = Array(code % count for code in range(4))[following.step]
        exits = computation.output[Port.LOCAL]
        return (first + Mux(exits, int(self.side) % count, by_step))[: len(here)]

    @property
    def _parity_noted(self) -> bool:
        """Parity is stored with the note, where there is room, as it would take a further row of
        the flits' memory: an FPGA's distributed memory comes four bits wide."""
        return self.virtual_channels == 1 and self.single_flit and self.flit_bits % 4 == 0

    def _queue(self, m: Module, channel: int, note: Signal, parity: Value) -> _Queue:
        """Occupancy and route notes of one virtual channel."""
        depth = self.buffer_depth
        queue = _Queue(self.virtual_channels, depth, channel)
        packed = (
            Cat(parity, self.format.pack(note)) if self._parity_noted else self.format.pack(note)
        )
        notes = Memory(shape=len(packed), depth=depth, init=[])
        m.submodules[f"notes_{channel}"] = notes
        write, read = notes.write_port(), notes.read_port(domain="comb")
        stored = Signal(note.shape(), name=f"stored_note_{channel}")
        m.d.comb += self.format.unpack(read.data[1:] if self._parity_noted else read.data, stored)
        present, several = count_places(m, depth, f"level_{channel}", queue.arrives, queue.leaves)
        m.d.comb += [
            queue.present.eq(present),
            queue.arrives.eq(self.link.valid & (self.link.channel == channel)),
            write.addr.eq(queue.write_index),
            write.data.eq(packed),
            write.en.eq(queue.arrives),
            read.addr.eq(next_place(queue.read_index, depth)),
            queue.first.eq(queue.note),
            queue.offers.eq(queue.present),
        ]
        if self.bypass:
            with m.If(~queue.present):
                m.d.comb += [queue.first.eq(note), queue.offers.eq(queue.arrives)]
        m.d.sync += self.link.credit[channel].eq(queue.leaves)
        # The first note waits in a register: reading it is no part of the allocation's path. Where
        # there is none it has no output, so that the allocation need not look whether there is.
        with m.If(queue.leaves | ~queue.present):
            m.d.sync += queue.note.eq(Mux(several, stored, note))
            if self._parity_noted:
                m.d.sync += queue.parity.eq(Mux(several, read.data[0], parity))
            with m.If(~several & ~queue.arrives):
                m.d.sync += queue.note.outputs.eq(0)
        if self.multicast:
            self._strike(m, queue, note)
        for index, moves in (
            (queue.write_index, queue.arrives),
            (queue.read_index, queue.leaves),
        ):
            with m.If(moves):
                m.d.sync += index.eq(next_place(index, depth))
        return queue

    def _strike(self, m: Module, queue: _Queue, note: Signal) -> None:
        """Take the outputs whose copies have left out of the first note."""
        with m.If(queue.present & ~queue.leaves):
            m.d.sync += queue.note.outputs.eq(queue.note.outputs & ~self.grant)
        if self.bypass:
            with m.Elif(queue.arrives & ~queue.present):
                m.d.sync += queue.note.outputs.eq(note.outputs & ~self.grant)

    def _select(self, m: Module, platform: Any, lane: int, queues: list[_Queue]) -> Value:
        """The lane's queue in this cycle, a bit a queue: chosen in the cycle before, for speed.

        Queues with a flit that could have gone then, or that was just arriving, come first.
        """
        aims = [self._aim(m, platform, queue) for queue in queues]
        selected = Signal(len(queues), name=f"selected_{lane}", init=1)
        if len(queues) > 1:
            here = Cat(queue.present | queue.arrives for queue in queues)
            ready = Cat(
                want.any() | ~queue.present for queue, (want, _) in zip(queues, aims, strict=True)
            )
            request = Mux((here & ready).any(), here & ready, here)
            choice = arbitrate(m, platform, f"arbiter_{lane}", request, Const(1), self.arbiter)
            with m.If(here.any()):
                m.d.sync += selected.eq(choice)
        for bit, queue, (want, channel) in zip(selected, queues, aims, strict=True):
            m.d.comb += queue.leaves.eq(bit & self._last(queue, lane))
            with m.If(bit if len(queues) > 1 else Const(1)):
                m.d.comb += [
                    self.request[lane].eq(want),
                    self.channel[lane].eq(channel),
                    self.tail[lane].eq(queue.first.tail),
                    self.offer[lane].flit.head.eq(queue.first.head),
                    self.offer[lane].flit.tail.eq(queue.first.tail),
                ]
        return selected

    def _last(self, queue: _Queue, lane: int) -> Value:
        """Whether the lane's flit leaves for good: its only copy, or the last of several."""
        if not self.multicast:
            return self.grant[lane]
        return queue.offers & ~(queue.first.outputs & ~self.grant).any()

    def _aim(self, m: Module, platform: Any, queue: _Queue) -> tuple[Value, Value]:
        """The output that a queue's first flit can take now, and its channel there."""
        count = self.class_channels
        if self.free_choice or self.routing != "dimension_ordered":
            first = queue.channel - queue.channel % count
            escape = self.routing == "minimal_adaptive"
            aim = FreeAim(self.virtual_channels, count, first, escape)
            add_block(m, platform, f"aim_{queue.channel}", aim)
            m.d.comb += [
                aim.note.eq(queue.note),
                aim.present.eq(queue.present),
                aim.leaves.eq(queue.leaves),
                aim.prefer_x.eq(self.prefer_x),
            ]
            for output in Port:
                m.d.comb += [
                    aim.packet_ready[output].eq(self.packet_ready[output]),
                    aim.flit_ready[output].eq(self.flit_ready[output]),
                ]
            return aim.want, aim.channel
        channel = Const(queue.channel) if count == 1 else queue.first.channel
        want = fixed_aim(queue.first, channel, list(self.packet_ready), list(self.flit_ready))
        if self.bypass:  # the note of the flit on the link is there without a flit, too
            want = want & queue.offers.replicate(len(Port))
        return want, channel

    def _store(
        self, m: Module, lane: int, queues: list[_Queue], selected: Value, parity: Value
    ) -> None:
        """The lane's flits, of all its queues in one memory with one read port."""
        rows = 1 << (self.buffer_depth - 1).bit_length()
        noted = self._parity_noted
        bits = self.flit_bits + (not noted)
        flits = Memory(shape=bits, depth=rows * len(queues), init=[])
        m.submodules[f"flits_{lane}"] = flits
        write, read = flits.write_port(), flits.read_port(domain="comb")
        offer = self.offer[lane]
        m.d.comb += [
            write.data.eq(Cat(self.link.flit.payload, parity)[:bits]),
            Cat(offer.flit.payload, offer.parity).eq(
                Cat(read.data, queues[0].parity) if noted else read.data
            ),
            write.en.eq(Cat(queue.arrives for queue in queues).any()),
        ]
        for i, queue in enumerate(queues):
            with m.If(queue.arrives):
                m.d.comb += write.addr.eq(i * rows + queue.write_index)
            with m.If(selected[i] if i else Const(1)):
                m.d.comb += read.addr.eq(i * rows + queue.read_index)
        if self.bypass:
            with m.If(~queues[0].present):
                m.d.comb += [
                    offer.flit.payload.eq(self.link.flit.payload),
                    offer.parity.eq(parity),
                ]
