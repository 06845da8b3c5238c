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
    written, so that nothing of an earlier task can be read. One register alone is made of
    flip-flops.

    Parameters
    ----------
    registers: 1 to 16, a power of two. Register numbers are taken modulo this.

    Ports
    -----
    a_register: in, 4 bits; a_data: out, 32 bits; a_written: out, 1 bit; ``a_data`` is undefined
    if this is low, and to be taken for zero. b_register, b_data, b_written: the same.
    write: in, 1 bit, write in this clock; write_register: in, 4 bits; write_data: in, 32 bits.
    reset: in, 1 bit, at the end of this clock no register is written (wins over ``write``).

    Timing: reads combinational, a write is visible in the next clock.
    Errors: none.
    Source: own.
    """

    def __init__(self, registers: int) -> None:
        if registers not in (1, 2, 4, 8, 16):
            raise ValueError(f"registers is {registers}; allowed: 1, 2, 4, 8, 16")
        self.registers = registers
        super().__init__(
            {
                "a_register": In(REGISTER_BITS),
                "a_data": Out(32),
                "a_written": Out(1),
                "b_register": In(REGISTER_BITS),
                "b_data": Out(32),
                "b_written": Out(1),
                "write": In(1),
                "write_register": In(REGISTER_BITS),
                "write_data": In(32),
                "reset": In(1),
            },
            registers=registers,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.registers == 1:
            self._single(m)
        else:
            self._file(m)
        return m

    def _single(self, m: Module) -> None:
        register = Signal(32)
        with m.If(self.write):
            m.d.sync += register.eq(self.write_data)
        with m.If(self.reset):
            m.d.sync += register.eq(0)
        m.d.comb += [
            self.a_data.eq(register),
            self.a_written.eq(1),
            self.b_data.eq(register),
            self.b_written.eq(1),
        ]

    def _file(self, m: Module) -> None:
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
        reader_a, reader_b = (storage.read_port(domain="comb") for _ in range(2))
        a, b = self.a_register[:bits], self.b_register[:bits]
        m.d.comb += [
            reader_a.addr.eq(a),
            self.a_data.eq(reader_a.data),
            self.a_written.eq(Array(written)[a]),
            reader_b.addr.eq(b),
            self.b_data.eq(reader_b.data),
            self.b_written.eq(Array(written)[b]),
        ]
