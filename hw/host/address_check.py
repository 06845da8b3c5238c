"""Accepts the bursts of an AXI4 address channel and decides whether they are allowed."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..layouts.space import CONFIGURATION_BIT, WORD_BYTES, Address
from ..library import Block
from .axi import ID_BITS, AddressPayload, Burst, Response
from .registers import USER_REGIONS

BURSTS_AHEAD = 4
"""Bursts accepted before they are carried out."""

WORD_SIZE = 2
"""AXI's code for a beat of four bytes."""

PAGE_BITS = 12
"""A burst must not leave its page of 4 KiB."""

FIXED_BEATS = 16
"""AXI's limit of a FIXED burst."""

WRAP_LENGTHS = (2, 4, 8, 16)
"""Beats that a WRAP burst may have."""


class UserRegion(data.Struct):
    """Words ``first`` to ``last`` (global byte address / 4), and what users may do there."""

    read: 1
    write: 1
    first: 30
    last: 30


USER_REGION_LAYOUT = data.ArrayLayout(UserRegion, USER_REGIONS)


class CheckedBurst(data.Struct):
    """A burst and its ``verdict``: OKAY if it may be carried out, else its answer."""

    identifier: ID_BITS
    address: 32
    length: 8
    size: 3
    burst: Burst
    verdict: Response


class AddressCheck(Block):
    """Keeps up to four bursts and hands them on, one by one, with a verdict.

    Parameters
    ----------
    memory_words: of a cluster. columns, rows: size of the mesh. write: the bursts are writes.

    Ports
    -----
    address (in): stream of :class:`AddressPayload`.
    enforce (in): accesses without AxPROT[0] are a user's.
    regions (in): what users may reach.
    checked (out): stream of :class:`CheckedBurst`.
    violation (out): high for a cycle for each user's burst that is refused.

    Timing: an address is accepted as long as there is room; its verdict comes four cycles later.

    Source: docs/specification.md, section 9, Window.
    """

    def __init__(self, memory_words: int, columns: int, rows: int, write: bool) -> None:
        self.memory_words = memory_words
        self.columns = columns
        self.rows = rows
        self.write = write
        super().__init__(
            {
                "address": In(stream.Signature(AddressPayload)),
                "enforce": In(1),
                "regions": In(USER_REGION_LAYOUT),
                "checked": Out(stream.Signature(CheckedBurst)),
                "violation": Out(1),
            },
            memory_words=memory_words,
            columns=columns,
            rows=rows,
            write=write,
        )

    def elaborate(self, platform: Any) -> Module:
        """Queue, then a step for the end of the burst, one for regions, one for the verdict."""
        m = Module()
        layout = data.Layout.cast(AddressPayload)
        m.submodules.queue = queue = SyncFIFOBuffered(width=layout.size, depth=BURSTS_AHEAD)
        burst = data.View(layout, queue.r_data)
        m.d.comb += [
            queue.w_data.eq(self.address.payload),
            queue.w_en.eq(self.address.valid),
            self.address.ready.eq(queue.w_rdy),
        ]
        first, last, leaves_page = self._ends(m, burst)
        user = Signal()
        allowed = Signal(USER_REGIONS)
        missing = Signal()
        malformed = Signal()
        outside = Signal()
        checked = self.checked
        with m.FSM():
            with m.State("END"), m.If(queue.r_rdy):
                m.d.sync += user.eq(self.enforce & ~burst.prot[0])
                m.next = "REGIONS"
            with m.State("REGIONS"):
                place = Address(burst.addr)
                m.d.sync += [
                    missing.eq((place.x >= self.columns) | (place.y >= self.rows)),
                    malformed.eq(leaves_page | self._malformed(burst)),
                    outside.eq(self._outside(burst, last)),
                    allowed.eq(Cat(self._allowed(region, first, last) for region in self.regions)),
                ]
                m.next = "VERDICT"
            with m.State("VERDICT"):
                trespass = user & (~allowed.any() | burst.addr[CONFIGURATION_BIT])
                refused = malformed | outside | trespass
                m.d.comb += queue.r_en.eq(1)
                m.d.sync += [
                    checked.payload.identifier.eq(burst.id),
                    checked.payload.address.eq(burst.addr),
                    checked.payload.length.eq(burst.len),
                    checked.payload.size.eq(burst.size),
                    checked.payload.burst.eq(burst.burst),
                    checked.payload.verdict.eq(
                        Mux(
                            missing,
                            Response.DECERR,
                            Mux(refused, Response.SLVERR, Response.OKAY),
                        )
                    ),
                    checked.valid.eq(1),
                ]
                m.d.comb += self.violation.eq(user & (missing | refused))
                m.next = "OFFER"
            with m.State("OFFER"), m.If(checked.ready):
                m.d.sync += checked.valid.eq(0)
                m.next = "END"
        return m

    def _ends(self, m: Module, burst: data.View) -> tuple[Signal, Signal, Signal]:
        """The addresses of the burst's first word and last byte (registered), and whether it leaves
        the page. A WRAP burst counts from its lower to its upper wrap boundary.
        """
        incrementing = burst.burst == Burst.INCR
        wrapping = burst.burst == Burst.WRAP
        aligned = Signal(PAGE_BITS)
        span = Signal(PAGE_BITS)
        first = Signal(32)
        last = Signal(32)
        leaves_page = Signal()
        inside = Signal(2)
        round_span = wrap_span(burst.len, burst.size)
        start = Cat(
            burst.addr[: len(round_span)] & ~(round_span & wrapping.replicate(len(round_span))),
            burst.addr[len(round_span) :],
        )
        m.d.comb += [
            inside.eq(_low_bits(burst.size)),
            aligned.eq(Cat(start[:2] & ~inside, start[2:PAGE_BITS])),
            span.eq(Mux(incrementing | wrapping, burst.len << burst.size[:2], 0) | inside),
        ]
        end = aligned + span
        m.d.sync += [
            first.eq(start),
            last.eq(Cat(end[:PAGE_BITS], burst.addr[PAGE_BITS:])),
            leaves_page.eq(incrementing & end[PAGE_BITS]),
        ]
        return first, last, leaves_page

    def _malformed(self, burst: data.View) -> Value:
        """What no memory can do. AxLOCK is none of it: a memory without monitors for exclusive
        accesses carries them out and answers OKAY, which tells the master that there are none.
        """
        fixed = burst.burst == Burst.FIXED
        wrapping = burst.burst == Burst.WRAP
        whole = Cat(burst.len == beats - 1 for beats in WRAP_LENGTHS).any()
        unaligned = (burst.addr[:2] & _low_bits(burst.size)).any()
        return (
            (~fixed & ~wrapping & (burst.burst != Burst.INCR))
            | (burst.size > WORD_SIZE)
            | (fixed & (burst.len >= FIXED_BEATS))
            | (wrapping & (~whole | unaligned))
        )

    def _outside(self, burst: data.View, last: Signal) -> Value:
        """Whether the burst goes beyond the cluster's memory."""
        offset = last[:CONFIGURATION_BIT]
        return ~burst.addr[CONFIGURATION_BIT] & (offset >= self.memory_words * WORD_BYTES)

    def _allowed(self, region: data.View, first: Signal, last: Signal) -> Value:
        """Whether a user may do this in ``region``."""
        permission = region.write if self.write else region.read
        return permission & (first[2:] >= region.first) & (last[2:] <= region.last)


def _low_bits(size: Value) -> Value:
    """The bits of an address inside a beat of 2 to the ``size`` bytes, up to four bytes."""
    return Mux(size == 0, Const(0, 2), Mux(size == 1, Const(1, 2), Const(3, 2)))


def wrap_span(length: Value, size: Value) -> Value:
    """The bits of an address, of the lowest six, that change in a WRAP burst of legal length."""
    return ((length[:4] << size[:2]) | _low_bits(size))[:6]
