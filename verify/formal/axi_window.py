"""Properties of the memory window: AXI4's rules, and that a burst does what it says."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from octopus.hw.host.axi import Burst, Response
from octopus.hw.host.window_read import WindowRead
from octopus.hw.host.window_write import WindowWrite

from .handshake import kept_until_ready
from .property import Property


class _Window(Property):
    """What both halves of the window have in common: bursts of up to four beats, a memory."""

    depth = 14

    def __init__(self, burst_words: int) -> None:
        super().__init__(burst_words=burst_words)

    def _burst(self, m: Module, dut: Any) -> Any:
        """A burst at a time, of legal shape if its verdict is OKAY; its registered fields."""
        address, burst = dut.address, dut.address.payload
        self.narrow(
            m, burst, "burst", identifier=1, address=5, length=2, size=2, burst=2, verdict=2
        )
        self.assume(kept_until_ready(m, address.valid, address.ready, Value.cast(burst)))
        verdict = Value.cast(burst.verdict)
        self.assume(verdict != Response.EXOKAY.value)
        kind = Value.cast(burst.burst)
        step = Mux(burst.size == 0, 1, Mux(burst.size == 1, 2, 4))
        wraps_well = burst.length[0] & ((burst.address & (step - 1)) == 0)  # 2 or 4 beats, aligned
        legal = (burst.size < 3) & Mux(
            kind == Burst.WRAP.value,
            wraps_well,
            (kind == Burst.INCR.value) | (kind == Burst.FIXED.value),
        )
        self.assume((verdict != Response.OKAY.value) | legal)
        now, active = Signal(burst.shape()), Signal()
        with m.If(address.valid & address.ready):
            m.d.sync += [now.eq(burst), active.eq(1)]
        self.taken = address.valid & address.ready
        return now, active

    def _next_address(self, now: Any, address: Value) -> Value:
        """AXI's rule for the beat that follows the one at ``address``."""
        step = Mux(now.size == 0, 1, Mux(now.size == 1, 2, 4))
        aligned = address & ~(step - 1)
        kind = Value.cast(now.burst)
        total = step * (now.length + 1)
        boundary = address & ~(total - 1)  # where a WRAP burst's lowest beat is
        following = aligned + step
        wrapped = Mux(following == boundary + total, boundary, following)
        return Mux(
            kind == Burst.FIXED.value,
            address,
            Mux(kind == Burst.WRAP.value, wrapped, following),
        )[:32]


class ReadWindow(_Window):
    """A burst at a time; the memory answers when it likes."""

    claim = (
        "AXI4 read window: exactly the beats asked for, the last marked, with the burst's "
        "identifier; each is the memory's word at the beat's address or the verdict; requests "
        "and beats stay until taken"
    )

    def build(self, m: Module) -> None:
        dut = WindowRead(**self.parameters)
        self.place(m, dut, driven=("address__payload", "memory__response__payload"))
        now, active = self._burst(m, dut)
        bus, memory = dut.bus, dut.memory
        request, response = memory.request, memory.response
        m.d.comb += [
            response.payload.data.eq(self.free(2, "word")),
            response.payload.error.eq(self.free(1, "error")),
            response.payload.last.eq(self.free(1, "last")),
        ]
        asked = request.valid & request.ready
        answered = response.valid & response.ready
        owed, left = Signal(4), Signal(4)
        words = request.payload.length + 1
        m.d.sync += owed.eq(owed + Mux(asked, words, 0) - answered)
        self.assume(~response.valid | (owed != 0))
        self.assume(~response.valid | (response.payload.last == (owed == 1)))
        self.assume(
            kept_until_ready(m, response.valid, response.ready, response.payload.as_value())
        )
        payload = Cat(bus.rid, bus.rdata, bus.rresp, bus.rlast)
        beat = bus.rvalid & bus.rready
        self.require("beats stay", kept_until_ready(m, bus.rvalid, bus.rready, payload))
        self.require(
            "requests stay",
            kept_until_ready(m, request.valid, request.ready, request.payload.as_value()),
        )
        ask, unasked = Signal(32), Signal(4)
        kind = Value.cast(now.burst)
        incrementing, wrapping = kind == Burst.INCR.value, kind == Burst.WRAP.value
        with m.If(self.taken):
            m.d.sync += [
                left.eq(dut.address.payload.length + 1),
                unasked.eq(dut.address.payload.length + 1),
                ask.eq(dut.address.payload.address),
            ]
        with m.Else():
            m.d.sync += [left.eq(left - beat), active.eq(active & ~(beat & (left == 1)))]
            with m.If(asked):
                m.d.sync += unasked.eq(unasked - words)
                m.d.sync += ask.eq(
                    Mux(words == 1, self._next_address(now, ask), ask + (words << 2))
                )
        okay = Value.cast(now.verdict) == Response.OKAY.value
        self.require("one burst at a time", ~self.taken | ~active)
        self.require("beats of a burst only", ~bus.rvalid | active)
        self.require("the last is marked", ~bus.rvalid | (bus.rlast == (left == 1)))
        self.require("its identifier", ~bus.rvalid | (bus.rid == now.identifier))
        answer = Mux(
            okay,
            Mux(response.payload.error, Response.SLVERR.value, Response.OKAY.value),
            Value.cast(now.verdict),
        )
        self.require("its answer", ~bus.rvalid | (bus.rresp == answer))
        self.require("a word for each beat", ~okay | (bus.rvalid == response.valid) | ~active)
        self.require("taken with its beat", ~active | ~okay | (answered == beat))
        self.require("its word", ~(bus.rvalid & okay) | (bus.rdata == response.payload.data))
        self.require("asks for a burst only", ~request.valid | (active & okay))
        self.require(
            "at the beat's word",
            ~request.valid | (request.payload.address == Cat(Const(0, 2), ask[2:])),
        )
        self.require("of the beats that are left", ~request.valid | (words <= unasked))
        single = (words == 1) | ((now.size == 2) & incrementing)
        self.require("several words only if consecutive", ~request.valid | single)
        self.cover("a burst of four", beat & bus.rlast & (now.length == 3) & okay)
        self.cover("a burst that wraps", asked & wrapping & (ask[2:] < now.address[2:]))
        self.cover("refused", beat & bus.rlast & (now.length == 1) & ~okay)


class WriteWindow(_Window):
    """A burst at a time; one of its beats, whichever, is followed to the memory."""

    claim = (
        "AXI4 write window: each beat is written once, in order, at its address with its strobes "
        "and data, unless the burst is refused; one answer, after the last beat; SLVERR if the "
        "memory refuses or WLAST is misplaced; requests and answers stay until taken"
    )

    def build(self, m: Module) -> None:
        dut = WindowWrite(**self.parameters)
        self.place(m, dut, driven=("address__payload", "memory__response__payload", "bus__wdata"))
        now, active = self._burst(m, dut)
        bus, memory = dut.bus, dut.memory
        request, word, response = memory.request, memory.write, memory.response
        m.d.comb += [bus.wdata.eq(self.free(2, "data")), response.payload.last.eq(1)]
        m.d.comb += response.payload.error.eq(self.free(1, "error"))
        beat = bus.wvalid & bus.wready
        self.assume(
            kept_until_ready(m, bus.wvalid, bus.wready, Cat(bus.wdata, bus.wstrb, bus.wlast))
        )
        asked, moved = request.valid & request.ready, word.valid & word.ready
        answered = response.valid & response.ready
        done = bus.bvalid & bus.bready
        # the memory: words of a request, then its one answer
        wanted, owed = Signal(4), Signal(3)
        place, mask = Signal(32), Signal(4)
        m.d.sync += owed.eq(owed + asked - answered)
        with m.If(asked):
            m.d.sync += [
                wanted.eq(request.payload.length + 1),
                place.eq(request.payload.address),
                mask.eq(request.payload.mask),
            ]
        with m.Elif(moved):
            m.d.sync += [wanted.eq(wanted - 1), place.eq(place + 4)]
        self.assume(~response.valid | ((owed != 0) & (wanted == 0)))
        self.require("a request after the last one's answer", ~request.valid | (owed == 0))
        self.require("no word without a request", ~word.valid | (wanted != 0))
        self.require(
            "requests stay",
            kept_until_ready(m, request.valid, request.ready, request.payload.as_value()),
        )
        self.require(
            "answers stay", kept_until_ready(m, bus.bvalid, bus.bready, Cat(bus.bid, bus.bresp))
        )
        self._follow(m, dut, now, beat, moved, place, mask)
        okay = Value.cast(now.verdict) == Response.OKAY.value
        left, ended, worst = Signal(4), Signal(), Signal(2)
        with m.If(self.taken):
            m.d.sync += [
                left.eq(dut.address.payload.length + 1),
                ended.eq(0),
                worst.eq(Value.cast(dut.address.payload.verdict)),
            ]
        with m.Else():
            with m.If(done):
                m.d.sync += active.eq(0)
            with m.If(beat):
                m.d.sync += [left.eq(Mux(left == 0, 0, left - 1)), ended.eq(bus.wlast)]
            misplaced = beat & okay & (bus.wlast != (left == 1))
            with m.If(misplaced | (answered & response.payload.error)):
                m.d.sync += worst.eq(Response.SLVERR.value)
        self.require("one burst at a time", ~self.taken | ~active)
        self.require("no beat before its burst or after its last", ~beat | (active & ~ended))
        self.require("one answer, after the last beat", ~bus.bvalid | (active & ended))
        self.require("answered when all is stored", ~bus.bvalid | (owed == 0))
        self.require("its answer", ~bus.bvalid | (bus.bresp == worst))
        self.require("its identifier", ~bus.bvalid | (bus.bid == now.identifier))
        self.require("a refused burst writes nothing", ~request.valid | okay)
        self.cover("a burst of three", done & (now.length == 2) & (worst == 0) & okay)
        wrapping = Value.cast(now.burst) == Burst.WRAP.value
        below = request.payload.address[2:] < now.address[2:]
        self.cover("a burst that wraps", asked & wrapping & below)
        self.cover("a refused one", done & ~okay)

    def _follow(
        self, m: Module, dut: Any, now: Any, beat: Value, moved: Value, place: Value, mask: Value
    ) -> None:
        """One beat, whichever, from the bus to the memory."""
        bus = dut.bus
        address, left = Signal(32), Signal(4)
        mark, marked = self.free(1, "mark"), Signal()
        stored, ahead, note = Signal(4), Signal(4), Signal(32 + 4 + 2)
        okay = Value.cast(now.verdict) == Response.OKAY.value
        counts = beat & okay & (left != 0)  # beats beyond the burst's length are dropped
        with m.If(self.taken):
            m.d.sync += address.eq(dut.address.payload.address)
            m.d.sync += left.eq(dut.address.payload.length + 1)
        with m.Elif(counts):
            m.d.sync += [address.eq(self._next_address(now, address)), left.eq(left - 1)]
        m.d.sync += stored.eq(stored + counts - moved)
        with m.If(~marked & mark & counts):
            m.d.sync += [
                marked.eq(1),
                ahead.eq(stored - moved),
                note.eq(Cat(Const(0, 2), address[2:], bus.wstrb, bus.wdata[:2])),
            ]
        with m.Elif(marked & moved):
            m.d.sync += [ahead.eq(ahead - 1), marked.eq(ahead != 0)]
        due = marked & moved & (ahead == 0)
        written = Cat(place, mask, dut.memory.write.payload[:2])
        self.require("no word that was no beat", ~moved | (stored != 0))
        self.require("written as it came", ~due | (written == note))
        self.require("all is written before the answer", ~bus.bvalid | (stored == 0))
        self.cover("a beat that waited", due & (note[-2:] == 3) & (stored > 1))
