"""Properties of the network's credits and arbiters."""

from amaranth.hdl import Module, Signal

from octopus.hw.arbiter import Arbiter
from octopus.hw.noc.credit import CreditCounter

from .arbitration import require_fair
from .property import Property


class CreditsExact(Property):
    """Credits against the places of a receiver that the property counts itself."""

    claim = "credits are the receiver's free places: none invented, none lost, never below zero"
    depth = 16

    def __init__(self, depth: int) -> None:
        super().__init__(depth=depth)

    def build(self, m: Module) -> None:
        places = self.parameters["depth"]
        dut = self.place(m, CreditCounter(places))
        used = Signal(range(places + 2))
        self.assume(~dut.take | dut.available)
        self.assume(~dut.give | (used != 0))
        m.d.sync += used.eq(used + dut.take - dut.give)
        self.require("buffer never overfilled", used <= places)
        self.require(
            "available exactly if a place is free", dut.available == ((used < places) | dut.give)
        )
        self.cover("all places used", used == places)
        self.cover("given and taken at once", dut.take & dut.give & (used == places))


class ArbiterFair(Property):
    """Grants of the least-recently-granted arbiter; one requester is watched."""

    claim = "grants are one-hot, only to who asks; who asks is granted within n grants"
    depth = 16

    def __init__(self, requesters: int) -> None:
        super().__init__(requesters=requesters)

    def build(self, m: Module) -> None:
        dut = self.place(m, Arbiter(self.parameters["requesters"]))
        require_fair(self, m, dut.request, dut.grant, dut.advance)
