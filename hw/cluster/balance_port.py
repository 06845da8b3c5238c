"""Shows a cluster's token balances in its configuration space."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interfaces import ConfigurationPort
from ..layouts.command import BALANCE_BITS
from ..layouts.space import ConfigurationRegion, Node
from ..layouts.token import INSTANCE_BITS
from ..library import Block, add_block
from .token_counter import TokenCounter

REGION_BITS = 16
"""Bits of an offset inside a region of the configuration space."""


class BalancePort(Block):
    """Answers accesses to ``TOKEN_BALANCE`` from a :class:`TokenCounter`, passes on all others.

    Parameters
    ----------
    instances: instance slots, a power of two.
    columns, rows: size of the mesh: a token to a node outside is not counted as sent.

    Ports
    -----
    configuration (in): :class:`ConfigurationPort`.
    others (out): :class:`ConfigurationPort` for everything but the balances.
    sent, sent_instance, sent_to (in): a token leaves for the node ``sent_to``.
    taken, taken_instance (in): a token comes.

    Timing: one access at a time; five cycles an access to a balance; others pass combinationally.

    Errors: a write, an instance that does not exist and an offset that is no multiple of four
    are answered with ``error``.
    """

    def __init__(self, instances: int, columns: int, rows: int) -> None:
        self.instances = instances
        self.columns = columns
        self.rows = rows
        super().__init__(
            {
                "configuration": In(ConfigurationPort()),
                "others": Out(ConfigurationPort()),
                "sent": In(1),
                "sent_instance": In(INSTANCE_BITS),
                "sent_to": In(Node),
                "taken": In(1),
                "taken_instance": In(INSTANCE_BITS),
            },
            instances=instances,
            columns=columns,
            rows=rows,
        )

    def elaborate(self, platform: Any) -> Module:
        """Counter and state machine."""
        m = Module()
        counter = TokenCounter(self.instances)
        add_block(m, platform, "counter", counter)
        exists = self.sent_to.host | (
            (self.sent_to.x < self.columns) & (self.sent_to.y < self.rows)
        )
        m.d.comb += [
            counter.sent.eq(self.sent & exists),
            counter.sent_instance.eq(self.sent_instance),
            counter.taken.eq(self.taken),
            counter.taken_instance.eq(self.taken_instance),
        ]
        connect(m, flipped(self.configuration), flipped(self.others))
        request, response = self.configuration.request, self.configuration.response
        offset = request.payload.offset
        mine = Signal()
        place = offset[2:REGION_BITS]
        error = Signal()
        balance = Signal(BALANCE_BITS)
        m.d.comb += mine.eq(
            offset[REGION_BITS:] == ConfigurationRegion.TOKEN_BALANCE >> REGION_BITS
        )
        # Nothing passes while a balance is answered.
        closed = [request.ready.eq(0), self.others.request.valid.eq(0)]
        with m.FSM():
            with m.State("PASS"), m.If(request.valid & mine):
                m.d.comb += [request.ready.eq(1), self.others.request.valid.eq(0)]
                m.d.sync += [
                    counter.instance.eq(place),
                    error.eq(request.payload.write | offset[:2].any() | (place >= self.instances)),
                ]
                m.next = "LOOK"
            for state, following in (("LOOK", "COUNT"), ("COUNT", "HOLD"), ("HOLD", "ANSWER")):
                with m.State(state):
                    m.d.comb += closed
                    m.d.sync += balance.eq(counter.balance)
                    m.next = following
            with m.State("ANSWER"):
                m.d.comb += [
                    *closed,
                    self.others.response.ready.eq(0),
                    response.valid.eq(1),
                    response.payload.error.eq(error),
                    response.payload.data.eq(balance),
                ]
                with m.If(response.ready):
                    m.next = "PASS"
        return m
