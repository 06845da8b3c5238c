"""A memory of word-interleaved banks behind a crossbar."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.wiring import In

from ..library import Block, add_block
from .bank import MemoryBank
from .ports import BankReadPort, BankWritePort

PATIENCE = 16
"""Cycles after which a port that yields is served before all others."""


def check_shape(words: int, banks: int) -> None:
    """Refuse capacities that cannot be interleaved.

    Raises:
        ValueError: ``words`` or ``banks`` is no power of two, or there are more banks than words.
    """
    for name, value in (("words", words), ("banks", banks)):
        if value < 1 or value & (value - 1):
            raise ValueError(f"{name} is {value}; allowed: powers of two")
    if banks > words:
        raise ValueError(f"banks is {banks}; allowed: up to words, {words}")


class BankedMemory(Block):
    """Many ports read and write a memory whose neighbouring words lie in different banks.

    Each bank serves one read and one write a cycle: of the ports that want it, the one that was
    served least recently. Ports that meet no conflict move one word a cycle.

    Parameters
    ----------
    words: capacity, a power of two.
    banks: number of banks, a power of two, at most ``words``.
    read_ports, write_ports: number of ports, at least 1 each.
    scrub: whether there is a port that zeroes the memory.
    yielding: the last read port and the last write port take what the others leave, but wait at
    most ``PATIENCE`` cycles for a word. They need two ports at least.
    registered: words read come from a register in their bank, a cycle later: a block RAM is slow,
    and the choice among banks takes its time, too.

    Ports
    -----
    reads: array of ``In(BankReadPort)``, answers in order with a latency of one cycle, or two if
    ``registered``.
    writes: array of ``In(BankWritePort)``.
    scrub: in, word number ``scrub_row`` (in) of every bank becomes zero; nothing else is written
    in this cycle.

    Timing: ``request.ready`` is combinational from all ports' requests; a word is there one or
    two cycles after its request was taken. A read sees writes of earlier cycles.
    Errors: none; addresses are as wide as the memory. Damaged words show by their parity bits.
    Source: own; the organisation is that of pulp-platform's tightly coupled data memories.
    """

    def __init__(
        self,
        words: int,
        banks: int,
        read_ports: int,
        write_ports: int,
        scrub: bool = False,
        yielding: bool = False,
        registered: bool = False,
    ) -> None:
        check_shape(words, banks)
        for name, value in (("read_ports", read_ports), ("write_ports", write_ports)):
            if value < 1:
                raise ValueError(f"{name} is {value}; allowed: 1 or more")
            if yielding and value < 2:
                raise ValueError(f"{name} is {value}; allowed with yielding: 2 or more")
        self.yielding = yielding
        self.registered = registered
        self.words = words
        self.banks = banks
        self.has_scrub = scrub
        self.row_bits = max(1, (words // banks - 1).bit_length())
        self.address_bits = max(1, (words - 1).bit_length())
        super().__init__(
            {
                "reads": In(BankReadPort(self.address_bits)).array(read_ports),
                "writes": In(BankWritePort(self.address_bits)).array(write_ports),
                **({"scrub": In(1), "scrub_row": In(self.row_bits)} if scrub else {}),
            },
            words=words,
            banks=banks,
            read_ports=read_ports,
            write_ports=write_ports,
            scrub=scrub,
            yielding=yielding,
            registered=registered,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self.words // self.banks
        bank_bits = (self.banks - 1).bit_length()
        ports = len(self.reads), len(self.writes)
        banks = [
            MemoryBank(depth, *ports, self.has_scrub, self.yielding, self.registered)
            for _ in range(self.banks)
        ]
        for number, bank in enumerate(banks):
            add_block(m, platform, f"bank{number}", bank)
            if self.has_scrub:
                m.d.comb += [bank.scrub.eq(self.scrub), bank.scrub_address.eq(self.scrub_row)]

        for index, port in enumerate(self.reads):
            address = port.request.payload
            for number, bank in enumerate(banks):
                wanted = port.request.valid & (address[:bank_bits] == number)
                m.d.comb += [
                    bank.read_requests[index].eq(wanted),
                    bank.read_addresses[index].eq(address[bank_bits:]),
                ]
            m.d.comb += port.request.ready.eq(Cat(bank.read_grants[index] for bank in banks).any())
            chosen = Signal(max(1, bank_bits), name=f"read_bank{index}")
            asked = Signal.like(chosen, name=f"asked_bank{index}") if self.registered else chosen
            m.d.sync += asked.eq(address[:bank_bits])
            if self.registered:
                m.d.sync += chosen.eq(asked)
            m.d.comb += [
                port.data.eq(Array(bank.data for bank in banks)[chosen]),
                port.parity.eq(Array(bank.parity for bank in banks)[chosen]),
            ]

        for index, port in enumerate(self.writes):
            payload = port.request.payload
            for number, bank in enumerate(banks):
                wanted = port.request.valid & (payload.address[:bank_bits] == number)
                m.d.comb += [
                    bank.write_requests[index].eq(wanted),
                    bank.write_payloads[index].address.eq(payload.address[bank_bits:]),
                    bank.write_payloads[index].mask.eq(payload.mask),
                    bank.write_payloads[index].data.eq(payload.data),
                ]
            m.d.comb += port.request.ready.eq(Cat(bank.write_grants[index] for bank in banks).any())
        if self.yielding:
            last_read, last_write = self.reads[-1].request, self.writes[-1].request
            read_holds = self._hold(m, last_read, last_read.payload[:bank_bits], "read")
            write_holds = self._hold(m, last_write, last_write.payload.address[:bank_bits], "write")
            for number, bank in enumerate(banks):
                m.d.comb += [
                    bank.hold_reads.eq(read_holds[number]),
                    bank.hold_writes.eq(write_holds[number]),
                ]
        return m

    def _hold(self, m: Module, request: Any, bank: Any, side: str) -> Signal:
        """Which bank's other ports must wait for the last one, which has waited long enough."""
        waited = Signal(range(PATIENCE + 1), name=f"{side}_waited")
        holds = Signal(self.banks, name=f"{side}_holds")
        waits = Signal(name=f"{side}_waits")  # in the cycle before: the arbitration takes its time
        m.d.sync += [
            waits.eq(request.valid & ~request.ready),
            waited.eq(Mux(waits & (waited != PATIENCE), waited + 1, 0)),
            holds.eq(Mux(waits & (waited == PATIENCE - 3), 1 << bank, 0)),
        ]
        return holds
