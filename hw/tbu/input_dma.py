"""Brings a task's operands into the scratchpad."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..library import add_block
from ..memory import BankWritePort, write_layout
from ..stream_register import StreamRegister
from .dispatch_queue import Verdict
from .layouts import task_layout
from .transfer_dma import TransferDma


class InputDma(TransferDma):
    """Carries out the input entries of one task after the other.

    Parameters
    ----------
    pea: the array's configuration. address_bits: width of a scratchpad byte address.
    descriptor_words: size of a descriptor slot. burst_words: longest burst.

    Ports
    -----
    See :class:`TransferDma`. filled: stream out of ``task_layout``.
    filling, filling_valid: out, the task that is here, as it came; ``filled`` will bring it.
    scratchpad: the port on the scratchpad.
    verdict: in, about the prepared task. It waits for it if its operands may not be read early.

    Timing: a word a cycle once the first has come; see :class:`TransferEngine`.
    Errors: a failure goes with the task after all words owed have come, see
    :class:`TransferStatus`.
    Source: own.
    """

    def __init__(
        self, pea: PeaConfig, address_bits: int, descriptor_words: int, burst_words: int
    ) -> None:
        task = task_layout(pea)
        members = {
            "filled": Out(stream.Signature(task)),
            "filling": Out(task),
            "filling_valid": Out(1),
            "scratchpad": Out(BankWritePort(address_bits - 2)),
            "verdict": In(Verdict),
        }
        super().__init__(pea, address_bits, descriptor_words, burst_words, members, write=False)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        parts = self._transfers(m, platform)
        task, row, outcome = parts.task, parts.row, parts.outcome
        response = self.memory.response
        writes = StreamRegister(write_layout(self.address_bits - 2))
        add_block(m, platform, "writes", writes)
        wiring.connect(m, writes.outgoing, wiring.flipped(self.scratchpad.request))
        write = writes.incoming
        moved = response.valid & response.ready
        self._count_row(m, parts, moved)
        self._report(m, parts, self.filled.payload)
        m.d.comb += [
            outcome.answered.eq(moved),
            outcome.answer.eq(response.payload.status),
            outcome.damaged.eq(parts.engine.damaged),
            outcome.outside.eq(parts.engine.outside),
            response.ready.eq(row.busy & write.ready),
            write.valid.eq(response.valid & row.busy),
            write.payload.address.eq(row.address),
            write.payload.mask.eq(0b1111),
            write.payload.data.eq(response.payload.data),
            self.filling.eq(task),
            self.filling_valid.eq(1),
        ]

        incoming = self.task.payload
        early = incoming.prepared & (incoming.input_count != 0) & ~incoming.early_inputs
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.filling_valid.eq(0)
                self._idle(m, parts, "MOVE")
                with m.If(self.task.valid & (incoming.status == Status.OK) & early):
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.verdict == Verdict.GO):
                    m.next = "MOVE"
                with m.Elif(self.verdict == Verdict.DROP):
                    m.d.sync += task.status.eq(Status.ABORTED)
                    m.next = "DROP"
            with m.State("MOVE"):
                m.d.comb += [parts.open.eq(1), self.active.eq(1)]
                with m.If(parts.idle & ~writes.outgoing.valid):
                    m.next = "HAND ON"
            with m.State("DROP"):
                self._drop(m, parts)
            with m.State("HAND ON"):
                self._hand_on(m, parts, self.filled)
        return m
