"""Checks DMA entries and stream groups while they are fetched."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import (
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    Edge,
    Element,
    StreamGroup,
    StreamMode,
)
from ..library import Block
from .layouts import COUNT_BITS


class DescriptorChecker(Block):
    """Sees the words of a descriptor after its header and tells whether one is illegal.

    Parameters
    ----------
    rows, columns: ports of the west and the north edge, 1 to 32.

    Ports
    -----
    begin: in, pulse, a descriptor's words follow; entries, groups: in, how many DMA entries and
    stream groups, stable until the last word.
    valid: in, word: in, the next word.
    illegal: out, a word since ``begin`` was illegal.

    Timing: ``illegal`` is valid two cycles after the word.
    Errors: this block finds them: unaligned DMA addresses and strides, empty copies, ports that do
    not exist or have two streams of a direction, counts of zero or more than 16 bits, an
    element that does not exist, reserved bits that are set.
    Source: own.
    """

    def __init__(self, rows: int, columns: int) -> None:
        for name, value in (("rows", rows), ("columns", columns)):
            if not 1 <= value <= 32:
                raise ValueError(f"{name} is {value}; allowed: 1 to 32")
        self.rows = rows
        self.columns = columns
        super().__init__(
            {
                "begin": In(1),
                "entries": In(9),
                "groups": In(8),
                "valid": In(1),
                "word": In(32),
                "illegal": Out(1),
            },
            rows=rows,
            columns=columns,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = Signal(32)  # a register in front keeps the checks off the bus
        valid = Signal()
        entries_left = Signal(9)
        index = Signal(range(STREAM_GROUP_WORDS))
        m.d.sync += [word.eq(self.word), valid.eq(self.valid)]

        in_entry = entries_left != 0
        last = index == Mux(in_entry, DMA_ENTRY_WORDS - 1, STREAM_GROUP_WORDS - 1)
        wrong = Signal()
        with m.If(self.begin):
            m.d.sync += [entries_left.eq(self.entries), index.eq(0), self.illegal.eq(0)]
        with m.Elif(valid):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
            with m.If(last & in_entry):
                m.d.sync += entries_left.eq(entries_left - 1)
            with m.If(wrong):
                m.d.sync += self.illegal.eq(1)

        with m.If(in_entry):
            empty = ~word[:16].any() | ~word[16:].any()
            m.d.comb += wrong.eq(Mux(index == 2, empty, word[:2].any()))
        with m.Elif(index == 0):
            m.d.comb += wrong.eq(self._illegal_ports(m, word, valid))
        with m.Elif(index == 3):  # reserved
            m.d.comb += wrong.eq(word.any())
        with m.Elif((index >= 4) & ~index[0]):
            m.d.comb += wrong.eq(~word.any() | word[COUNT_BITS:].any())
        return m

    def _illegal_ports(self, m: Module, word: Signal, note: Value) -> Value:
        """Check the first word of a group; with ``note``, remember the ports it takes."""
        group = StreamGroup(Cat(word, Const(0, (STREAM_GROUP_WORDS - 1) * 32)))
        most = max(self.rows, self.columns)
        entering = (group.edge == Edge.WEST_IN) | (group.edge == Edge.NORTH_IN)
        west = (group.edge == Edge.WEST_IN) | (group.edge == Edge.WEST_OUT)
        leaving = ~entering | (group.mode == StreamMode.COMPUTED)
        past = Signal(7)
        ports = Signal(most)
        double = Signal()
        m.d.comb += [
            past.eq(group.first_port + group.port_count),
            ports.eq(Cat((group.first_port <= p) & (p < past) for p in range(most))),
        ]
        for name, chosen in (
            ("west_in", west & entering),
            ("west_out", west & leaving),
            ("north_in", ~west & entering),
            ("north_out", ~west & leaving),
        ):
            taken = Signal(most, name=f"{name}_taken")
            with m.If(chosen):
                with m.If((taken & ports).any()):
                    m.d.comb += double.eq(1)
                with m.If(note):
                    m.d.sync += taken.eq(taken | ports)
            with m.If(self.begin):
                m.d.sync += taken.eq(0)
        return (
            (past > Mux(west, self.rows, self.columns))
            | (group.port_count == 0)
            | (group.element.as_value() > Element.BYTE_UNSIGNED.value)
            | group.reserved0.any()
            | double
        )
