"""A memory that answers a TBU's bursts in order, with random delays, over its memory port."""

from collections import deque
from random import Random
from typing import Any

from cocotb.triggers import ReadOnly, RisingEdge

from octopus.hw.layouts.memory import MemoryRequest, MemoryResponse
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import pack, unpack
from octopus.verify.golden.memory import GlobalMemory

WIDE = 3
"""Words that hold any payload of the port."""


def bits(layout: Any, **fields: int) -> int:
    """The bit pattern of a structure."""
    return sum(word << 32 * i for i, word in enumerate(pack(layout, fields)))


def fields(layout: Any, pattern: int) -> dict[str, int]:
    """The fields of a structure's bit pattern."""
    return unpack(layout, [pattern >> 32 * i & 0xFFFFFFFF for i in range(8)])


class MemoryResponder:
    """Serves the port ``memory`` of a device from a :class:`GlobalMemory`.

    Parameters
    ----------
    device: the cocotb handle. memory: what is read and written.
    random: of delays. eagerness: probability that a handshake is offered in a clock.

    Attributes
    ----------
    addresses_written: byte addresses of all words stored so far.
    """

    def __init__(self, device: Any, memory: GlobalMemory, random: Random, eagerness: float) -> None:
        self.device = device
        self.memory = memory
        self.random = random
        self.eagerness = eagerness
        self.addresses_written: set[int] = set()
        self._bursts: deque[dict[str, int]] = deque()
        self._answers: deque[int] = deque()
        self._offered = False
        self._written = 0

    @property
    def owes(self) -> bool:
        """Whether an answer could be given."""
        return bool(self._answers)

    def reset(self) -> None:
        """Forget everything in flight."""
        self._bursts.clear()
        self._answers.clear()
        self._offered = False
        self._written = 0

    async def run(self) -> None:
        """Serve for ever."""
        device = self.device
        while True:
            self._drive()
            await ReadOnly()
            request = self._handshake("request") and int(device.memory__request__payload.value)
            written = int(device.memory__write__payload.value)
            has_written = self._handshake("write")
            answered = self._handshake("response")
            in_reset = bool(device.rst.value)
            await RisingEdge(device.clk)
            if in_reset:
                self.reset()
                continue
            if answered:
                self._answers.popleft()
                self._offered = False
            if request is not False:
                self._accept(request)
            if has_written:
                self._store(written)

    def _handshake(self, port: str) -> bool:
        valid = getattr(self.device, f"memory__{port}__valid").value
        ready = getattr(self.device, f"memory__{port}__ready").value
        return bool(int(valid) and int(ready))

    def _drive(self) -> None:
        """Offer handshakes for the coming edge; an answer once offered stays."""
        device = self.device
        device.memory__request__ready.value = (
            len(self._bursts) < 4 and self.random.random() < self.eagerness
        )
        takes_words = bool(self._bursts) and bool(self._bursts[0]["write"])
        device.memory__write__ready.value = takes_words and self.random.random() < self.eagerness
        if self._answers and not self._offered:
            self._offered = self.random.random() < self.eagerness
        device.memory__response__valid.value = self._offered
        if self._offered:
            device.memory__response__payload.value = self._answers[0]

    def _accept(self, pattern: int) -> None:
        request = fields(MemoryRequest, pattern)
        assert request["address"] % WORD_BYTES == 0, f"unaligned burst {request}"
        self._bursts.append(request)
        self._serve_reads()

    def _serve_reads(self) -> None:
        while self._bursts and not self._bursts[0]["write"]:
            burst = self._bursts.popleft()
            addresses = self._addresses(burst)
            error, network = self._fails(addresses)
            for address in addresses:
                data = 0 if error else self.memory.read(address)
                damaged = not error and address in self.memory.damaged
                answer = {"data": data, "last": address == addresses[-1]}
                answer |= {"error": error or damaged, "parity": damaged, "network": network}
                self._answers.append(bits(MemoryResponse, **answer))

    def _addresses(self, burst: dict[str, int]) -> list[int]:
        return [burst["address"] + WORD_BYTES * i for i in range(burst["length"] + 1)]

    def _fails(self, addresses: list[int]) -> tuple[bool, bool]:
        """Whether a burst is answered with an error, and whether the network is to blame."""
        network = bool(self.memory.lost.intersection(addresses))
        exists = all(self.memory.exists(address) for address in addresses)
        return network or not exists, network

    def _store(self, word: int) -> None:
        burst = self._bursts[0]
        addresses = self._addresses(burst)
        error, network = self._fails(addresses)
        if not error:
            address = addresses[self._written]
            mask = sum(0xFF << 8 * i for i in range(WORD_BYTES) if burst["mask"] >> i & 1)
            self.memory.write(address, self.memory.read(address) & ~mask | word & mask)
            self.addresses_written.add(address)
        self._written += 1
        if self._written == len(addresses):
            self._written = 0
            self._bursts.popleft()
            self._answers.append(bits(MemoryResponse, last=1, error=error, network=network))
            self._serve_reads()
