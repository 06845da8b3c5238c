"""Writes the words of a kernel image into the context store."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In

from ..config import PeaConfig
from ..layouts.instruction import INSTRUCTION_WORDS, Control
from ..library import Block
from ..pea.interfaces import LENGTH_BITS, ContextWrite, bank_shape


class ImageWriter(Block):
    """Gathers three words to an instruction and counts through slots and PEs.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    begin: in, pulse, an image's instructions follow. bank: in, where to; slots: in, instructions
    of each PE, at least 1. valid, word: in, the next word.
    context_write: to the array.

    Timing: a word a cycle; an instruction is written a cycle after its last word.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        super().__init__(
            {
                "begin": In(1),
                "bank": In(bank_shape(pea)),
                "slots": In(LENGTH_BITS),
                "valid": In(1),
                "word": In(32),
                "context_write": In(ContextWrite(pea)),
            },
            rows=pea.rows,
            columns=pea.columns,
            context_banks=pea.context_banks,
            context_slots=pea.context_slots,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        target = self.context_write
        part = Signal(range(INSTRUCTION_WORDS))
        low = Signal(32)
        high = Signal(32)
        slot = Signal.like(target.slot)
        element = Signal.like(target.element)
        complete = self.valid & (part == INSTRUCTION_WORDS - 1)
        m.d.sync += target.enable.eq(complete)
        with m.If(self.begin):
            m.d.sync += [part.eq(0), slot.eq(0), element.eq(0)]
        with m.Elif(complete):
            m.d.sync += [
                part.eq(0),
                target.bank.eq(self.bank),
                target.element.eq(element),
                target.slot.eq(slot),
                target.instruction.control.eq(Cat(low, high)[: Control.as_shape().size]),
                target.instruction.constant.eq(self.word),
                slot.eq(slot + 1),
            ]
            with m.If(slot == self.slots - 1):
                m.d.sync += [slot.eq(0), element.eq(element + 1)]
        with m.Elif(self.valid):
            m.d.sync += [part.eq(part + 1), high.eq(self.word)]
            with m.If(part == 0):
                m.d.sync += low.eq(self.word)
        return m
