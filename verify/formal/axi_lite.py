"""Properties of the register port: AXI4-Lite's rules, and that an access is made once."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from octopus.hw.host.axi import Response
from octopus.hw.host.axi_lite_slave import AxiLiteSlave

from .handshake import kept_until_ready
from .property import Property

FIELDS = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr", "prot"),
    "r": ("data", "resp"),
}


STARVES = 8
"""Cycles that nobody waits whose answers are taken at once: before an access there are at most the
rest of one that was just taken (three cycles) and one of the other kind (four)."""


def channel(bus: Any, name: str, fields: tuple[str, ...]) -> tuple[Value, Value, Value]:
    """Valid, ready and payload of a channel."""
    payload = Cat(getattr(bus, f"{name}{field}") for field in fields)
    return getattr(bus, f"{name}valid"), getattr(bus, f"{name}ready"), payload


class LiteHandshake(Property):
    """Every access of the host, in any order and with any waiting."""

    claim = (
        "AXI4-Lite slave: answers stay until taken; one answer for each access, none without; "
        "each access is made once or refused; the answer is that of its access; nobody starves"
    )
    depth = 10

    def build(self, m: Module) -> None:
        dut = self.place(m, AxiLiteSlave())
        bus, access = dut.bus, dut.access
        moved = {}
        for name, fields in FIELDS.items():
            valid, ready, payload = channel(bus, name, fields)
            rule = kept_until_ready(m, valid, ready, payload)
            moved[name] = valid & ready
            if name in "br":
                self.require(f"{name} stays until taken", rule)
            else:
                self.assume(rule)
        writes, reads = Signal(range(4)), Signal(range(4))
        m.d.sync += [
            writes.eq(writes + moved["w"] - moved["b"]),
            reads.eq(reads + moved["ar"] - moved["r"]),
        ]
        self.require("address and data of a write together", moved["aw"] == moved["w"])
        self.require("no answer without a write", ~bus.bvalid | (writes != 0))
        self.require("no answer without a read", ~bus.rvalid | (reads != 0))
        self.require("one access at a time", writes + reads < 2)
        self.require("not both", ~(moved["w"] & moved["ar"]))
        self._accesses(m, dut, moved, writes + reads)
        for name, wanted in (("w", bus.awvalid & bus.wvalid), ("ar", bus.arvalid)):
            waited = Signal(range(2 * STARVES), name=f"{name}_waited")
            eager = bus.bready & bus.rready  # the host takes answers at once
            eager = eager & ~access.wait
            m.d.sync += waited.eq(Mux(wanted & ~moved[name] & eager, waited + 1, 0))
            self.require(f"{name} does not starve", waited < STARVES)
        self.cover("a write after a read", moved["w"] & (bus.rresp == Response.SLVERR.value))
        self.cover("a read waits for a write", bus.arvalid & moved["w"])

    def _accesses(self, m: Module, dut: AxiLiteSlave, moved: Any, pending: Value) -> None:
        """What was taken is kept here; the access must be it, in its cycle, and its answer follow.

        The register file decodes in the cycle before the access, so all of it is there by then.
        """
        bus, access = dut.bus, dut.access
        taken, write, wrong = moved["w"] | moved["ar"], Signal(), Signal()
        address, data, privileged = Signal(len(bus.awaddr)), Signal(32), Signal()
        with m.If(taken):
            of_write = bus.awaddr[:2].any() | ~bus.wstrb.all()
            m.d.sync += [
                write.eq(moved["w"]),
                wrong.eq(Mux(moved["w"], of_write, bus.araddr[:2].any())),
                address.eq(Mux(moved["w"], bus.awaddr, bus.araddr)),
                privileged.eq(Mux(moved["w"], bus.awprot[0], bus.arprot[0])),
                data.eq(bus.wdata),
            ]
        # Cycles since the access was taken: it is decoded in the first, and made in the first
        # of the others in which the register file does not ask to wait.
        decoded, done, answered = Signal(), Signal(), bus.bvalid | bus.rvalid
        due = (pending != 0) & decoded & ~done & ~access.wait
        m.d.sync += [
            decoded.eq((pending != 0) & ~taken & ~(moved["b"] | moved["r"])),
            done.eq((done | due) & ~(moved["b"] | moved["r"])),
        ]
        self.require("made exactly once, and when it is due", access.select == (due & ~wrong))
        held = (pending != 0) & ~done
        self.require("as it was meant", ~held | (access.write == write))
        self.require("at its address", ~held | (access.address == address))
        self.require("with its right", ~held | (access.privileged == privileged))
        self.require("with its data", ~(held & write) | (access.write_data == data))
        answer, word = Signal(2), Signal(32)
        with m.If(due):
            refused = wrong | access.error
            m.d.sync += [
                answer.eq(Mux(refused, Response.SLVERR.value, Response.OKAY.value)),
                word.eq(Mux(refused, 0, access.read_data)),
            ]
        self.require("answered from then on", answered == done)
        self.require("by the right channel", ~done | (bus.bvalid == write))
        self.require("write's answer", ~bus.bvalid | (bus.bresp == answer))
        self.require("read's answer", ~bus.rvalid | ((bus.rresp == answer) & (bus.rdata == word)))
