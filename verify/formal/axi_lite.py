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
        self.require("one answer a write", bus.bvalid == (writes != 0))
        self.require("one answer a read", bus.rvalid == (reads != 0))
        self.require("no access ahead of an answer", (writes < 2) & (reads < 2))
        wrong = bus.awaddr[:2].any() | ~bus.wstrb.all()
        wrong_read = bus.araddr[:2].any()
        made = (moved["w"] & ~wrong) | (moved["ar"] & ~wrong_read)
        self.require("made exactly once", access.select == made)
        self.require("not both", ~(moved["w"] & moved["ar"]))
        self.require("as a write", ~made | (access.write == moved["w"]))
        for name, address in (("w", bus.awaddr), ("ar", bus.araddr)):
            self.require(
                f"{name}: its address", ~(made & moved[name]) | (access.address == address)
            )
        self.require("its data", ~moved["w"] | (access.write_data == bus.wdata))
        answer, data = Signal(2), Signal(32)
        with m.If(moved["w"] | moved["ar"]):
            refused = ~made | access.error
            m.d.sync += [
                answer.eq(Mux(refused, Response.SLVERR.value, Response.OKAY.value)),
                data.eq(Mux(refused, 0, access.read_data)),
            ]
        self.require("write's answer", ~bus.bvalid | (bus.bresp == answer))
        self.require("read's answer", ~bus.rvalid | ((bus.rresp == answer) & (bus.rdata == data)))
        for name, wanted in (("w", bus.awvalid & bus.wvalid), ("ar", bus.arvalid)):
            waited = Signal(range(8), name=f"{name}_waited")
            eager = bus.bready & bus.rready  # the host takes answers at once
            if "wait" in access.signature.members:
                eager = eager & ~access.wait
            m.d.sync += waited.eq(Mux(wanted & ~moved[name] & eager, waited + 1, 0))
            self.require(f"{name} does not starve", waited < 4)
        self.cover("a write after a read", moved["w"] & (answer == Response.SLVERR.value))
        self.cover("a read waits for a write", bus.arvalid & moved["w"])
