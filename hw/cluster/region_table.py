"""The configuration space of the Task Block Units: the region table, and what the units count."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..interfaces import ConfigurationPort
from ..layouts.counters import COUNTERS
from ..layouts.region import OPEN_REGION, REGION_ENTRY_WORDS, RegionEntry
from ..layouts.space import ConfigurationRegion
from ..library import Block

ENTRY = data.ArrayLayout(32, REGION_ENTRY_WORDS)
COUNTER_LATENCY = 2
"""Cycles from an index to the counter's value here."""


class RegionTable(Block):
    """Holds the region table of a cluster; the host reads and writes it word by word.

    Parameters
    ----------
    regions: entries, 1 to 32. task_block_units: units whose counters are read here, at least 1.

    Ports
    -----
    configuration: ``In(ConfigurationPort)``: offsets from ``ConfigurationRegion.REGION_TABLE`` on.
    regions: out, the table. changed: out, pulse, a word of it has been written.
    counter_index: out, to every unit; counters: in, 32 bits each, what the units answer.

    Timing: an access takes five cycles and what the host waits to take the answer. A new word
    counts from the cycle of ``changed`` on.
    Errors: an offset that does not exist, or that is no multiple of 4, and a write to a counter
    are answered with ``error``. The reserved word of an entry and the two low bits of its
    addresses read as zero.
    Source: own; docs/specification.md, section TBU.
    """

    def __init__(self, regions: int, task_block_units: int) -> None:
        for name, value, most in (
            ("regions", regions, 32),
            ("task_block_units", task_block_units, 8),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} is {value}; allowed: 1 to {most}")
        self.count = regions
        super().__init__(
            {
                "configuration": In(ConfigurationPort()),
                "regions": Out(data.ArrayLayout(RegionEntry, regions)),
                "changed": Out(1),
                "counter_index": Out(range(COUNTERS)),
                "counters": In(32).array(task_block_units),
            },
            regions=regions,
            task_block_units=task_block_units,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        entries = [
            Signal(RegionEntry, name=f"region{number}", init=OPEN_REGION if number == 0 else {})
            for number in range(self.count)
        ]
        m.d.comb += self.regions.eq(Cat(entries))
        request, response = self.configuration.request, self.configuration.response
        offset = Signal.like(request.payload.offset)
        write = Signal()
        written = Signal(32)
        index = offset[2:16]
        aligned = offset[:2] == 0
        region = Signal()
        counter = Signal()
        unit_bits = (COUNTERS - 1).bit_length()
        m.d.comb += [
            region.eq(
                aligned
                & (offset[16:] == ConfigurationRegion.REGION_TABLE >> 16)
                & (index < self.count * REGION_ENTRY_WORDS)
            ),
            counter.eq(
                aligned
                & (offset[16:] == ConfigurationRegion.UNIT_COUNTERS >> 16)
                & (index < len(self.counters) * COUNTERS)
            ),
            self.counter_index.eq(index),
        ]
        word = Signal(32)
        word_bits = (REGION_ENTRY_WORDS - 1).bit_length()
        for number, entry in enumerate(entries):
            with m.If(region & (index[word_bits:] == number)):
                m.d.comb += word.eq(ENTRY(entry.as_value())[index[:word_bits]])
        for number, value in enumerate(self.counters):
            with m.If(counter & (index[unit_bits:] == number)):
                m.d.comb += word.eq(value)

        left = Signal(range(COUNTER_LATENCY + 1))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += request.ready.eq(1)
                m.d.sync += [
                    offset.eq(request.payload.offset),
                    write.eq(request.payload.write),
                    written.eq(request.payload.data),
                    left.eq(COUNTER_LATENCY),
                ]
                with m.If(request.valid):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.sync += [
                    response.payload.data.eq(Mux(write, 0, word)),
                    response.payload.error.eq(~(region | (counter & ~write))),
                    response.valid.eq(1),
                    self.changed.eq(region & write),
                ]
                self._store(m, entries, region & write, index, written)
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += self.changed.eq(0)
                with m.If(response.ready):
                    m.d.sync += response.valid.eq(0)
                    m.next = "IDLE"
        return m

    def _store(self, m: Module, entries: Any, write: Any, index: Any, written: Signal) -> None:
        """One word of an entry; what cannot be set stays zero."""
        word_bits = (REGION_ENTRY_WORDS - 1).bit_length()
        address = Cat(Const(0, 2), written[2:])
        for number, entry in enumerate(entries):
            with m.If(write & (index[word_bits:] == number)), m.Switch(index[:word_bits]):
                with m.Case(0):
                    m.d.sync += entry.first.eq(address)
                with m.Case(1):
                    m.d.sync += entry.last.eq(address)
                with m.Case(2):
                    m.d.sync += Cat(entry.readers, entry.writers).eq(written)
