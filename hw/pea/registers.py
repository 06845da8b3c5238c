"""The PE's register file."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..layouts.instruction import REGISTER_BITS
from ..library import Block

READERS = ("a", "b", "route")


class RegisterFile(Block):
    """Three reads and one write a clock; a register that was not written since reset reads as zero.

    The data are in distributed RAM, which cannot be cleared; one bit a register says that it was
    written, so that nothing of an earlier task can be read. What must read as zero is read from
    words that are never written, so that the data need no gate.

    Parameters
    ----------
    registers: 2 to 16, a power of two. Register numbers are taken modulo this.

    Ports (for each reader: a, b, route)
    -----
    <reader>_read: in, 1 bit; <reader>_register: in, 4 bits; <reader>_data: out, 32 bits,
    combinational, zero without ``<reader>_read``.
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
        ports: dict[str, Any] = {}
        for reader in READERS:
            ports |= {
                f"{reader}_read": In(1),
                f"{reader}_register": In(REGISTER_BITS),
                f"{reader}_data": Out(32),
            }
        super().__init__(
            {
                **ports,
                "write": In(1),
                "write_register": In(REGISTER_BITS),
                "write_data": In(32),
                "reset": In(1),
            },
            registers=registers,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=32, depth=2 * self.registers, init=[])
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
        for name in READERS:
            number = getattr(self, f"{name}_register")[:bits]
            reader = storage.read_port(domain="comb")
            absent = ~(getattr(self, f"{name}_read") & Array(written)[number])
            m.d.comb += [
                reader.addr.eq(Cat(number, absent)),
                getattr(self, f"{name}_data").eq(reader.data),
            ]
        return m
