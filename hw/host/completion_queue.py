"""The queue of tokens for the host."""

from typing import Any

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.token import Token
from ..library import Block
from .instance_range import InstanceRange, contains


class CompletionQueue(Block):
    """Keeps tokens until the host takes them; strikes out those of instances being aborted.

    Parameters
    ----------
    depth: places, a power of two from 4.

    Ports
    -----
    token (in): stream of :class:`Token`; not ready while the queue is full or is being searched.
    full (out): no place is free.
    present (out), oldest (out): the oldest token, if there is one; zero if not.
    skipping (out): tokens that were struck out are leaving: what is oldest is not known yet.
    pop (in): take it, if ``present``.
    count (out): tokens that can be taken.
    aborted (in): :class:`InstanceRange`. While it is valid no token of them may enter.
    clean (out): of the aborted instances none is left.

    Timing: a token can be taken from the cycle after it entered. The search takes ``depth`` cycles.
    A token that was struck out leaves in a cycle of its own.
    """

    def __init__(self, depth: int) -> None:
        if depth < 4 or depth & (depth - 1):
            raise ValueError(f"depth is {depth}; allowed: powers of two from 4")
        self.depth = depth
        super().__init__(
            {
                "token": In(stream.Signature(Token)),
                "full": Out(1),
                "present": Out(1),
                "skipping": Out(1),
                "oldest": Out(Token),
                "pop": In(1),
                "count": Out(range(depth + 1)),
                "aborted": In(InstanceRange),
                "clean": Out(1),
            },
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        """Memory of tokens, a bit a place that strikes it out, and the search."""
        m = Module()
        m.submodules.tokens = tokens = Memory(shape=Token, depth=self.depth, init=[])
        enter, head = tokens.write_port(), tokens.read_port(domain="comb")
        look = tokens.read_port(domain="comb")
        first, next_free = Signal(range(self.depth)), Signal(range(self.depth))
        level = Signal(range(self.depth + 1))
        struck = Signal(self.depth)
        place, searched = Signal(range(self.depth)), Signal()
        searching, strike, enters, leaves = Signal(), Signal(), Signal(), Signal()
        gone = Signal()
        one = Const(1, self.depth)
        m.d.comb += [
            gone.eq((struck & (one << first)).any()),
            self.present.eq((level != 0) & ~gone),
            self.skipping.eq((level != 0) & gone),
            self.full.eq(level == self.depth),
            self.token.ready.eq(~self.full & ~searching),
            enters.eq(self.token.valid & self.token.ready),
            leaves.eq((level != 0) & (gone | self.pop)),
            enter.en.eq(enters),
            enter.addr.eq(next_free),
            enter.data.eq(self.token.payload),
            head.addr.eq(first),
            look.addr.eq(place),
            searching.eq(self.aborted.valid & ~searched),
            self.clean.eq(self.aborted.valid & searched),
        ]
        with m.If(self.present):
            m.d.comb += self.oldest.eq(head.data)
        with m.If(enters):
            m.d.sync += next_free.eq(next_free + 1)
        with m.If(leaves):
            m.d.sync += first.eq(first + 1)
        m.d.sync += level.eq(level + enters - leaves)
        self._search(m, look.data, place, searched, searching, strike, (first, level, struck))
        with m.If(strike & ~(leaves & (place == first))):
            m.d.sync += struck.eq(struck | (one << place))
        with m.Elif(enters):
            m.d.sync += struck.eq(struck & ~(one << next_free))
        taken = leaves & ~gone
        m.d.sync += self.count.eq(
            self.count + enters - taken - (strike & ~(taken & (place == first)))
        )
        return m

    def _search(
        self,
        m: Module,
        token: Any,
        place: Signal,
        searched: Signal,
        searching: Signal,
        strike: Signal,
        queue: tuple[Signal, Signal, Signal],
    ) -> None:
        """Look at every place once while an abort is under way."""
        first, level, struck = queue
        distance, occupied = Signal(range(self.depth)), Signal()
        m.d.comb += [
            distance.eq(place - first),
            occupied.eq(distance < level),
            strike.eq(
                searching
                & occupied
                & ~(struck & (Const(1, self.depth) << place)).any()
                & contains(self.aborted, token.instance)
            ),
        ]
        with m.If(~self.aborted.valid):
            m.d.sync += [place.eq(0), searched.eq(0)]
        with m.Elif(searching):
            m.d.sync += place.eq(place + 1)
            with m.If(place == self.depth - 1):
                m.d.sync += searched.eq(1)
