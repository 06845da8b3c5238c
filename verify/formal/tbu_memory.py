"""Properties of a TBU's way to memory: bursts, and whose answer an answer is."""

from amaranth.hdl import Module, Mux, Signal

from octopus.hw.tbu.burst_requester import BurstRequester

from .handshake import offered_until_taken
from .property import Property


class BurstsCoverRow(Property):
    """The words that bursts ask for, counted against the rows that were taken."""

    claim = (
        "burst requester: the bursts of a row are its words, in order, each once, none longer "
        "than allowed and no word beyond the row; idle means nothing is left"
    )
    depth = 12

    def __init__(self, burst_words: int, write: bool) -> None:
        super().__init__(burst_words=burst_words, write=write)

    def build(self, m: Module) -> None:
        dut = BurstRequester(**self.parameters)
        self.place(m, dut, driven=("row__payload",))
        self.narrow(m, dut.row.payload, "row", address=5, words=4)
        offered_until_taken(self, m, dut.row)
        row, request = dut.row, dut.request
        self.assume(~row.valid | (row.payload.words != 0))
        left, address, begin = Signal(5), Signal(32), Signal(32)
        taken, waits, kept = Signal(), Signal(), Signal(len(request.payload.as_value()))
        m.d.comb += taken.eq(row.valid & row.ready)
        m.d.sync += [waits.eq(request.valid & ~request.ready), kept.eq(request.payload)]
        fresh = request.valid & ~waits
        words = request.payload.length + 1
        with m.If(taken):
            m.d.sync += [left.eq(row.payload.words), address.eq(row.payload.address)]
            m.d.sync += begin.eq(row.payload.address)
        with m.Elif(fresh):
            m.d.sync += [left.eq(left - words), address.eq(address + (words << 2))]
        self.require("within the row", ~fresh | (words <= left))
        self.require("in order", ~fresh | (request.payload.address == address))
        self.require("not too long", ~fresh | (words <= dut.burst_words))
        self.require(
            "longest there is",
            ~fresh | (words == Mux(left < dut.burst_words, left, dut.burst_words)),
        )
        self.require("all of a row before the next", ~taken | (left == Mux(fresh, words, 0)))
        self.require("kind", ~fresh | (request.payload.write == int(dut.write)))
        self.require(
            "offered until taken", ~waits | (request.valid & (request.payload.as_value() == kept))
        )
        self.require("idle is idle", ~dut.idle | (left == 0))
        self.cover("a row of several bursts", fresh & (left == words) & (address != begin))
