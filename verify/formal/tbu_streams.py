"""The register that keeps a TBU's streams apart."""

from amaranth.hdl import Module, Signal

from octopus.hw.stream_register import StreamRegister

from .handshake import kept_until_ready
from .property import Property


class StreamRegisterExact(Property):
    """Beside the register stands a list of two places, first come first."""

    claim = (
        "stream register: what comes leaves once, in order and unchanged, and stays offered until "
        "then; it takes while a place is free and offers while anything is inside"
    )
    depth = 10

    def build(self, m: Module) -> None:
        dut = StreamRegister(2)
        self.place(m, dut)
        coming, leaving = dut.incoming, dut.outgoing
        first, second, level = Signal(2), Signal(2), Signal(2)
        enters, leaves = Signal(), Signal()
        m.d.comb += [
            enters.eq(coming.valid & coming.ready),
            leaves.eq(leaving.valid & leaving.ready),
        ]
        m.d.sync += level.eq(level + enters - leaves)
        with m.If(enters & (level == leaves)):
            m.d.sync += first.eq(coming.payload)
        with m.Elif(leaves):
            m.d.sync += first.eq(second)
        with m.If(enters):
            m.d.sync += second.eq(coming.payload)
        self.require("takes while there is a place", coming.ready == (level < 2))
        self.require("offers while anything is inside", leaving.valid == (level != 0))
        self.require("the oldest", ~leaving.valid | (leaving.payload == first))
        stays = kept_until_ready(m, leaving.valid, leaving.ready, leaving.payload)
        self.require("offered until taken", stays)
        self.cover("one enters as one leaves", enters & leaves)
        self.cover("full", level == 2)
