"""Decides for every burst of a Task Block Unit whether its domain may make it."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..layouts.memory import MemoryRequest
from ..layouts.region import DOMAIN_BITS, DOMAINS, RegionEntry
from ..layouts.space import CONFIGURATION_BIT
from ..library import Block


def checked_request(clients: int) -> data.StructLayout:
    """A burst, on whose behalf (``domain``) and from which of ``clients`` (one-hot)."""
    return data.StructLayout({"request": MemoryRequest, "domain": DOMAIN_BITS, "client": clients})


class RegionChecker(Block):
    """Passes bursts on in order, each with the verdict of the region table.

    A burst is allowed if a single region holds its first and its last word and lets the domain
    read, or write; and if it does not touch configuration space.

    Parameters
    ----------
    regions: entries of the region table, at least 1. clients: see ``checked_request``.

    Ports
    -----
    regions: in, the table. request: stream in of ``checked_request``; checked: stream out of the
    same. allowed: out, 1 bit, belongs to ``checked``.

    Timing: two cycles, a burst a cycle; the table is read in the second. All outputs are
    registers; ``request.ready`` depends combinationally on ``checked.ready``.
    Errors: none. Source: own.
    """

    def __init__(self, regions: int, clients: int) -> None:
        if regions < 1:
            raise ValueError(f"regions is {regions}; allowed: 1 or more")
        layout = stream.Signature(checked_request(clients))
        super().__init__(
            {
                "regions": In(data.ArrayLayout(RegionEntry, regions)),
                "request": In(layout),
                "checked": Out(layout),
                "allowed": Out(1),
            },
            regions=regions,
            clients=clients,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        held = Signal.like(self.request.payload)
        held_valid = Signal()
        last = Signal(33)
        free = Signal()
        taken = Signal()
        request = self.request.payload.request
        m.d.comb += [
            free.eq(~self.checked.valid | self.checked.ready),
            self.request.ready.eq(~held_valid | free),
            taken.eq(self.request.valid & self.request.ready),
        ]
        with m.If(taken):
            m.d.sync += [
                held.eq(self.request.payload),
                last.eq((request.address & ~3) + (request.length << 2)),
            ]
        m.d.sync += held_valid.eq(taken | (held_valid & ~free))

        first = held.request.address
        granted = []
        for entry in self.regions:
            domains = Mux(held.request.write, entry.writers, entry.readers)
            granted.append(
                (first[2:] >= entry.first[2:])
                & (last[2:32] <= entry.last[2:])
                & domains.bit_select(held.domain[: (DOMAINS - 1).bit_length()], 1)
            )
        ordinary = ~(
            held.domain[(DOMAINS - 1).bit_length() :].any()
            | first[CONFIGURATION_BIT]
            | last[CONFIGURATION_BIT]
            | last[32]
        )
        with m.If(free):
            m.d.sync += [
                self.checked.valid.eq(held_valid),
                self.checked.payload.eq(held),
                self.allowed.eq(Cat(granted).any() & ordinary),
            ]
        return m
