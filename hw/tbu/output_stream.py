"""The stream of words that leaves the array at one port."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import Element, StreamMode
from ..library import Block, add_block
from ..memory import BankWritePort
from ..pea.interfaces import ArrayOutput
from .affine import AffineGenerator
from .layouts import EPOCH_BITS, window_layout
from .pending import PendingStream
from .range_check import in_window, place
from .setup import StreamSetup


class OutputStream(Block):
    """Queues the words that leave the array and stores them, or passes them on as offsets.

    Addresses are affine, or computed (scatter): the words alternate offset and data. Words of
    a run that has ended are stored while the next run goes on; every word carries its epoch.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address. depth: words queued, at least 2.

    Ports
    -----
    setup: ``In(StreamSetup)``; gather: in, with ``setup.load``: the words are the offsets of the
    port's gather. epoch: in, the present epoch; start: in, the next one begins.
    array: the array's output. write: the port on the scratchpad.
    offsets: stream out, offset_epoch: out, its epoch; pending: out, offsets of the present epoch
    wait; filled: out, words of whatever epoch wait to leave the queue, or will in the next clock.
    drain_epoch: in; holds: out, words of that epoch are not yet stored (offsets do not count).
    fault, drain_fault: out, an address of the present, or the previous, epoch is outside the
    window.

    Timing: a word a cycle without bank conflicts (scatter: two cycles an element);
    ``array.next_ready`` depends on registers and on ``array.push``, as if nothing were stored. The
    queue has one place more than ``depth``: for the word that the array would else keep waiting.
    Errors: a word with an address outside the window is dropped and raises a fault.
    Source: own.
    """

    def __init__(self, address_bits: int, depth: int) -> None:
        if depth < 2:
            raise ValueError(f"depth is {depth}; allowed: 2 or more")
        self.address_bits = address_bits
        self.depth = depth
        super().__init__(
            {
                "setup": In(StreamSetup(address_bits)),
                "gather": In(1),
                "epoch": In(EPOCH_BITS),
                "start": In(1),
                "array": In(ArrayOutput()),
                "write": Out(BankWritePort(address_bits - 2)),
                "offsets": Out(stream.Signature(32)),
                "offset_epoch": Out(EPOCH_BITS),
                "pending": Out(1),
                "filled": Out(1),
                "drain_epoch": In(EPOCH_BITS),
                "holds": Out(1),
                "fault": Out(1),
                "drain_fault": Out(1),
            },
            address_bits=address_bits,
            depth=depth,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.address_bits
        add_block(m, platform, "pending_stream", pending := PendingStream(bits))
        add_block(m, platform, "generator", generator := AffineGenerator(bits))
        wiring.connect(m, wiring.flipped(self.setup), pending.setup)
        element = Signal(Element)
        window = Signal(window_layout())
        pending_gather = Signal()
        with m.If(self.setup.load):
            m.d.sync += pending_gather.eq(self.gather)

        # From the array into the queue.
        taking = Signal()  # the present epoch has a stream here
        m.submodules.queue = queue = SyncFIFO(width=32 + EPOCH_BITS, depth=self.depth + 1)
        # The oldest word is in a register: what becomes of it is decided from there.
        entry = data.StructLayout({"word": 32, "epoch": EPOCH_BITS})
        head = Signal(entry)
        head_valid = Signal()
        head_leaves = Signal()
        m.d.comb += queue.r_en.eq(~head_valid | head_leaves)
        with m.If(queue.r_en):
            m.d.sync += [head.eq(queue.r_data), head_valid.eq(queue.r_rdy)]
        m.d.comb += [
            self.array.next_ready.eq(
                (queue.level < self.depth) | ((queue.level == self.depth) & ~queue.w_en)
            ),
            queue.w_en.eq(self.array.push & taking),
            queue.w_data.eq(Cat(self.array.data, self.epoch)),
        ]
        m.d.comb += self.filled.eq(head_valid | queue.r_rdy | queue.w_en)
        with m.If(self.start):
            m.d.sync += taking.eq(pending.enabled)

        # The set-up in use is that of the oldest words.
        epoch = Signal(EPOCH_BITS)
        activate = Signal()
        gather = Signal()
        scatter = Signal()
        have_offset = Signal()
        offset = Signal(32)
        word_valid = head_valid & (head.epoch == epoch)
        m.d.comb += [
            activate.eq(
                pending.valid & (epoch != self.epoch) & ~word_valid & (head_valid | ~queue.r_rdy)
            ),
            pending.take.eq(activate),
            generator.pattern.eq(pending.stream.pattern),
            generator.load.eq(activate & pending.enabled & ~pending_gather),
            generator.clear.eq(activate),
        ]
        with m.If(activate):
            computed = pending.stream.mode == StreamMode.COMPUTED
            m.d.sync += [
                epoch.eq(epoch + 1),
                gather.eq(pending.enabled & pending_gather),
                scatter.eq(pending.enabled & ~pending_gather & computed),
                element.eq(pending.stream.element),
                window.eq(pending.stream.window),
                have_offset.eq(0),
            ]

        # Offsets go to the gather; those of a run that has ended are dropped.
        outdated = epoch != self.epoch
        m.d.comb += [
            self.offsets.payload.eq(head.word),
            self.offsets.valid.eq(word_valid & gather & ~outdated),
            self.offset_epoch.eq(epoch),
            self.pending.eq((head_valid | queue.r_rdy) & gather & ~outdated),
        ]

        # Words go to the write register. A second one behind it keeps the memory's arbitration off
        # the generator's path.
        layout = data.StructLayout(
            {"write": self.write.request.payload.shape(), "epoch": EPOCH_BITS}
        )
        request, second, following = (
            Signal(layout, name=name) for name in ("request", "second", "following")
        )
        request_valid = Signal()
        second_valid = Signal()
        free = ~request_valid | self.write.request.ready
        address = Signal.like(generator.address)
        error = Signal()
        store = Signal()
        consume = Signal()
        wild = scatter & offset[bits + 1 :].any() & ~offset[bits + 1 :].all()
        m.d.comb += [
            address.eq(generator.address + Mux(scatter, offset[: bits + 2], 0)),
            error.eq(wild | ~in_window(address, bits, window)),
            consume.eq(word_valid & ~gather & ~second_valid),
            store.eq(consume & generator.valid & (~scatter | have_offset)),
            head_leaves.eq(consume | (word_valid & gather & (outdated | self.offsets.ready))),
            generator.step.eq(store & ~scatter),
            self.fault.eq(store & error & ~outdated),
            self.drain_fault.eq(store & error & outdated),
        ]
        with m.If(consume & scatter):
            m.d.sync += have_offset.eq(~have_offset)
            with m.If(~have_offset):
                m.d.sync += offset.eq(head.word)
        place_word = place(address, bits, window)
        whole = element == Element.WORD
        m.d.comb += [
            following.epoch.eq(epoch),
            following.write.address.eq(place_word[2:]),
            following.write.mask.eq(Mux(whole, 0b1111, 1 << address[:2])),
            following.write.data.eq(Mux(whole, head.word, head.word[:8].replicate(4))),
        ]
        with m.If(free):
            m.d.sync += [
                request.eq(Mux(second_valid, second.as_value(), following.as_value())),
                request_valid.eq(second_valid | (store & ~error)),
                second_valid.eq(0),
            ]
        with m.Elif(store & ~error):
            m.d.sync += second_valid.eq(1)
        with m.If(~second_valid):  # kept in any case: the memory's answer need not reach its bits
            m.d.sync += second.eq(following)
        # The words behind the head are of its run or a later one, unless it is an offset that is
        # being dropped.
        offset_only = gather & (head.epoch == epoch)
        held = head_valid & ~offset_only & (head.epoch == self.drain_epoch)
        perhaps = queue.r_rdy & (~head_valid | (offset_only & outdated))
        m.d.comb += [
            self.write.request.valid.eq(request_valid),
            self.write.request.payload.eq(request.write),
            self.holds.eq(
                held
                | perhaps
                | (request_valid & (request.epoch == self.drain_epoch))
                | (second_valid & (second.epoch == self.drain_epoch))
            ),
        ]
        return m
