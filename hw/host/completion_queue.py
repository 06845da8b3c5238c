"""The queue of tokens for the host."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
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

    Timing: a token can be taken from the second cycle after it entered. The search takes
    ``depth`` + 1 cycles. A token that was struck out leaves in a cycle of its own. ``count`` is a
    cycle behind.
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
        first = Signal(range(self.depth))
        next_free = Signal(range(self.depth))
        level = Signal(range(self.depth + 1))
        struck = Signal(self.depth)
        place = Signal(range(self.depth))
        searched = Signal()
        searching = Signal()
        strike = Signal()
        enters = Signal()
        leaves = Signal()
        gone = Signal()
        known = Signal()
        one = Const(1, self.depth)
        m.d.comb += [
            self.present.eq((level != 0) & known & ~gone),
            self.skipping.eq((level != 0) & (gone | ~known)),
            self.full.eq(level == self.depth),
            self.token.ready.eq(~self.full & ~searching),
            enters.eq(self.token.valid & self.token.ready),
            leaves.eq((level != 0) & known & (gone | self.pop)),
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
        # Whether the oldest was struck out takes a cycle to find out whenever something changes.
        m.d.sync += [
            gone.eq((struck & (one << first)).any()),
            known.eq(1),
        ]
        with m.If((enters & (level == 0)) | leaves | strike):
            m.d.sync += known.eq(0)
        looked = self._search(m, look.data, place, searched, searching, strike, (first, level))
        at_first = looked == first
        # Where the search looks is known a cycle before the verdict, and nothing enters meanwhile.
        looked_bit = Signal(self.depth)
        m.d.sync += looked_bit.eq(one << place)
        struck_out = strike & ~(leaves & at_first)
        hit = looked_bit & struck_out.replicate(self.depth)
        fresh = (one << next_free) & enters.replicate(self.depth)
        m.d.sync += struck.eq((struck & ~fresh[: self.depth]) | hit)
        taken = leaves & ~gone
        came = Signal()
        went = Signal()
        lost = Signal()
        m.d.sync += [
            came.eq(enters),
            went.eq(taken),
            lost.eq(struck_out),
            self.count.eq(self.count + came - went - lost),
        ]
        return m

    def _search(
        self,
        m: Module,
        token: Any,
        place: Signal,
        searched: Signal,
        searching: Signal,
        strike: Signal,
        queue: tuple[Signal, Signal],
    ) -> Signal:
        """Look at every place once while an abort is under way; the place that ``strike`` is about.

        A place is read in one cycle and judged in the next. None is judged twice.
        """
        first, level = queue
        looked = Signal(range(self.depth))
        looking = Signal()
        instance = Signal.like(Value.cast(token.instance))
        distance = Signal(range(self.depth))
        m.d.sync += [looked.eq(place), looking.eq(searching), instance.eq(token.instance)]
        m.d.comb += [
            distance.eq(looked - first),
            strike.eq(searching & looking & (distance < level) & contains(self.aborted, instance)),
        ]
        with m.If(~self.aborted.valid):
            m.d.sync += [place.eq(0), searched.eq(0), looking.eq(0)]
        with m.Elif(searching):
            m.d.sync += place.eq(place + 1)
            with m.If(looking & (looked == self.depth - 1)):
                m.d.sync += searched.eq(1)
        return looked
