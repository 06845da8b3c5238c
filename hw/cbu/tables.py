"""The Control Block Unit's tables and registers, and the host's access to them."""

from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..interfaces import ConfigurationPort
from ..layouts.block import (
    BLOCK_ENTRY_WORDS,
    SUCCESSOR_INDEX_BITS,
    BlockEntry,
    SuccessorEntry,
)
from ..layouts.command import ClusterCommand, IndexSettings
from ..layouts.space import OFFSET_BITS, ClusterRegister, ConfigurationRegion
from ..layouts.token import BLOCK_BITS, INDEX_BITS
from ..library import Block
from .events import EVENTS

REGISTER_COUNT = ClusterRegister.INDEX_SETTINGS // 4 + 1
USED_BLOCK_WORDS = 6
"""Words of a block entry that are kept; the others read as zero."""


class ConfigurationTables(Block):
    """Block table, successor table and cluster registers behind the configuration port.

    Parameters
    ----------
    blocks, successors: entries of the two tables, powers of two.
    store_bits_limit: largest ``store_bits``.

    Ports
    -----
    configuration: In(ConfigurationPort), single words; an offset that is unknown or no
        multiple of 4 is answered with ``error`` (a write to it is dropped).
    block: In, block entry wanted; entry: Out, it, a cycle later.
    successor: In, successor entry wanted; successor_entry: Out, it, a cycle later.
    kernel_table_address, kernel_count: Out, registers.
    changed: Out, pulse: the host writes a table or a register, or gives a command.
    command, command_valid: Out, the host gives a command; command_accepted: In, it is carried
        out (else the write is answered with ``error``); busy: In, one is under way.
    index: Out, the register INDEX_SETTINGS (a larger ``store_bits`` than ``store_bits_limit`` and
        an index without outer bits are refused).
    events: In, the register; events_clear: Out, the bits that the host clears.
    statistics_*: the host's access to the statistics, see ``StatisticsTable``.

    Timing: an access takes four cycles and what the host waits to take the answer. In the first
    ``blocks`` cycles after reset, in which no event may come, block table and statistics become
    zero (a block that nobody wrote is INVALID and faults); an access waits for that. The successor
    table keeps what it held: no entry is read before the host wrote a block that names it.

    Source: ``ConfigurationRegion``, ``ClusterRegister``.
    """

    def __init__(self, blocks: int, successors: int, store_bits_limit: int = 0) -> None:
        for name, value in (("blocks", blocks), ("successors", successors)):
            if value < 2 or value & (value - 1):
                raise ValueError(f"{name} is {value}; allowed: powers of two from 2")
        self.blocks = blocks
        self.successors = successors
        self.store_bits_limit = store_bits_limit
        super().__init__(
            {
                "configuration": In(ConfigurationPort()),
                "block": In(BLOCK_BITS),
                "entry": Out(BlockEntry),
                "successor": In(SUCCESSOR_INDEX_BITS),
                "successor_entry": Out(SuccessorEntry),
                "kernel_table_address": Out(OFFSET_BITS),
                "kernel_count": Out(16),
                "changed": Out(1),
                "command": Out(ClusterCommand),
                "command_valid": Out(1),
                "command_accepted": In(1),
                "busy": In(1),
                "index": Out(IndexSettings),
                "events": In(EVENTS),
                "events_clear": Out(EVENTS),
                "statistics_block": Out(BLOCK_BITS),
                "statistics_field": Out(3),
                "statistics_data": In(32),
                "statistics_clear": Out(1),
                "statistics_write": Out(1),
                "statistics_write_data": Out(32),
                "statistics_written": In(1),
            },
            blocks=blocks,
            successors=successors,
            store_bits_limit=store_bits_limit,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        request, response = self.configuration.request, self.configuration.response
        offset = Signal(21)
        write = Signal()
        written = Signal(32)
        access = Signal()
        clear = Signal()
        refused = Signal()
        m.submodules.decoder = decoder = _Decoder(self.blocks, self.successors)
        m.d.comb += [
            decoder.offset.eq(offset),
            self.changed.eq(access & write & (decoder.block | decoder.register)),
            self.statistics_clear.eq(clear),
        ]

        block_data = self._block_table(m, decoder, access & write, clear, written)
        successor_data = self._successor_table(m, decoder, access & write, written)
        register_data = self._registers(m, decoder, access & write, written, refused)
        self._statistics(m, decoder, access & write, written)

        with m.FSM():
            with m.State("clear"):
                # As if the host wrote: from reset on ``offset`` and ``written`` are zero.
                m.d.comb += clear.eq(1)
                m.d.sync += offset.eq(offset + 4 * BLOCK_ENTRY_WORDS)
                with m.If(decoder.index[3:] == self.blocks - 1):
                    m.next = "idle"
            with m.State("idle"):
                m.d.comb += request.ready.eq(1)
                m.d.sync += [
                    offset.eq(request.payload.offset),
                    write.eq(request.payload.write),
                    written.eq(request.payload.data),
                ]
                with m.If(request.valid):
                    m.next = "access"
            with m.State("access"):
                m.d.comb += access.eq(1)
                m.d.sync += response.payload.error.eq(~decoder.known | refused)
                with m.If(~(write & decoder.statistics) | self.statistics_written):
                    m.next = "answer"
            with m.State("answer"):
                m.d.sync += [
                    response.valid.eq(1),
                    response.payload.data.eq(0),
                ]
                for selected, word in (
                    (decoder.block & (decoder.word < USED_BLOCK_WORDS), block_data),
                    (decoder.successor, successor_data),
                    (decoder.statistics, self.statistics_data),
                    (decoder.register, register_data),
                ):
                    with m.If(selected & ~write):
                        m.d.sync += response.payload.data.eq(word)
                m.next = "answered"
            with m.State("answered"), m.If(response.ready):
                m.d.sync += response.valid.eq(0)
                m.next = "idle"
        return m

    def _block_table(
        self, m: Module, decoder: "_Decoder", write: Any, clear: Signal, data: Signal
    ) -> Any:
        """The block table; the word the host reads."""
        memory = Memory(shape=32 * USED_BLOCK_WORDS, depth=self.blocks, init=[])
        m.submodules.block_table = memory
        write_port = memory.write_port(granularity=32)
        own, host = memory.read_port(), memory.read_port()
        selected = Mux(write & decoder.block, Const(1, 8) << decoder.word, 0)
        every = clear.replicate(USED_BLOCK_WORDS)
        m.d.comb += [
            own.addr.eq(self.block),
            self.entry.eq(Cat(own.data, Const(0, 32 * (BLOCK_ENTRY_WORDS - USED_BLOCK_WORDS)))),
            host.addr.eq(decoder.index >> 3),
            write_port.addr.eq(decoder.index >> 3),
            write_port.data.eq(data.replicate(USED_BLOCK_WORDS)),
            write_port.en.eq(selected | every),
        ]
        return host.data.word_select(decoder.word, 32)

    def _successor_table(self, m: Module, decoder: "_Decoder", write: Any, data: Signal) -> Any:
        """The successor table; the word the host reads."""
        memory = Memory(shape=32, depth=self.successors, init=[])
        m.submodules.successor_table = memory
        write_port = memory.write_port()
        own, host = memory.read_port(), memory.read_port()
        m.d.comb += [
            own.addr.eq(self.successor),
            self.successor_entry.eq(own.data),
            host.addr.eq(decoder.index),
            write_port.addr.eq(decoder.index),
            write_port.data.eq(data),
            write_port.en.eq(write & decoder.successor),
        ]
        return host.data

    def _registers(
        self, m: Module, decoder: "_Decoder", write: Any, data: Signal, refused: Signal
    ) -> Signal:
        """The cluster's registers; the word the host reads. ``refused``: it may not be written."""
        word = Signal(32)
        last_command = Signal(ClusterCommand)
        m.d.comb += self.command.eq(data)
        with m.If(self.command_valid & self.command_accepted):
            m.d.sync += last_command.eq(data)
        for offset, shown in (
            (ClusterRegister.COMMAND, last_command),
            (ClusterRegister.COMMAND_STATUS, self.busy),
            (ClusterRegister.EVENTS, self.events),
            (ClusterRegister.INDEX_SETTINGS, self.index),
        ):
            with m.If(decoder.register & (decoder.index == offset // 4)):
                m.d.comb += word.eq(shown)
        with m.If(write & decoder.register), m.Switch(decoder.index):
            with m.Case(ClusterRegister.COMMAND // 4):
                m.d.comb += [self.command_valid.eq(1), refused.eq(~self.command_accepted)]
            with m.Case(ClusterRegister.COMMAND_STATUS // 4):
                m.d.comb += refused.eq(1)
            with m.Case(ClusterRegister.EVENTS // 4):
                m.d.comb += self.events_clear.eq(data)
            with m.Case(ClusterRegister.INDEX_SETTINGS // 4):
                settings = IndexSettings(data)
                m.d.comb += refused.eq(
                    (settings.store_bits > self.store_bits_limit)
                    | (settings.inner_bits >= INDEX_BITS)
                    | settings.reserved.any()
                )
                with m.If(~refused):
                    m.d.sync += self.index.eq(data)
        for offset, register in (
            (ClusterRegister.KERNEL_TABLE_ADDRESS, self.kernel_table_address),
            (ClusterRegister.KERNEL_COUNT, self.kernel_count),
        ):
            with m.If(decoder.register & (decoder.index == offset // 4)):
                m.d.comb += word.eq(register)
                with m.If(write):
                    m.d.sync += register.eq(data)
        return word

    def _statistics(self, m: Module, decoder: "_Decoder", write: Any, data: Signal) -> None:
        m.d.comb += [
            self.statistics_block.eq(decoder.index >> 3),
            self.statistics_field.eq(decoder.word),
            self.statistics_write.eq(write & decoder.statistics),
            self.statistics_write_data.eq(data),
        ]


class _Decoder(Elaboratable):
    """What a configuration offset names: table, word index in it, and whether it exists."""

    def __init__(self, blocks: int, successors: int) -> None:
        self._blocks = blocks
        self._successors = successors
        self.offset = Signal(21)
        self.index = Signal(14)
        self.word = Signal(3)
        self.block = Signal()
        self.successor = Signal()
        self.statistics = Signal()
        self.register = Signal()
        self.known = Signal()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        region = self.offset[16:]
        aligned = Signal()
        m.d.comb += [
            aligned.eq(self.offset[:2] == 0),
            self.index.eq(self.offset[2:16]),
            self.word.eq(self.index),
            self.known.eq(self.block | self.successor | self.statistics | self.register),
        ]
        rows = self._blocks * BLOCK_ENTRY_WORDS
        for base, count, selected in (
            (ConfigurationRegion.REGISTERS, REGISTER_COUNT, self.register),
            (ConfigurationRegion.BLOCK_TABLE, rows, self.block),
            (ConfigurationRegion.SUCCESSOR_TABLE, self._successors, self.successor),
            (ConfigurationRegion.STATISTICS, rows, self.statistics),
        ):
            m.d.comb += selected.eq(aligned & (region == base >> 16) & (self.index < count))
        return m
