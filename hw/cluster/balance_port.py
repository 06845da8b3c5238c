"""Shows a cluster's token balances in its configuration space."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interfaces import ConfigurationPort
from ..layouts.space import ConfigurationRegion, Node
from ..layouts.token import INSTANCE_BITS
from ..library import Block, add_block
from .read_only_region import ReadOnlyRegion
from .token_counter import BALANCE_LATENCY, TokenCounter


class BalancePort(Block):
    """Answers accesses to ``TOKEN_BALANCE`` from a :class:`TokenCounter`, passes on all others.

    Parameters
    ----------
    instances: instance slots, a power of two.
    columns, rows: size of the mesh: a token to a node outside is not counted as sent.

    Ports
    -----
    configuration (in), others (out): as of :class:`ReadOnlyRegion`.
    sent, sent_instance, sent_to (in): a token leaves for the node ``sent_to``.
    taken, taken_instance (in): a token comes.

    Timing and errors: see :class:`ReadOnlyRegion`; a word an instance.
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
        """Join counter and region."""
        m = Module()
        counter = TokenCounter(self.instances)
        region = ReadOnlyRegion(ConfigurationRegion.TOKEN_BALANCE, self.instances, BALANCE_LATENCY)
        add_block(m, platform, "counter", counter)
        add_block(m, platform, "region", region)
        connect(m, flipped(self.configuration), region.configuration)
        connect(m, region.others, flipped(self.others))
        exists = self.sent_to.host | (
            (self.sent_to.x < self.columns) & (self.sent_to.y < self.rows)
        )
        m.d.comb += [
            counter.sent.eq(self.sent & exists),
            counter.sent_instance.eq(self.sent_instance),
            counter.taken.eq(self.taken),
            counter.taken_instance.eq(self.taken_instance),
            counter.instance.eq(region.index),
            region.value.eq(counter.balance),
        ]
        return m
