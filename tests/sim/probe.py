"""A small block with the ports of the chip, to try harness and transports on."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from octopus.hw.host.axi import Axi4, AxiLite, Response
from octopus.hw.host.registers import ADDRESS_BITS
from octopus.hw.library import Block

WORDS = 4096
TIMER, ACTIVITY, REFUSED, SILENT, LINKS = 0x10, 0x14, 0x18, 0x1C, 0x20
UNITS = 3
CLUSTERS = 2


class Probe(Block):
    """Registers on AXI4-Lite, a memory on AXI4, an interrupt when a timer runs out.

    Writing ``TIMER`` raises the interrupt after that many cycles; ``ACTIVITY`` is shown for unit
    1, ``LINKS`` for cluster 1; ``REFUSED`` answers SLVERR and ``SILENT`` not at all. Other
    registers hold what was written.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "axil": In(AxiLite(ADDRESS_BITS)),
                "axi": In(Axi4()),
                "interrupt_line": Out(1),
                "activity": Out(data.ArrayLayout(32, UNITS)),
                "link_activity": Out(data.ArrayLayout(32, CLUSTERS)),
                "word_activity": Out(data.ArrayLayout(32, CLUSTERS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._registers(m)
        m.submodules.memory = memory = Memory(shape=32, depth=WORDS, init=[])
        self._window_write(m, memory.write_port())
        self._window_read(m, memory.read_port(domain="comb"))
        return m

    def _registers(self, m: Module) -> None:
        bus, timer = self.axil, Signal(32)
        values = Signal(data.ArrayLayout(32, 16))
        refused = Signal()
        with m.If(timer > 0):
            m.d.sync += timer.eq(timer - 1)
        with m.If(timer == 1):
            m.d.sync += self.interrupt_line.eq(1)
        m.d.comb += [
            self.activity[1].eq(values[ACTIVITY // 4]),
            self.link_activity[1].eq(values[LINKS // 4][:8]),
        ]
        both = bus.awvalid & bus.wvalid & ~bus.bvalid & (bus.awaddr != SILENT)
        m.d.comb += [bus.awready.eq(both), bus.wready.eq(both)]
        with m.If(both):
            m.d.sync += [
                values[bus.awaddr[2:6]].eq(bus.wdata),
                bus.bvalid.eq(1),
                bus.bresp.eq(0),
            ]
            with m.If(bus.awaddr == TIMER):
                m.d.sync += [timer.eq(bus.wdata), self.interrupt_line.eq(0)]
            with m.If(bus.awaddr == REFUSED):
                m.d.sync += bus.bresp.eq(Response.SLVERR)
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        m.d.comb += [bus.arready.eq(~bus.rvalid), refused.eq(bus.araddr == REFUSED)]
        with m.If(bus.arvalid & ~bus.rvalid):
            m.d.sync += [
                bus.rvalid.eq(bus.araddr != SILENT),
                bus.rdata.eq(values[bus.araddr[2:6]]),
                bus.rresp.eq(refused << 1),
            ]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)

    def _window_write(self, m: Module, port: Any) -> None:
        bus = self.axi
        address, outside = Signal(32), Signal()
        m.d.comb += [port.addr.eq(address >> 2), port.data.eq(bus.wdata)]
        with m.FSM():
            with m.State("ADDRESS"):
                m.d.comb += bus.awready.eq(1)
                m.d.sync += [address.eq(bus.awaddr), outside.eq(bus.awaddr >= 4 * WORDS)]
                with m.If(bus.awvalid):
                    m.next = "WORDS"
            with m.State("WORDS"):
                m.d.comb += [bus.wready.eq(1), port.en.eq(bus.wvalid & ~outside)]
                with m.If(bus.wvalid):
                    m.d.sync += address.eq(address + 4)
                    with m.If(bus.wlast):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [bus.bvalid.eq(1), bus.bresp.eq(outside * Response.DECERR.value)]
                with m.If(bus.bready):
                    m.next = "ADDRESS"

    def _window_read(self, m: Module, port: Any) -> None:
        bus = self.axi
        address, left = Signal(32), Signal(9)
        m.d.comb += [
            port.addr.eq(address >> 2),
            bus.arready.eq(left == 0),
            bus.rvalid.eq(left > 0),
            bus.rdata.eq(port.data),
            bus.rlast.eq(left == 1),
            bus.rresp.eq((address >= 4 * WORDS) * Response.DECERR.value),
        ]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [address.eq(bus.araddr), left.eq(bus.arlen + 1)]
        with m.Elif(bus.rready & bus.rvalid):
            m.d.sync += [address.eq(address + 4), left.eq(left - 1)]
