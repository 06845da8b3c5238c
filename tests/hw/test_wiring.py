"""What the emission says of the borders of blocks."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from octopus.hw.emit import emit
from octopus.hw.library import Block, add_block
from octopus.hw.wiring import Segment


class Leaf(Block):
    """An output that follows ``at_once``, one that follows an edge, one from a memory."""

    def __init__(self) -> None:
        super().__init__(
            {
                "at_once": In(4),
                "late": In(4),
                "now": Out(4),
                "next": Out(4),
                "stored": Out(4),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        kept = Signal(4)
        m.submodules.memory = memory = Memory(shape=4, depth=8, init=[])
        m.d.sync += kept.eq(self.late)
        m.d.comb += [
            self.now.eq(self.at_once + kept),
            self.next.eq(kept),
            memory.read_port(domain="comb").addr.eq(kept[:3]),
        ]
        m.d.comb += self.stored.eq(memory.read_port(domain="sync").data)
        return m


class Middle(Block):
    """Two leaves, of which the second takes bits of the first, of an input, and a constant."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "b": In(1), "sum": Out(8), "through": Out(5), "leaf": Out(2)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "first", first := Leaf())
        add_block(m, platform, "second", second := Leaf())
        m.d.comb += [
            first.at_once.eq(self.a[2:6]),
            first.late.eq(self.a[:4] & self.b.replicate(4)),
            second.at_once.eq(Cat(first.now[1:3], self.a[7], Const(1, 1))),
            second.late.eq(first.next),
            self.sum.eq(second.now + first.stored),
            self.through.eq(Cat(self.a[3:7], self.b)),
            self.leaf.eq(second.next[2:]),
        ]
        return m


def _wirings():
    return {module.block: module.wiring for module in emit(Middle(), wirings=True)}


def test_every_bit_of_a_sink_has_its_source():
    sinks = _wirings()["Middle"].sinks
    assert sinks["first", "at_once"] == [Segment(4, ("", "a"), 2)]
    assert sinks["first", "late"] == [Segment(4)]
    assert sinks["second", "at_once"] == [
        Segment(2, ("first", "now"), 1),
        Segment(1, ("", "a"), 7),
        Segment(1, value=1),
    ]
    assert sinks["", "through"] == [Segment(4, ("", "a"), 3), Segment(1, ("", "b"))]
    assert sinks["", "leaf"] == [Segment(2, ("second", "next"), 2)]
    assert all(
        sum(segment.width for segment in segments) == width
        for (child, port), segments in sinks.items()
        for width in [_wirings()["Middle"].outputs[port] if child == "" else 4]
        if port != "rst"
    )


def test_what_follows_at_once_is_told_from_what_waits_for_an_edge():
    wirings = _wirings()
    leaf = wirings["Leaf"].follows
    assert leaf["", "now"] == {("", "at_once")}
    assert leaf["", "next"] == leaf["", "stored"] == frozenset()
    middle = wirings["Middle"].follows
    assert middle["first", "late"] == {("", "a"), ("", "b")}
    assert middle["", "sum"] == {("second", "now"), ("first", "stored")}
    assert middle["first", "at_once"] == middle["", "through"] == frozenset()


def test_used_are_the_sources_of_the_block_s_own_logic():
    used = _wirings()["Middle"].used
    assert used == {("", "a"), ("", "b"), ("second", "now"), ("first", "stored")}


def test_memories_that_are_read_without_an_edge_are_known():
    wirings = _wirings()
    assert wirings["Leaf"].reads_at_once
    assert not wirings["Middle"].reads_at_once


def test_the_verilog_is_the_same_with_and_without():
    assert [m.text for m in emit(Middle())] == [m.text for m in emit(Middle(), wirings=True)]
