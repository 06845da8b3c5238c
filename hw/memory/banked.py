"""A memory of word-interleaved banks behind a crossbar."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib.wiring import In

from ..library import Block, add_block
from .bank import MemoryBank
from .ports import BankReadPort, BankWritePort


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

    Each bank serves one read and one write a cycle, round-robin among the ports that want it;
    ports that meet no conflict move one word a cycle.

    Parameters
    ----------
    words: capacity, a power of two.
    banks: number of banks, a power of two, at most ``words``.
    read_ports, write_ports: number of ports, at least 1 each.

    Ports
    -----
    reads: array of ``In(BankReadPort)``, answers in order with one cycle latency.
    writes: array of ``In(BankWritePort)``.

    Timing: ``request.ready`` is combinational from all ports' requests; a word is there one
    cycle after its request was taken. A read sees writes of earlier cycles.
    Errors: none; addresses are as wide as the memory.
    Source: own; the organisation is that of pulp-platform's tightly coupled data memories.
    """

    def __init__(self, words: int, banks: int, read_ports: int, write_ports: int) -> None:
        check_shape(words, banks)
        for name, value in (("read_ports", read_ports), ("write_ports", write_ports)):
            if value < 1:
                raise ValueError(f"{name} is {value}; allowed: 1 or more")
        self.words = words
        self.banks = banks
        self.address_bits = max(1, (words - 1).bit_length())
        super().__init__(
            {
                "reads": In(BankReadPort(self.address_bits)).array(read_ports),
                "writes": In(BankWritePort(self.address_bits)).array(write_ports),
            },
            words=words,
            banks=banks,
            read_ports=read_ports,
            write_ports=write_ports,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self.words // self.banks
        bank_bits = (self.banks - 1).bit_length()
        banks = [MemoryBank(depth, len(self.reads), len(self.writes)) for _ in range(self.banks)]
        for number, bank in enumerate(banks):
            add_block(m, platform, f"bank{number}", bank)

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
            m.d.sync += chosen.eq(address[:bank_bits])
            m.d.comb += port.data.eq(Array(bank.data for bank in banks)[chosen])

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
        return m
