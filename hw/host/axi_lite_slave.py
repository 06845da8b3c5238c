"""The AXI4-Lite slave: one register access at a time."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..library import Block
from .axi import DATA_BITS, AxiLite, Response
from .registers import ADDRESS_BITS


class RegisterAccess(wiring.Signature):
    """One access, seen from the bus: answered combinationally in the cycle of ``select``.

    While ``wait`` is high there is none. All outputs but ``select`` are there a cycle earlier and
    stay, so that they can be decoded.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "select": Out(1),
                "write": Out(1),
                "privileged": Out(1),
                "address": Out(ADDRESS_BITS),
                "write_data": Out(DATA_BITS),
                "read_data": In(DATA_BITS),
                "error": In(1),
                "wait": In(1),
            }
        )


class AxiLiteSlave(Block):
    """Carries out AXI4-Lite reads and writes on a register file, reads and writes in turn.

    Ports
    -----
    bus (in): :class:`AxiLite`.
    access (out): :class:`RegisterAccess`.

    Timing: an access two cycles after address (and data) are taken; the answer is offered from
    the next cycle on. A write waits until both address and data are valid.

    Errors: an address that is not a multiple of four, or a write without all four byte strobes,
    is answered SLVERR and not made; errors of the register file are answered SLVERR.
    """

    def __init__(self) -> None:
        super().__init__({"bus": In(AxiLite(ADDRESS_BITS)), "access": Out(RegisterAccess())})

    def elaborate(self, platform: Any) -> Module:
        """Build the slave's state machine."""
        m = Module()
        bus, access = self.bus, self.access
        read_next = Signal()
        misused = Signal()
        write_wanted = Signal()
        read_wanted = Signal()
        address = Signal(ADDRESS_BITS)
        answer = Signal(2)
        m.d.comb += [
            write_wanted.eq(bus.awvalid & bus.wvalid & ~(read_next & bus.arvalid)),
            read_wanted.eq(bus.arvalid & ~write_wanted),
            address.eq(Mux(write_wanted, bus.awaddr, bus.araddr)),
            answer.eq(Mux(misused | access.error, Response.SLVERR, Response.OKAY)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    bus.awready.eq(write_wanted),
                    bus.wready.eq(write_wanted),
                    bus.arready.eq(read_wanted),
                ]
                m.d.sync += [
                    access.write.eq(write_wanted),
                    access.privileged.eq(Mux(write_wanted, bus.awprot[0], bus.arprot[0])),
                    access.address.eq(address),
                    access.write_data.eq(bus.wdata),
                    misused.eq(address[:2].any() | (write_wanted & ~bus.wstrb.all())),
                ]
                with m.If(write_wanted | read_wanted):
                    m.d.sync += read_next.eq(write_wanted)
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.next = "ACCESS"
            with m.State("ACCESS"), m.If(~access.wait):
                m.d.comb += access.select.eq(~misused)
                m.d.sync += [
                    bus.bresp.eq(answer),
                    bus.rresp.eq(answer),
                    bus.rdata.eq(Mux(misused | access.error, 0, access.read_data)),
                    bus.bvalid.eq(access.write),
                    bus.rvalid.eq(~access.write),
                ]
                m.next = "ANSWER"
            with m.State("ANSWER"), m.If((bus.bvalid & bus.bready) | (bus.rvalid & bus.rready)):
                m.d.sync += [bus.bvalid.eq(0), bus.rvalid.eq(0)]
                m.next = "IDLE"
        return m
