"""Serves the successors of blocks that fired."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.block import SUCCESSOR_INDEX_BITS, IndexRule, SuccessorEntry
from ..layouts.space import COORDINATE_BITS
from ..layouts.token import INDEX_BITS, INSTANCE_BITS, ControlPacket, Token, TokenKind
from ..library import Block, add_block
from .firing_queue import FiringQueue
from .records import MAP_COUNT_BITS, Firing, FiringMode


class SuccessorWalker(Block):
    """Turns each firing into tokens, one successor entry a cycle.

    Firings that come while another is served wait in a queue. A map is served one index at a
    time, and only while nothing else waits and ``map_allowed``; it is suspended, on a stack,
    for every other firing. What is left of a firing whose instance is closed is discarded.

    Parameters
    ----------
    queue_depth, queue_pressure: of the firing queue.
    suspended: maps that may be suspended at once, a power of two (a map that finds no place
        is served to its end).

    Ports
    -----
    x, y: In, own coordinates. inner_bits: In, of an index.
    firing, firing_valid: In, a firing, always taken; ``level`` tells how many wait. It has
        successors or is a fault.
    closed: In, a bit an instance.
    ended, ended_instance: Out, a firing has been served or discarded.
    successor_address: Out, successor entry wanted; successor: In, it, a cycle later.
    token: Out stream, tokens to blocks of this cluster.
    packet: Out stream, tokens to elsewhere (registered).
    notice: In stream, a packet that goes before those of firings.
    map_allowed: In, a map may go on.
    level, pressed: Out, of the firing queue.

    Timing: a firing that finds the walker idle offers its first token in the next cycle;
    then one successor entry a cycle. From the queue: two cycles more. ``token`` is
    combinational from ``successor``; its valid does not depend on its ready.

    Source: docs/specification.md, section 7.
    """

    def __init__(
        self, queue_depth: int, queue_pressure: int, suspended: int, instances: int
    ) -> None:
        if suspended < 2 or suspended & (suspended - 1):
            raise ValueError(f"suspended is {suspended}; allowed: powers of two from 2")
        self.suspended = suspended
        self.queue = FiringQueue(queue_depth, queue_pressure)
        super().__init__(
            {
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "inner_bits": In(4),
                "firing": In(Firing),
                "firing_valid": In(1),
                "closed": In(instances),
                "ended": Out(1),
                "ended_instance": Out(INSTANCE_BITS),
                "successor_address": Out(SUCCESSOR_INDEX_BITS),
                "successor": In(SuccessorEntry),
                "token": Out(stream.Signature(Token)),
                "packet": Out(stream.Signature(ControlPacket)),
                "notice": In(stream.Signature(ControlPacket)),
                "map_allowed": In(1),
                "level": Out(range(queue_depth + 1)),
                "pressed": Out(1),
            },
            queue_depth=queue_depth,
            queue_pressure=queue_pressure,
            suspended=suspended,
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "queue", self.queue)
        m.d.comb += [self.level.eq(self.queue.level), self.pressed.eq(self.queue.pressed)]

        current = Signal(Firing)
        expecting = Signal()
        position = Signal(SUCCESSOR_INDEX_BITS)
        remaining = Signal(8)
        walking = Signal()
        available = Signal()
        advance = Signal()
        direct = Signal()
        last = Signal()
        discard = Signal()
        m.d.comb += [
            last.eq(advance & (remaining == 1)),
            discard.eq(self.closed.bit_select(current.instance, 1)),
            self.ended_instance.eq(current.instance),
            self.successor_address.eq(position + advance),
            self.queue.push.eq(self.firing),
            self.queue.push_valid.eq(self.firing_valid & ~direct),
        ]
        self._emit(m, current, expecting, walking, advance)
        stack = _Stack(m, self.suspended, current)

        def begin(firing: data.View, expect: int) -> None:
            """Serve ``firing`` from the next cycle on."""
            m.d.comb += self.successor_address.eq(firing.first_successor)
            m.d.sync += [
                current.eq(firing),
                expecting.eq(expect),
                position.eq(firing.first_successor),
                remaining.eq(firing.successor_count),
            ]
            with m.If(firing.mode == FiringMode.FAULT):
                m.d.sync += remaining.eq(1)
            m.next = "walk"

        def choose() -> None:
            """Find the next firing to serve."""
            with m.If(self.queue.level != 0):
                m.d.comb += self.queue.take.eq(1)
                m.next = "from_queue"
            with m.Elif(self.firing_valid):
                m.d.comb += direct.eq(1)
                begin(self.firing, expect=1)
            with m.Elif((stack.level != 0) & self.map_allowed):
                m.d.comb += stack.pop.eq(1)
                m.next = "from_stack"
            with m.Else():
                m.next = "idle"

        with m.FSM():
            with m.State("idle"):
                m.d.comb += available.eq(1)
                choose()
            with m.State("from_queue"):
                begin(self.queue.taken, expect=1)
            with m.State("from_stack"):
                begin(stack.top, expect=0)
            with m.State("walk"):
                m.d.comb += walking.eq(~discard)
                next_index = Signal(len(current.index) + 1)
                m.d.comb += next_index.eq(Mux(expecting, 0, current.index + 1))
                with m.If(advance):
                    m.d.sync += [position.eq(position + 1), remaining.eq(remaining - 1)]
                with m.If(discard):
                    m.d.comb += self.ended.eq(1)
                    choose()
                with m.Elif(last):
                    with m.If(
                        (current.mode == FiringMode.MAP)
                        & (next_index != current.value[:MAP_COUNT_BITS])
                    ):
                        m.d.sync += [current.index.eq(next_index), expecting.eq(0)]
                        m.next = "between_indices"
                    with m.Else():
                        m.d.comb += self.ended.eq(1)
                        choose()
            with m.State("between_indices"):
                with m.If(discard):
                    m.d.comb += self.ended.eq(1)
                    choose()
                with m.Elif((self.queue.level != 0) & ~stack.full):
                    m.d.comb += [stack.push.eq(1), self.queue.take.eq(1)]
                    m.next = "from_queue"
                with m.Elif(self.map_allowed):
                    begin(current, expect=0)
        return m

    def _emit(
        self,
        m: Module,
        current: data.View,
        expecting: Signal,
        walking: Signal,
        advance: Signal,
    ) -> None:
        """The token for the successor at hand, and whether the walk goes on."""
        successor = self.successor
        packet = Signal(ControlPacket)
        token = packet.token
        fault = Signal()
        expect = Signal()
        forecast = Signal()
        in_map = Signal()
        chosen = Signal()
        local = Signal()
        free = Signal()
        room = Signal()
        own = (successor.destination.x == self.x) & (successor.destination.y == self.y)
        m.d.comb += [
            fault.eq(current.mode == FiringMode.FAULT),
            expect.eq(successor.kind == TokenKind.EXPECT),
            forecast.eq(successor.kind == TokenKind.FORECAST),
            local.eq(~fault & ~successor.destination.host & own),
            token.block.eq(Mux(fault, current.block, successor.block)),
            token.instance.eq(current.instance),
            in_map.eq(current.mode == FiringMode.MAP),
            token.value.eq(Mux(in_map, current.value[:MAP_COUNT_BITS], current.value)),
        ]
        self._number(m, current, token, expect | forecast)
        with m.If(fault):
            m.d.comb += [
                packet.destination.host.eq(1),
                token.kind.eq(TokenKind.FAULT),
                token.status.eq(current.selector),
            ]
        with m.Else():
            m.d.comb += [
                packet.destination.eq(successor.destination),
                token.kind.eq(successor.kind),
            ]
            with m.If(forecast & successor.likely):
                m.d.comb += token.value.eq(0)
            with m.Elif(forecast & ~in_map):
                m.d.comb += token.value.eq(1)
            with m.Elif(expect & (current.mode == FiringMode.MASK)):
                m.d.comb += token.value.eq(current.selector)

        with m.Switch(current.mode):
            with m.Case(FiringMode.FAULT):
                m.d.comb += chosen.eq(1)
            with m.Case(FiringMode.ARM):
                m.d.comb += chosen.eq(expect | (successor.arm == current.selector))
            with m.Case(FiringMode.MASK):
                m.d.comb += chosen.eq(expect | current.value.bit_select(successor.arm, 1))
            with m.Case(FiringMode.MAP):
                m.d.comb += chosen.eq((expect | forecast) == expecting)
            with m.Default():
                m.d.comb += chosen.eq(1)

        m.d.comb += [
            free.eq(~self.packet.valid | self.packet.ready),
            self.notice.ready.eq(free),
            room.eq(free & ~self.notice.valid),
            self.token.payload.eq(token),
            self.token.valid.eq(walking & chosen & local),
            advance.eq(walking & (~chosen | Mux(local, self.token.ready, room))),
        ]
        with m.If(self.packet.ready):
            m.d.sync += self.packet.valid.eq(0)
        with m.If(free & self.notice.valid):
            m.d.sync += [self.packet.valid.eq(1), self.packet.payload.eq(self.notice.payload)]
        with m.Elif(walking & chosen & ~local & room):
            m.d.sync += [self.packet.valid.eq(1), self.packet.payload.eq(packet)]

    def _number(self, m: Module, current: data.View, token: data.View, announces: Value) -> None:
        """The token's index: the firing's or, in a map, that of the token, by the entry's rule."""
        own = current.value[MAP_COUNT_BITS : MAP_COUNT_BITS + INDEX_BITS]
        kept = Signal(INDEX_BITS)
        outer = Signal(INDEX_BITS)
        m.d.comb += [kept.eq(current.index), outer.eq(current.index >> self.inner_bits)]
        with m.If(current.mode == FiringMode.MAP):
            with m.If(announces):
                m.d.comb += kept.eq(own)
            with m.Elif(current.selector[0]):
                m.d.comb += kept.eq((own << self.inner_bits) | current.index)
        m.d.comb += token.index.eq(kept)
        with m.If(current.mode != FiringMode.FAULT), m.Switch(self.successor.index):
            with m.Case(IndexRule.CLEAR):
                m.d.comb += token.index.eq(0)
            with m.Case(IndexRule.OUTER):
                m.d.comb += token.index.eq(outer)


class _Stack:
    """A memory used as a stack; ``top`` is what left in the cycle before."""

    def __init__(self, m: Module, depth: int, pushed: data.View) -> None:
        m.submodules.suspended = memory = Memory(shape=Firing, depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        self.level = Signal(range(depth + 1))
        self.full = Signal()
        self.push = Signal()
        self.pop = Signal()
        self.top = read.data
        m.d.comb += [
            self.full.eq(self.level == depth),
            read.addr.eq(self.level - 1),
            write.addr.eq(self.level),
            write.data.eq(pushed),
            write.en.eq(self.push),
        ]
        m.d.sync += self.level.eq(self.level + self.push - self.pop)
