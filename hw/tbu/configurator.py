"""Sets up the streams of the next run from the descriptor's stream groups."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    Edge,
    Status,
    StreamGroup,
)
from ..library import Block, add_block
from ..memory import BankReadPort
from .buffer_reader import BufferReader
from .layouts import DESCRIPTOR_SLOTS, stream_layout, stride_bits, task_layout
from .setup import PortSetup


class StreamConfigurator(Block):
    """Reads a task's stream groups and loads every port's pending set-up.

    A port's base is found by adding the port stride while the ports are loaded one after the
    other. That begins before the task comes: only the commit waits for it. Tasks that have failed
    pass; nothing is committed for them.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot.

    Ports
    -----
    task: stream in of ``task_layout``; configured: stream out, the streams are committed. The
    next task is taken only after ``configured`` has been.
    upcoming, upcoming_valid: in, the task that comes next, if there is one. It may change or
    become invalid only by coming; its status may become worse.
    buffer: the port on the descriptor buffer.
    west, north: ``rows`` and ``columns`` port set-ups.
    active: out, 1 bit, a task is here.

    Timing: about 12 cycles a group and one a port, beside the task's input transfers; two cycles
    after it has come, if these took longer. ``configured`` is a register.
    Errors: MEMORY_PARITY goes with the task if a group was damaged in the buffer; otherwise none,
    groups have been checked.
    Source: own.
    """

    def __init__(self, pea: PeaConfig, address_bits: int, descriptor_words: int) -> None:
        self.pea = pea
        self.address_bits = address_bits
        self.descriptor_words = descriptor_words
        task = task_layout(pea)
        self.buffer_bits = (descriptor_words * DESCRIPTOR_SLOTS - 1).bit_length()
        super().__init__(
            {
                "task": In(stream.Signature(task)),
                "upcoming": In(task),
                "upcoming_valid": In(1),
                "configured": Out(stream.Signature(task)),
                "buffer": Out(BankReadPort(self.buffer_bits)),
                "west": Out(PortSetup(address_bits)).array(pea.rows),
                "north": Out(PortSetup(address_bits)).array(pea.columns),
                "active": Out(1),
            },
            rows=pea.rows,
            columns=pea.columns,
            context_banks=pea.context_banks,
            address_bits=address_bits,
            descriptor_words=descriptor_words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ports = [*self.west, *self.north]
        add_block(m, platform, "reader", reader := BufferReader(self.buffer_bits))
        wiring.connect(m, reader.read, wiring.flipped(self.buffer))

        task = Signal(self.task.payload.shape())
        group = Signal(StreamGroup)
        groups_left = Signal(8)
        ports_left = Signal(6)
        busy = Signal()
        begin = Signal()
        load = Signal()
        commit = Signal()
        selected = Signal(max(self.pea.rows, self.pea.columns))  # port of the edge, one-hot
        address = Signal(self.buffer_bits)
        entries = task.input_count + task.output_count
        offset = DESCRIPTOR_HEADER_WORDS + DMA_ENTRY_WORDS * entries
        m.d.comb += [
            busy.eq(Cat(port.busy for port in ports).any()),
            self.configured.payload.eq(task),
            reader.address.eq(address),
            reader.count.eq(STREAM_GROUP_WORDS),
        ]

        # ``here``: the task has come, ``task`` is more than the announcement of it.
        here = Signal()
        damaged = Signal()
        coming = self.task.valid & self.task.ready
        with m.If(coming):
            m.d.sync += [task.eq(self.task.payload), here.eq(1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.task.ready.eq(1)
                m.d.sync += damaged.eq(0)
                with m.If(coming):
                    m.next = "BEGIN"
                    with m.If(self.task.payload.status != Status.OK):
                        m.next = "HAND ON"
                with m.Elif(self.upcoming_valid & (self.upcoming.status == Status.OK)):
                    m.d.sync += task.eq(self.upcoming)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += self.task.ready.eq(~here)
                m.d.sync += [
                    address.eq(task.slot * self.descriptor_words + offset),
                    groups_left.eq(task.stream_count),
                ]
                with m.If(~busy):
                    m.d.comb += begin.eq(1)
                    m.next = "GROUP"
            with m.State("GROUP"):
                m.d.comb += self.task.ready.eq(~here)
                with m.If(groups_left == 0):
                    m.next = "WAIT"
                with m.Else():
                    m.d.comb += reader.start.eq(1)
                    m.d.sync += [
                        address.eq(address + STREAM_GROUP_WORDS),
                        groups_left.eq(groups_left - 1),
                    ]
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.task.ready.eq(~here)
                m.d.sync += [ports_left.eq(group.port_count), selected.eq(1 << group.first_port)]
                with m.If(reader.done):
                    m.next = "LOAD"
                    with m.If(reader.damaged):
                        m.d.sync += damaged.eq(1)
                        m.next = "WAIT"
            with m.State("LOAD"):
                m.d.comb += [self.task.ready.eq(~here), load.eq(1)]
                m.d.sync += [
                    group.base.eq(group.base + group.port_stride),
                    selected.eq(selected << 1),
                    ports_left.eq(ports_left - 1),
                ]
                with m.If(ports_left == 1):
                    m.next = "GROUP"
            with m.State("WAIT"):
                m.d.comb += self.task.ready.eq(~here)
                with m.If(here):
                    m.d.comb += commit.eq((task.status == Status.OK) & ~damaged)
                    m.d.sync += task.committed.eq(commit)
                    m.next = "HAND ON"
            with m.State("HAND ON"):
                m.d.comb += self.configured.valid.eq(1)
                with m.If(self.configured.ready):
                    m.d.sync += here.eq(0)
                    m.next = "IDLE"

        m.d.comb += self.active.eq(here)
        with m.If(damaged & (task.status == Status.OK)):
            m.d.comb += self.configured.payload.status.eq(Status.MEMORY_PARITY)
        with m.If(reader.valid):
            words = data.ArrayLayout(32, STREAM_GROUP_WORDS)(group.as_value())
            m.d.sync += words[reader.index].eq(reader.word)

        west_edge = (group.edge == Edge.WEST_IN) | (group.edge == Edge.WEST_OUT)
        entering = (group.edge == Edge.WEST_IN) | (group.edge == Edge.NORTH_IN)
        leaving = ~entering | group.mode.as_value()  # a gather takes the port's output, too
        common = Signal(stream_layout(self.address_bits))
        m.d.comb += self._pattern(common, group, task.window)
        for edge, edge_ports in ((west_edge, self.west), (~west_edge, self.north)):
            for index, port in enumerate(edge_ports):
                chosen = load & edge & selected[index]
                m.d.comb += [
                    port.begin.eq(begin),
                    port.commit.eq(commit),
                    port.load_input.eq(chosen & entering),
                    port.load_output.eq(chosen & leaving),
                    port.stream.eq(common),
                ]
        return m

    def _pattern(self, target: Any, group: Any, window: Any) -> list[Any]:
        bits = self.address_bits
        counts = (group.count0, group.count1, group.count2, group.count3)
        strides = (group.stride0, group.stride1, group.stride2, group.stride3)
        pattern = target.pattern
        return [
            target.mode.eq(group.mode),
            target.element.eq(group.element),
            target.window.eq(window),
            pattern.base.eq(Cat(group.base[:bits], group.base[bits:].any())),
            *(field.eq(count) for field, count in zip(pattern.counts, counts, strict=True)),
            *(
                field.eq(_saturate(stride, bits))
                for field, stride in zip(pattern.strides, strides, strict=True)
            ),
        ]


def _saturate(stride: Value, address_bits: int) -> Value:
    """A 32-bit signed stride limited to plus or minus ``1 << address_bits``."""
    width = stride_bits(address_bits)
    fits = ~(stride[address_bits:].any() & ~stride[address_bits:].all())
    limit = Mux(stride[31], -(1 << address_bits) & ((1 << width) - 1), 1 << address_bits)
    return Mux(fits, stride[:width], limit)
