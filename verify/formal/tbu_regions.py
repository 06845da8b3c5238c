"""No burst leaves a TBU that the region table does not allow, and every other one does.

In two steps. ``VerdictExact``: the checker alone, every width as it is built, a table that
changes from cycle to cycle. ``BurstsAllowed``: the whole way from the clients to the memory port,
with narrow addresses; there the verdict, its burst and its domain must stay together. Addresses are
compared, and otherwise only passed on: no part of the way depends on their width.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from octopus.hw.layouts.region import DOMAINS
from octopus.hw.layouts.space import CONFIGURATION_BIT
from octopus.hw.tbu.memory_multiplexer import MemoryMultiplexer
from octopus.hw.tbu.region_checker import RegionChecker

from .handshake import offered_until_taken
from .property import Property

WORD_ADDRESS_BITS = 3
"""Of narrow addresses, beside the bit that selects configuration space."""

NARROW_LENGTH_BITS = 2


def allowed(regions: Any, domain: Value, request: Any) -> Value:
    """The specification's sentence, word numbers instead of byte addresses."""
    first = request.address[2:]
    last = first + request.length  # one bit longer: a burst may leave the space
    inside = [
        (first >= region.first[2:])
        & (last <= region.last[2:])
        & (Mux(request.write, region.writers, region.readers) >> domain[:4])[0]
        for region in regions
    ]
    configuration = first[CONFIGURATION_BIT - 2] | last[CONFIGURATION_BIT - 2]
    return Cat(inside).any() & (domain < DOMAINS) & ~configuration


class VerdictExact(Property):
    """Bursts through the checker, with a copy of each beside it."""

    claim = (
        "region checker: a burst is allowed if, and only if, one entry of the table holds its "
        "first and its last word and lets its domain read, or write, and neither is in "
        "configuration space; bursts pass in order, each once, unchanged, with their own verdict"
    )
    depth = 6

    def __init__(self, regions: int, clients: int) -> None:
        super().__init__(regions=regions, clients=clients)

    def build(self, m: Module) -> None:
        dut = RegionChecker(**self.parameters)
        self.place(m, dut)
        offered_until_taken(self, m, dut.request)
        layout = dut.request.payload.shape()
        taken, given = dut.request.valid & dut.request.ready, dut.checked.valid & dut.checked.ready
        # The burst behind the border, and the one at it with what the table said as it came there.
        behind, behind_valid = Signal(layout), Signal()
        at, at_valid, verdict = Signal(layout), Signal(), Signal()
        moves = ~at_valid | given
        m.d.sync += behind_valid.eq(taken | (behind_valid & ~moves))
        with m.If(taken):
            m.d.sync += behind.eq(dut.request.payload)
        with m.If(moves):
            m.d.sync += [
                at_valid.eq(behind_valid),
                at.eq(behind),
                verdict.eq(allowed(dut.regions, behind.domain, behind.request)),
            ]
        checked = dut.checked
        self.require("each comes when it is due, and no other", checked.valid == at_valid)
        self.require("unchanged", ~at_valid | (checked.payload.as_value() == at.as_value()))
        self.require("allowed by the table", ~(at_valid & dut.allowed) | verdict)
        self.require("refused by the table", ~(at_valid & ~dut.allowed) | ~verdict)
        self.require("none is kept back", ~moves | dut.request.ready)
        self.cover("a write allowed", at_valid & dut.allowed & at.request.write)
        self.cover("refused", at_valid & ~dut.allowed)
        self.cover("the last region allows", given & dut.allowed & ~dut.regions[0].readers.any())


class BurstsAllowed(Property):
    """A table that stays as it is, and two domains; ``mask`` tells them apart on the way.

    A client's domain is a function of its burst's mask, which is passed on with the burst. So the
    domain of what arrives at the memory port is known there.
    """

    claim = (
        "TBU's memory port: no burst that the region table does not allow its domain is ever "
        "offered to the memory, whichever client asked for it and whatever the memory answers"
    )
    depth = 8

    def __init__(self, clients: int, outstanding: int, regions: int) -> None:
        super().__init__(clients=clients, outstanding=outstanding, regions=regions)

    def build(self, m: Module) -> None:
        dut = MemoryMultiplexer(**self.parameters)
        clients = range(len(dut.clients))
        self.place(
            m,
            dut,
            driven=(
                "regions",
                "write__payload",
                "memory__response__payload",
                *(f"clients__{i}__request__payload" for i in clients),
                *(f"clients__{i}__domain" for i in clients),
            ),
        )
        domains = [
            self.constant(m, 5, f"domain{i}") for i in range(2)
        ]  # the highest bit: 16 or more
        for number, region in enumerate(dut.regions):
            for name in ("first", "last"):
                m.d.comb += region[name].eq(
                    self._address(self.constant(m, WORD_ADDRESS_BITS + 1, f"{name}{number}"))
                )
            for name in ("readers", "writers"):
                m.d.comb += region[name].eq(self.constant(m, DOMAINS, f"{name}{number}"))
        for i, client in enumerate(dut.clients):
            request = client.request.payload
            m.d.comb += [
                request.address.eq(self._address(self.free(WORD_ADDRESS_BITS + 1, f"address{i}"))),
                request.length.eq(self.free(NARROW_LENGTH_BITS, f"length{i}")),
                request.write.eq(self.free(1, f"write{i}")),
                request.mask.eq(self.free(1, f"second{i}")),
                client.domain.eq(Mux(request.mask[0], domains[1], domains[0])),
            ]
            offered_until_taken(self, m, client.request)
        port = dut.memory.request
        burst = port.payload
        permitted = allowed(dut.regions, Mux(burst.mask[0], domains[1], domains[0]), burst)
        self.require("what is offered is allowed", ~port.valid | permitted)
        self.cover("a read", port.valid & ~burst.write & (burst.length == 2))
        self.cover("a write of the second domain", port.valid & burst.write & burst.mask[0])
        self.cover(
            "an answer made here",
            dut.clients[0].response.valid & ~dut.memory.response.valid,
        )

    @staticmethod
    def _address(bits: Value) -> Value:
        """A byte address of few bits, the highest of which selects configuration space."""
        words, configuration = bits[:WORD_ADDRESS_BITS], bits[WORD_ADDRESS_BITS]
        gap = CONFIGURATION_BIT - 2 - WORD_ADDRESS_BITS
        return Cat(Const(0, 2), words, Const(0, gap), configuration)
