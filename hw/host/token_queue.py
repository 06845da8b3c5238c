"""The queue of the host's tokens on their way out."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..layouts.token import ControlPacket
from ..library import Block
from .instance_range import InstanceRange, contains


class TokenQueue(Block):
    """Keeps tokens until the network takes them; discards those of instances being aborted.

    Parameters
    ----------
    depth: places, from 2.

    Ports
    -----
    packet, push (in): a token enters; only while ``room`` is not zero.
    room (out): free places.
    out (out): stream of :class:`ControlPacket`.
    aborted (in): :class:`InstanceRange` to be discarded. No token of them may be pushed meanwhile.
    clean (out): of the aborted instances none is left.

    Timing: a token is offered from the second cycle after it was pushed; one a cycle.
    """

    def __init__(self, depth: int) -> None:
        if depth < 2:
            raise ValueError(f"depth is {depth}; allowed: 2 or more")
        self.depth = depth
        super().__init__(
            {
                "packet": In(ControlPacket),
                "push": In(1),
                "room": Out(range(depth + 1)),
                "out": Out(stream.Signature(ControlPacket)),
                "aborted": In(InstanceRange),
                "clean": Out(1),
            },
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        """Queue, and the count of tokens that were there before the abort."""
        m = Module()
        width = data.Layout.cast(ControlPacket).size
        m.submodules.queue = queue = SyncFIFOBuffered(width=width, depth=self.depth)
        packet = data.View(data.Layout.cast(ControlPacket), queue.r_data)
        discarded = Signal()
        older = Signal(range(self.depth + 1))
        leaves = Signal()
        m.d.comb += [
            queue.w_data.eq(self.packet),
            queue.w_en.eq(self.push),
            self.room.eq(self.depth - queue.level),
            discarded.eq(contains(self.aborted, packet.token.instance)),
            self.out.payload.eq(queue.r_data),
            self.out.valid.eq(queue.r_rdy & ~discarded),
            queue.r_en.eq(self.out.ready | discarded),
            leaves.eq(queue.r_rdy & queue.r_en),
            self.clean.eq(self.aborted.valid & (older == 0)),
        ]
        # Tokens pushed from now on are of other instances: only those before have to leave.
        with m.If(~self.aborted.valid):
            m.d.sync += older.eq(queue.level + self.push - leaves)
        with m.Elif(older != 0):
            m.d.sync += older.eq(Mux(leaves, older - 1, older))
        return m
