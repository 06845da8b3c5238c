"""A PE's context store: its instructions for every slot of every bank."""

from typing import Any

from amaranth.hdl import Cat, Module, Shape
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..library import Block
from .decode import DECODED


class ContextStore(Block):
    """Reads one decoded instruction a clock while another bank may be written.

    Parameters
    ----------
    context_banks, context_slots: powers of two.

    Ports
    -----
    fetch: in, 1 bit, read ``bank``, ``slot`` (in); instruction: out, the one read last, from the
    next clock on.
    write: in, 1 bit; write_bank, write_slot, write_instruction: in.

    Timing: synchronous read and write; a slot read while it is written gives an undefined word.
    Errors: none. Source: own.
    """

    def __init__(self, context_banks: int, context_slots: int) -> None:
        for name, value in (("context_banks", context_banks), ("context_slots", context_slots)):
            if value < 2 or value & (value - 1):
                raise ValueError(f"{name} is {value}; allowed: powers of two from 2")
        self.depth = context_banks * context_slots
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
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(
            shape=DECODED,
            depth=self.depth,
            init=[],
            # a bank is never written while it is read: no logic for that case
            attrs={"ram_style": "block", "no_rw_check": 1},
        )
        reader = storage.read_port()
        writer = storage.write_port()
        m.d.comb += [
            reader.en.eq(self.fetch),
            reader.addr.eq(Cat(self.slot, self.bank)),
            self.instruction.eq(reader.data),
            writer.en.eq(self.write),
            writer.addr.eq(Cat(self.write_slot, self.write_bank)),
            writer.data.eq(self.write_instruction),
        ]
        return m
