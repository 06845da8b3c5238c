"""Fetches the task's descriptor."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DESCRIPTOR_MAGIC,
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    Status,
)
from ..layouts.token import Dispatch
from ..library import Block, add_block
from ..memory import BankWritePort
from .burst_limiter import BurstLimiter
from .burst_requester import BurstRequester
from .descriptor_checker import DescriptorChecker
from .dispatch_queue import Fetch
from .layouts import DESCRIPTOR_SLOTS, task_layout
from .memory_multiplexer import MemoryClient

LENGTH_BITS = 14
"""Width of the longest length that counts can give."""


class DescriptorFetcher(Block):
    """Turns a dispatch into a task: reads, checks and buffers its descriptor.

    Parameters
    ----------
    pea: the array's configuration. descriptor_words: size of a descriptor slot.
    burst_words: longest burst.

    Ports
    -----
    dispatch: stream in of :class:`Fetch`. task: stream out of ``task_layout``.
    memory: ``Out(MemoryClient)``. buffer: the port on the descriptor buffer.
    finished: in, pulse, a task has left the TBU, its slot is free.
    gentle: in, the array runs: other transfers come first (:class:`BurstLimiter`).
    now: in, 32 bits, the clock. active: out, 1 bit, a dispatch is here.

    Timing: two memory latencies and a cycle a word. ``task`` is a register.
    Errors: DESCRIPTOR_INVALID, or what the memory answered, go with the task.
    Source: own.
    """

    def __init__(self, pea: PeaConfig, descriptor_words: int, burst_words: int) -> None:
        self.pea = pea
        self.descriptor_words = descriptor_words
        self.burst_words = burst_words
        self.buffer_bits = (descriptor_words * DESCRIPTOR_SLOTS - 1).bit_length()
        super().__init__(
            {
                "dispatch": In(stream.Signature(Fetch)),
                "task": Out(stream.Signature(task_layout(pea))),
                "memory": Out(MemoryClient()),
                "buffer": Out(BankWritePort(self.buffer_bits)),
                "finished": In(1),
                "now": In(32),
                "gentle": In(1),
                "active": Out(1),
            },
            rows=pea.rows,
            columns=pea.columns,
            context_banks=pea.context_banks,
            descriptor_words=descriptor_words,
            burst_words=burst_words,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        requester = BurstRequester(self.burst_words, write=False)
        checker = DescriptorChecker(self.pea.rows, self.pea.columns)
        add_block(m, platform, "requester", requester)
        add_block(m, platform, "checker", checker)
        add_block(m, platform, "limiter", limiter := BurstLimiter())
        wiring.connect(m, requester.request, limiter.asked)
        wiring.connect(m, limiter.request, wiring.flipped(self.memory.request))

        dispatch = Signal(Dispatch)
        prepared = Signal()
        started = Signal(32)
        header = Signal(DescriptorHeader)
        slot = Signal(range(DESCRIPTOR_SLOTS))
        held = Signal(range(DESCRIPTOR_SLOTS + 1))
        left = Signal(16)
        position = Signal(range(self.descriptor_words))
        fault = Signal(Status)  # the first of the memory
        header_wrong = Signal()

        # Every word goes to the buffer; a word in the register is stored before the next comes.
        response = self.memory.response
        write = self.buffer.request
        word_taken = response.valid & response.ready
        m.d.comb += [
            self.memory.domain.eq(dispatch.domain),
            response.ready.eq(~write.valid | write.ready),
            limiter.gentle.eq(self.gentle),
            limiter.answered.eq(word_taken & response.payload.last),
            checker.word.eq(response.payload.data),
            checker.entries.eq(header.input_count + header.output_count),
            checker.groups.eq(header.stream_count),
        ]
        with m.If(response.ready):
            m.d.sync += [
                write.valid.eq(response.valid),
                write.payload.data.eq(response.payload.data),
                write.payload.mask.eq(0b1111),
                write.payload.address.eq(slot * self.descriptor_words + position),
            ]
        with m.If(word_taken):
            m.d.sync += [
                left.eq(left - 1),
                position.eq(position + 1),
            ]
            with m.If(fault == Status.OK):
                m.d.sync += fault.eq(response.payload.status)

        words = Signal(LENGTH_BITS)  # a cycle behind the header, header_wrong another one
        rest = header.descriptor_words - DESCRIPTOR_HEADER_WORDS
        m.d.sync += words.eq(_length(header))
        m.d.sync += header_wrong.eq(
            (header.magic != DESCRIPTOR_MAGIC)
            | (header.domain != dispatch.domain)
            | header.reserved0.any()
            | header.reserved1.any()
            | (header.descriptor_words != words)
            | (words > self.descriptor_words)
        )

        with m.FSM() as stages:
            with m.State("IDLE"):
                m.d.comb += self.dispatch.ready.eq(held != DESCRIPTOR_SLOTS)
                m.d.sync += [
                    dispatch.eq(self.dispatch.payload.dispatch),
                    prepared.eq(self.dispatch.payload.prepared),
                    started.eq(self.now),
                    position.eq(0),
                    left.eq(DESCRIPTOR_HEADER_WORDS),
                    fault.eq(Status.OK),
                ]
                with m.If(self.dispatch.valid & self.dispatch.ready):
                    m.next = "ASK HEADER"
            with m.State("ASK HEADER"):
                m.d.comb += [
                    requester.row.valid.eq(1),
                    requester.row.payload.address.eq(Cat(0, 0, dispatch.descriptor[2:])),
                    requester.row.payload.words.eq(DESCRIPTOR_HEADER_WORDS),
                ]
                with m.If(requester.row.ready):
                    m.next = "HEADER"
            with m.State("HEADER"):
                with m.If(word_taken):
                    m.d.sync += data.ArrayLayout(32, DESCRIPTOR_HEADER_WORDS)(header.as_value())[
                        position[:3]
                    ].eq(response.payload.data)
                with m.If(left == 0):
                    m.d.comb += checker.begin.eq(1)
                    m.next = "JUDGE"
            with m.State("JUDGE"):  # header_wrong is valid from the next state on
                m.d.sync += left.eq(rest)
                m.next = "ASK REST"
            with m.State("ASK REST"):
                m.d.comb += [
                    requester.row.payload.address.eq(
                        Cat(0, 0, dispatch.descriptor[2:]) + 4 * DESCRIPTOR_HEADER_WORDS
                    ),
                    requester.row.payload.words.eq(left),
                ]
                with m.If((fault != Status.OK) | header_wrong | (left == 0)):
                    m.next = "HAND ON"
                with m.Else():
                    m.d.comb += requester.row.valid.eq(1)
                    with m.If(requester.row.ready):
                        m.next = "REST"
            with m.State("REST"):
                m.d.comb += checker.valid.eq(word_taken)
                with m.If(left == 0):
                    m.next = "SETTLE"
            with m.State("SETTLE"):  # the checker is a cycle behind
                m.next = "HAND ON"
            with m.State("HAND ON"):
                m.d.comb += self.task.valid.eq(1)
                with m.If(self.task.ready):
                    m.d.sync += slot.eq(slot + 1)
                    m.next = "IDLE"

        m.d.comb += self.active.eq(~stages.ongoing("IDLE"))
        taken = self.dispatch.valid & self.dispatch.ready
        m.d.sync += held.eq(held + taken - self.finished)
        invalid = header_wrong | checker.illegal | dispatch.descriptor[:2].any()
        task = self.task.payload
        m.d.comb += [
            getattr(task, name).eq(getattr(dispatch, name))
            for name in ("block", "instance", "index", "shard", "value", "domain")
        ]
        m.d.comb += [
            getattr(task, name).eq(getattr(header, name))
            for name in (
                "kernel",
                "outer_trips",
                "has_result",
                "result_address",
                "cycle_limit",
                "input_count",
                "output_count",
                "stream_count",
                "half_scratchpad",
                "trips_from_token",
                "early_inputs",
            )
        ]
        m.d.comb += [
            task.slot.eq(slot),
            task.started.eq(started),
            task.prepared.eq(prepared),
            task.body_trips.eq(Mux(header.trips_from_token, dispatch.value, header.body_trips)),
            task.status.eq(
                Mux(fault != Status.OK, fault, Mux(invalid, Status.DESCRIPTOR_INVALID, Status.OK))
            ),
        ]
        return m


def _length(header: Any) -> Any:
    """Words of a descriptor with these counts."""
    entries, groups = header.input_count + header.output_count, header.stream_count
    # Constant factors are sums of shifts: Yosys would take a multiplier.
    bits = range(STREAM_GROUP_WORDS.bit_length())
    shifts = [bit for bit in bits if STREAM_GROUP_WORDS >> bit & 1]
    return DESCRIPTOR_HEADER_WORDS + entries * DMA_ENTRY_WORDS + sum(groups << s for s in shifts)
