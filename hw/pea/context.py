"""A PE's context store: its instructions for every slot of every bank."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Value
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..library import Block
from .decode import DECODED


class ContextStore(Block):
    """Reads one decoded instruction a clock while another bank may be written.

    Parameters
    ----------
    context_banks, context_slots: powers of two.
    stored: mask of the instruction's bits that are stored; the others are read as zero.

    Ports
    -----
    fetch: in, 1 bit, read ``bank``, ``slot`` (in); instruction: out, the one read last, from the
    next clock on.
    write: in, 1 bit; write_bank, write_slot, write_instruction: in.

    Timing: synchronous read and write; a slot read while it is written gives an undefined word.
    Errors: none. Source: own.
    """

    def __init__(self, context_banks: int, context_slots: int, stored: int) -> None:
        for name, value in (("context_banks", context_banks), ("context_slots", context_slots)):
            if value < 2 or value & (value - 1):
                raise ValueError(f"{name} is {value}; allowed: powers of two from 2")
        self.depth = context_banks * context_slots
        self.stored = [bool(stored >> bit & 1) for bit in range(DECODED.size)]
        bank = Shape((context_banks - 1).bit_length())
        slot = Shape((context_slots - 1).bit_length())
        super().__init__(
            {
                "fetch": In(1),
                "bank": In(bank),
                "slot": In(slot),
                "instruction": Out(DECODED),
                "write": In(1),
                "write_bank": In(bank),
                "write_slot": In(slot),
                "write_instruction": In(DECODED),
            },
            context_banks=context_banks,
            context_slots=context_slots,
            stored=stored,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(
            shape=sum(self.stored),
            depth=self.depth,
            init=[],
            # a bank is never written while it is read: no logic for that case
            attrs={"ram_style": "block", "no_rw_check": 1},
        )
        reader = storage.read_port()
        writer = storage.write_port()
        written = Value.cast(self.write_instruction)
        places = iter(range(sum(self.stored)))
        read = [reader.data[next(places)] if stored else Const(0) for stored in self.stored]
        m.d.comb += [
            reader.en.eq(self.fetch),
            reader.addr.eq(Cat(self.slot, self.bank)),
            self.instruction.eq(Cat(read)),
            writer.en.eq(self.write),
            writer.addr.eq(Cat(self.write_slot, self.write_bank)),
            writer.data.eq(
                Cat(bit for bit, stored in zip(written, self.stored, strict=True) if stored)
            ),
        ]
        return m
