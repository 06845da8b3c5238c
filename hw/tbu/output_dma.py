"""Brings a task's results from the scratchpad to memory."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Out

from ..config import PeaConfig
from ..library import add_block
from ..memory import BankReadPort, is_damaged
from ..stream_register import StreamRegister
from .layouts import task_layout
from .range_check import in_window, place
from .transfer_dma import TransferDma, Transfers

QUEUE_DEPTH = 6
"""Words asked for ahead of the memory's write stream."""


class OutputDma(TransferDma):
    """Reads the result word and carries out the output entries of one task after the other.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot. burst_words: longest burst.

    Ports
    -----
    See :class:`TransferDma`. stored: stream out of ``task_layout``; ``value`` is the result's.
    write: stream out, the words of the bursts. scratchpad: the port on the scratchpad.

    Timing: a word a cycle; a task is handed on when every burst is acknowledged.
    Errors: a failure goes with the task, see :class:`TransferStatus`.
    Source: own.
    """

    def __init__(
        self, pea: PeaConfig, address_bits: int, descriptor_words: int, burst_words: int
    ) -> None:
        members = {
            "stored": Out(stream.Signature(task_layout(pea))),
            "write": Out(stream.Signature(32)),
            "scratchpad": Out(BankReadPort(address_bits - 2)),
        }
        super().__init__(pea, address_bits, descriptor_words, burst_words, members, write=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        parts = self._transfers(m, platform)
        for_result = Signal()
        no_result = Signal()  # its address lies outside the window
        asked = StreamRegister(
            data.StructLayout({"address": self.address_bits - 2, "for_result": 1})
        )
        add_block(m, platform, "asked", asked)
        settled = self._read(m, parts, asked, for_result, no_result)
        task = parts.task
        self._report(m, parts, self.stored.payload)
        coming = self.task.payload
        inside = Signal()  # the result is in the task's window
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += inside.eq(
                    in_window(coming.result_address, self.address_bits, coming.window)
                )
                self._idle(m, parts, "RESULT")
            with m.State("RESULT"):
                m.d.comb += [self.active.eq(1), parts.open.eq(~task.has_result | inside)]
                with m.If(~task.has_result):
                    m.next = "MOVE"
                with m.Elif(inside):
                    m.d.comb += for_result.eq(1)
                    with m.If(asked.incoming.ready):
                        m.next = "MOVE"
                with m.Else():
                    m.d.comb += no_result.eq(1)
                    m.next = "DROP"
            with m.State("MOVE"):
                m.d.comb += [parts.open.eq(1), self.active.eq(1)]
                with m.If(settled):
                    m.next = "HAND ON"
            with m.State("DROP"):
                self._drop(m, parts)
            with m.State("HAND ON"):
                self._hand_on(m, parts, self.stored)
        return m

    def _read(
        self,
        m: Module,
        parts: Transfers,
        asked: StreamRegister,
        for_result: Value,
        no_result: Value,
    ) -> Value:
        """Words of rows go through a queue; the result word is read by the same port.

        ``asked``: what is read, in front of the scratchpad's arbitration, which is slow.
        Returns: nothing of the task is under way.
        """
        task, row, outcome = parts.task, parts.row, parts.outcome
        flight = Signal()
        result_flight = Signal()
        came = Signal()
        result_came = Signal()
        m.submodules.queue = queue = SyncFIFO(width=32, depth=QUEUE_DEPTH)
        asking, reading = asked.incoming, asked.outgoing
        moved = asking.valid & asking.ready & ~for_result
        held = Signal(range(QUEUE_DEPTH + 1))  # words asked for, in flight and in the queue
        room = held != QUEUE_DEPTH
        m.d.sync += held.eq(held + moved - (queue.r_rdy & queue.r_en))
        self._count_row(m, parts, moved)
        read = self.scratchpad.request
        taken = read.valid & read.ready
        m.d.comb += [
            asking.valid.eq(for_result | (row.busy & room)),
            asking.payload.for_result.eq(for_result),
            asking.payload.address.eq(row.address),
            read.valid.eq(reading.valid),
            read.payload.eq(reading.payload.address),
            reading.ready.eq(read.ready),
            queue.w_en.eq(came),
            queue.w_data.eq(self.scratchpad.data),
            self.write.payload.eq(queue.r_data),
            self.write.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.write.ready),
        ]
        with m.If(for_result):
            m.d.comb += asking.payload.address.eq(
                place(task.result_address, self.address_bits, task.window)[2:]
            )
        m.d.sync += [
            flight.eq(taken & ~reading.payload.for_result),
            result_flight.eq(taken & reading.payload.for_result),
            came.eq(flight),
            result_came.eq(result_flight),
        ]

        damaged = (came | result_came) & is_damaged(self.scratchpad.data, self.scratchpad.parity)
        with m.If(result_came):
            m.d.sync += task.value.eq(self.scratchpad.data)

        # Every burst owes one acknowledgement.
        owed = Signal(16)
        issued = self.memory.request.valid & self.memory.request.ready
        answered = self.memory.response.valid
        m.d.sync += owed.eq(owed + issued - answered)
        m.d.comb += [
            self.memory.response.ready.eq(1),
            outcome.answered.eq(answered),
            outcome.answer.eq(self.memory.response.payload.status),
            outcome.damaged.eq(parts.engine.damaged | damaged),
            outcome.outside.eq(parts.engine.outside | no_result),
        ]
        under_way = reading.valid | flight | result_flight | came | queue.r_rdy
        return parts.idle & ~under_way & (owed == 0)
