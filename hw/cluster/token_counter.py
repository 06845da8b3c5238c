"""Counts the control tokens of each instance that are under way between two places."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..layouts.command import BALANCE_BITS
from ..layouts.token import INSTANCE_BITS
from ..library import Block

BALANCE_LATENCY = 2
"""Cycles from an instance's number to its balance."""


class TokenCounter(Block):
    """For each instance: tokens sent minus tokens taken, modulo 2 to the ``BALANCE_BITS``.

    Parameters
    ----------
    instances: instance slots, a power of two (1 to 256). Tokens of others are not counted.

    Ports
    -----
    ready (out): all balances were cleared after reset; earlier tokens must not pass.
    sent, sent_instance (in): a token leaves in this cycle.
    taken, taken_instance (in): a token comes in this cycle.
    instance (in): whose balance is wanted; balance (out): it,
    ``BALANCE_LATENCY`` cycles later.

    Timing: ``ready`` rises ``instances`` cycles after reset. A token is counted two cycles
    after it passed.

    Source: docs/specification.md, section 7 (TOKEN_BALANCE).
    """

    def __init__(self, instances: int) -> None:
        if not 1 <= instances <= 1 << INSTANCE_BITS or instances & (instances - 1):
            raise ValueError(
                f"instances is {instances}; allowed: powers of two from 1 to {1 << INSTANCE_BITS}"
            )
        self.instances = instances
        super().__init__(
            {
                "ready": Out(1),
                "sent": In(1),
                "sent_instance": In(INSTANCE_BITS),
                "taken": In(1),
                "taken_instance": In(INSTANCE_BITS),
                "instance": In(INSTANCE_BITS),
                "balance": Out(BALANCE_BITS),
            },
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        """Two tables of counts, and the sweep that clears them."""
        m = Module()
        cleared = Signal(range(self.instances + 1))
        m.d.comb += self.ready.eq(cleared == self.instances)
        with m.If(~self.ready):
            m.d.sync += cleared.eq(cleared + 1)
        sent = self._counts(m, "sent", self.sent, self.sent_instance, cleared)
        taken = self._counts(m, "taken", self.taken, self.taken_instance, cleared)
        m.d.sync += self.balance.eq(sent - taken)
        return m

    def _counts(self, m: Module, name: str, passes: Any, instance: Any, cleared: Any) -> Any:
        """A count an instance; the count of ``self.instance``, a cycle later."""
        bits = (self.instances - 1).bit_length()
        counts = Memory(shape=BALANCE_BITS, depth=self.instances, init=[])
        m.submodules[f"{name}_counts"] = counts
        write = counts.write_port()
        own = counts.read_port(transparent_for=(write,))
        shown = counts.read_port(transparent_for=(write,))
        counting = Signal(name=f"{name}_counting")
        place = Signal(max(1, bits), name=f"{name}_place")
        m.d.sync += [counting.eq(passes & (instance < self.instances)), place.eq(instance)]
        m.d.comb += [
            own.addr.eq(instance),
            shown.addr.eq(self.instance),
            write.addr.eq(Mux(self.ready, place, cleared)),
            write.data.eq(Mux(self.ready, own.data + 1, 0)),
            write.en.eq(counting | ~self.ready),
        ]
        return shown.data
