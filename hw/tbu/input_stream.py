"""The stream of words that enters the array at one port."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..layouts.descriptor import Element, StreamMode
from ..library import Block, add_block
from ..memory import BankReadPort, is_damaged
from ..pea.interfaces import ArrayInput
from ..stream_register import StreamRegister
from .affine import AffineGenerator
from .layouts import EPOCH_BITS, window_layout
from .pending import PendingStream
from .range_check import in_window, place
from .setup import StreamSetup

MINIMUM_DEPTH = 4
"""Words of queue needed to stream a word a cycle over the memory's latency."""


class InputStream(Block):
    """Reads scratchpad elements ahead of the array and hands them over in order.

    Addresses are affine, or computed (gather): base plus an offset that left the array. As soon
    as the last address of an epoch is out, the words of the next epoch are read behind them;
    every word carries its epoch, and the array sees only those of the present one.

    Parameters
    ----------
    address_bits: width of a scratchpad byte address. depth: words read ahead, at least 4.

    Ports
    -----
    setup: ``In(StreamSetup)``. epoch: in, the present epoch.
    read: the port on the scratchpad. array: the array's input, data and valid registered.
    offsets: stream in, offsets of the gather of ``offset_epoch``; pending: in, offsets of the
    present epoch wait somewhere before ``offsets``; filled: in, words wait there in this clock or
    will in the next.
    fault: out, the word taken in this cycle had an address outside the window. damaged: out, it
    had wrong parity.

    Timing: a word a cycle without bank conflicts; first word seven cycles after the set-up is
    taken into use: when the addresses of the epoch before are out, at the latest the cycle after
    its own epoch has begun. ``valid`` depends on registers only, ``next_ready`` on these,
    ``take`` and ``filled``.
    Errors: an address outside the window gives a word of zero that raises ``fault`` when taken.
    Source: own; the tags follow the idea of decoupled access/execute queues.
    """

    def __init__(self, address_bits: int, depth: int) -> None:
        if depth < MINIMUM_DEPTH:
            raise ValueError(f"depth is {depth}; allowed: {MINIMUM_DEPTH} or more")
        self.address_bits = address_bits
        self.depth = depth
        super().__init__(
            {
                "setup": In(StreamSetup(address_bits)),
                "epoch": In(EPOCH_BITS),
                "read": Out(BankReadPort(address_bits - 2)),
                "array": In(ArrayInput()),
                "offsets": In(stream.Signature(32)),
                "offset_epoch": In(EPOCH_BITS),
                "pending": In(1),
                "filled": In(1),
                "fault": Out(1),
                "damaged": Out(1),
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
        gather = Signal()
        # Of the addresses: the array's, the one after, or for a cycle the one before: that an epoch
        # has begun is told by its number and not in the same cycle, for that comes late in it.
        epoch = Signal(EPOCH_BITS)
        next_epoch = (self.epoch + 1)[:EPOCH_BITS]  # the array's
        ahead = Signal()
        behind = Signal()

        # The next epoch's addresses follow as soon as this one's are out.
        activate = Signal()
        live = Signal()
        dead = Signal()  # an affine address was outside: no further ones
        m.d.comb += [
            ahead.eq(epoch == next_epoch),
            behind.eq(epoch == (self.epoch - 1)[:EPOCH_BITS]),
            live.eq(generator.valid & ~dead),
            activate.eq(pending.valid & ~ahead & (~live | behind)),
            pending.take.eq(activate),
            generator.pattern.eq(pending.stream.pattern),
            generator.load.eq(activate & pending.enabled),
        ]
        with m.If(activate):
            m.d.sync += [
                epoch.eq(epoch + 1),
                gather.eq(pending.enabled & (pending.stream.mode == StreamMode.COMPUTED)),
                element.eq(pending.stream.element),
                window.eq(pending.stream.window),
            ]

        # Requests: an address to read, or the mark of one that does not exist. The register keeps
        # the memory's arbitration off the generator's path.
        layout = data.StructLayout(
            {"address": bits, "error": 1, "element": Element, "epoch": EPOCH_BITS}
        )
        add_block(m, platform, "requests", requests := StreamRegister(layout))
        following, request = requests.incoming.payload, requests.outgoing.payload
        request_valid, request_taken = requests.outgoing.valid, requests.outgoing.ready
        produce = Signal()
        room = Signal(init=1)
        # A register in front of the addition keeps the offsets' queue off its path.
        offset = Signal(32)
        offset_valid = Signal()
        offset_used = Signal()
        own_offset = gather & (self.offset_epoch == epoch)
        m.d.comb += self.offsets.ready.eq(own_offset & (~offset_valid | offset_used))
        with m.If(self.offsets.valid & self.offsets.ready):
            m.d.sync += [offset.eq(self.offsets.payload), offset_valid.eq(1)]
        with m.Elif(offset_used):
            m.d.sync += offset_valid.eq(0)
        with m.If(activate):
            m.d.sync += offset_valid.eq(0)
        address = Signal.like(generator.address)
        error = Signal()
        source = live & requests.incoming.ready
        wild = gather & offset[bits + 1 :].any() & ~offset[bits + 1 :].all()
        m.d.comb += [
            address.eq(generator.address + Mux(gather, offset[: bits + 2], 0)),
            error.eq(wild | ~in_window(address, bits, window)),
            requests.incoming.valid.eq(live & (~gather | offset_valid)),
            produce.eq(requests.incoming.valid & requests.incoming.ready),
            offset_used.eq(source & gather),
            generator.step.eq(produce & ~gather),
            generator.clear.eq(activate),
        ]
        m.d.sync += dead.eq(~activate & (dead | (produce & error & ~gather)))
        m.d.comb += [
            following.address.eq(place(address, bits, window)),
            following.error.eq(error),
            following.element.eq(element),
            following.epoch.eq(epoch),
        ]

        # In flight: two cycles in the memory, and in the second the element is picked. A word is
        # read as soon as it has a place; the layout of operands relies on how far ahead of the
        # array that is.
        flight = Signal(layout)
        captured = Signal(layout)
        flight_valid = Signal()
        captured_valid = Signal()
        word = self.read.data
        held = Signal(range(self.depth + 1))  # words in flight and in the queue
        m.submodules.queue = queue = SyncFIFO(width=34 + EPOCH_BITS, depth=self.depth)
        damaged = ~captured.error & is_damaged(word, self.read.parity)
        leaving = queue.r_en & queue.r_rdy
        following_held = Signal.like(held)
        m.d.sync += [held.eq(following_held), room.eq(following_held != self.depth)]
        m.d.comb += [
            following_held.eq(held + request_taken - leaving),
            self.read.request.payload.eq(request.address[2:]),
            self.read.request.valid.eq(request_valid & ~request.error & room),
            request_taken.eq(request_valid & room & (request.error | self.read.request.ready)),
            queue.w_en.eq(captured_valid),
            queue.w_data.eq(Cat(_pick(m, word, captured), captured.error, damaged, captured.epoch)),
        ]
        m.d.sync += [
            flight_valid.eq(request_taken),
            flight.eq(request),
            captured_valid.eq(flight_valid),
            captured.eq(flight),
        ]

        # Head: the word the array sees, if it is of the present epoch.
        entry = data.StructLayout({"word": 32, "error": 1, "damaged": 1, "epoch": EPOCH_BITS})
        head = Signal(entry)
        head_valid = Signal()
        present = Signal()
        future = Signal()
        leave = ~head_valid | self.array.take | ~(present | future)
        m.d.comb += [
            present.eq(head.epoch == self.epoch),
            future.eq(head.epoch == next_epoch),
            queue.r_en.eq(leave),
            self.array.data.eq(head.word),
            self.array.valid.eq(head_valid & present),
            self.fault.eq(self.array.take & head.error),
            self.damaged.eq(self.array.take & head.damaged),
        ]
        with m.If(leave):
            m.d.sync += [head_valid.eq(queue.r_rdy), head.eq(queue.r_data)]

        # What the next clock brings. Whether the stream is over is found out a cycle before, while
        # the last word is still in the head: the array waits for the answer. What may have changed
        # since is looked at again: the epoch, and whether an offset has come.
        coming = queue.r_rdy | captured_valid | flight_valid | request_valid | offset_valid
        empty = Signal()  # no word is between the generator and the head
        drained = Signal()  # and there will be none in the addresses' epoch, but for new offsets
        m.d.sync += [
            empty.eq(~coming),
            drained.eq(~coming & ~activate & (~live | (gather & ~self.pending))),
        ]
        over = Mux(ahead, empty, drained & ~behind & ~(gather & self.filled))
        following_epoch = entry(queue.r_data).epoch
        timely = (following_epoch == self.epoch) | (following_epoch == next_epoch)
        follows = Mux(queue.r_rdy, timely, over)
        stays = head_valid & ((present & ~self.array.take) | future)
        goes = ~head_valid | (present & self.array.take)
        m.d.comb += [
            self.array.next_ready.eq(stays | (goes & follows)),
            self.array.next_ready_turned.eq(head_valid & future),
        ]
        return m


def _pick(m: Module, word: Value, request: data.View) -> Value:
    """The element at the request's address in ``word``, extended to 32 bits."""
    byte = word.word_select(request.address[:2], 8)
    extended = Signal(32)
    result = Signal(32)
    sign = byte[7] & (request.element == Element.BYTE_SIGNED)
    m.d.comb += [
        extended.eq(Cat(byte, sign.replicate(24))),
        result.eq(Mux(request.element == Element.WORD, word, extended)),
    ]
    with m.If(request.error):
        m.d.comb += result.eq(0)
    return result
