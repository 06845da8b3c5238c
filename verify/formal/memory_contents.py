"""Properties of the memories: a word read is the word last written, and nobody waits for ever."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from octopus.hw.memory.banked import BankedMemory

from .property import Property


class ReadAfterWrite(Property):
    """One byte of the memory is watched, from whichever port it is written or read."""

    claim = (
        "banked memory: a word read is the one last written in an earlier cycle, byte by byte; "
        "a request held is taken within as many cycles as there are ports"
    )
    depth = 8
    resets = True

    def __init__(
        self, words: int, banks: int, read_ports: int, write_ports: int, registered: bool = False
    ) -> None:
        super().__init__(
            words=words,
            banks=banks,
            read_ports=read_ports,
            write_ports=write_ports,
            registered=registered,
        )

    def build(self, m: Module) -> None:
        dut = BankedMemory(**self.parameters)
        writes = range(len(dut.writes))
        self.place(m, dut, driven=tuple(f"writes__{i}__request__payload" for i in writes))
        address = self.constant(m, dut.address_bits, "address")
        byte = self.constant(m, 2, "byte")
        known, value = Signal(), Signal(8)
        for i in writes:
            request = dut.writes[i].request
            lane = self.free(8, f"byte{i}")  # the watched byte of the word, the others are zero
            m.d.comb += [
                request.payload.address.eq(self.free(dut.address_bits, f"address{i}")),
                request.payload.mask.eq(self.free(4, f"mask{i}")),
                request.payload.data.eq(lane << (byte << 3)),
            ]
            taken = request.valid & request.ready & (request.payload.address == address)
            for other in writes[i + 1 :]:
                second = dut.writes[other].request
                same_bank = (request.payload.address ^ second.payload.address)[
                    : (dut.banks - 1).bit_length()
                ] == 0
                self.require(
                    f"ports {i} and {other} never write one bank at once",
                    ~(request.valid & request.ready & second.valid & second.ready & same_bank),
                )
            with m.If(taken & request.payload.mask.bit_select(byte, 1)):
                m.d.sync += [known.eq(1), value.eq(lane)]
            self._served(m, request, f"write{i}", len(dut.writes))
        for i, port in enumerate(dut.reads):
            asked, expected = Signal(name=f"asked{i}"), Signal(8, name=f"expected{i}")
            taken = port.request.valid & port.request.ready & (port.request.payload == address)
            m.d.sync += [asked.eq(taken & known), expected.eq(value)]
            if dut.registered:
                asked, expected = _later(m, asked), _later(m, expected)
            seen = port.data.word_select(byte, 8)
            self.require(f"read {i} sees the last write", ~asked | (seen == expected))
            self.cover(f"read {i} sees a word", asked & (expected == 0x5A))
            self._served(m, port.request, f"read{i}", len(dut.reads))

    def _served(self, m: Module, request: Any, name: str, ports: int) -> None:
        """A request that is held waits for at most every other port once."""
        waited = Signal(range(ports + 2), name=f"{name}_waited")
        address = Signal(len(Cat(request.payload)), name=f"{name}_before")
        before = Signal(name=f"{name}_held")
        now = Cat(request.payload)
        stays = ~before | (request.valid & (now == address))
        self.assume(stays)
        m.d.sync += [before.eq(request.valid & ~request.ready), address.eq(now)]
        m.d.sync += waited.eq(Mux(request.valid & ~request.ready, waited + 1, 0))
        self.require(f"{name} is served", waited < ports)


def _later(m: Module, signal: Signal) -> Signal:
    """``signal`` a cycle later."""
    later = Signal.like(signal, name=f"{signal.name}_later")
    m.d.sync += later.eq(signal)
    return later
