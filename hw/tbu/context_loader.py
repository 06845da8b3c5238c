"""Makes the task's kernel resident in a context bank."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..layouts.instruction import INSTRUCTION_WORDS
from ..layouts.kernel import HEADER_WORDS, KERNEL_MAGIC, KernelHeader
from ..layouts.space import COORDINATE_BITS, KERNEL_TABLE_ENTRY_WORDS, OFFSET_BITS
from ..library import Block, add_block
from ..pea.interfaces import LENGTH_BITS, ContextWrite, bank_shape
from .burst_limiter import BurstLimiter
from .burst_requester import BurstRequester
from .context_tags import ContextTags
from .image_writer import ImageWriter
from .layouts import task_layout
from .memory_multiplexer import MemoryClient


class ContextLoader(Block):
    """Looks the kernel up among the resident ones and loads its image if need be.

    Loading goes on while the array runs from another bank.

    Parameters
    ----------
    pea: the array's configuration. burst_words: longest burst.

    Ports
    -----
    task: stream in, loaded: stream out, of ``task_layout``: ``bank`` holds the kernel.
    memory: ``Out(MemoryClient)``. context_write: to the array.
    headers: out, the kernel header of every bank.
    release: in, pulse with release_bank: a task that held a bank needs it no more.
    kernel_table_address, kernel_count, x, y: in, where the kernel table is.
    forget: in, pulse, no bank's content counts any more for tasks to come.
    gentle: in, the array runs: other transfers come first (:class:`BurstLimiter`).
    active: out, 1 bit, a task is here that must wait for its kernel.

    Timing: two cycles for a resident kernel; else three memory latencies and a cycle a word.
    Errors: KERNEL_UNKNOWN, KERNEL_INVALID, or what the memory answered, go with the task.
    Source: own.
    """

    def __init__(self, pea: PeaConfig, burst_words: int) -> None:
        self.pea = pea
        self.burst_words = burst_words
        task = task_layout(pea)
        super().__init__(
            {
                "task": In(stream.Signature(task)),
                "loaded": Out(stream.Signature(task)),
                "memory": Out(MemoryClient()),
                "context_write": In(ContextWrite(pea)),
                "headers": Out(data.ArrayLayout(KernelHeader, pea.context_banks)),
                "release": In(1),
                "release_bank": In(bank_shape(pea)),
                "kernel_table_address": In(OFFSET_BITS),
                "kernel_count": In(16),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "forget": In(1),
                "gentle": In(1),
                "active": Out(1),
            },
            rows=pea.rows,
            columns=pea.columns,
            context_banks=pea.context_banks,
            context_slots=pea.context_slots,
            stages=pea.stages,
            burst_words=burst_words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        requester = BurstRequester(self.burst_words, write=False)
        tags = ContextTags(self.pea.context_banks)
        writer = ImageWriter(self.pea)
        add_block(m, platform, "requester", requester)
        add_block(m, platform, "tags", tags)
        add_block(m, platform, "writer", writer)
        add_block(m, platform, "limiter", limiter := BurstLimiter())
        wiring.connect(m, requester.request, limiter.asked)
        wiring.connect(m, limiter.request, wiring.flipped(self.memory.request))
        wiring.connect(m, writer.context_write, wiring.flipped(self.context_write))

        task = Signal(task_layout(self.pea))
        status = Signal(Status)
        holds = Signal()
        image = Signal(data.ArrayLayout(32, KERNEL_TABLE_ENTRY_WORDS))  # offset, length
        header = Signal(KernelHeader)
        header_words = data.ArrayLayout(32, HEADER_WORDS)(header.as_value())
        left = Signal(16)
        index = Signal(2)
        error = Signal(Status)
        entry_offset = Signal(OFFSET_BITS)
        slots = Signal(LENGTH_BITS + 2)
        legal = Signal()
        needed = Signal(32)  # words of an image with these slots; a cycle behind them
        response = self.memory.response
        m.d.comb += [
            response.ready.eq(1),
            limiter.gentle.eq(self.gentle),
            limiter.answered.eq(response.valid & response.payload.last),
            self.memory.domain.eq(task.domain),
            tags.kernel.eq(Cat(task.kernel, task.domain)),
            tags.release.eq(self.release),
            tags.release_bank.eq(self.release_bank),
            writer.bank.eq(task.bank),
            writer.slots.eq(slots),
            writer.word.eq(response.payload.data),
            self.loaded.payload.eq(task),
            self.loaded.payload.status.eq(status),
            self.loaded.payload.holds_bank.eq(holds),
        ]
        m.d.sync += [
            entry_offset.eq(self.kernel_table_address + 4 * KERNEL_TABLE_ENTRY_WORDS * task.kernel),
            slots.eq(header.head_length + header.body_length + header.tail_length),
            needed.eq(self._image_words(slots)),
            legal.eq(self._legal(header, image[1], slots, needed)),
        ]
        with m.If(response.valid):
            m.d.sync += [
                left.eq(left - 1),
                index.eq(index + 1),
            ]
            with m.If(error == Status.OK):
                m.d.sync += error.eq(response.payload.status)
        with m.If(tags.fill):
            m.d.sync += self.headers[task.bank].eq(header)

        # The host may have put other kernels behind the same numbers.
        table = Signal(OFFSET_BITS + 16)
        present = Cat(self.kernel_table_address, self.kernel_count)
        m.d.sync += [table.eq(present), tags.forget.eq((table != present) | self.forget)]

        def ask(offset: Any, words: Any, following: str) -> None:
            m.d.comb += [
                requester.row.valid.eq(1),
                requester.row.payload.address.eq(Cat(0, 0, offset[2:], self.x, self.y)),
                requester.row.payload.words.eq(words),
            ]
            m.d.sync += [left.eq(words), index.eq(0), error.eq(Status.OK)]
            with m.If(requester.row.ready):
                m.next = following

        def finish(result: Any = None) -> None:
            m.next = "HAND ON"
            if result is not None:
                m.d.sync += status.eq(result)

        def fill() -> None:
            m.d.comb += tags.fill.eq(1)
            m.d.sync += holds.eq(1)
            finish()

        m.d.comb += self.active.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.task.ready.eq(1), self.active.eq(0)]
                m.d.sync += [
                    task.eq(self.task.payload),
                    status.eq(self.task.payload.status),
                    holds.eq(0),
                ]
                with m.If(self.task.valid):
                    m.next = "LOOK UP"
            with m.State("LOOK UP"):
                with m.If(status != Status.OK):
                    finish()
                with m.Elif(task.kernel >= self.kernel_count):
                    finish(Status.KERNEL_UNKNOWN)
                with m.Elif(tags.hit):
                    m.d.comb += tags.use.eq(1)
                    m.d.sync += [task.bank.eq(tags.bank), holds.eq(1)]
                    finish()
                with m.Elif(tags.victim_free):
                    m.d.comb += tags.evict.eq(1)
                    m.d.sync += task.bank.eq(tags.victim)
                    m.next = "ASK ENTRY"
            with m.State("ASK ENTRY"):
                ask(entry_offset, KERNEL_TABLE_ENTRY_WORDS, "ENTRY")
            with m.State("ENTRY"):
                with m.If(response.valid):
                    m.d.sync += image[index[0]].eq(response.payload.data)
                with m.If(left == 0):
                    m.next = "ASK HEADER"
                    with m.If(error != Status.OK):
                        finish(error)
                    with m.Elif(image[1] == 0):
                        finish(Status.KERNEL_UNKNOWN)
            with m.State("ASK HEADER"):
                ask(image[0][:OFFSET_BITS], HEADER_WORDS, "HEADER")
            with m.State("HEADER"):
                with m.If(response.valid):
                    m.d.sync += header_words[index].eq(response.payload.data)
                with m.If(left == 0):
                    m.next = "SUM"
            with m.State("SUM"):  # slots are valid here
                m.next = "PRODUCT"
            with m.State("PRODUCT"):  # and what they need here
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.comb += writer.begin.eq(1)
                m.next = "ASK IMAGE"
                with m.If(error != Status.OK):
                    finish(error)
                with m.Elif(~legal):
                    finish(Status.KERNEL_INVALID)
                with m.Elif(slots == 0):
                    fill()
            with m.State("ASK IMAGE"):
                ask(
                    (image[0] + 4 * HEADER_WORDS)[:OFFSET_BITS],
                    (image[1] - HEADER_WORDS)[:16],
                    "IMAGE",
                )
            with m.State("IMAGE"):
                m.d.comb += writer.valid.eq(response.valid)
                with m.If(left == 0):
                    with m.If(error != Status.OK):
                        finish(error)
                    with m.Else():
                        fill()
            with m.State("HAND ON"):
                m.d.comb += self.loaded.valid.eq(1)
                with m.If(self.loaded.ready):
                    m.next = "IDLE"
        return m

    def _image_words(self, slots: Any) -> Any:
        """Words of an image; the constant factor is a sum of shifts, no multiplier."""
        factor = INSTRUCTION_WORDS * self.pea.rows * self.pea.columns
        shifts = [bit for bit in range(factor.bit_length()) if factor >> bit & 1]
        return HEADER_WORDS + sum(slots << shift for shift in shifts)

    def _legal(self, header: Any, length: Any, slots: Any, words: Any) -> Any:
        """Whether the array can run this kernel."""
        pea = self.pea
        return (
            (header.magic == KERNEL_MAGIC)
            & (header.rows == pea.rows)
            & (header.columns == pea.columns)
            & (slots <= pea.context_slots)
            & (header.stages != 0)
            & (header.stages <= pea.stages)
            & (header.image_words == words)
            & (length == words)
        )
