"""The cluster's shared memory."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ..interfaces import MemoryPort
from ..library import Block, add_block
from .banked import BankedMemory, check_shape
from .burst import BurstServer


class ClusterMemory(Block):
    """Shared memory of a cluster: every port streams bursts, a word a cycle.

    Parameters
    ----------
    words: capacity, a power of two.
    banks: word-interleaved banks, a power of two; ports conflict only within a bank.
    ports: number of requesters, at least 1.

    Ports
    -----
    ports: array of ``In(MemoryPort)``; only the offset part of addresses is looked at.

    Timing: first word of a read four cycles after its request, then a word a cycle, as long as
    no other port takes the bank. ``request.ready`` and ``response.valid`` depend on registers
    only; ``write.ready`` is combinational from every port's write and state.
    Errors: bursts that reach beyond ``words`` are answered with ``error``.
    Source: own.
    """

    def __init__(self, words: int, banks: int, ports: int) -> None:
        check_shape(words, banks)
        if ports < 1:
            raise ValueError(f"ports is {ports}; allowed: 1 or more")
        self.words = words
        self.banks = banks
        super().__init__(
            {"ports": In(MemoryPort()).array(ports)}, words=words, banks=banks, ports=ports
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        count = len(self.ports)
        storage = BankedMemory(self.words, self.banks, count, count)
        add_block(m, platform, "storage", storage)
        for index, port in enumerate(self.ports):
            server = BurstServer(self.words)
            add_block(m, platform, f"server{index}", server)
            wiring.connect(m, wiring.flipped(port), server.memory)
            wiring.connect(m, server.read, storage.reads[index])
            wiring.connect(m, server.write, storage.writes[index])
        return m
