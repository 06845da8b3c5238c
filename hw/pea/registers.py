"""The PE's register file."""

from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..layouts.instruction import REGISTER_BITS
from ..library import Block


class RegisterFile(Block):
    """Two reads and one write a clock; a register that was not written since reset reads as zero.

    The data are in distributed RAM, which cannot be cleared; one bit a register says that it was
    written, so that nothing of an earlier task can be read.

    Parameters
    ----------
    registers: 2 to 16, a power of two. Register numbers are taken modulo this.

    Ports
    -----
    a_register, b_register: in, 4 bits; a_data, b_data: out, 32 bits, combinational.
    write: in, 1 bit, write in this clock; write_register: in, 4 bits; write_data: in, 32 bits.
    reset: in, 1 bit, at the end of this clock every register reads as zero (wins over ``write``).

    Timing: reads combinational, a write is visible in the next clock.
    Errors: none.
    Source: own.
    """

    def __init__(self, registers: int) -> None:
        if registers not in (2, 4, 8, 16):
            raise ValueError(f"registers is {registers}; allowed: 2, 4, 8, 16")
        self.registers = registers
        super().__init__(
            {
                "a_register": In(REGISTER_BITS),
                "a_data": Out(32),
                "b_register": In(REGISTER_BITS),
                "b_data": Out(32),
                "write": In(1),
                "write_register": In(REGISTER_BITS),
                "write_data": In(32),
                "reset": In(1),
            },
            registers=registers,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=32, depth=self.registers, init=[])
        bits = (self.registers - 1).bit_length()
        written = Signal(self.registers)
        writer = storage.write_port()
        m.d.comb += [
            writer.addr.eq(self.write_register[:bits]),
            writer.data.eq(self.write_data),
            writer.en.eq(self.write),
        ]
        with m.If(self.reset):
            m.d.sync += written.eq(0)
        with m.Elif(self.write):
            m.d.sync += written.bit_select(self.write_register[:bits], 1).eq(1)
        for number, out in ((self.a_register, self.a_data), (self.b_register, self.b_data)):
            reader = storage.read_port(domain="comb")
            present = Array(written)[number[:bits]]
            m.d.comb += reader.addr.eq(number[:bits])
            m.d.comb += out.eq(reader.data & present.replicate(32))
        return m
