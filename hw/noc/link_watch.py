"""Finds dead links: those whose receiver does not give back what it owes."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import In, Out

from ..library import Block


class LinkWatch(Block):
    """Reports the links from which no credit comes although flits are on them or behind them.

    It stands beside the senders and changes nothing. A receiver that cannot pass on what it has
    looks like a dead link: what is behind it is stuck, too.

    Parameters
    ----------
    links: links that are watched.
    virtual_channels, buffer_depth: as for ``Router``.
    timeout: cycles without a credit after which a link is reported, 1 or more; it takes at most
        twice as many, as one timer serves all links.

    Ports
    -----
    valid (in, a bit a link): a flit is sent.
    credit (in, ``[link]``): the link's credits.
    stuck (out, a bit a link, registered): flits are owed, and no credit came for ``timeout`` cycles
        or more; low again when one comes.

    Timing: see ``timeout``; no combinational paths.

    Errors: none of its own; ``stuck`` is one.

    Source: own.
    """

    def __init__(self, links: int, virtual_channels: int, buffer_depth: int, timeout: int) -> None:
        for name, value in (("links", links), ("timeout", timeout)):
            if value < 1:
                raise ValueError(f"{name} is {value}; allowed: 1 or more")
        self.links = links
        self.places = virtual_channels * buffer_depth
        self.timeout = timeout
        super().__init__(
            {
                "valid": In(links),
                "credit": In(virtual_channels).array(links),
                "stuck": Out(links),
            },
            links=links,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            timeout=timeout,
        )

    def elaborate(self, platform: Any) -> Module:
        """A timer, and for each link the flits owed and whether a period has begun with them."""
        m = Module()
        timer = Signal(range(self.timeout))
        tick = timer == self.timeout - 1
        m.d.sync += timer.eq(timer + 1)
        with m.If(tick):
            m.d.sync += timer.eq(0)
        for i in range(self.links):
            owed = Signal(range(self.places + 1), name=f"owed_{i}")
            waits = Signal(name=f"waits_{i}")
            given = sum((bit for bit in self.credit[i]), Const(0))
            m.d.sync += owed.eq(owed + self.valid[i] - given)
            with m.If((owed == 0) | Cat(self.credit[i]).any()):
                m.d.sync += [waits.eq(0), self.stuck[i].eq(0)]
            with m.Elif(tick):
                m.d.sync += [waits.eq(1), self.stuck[i].eq(waits)]
        return m
