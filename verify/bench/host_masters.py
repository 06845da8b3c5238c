"""Bus masters for the benches of the host interface: standard ones, and raw channels.

The raw channels send exactly the bursts that a test asks for, illegal ones too, several at a time.
"""

import logging
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster, AxiProt, AxiResp
from cocotbext.axi.axi_channels import (
    AxiARSource,
    AxiARTransaction,
    AxiAWSource,
    AxiAWTransaction,
    AxiBSink,
    AxiRSink,
    AxiWSource,
    AxiWTransaction,
)

from octopus.hw.config import OctopusConfig
from octopus.hw.host.registers import BY_NAME
from octopus.verify.golden.host import AxiBurst

CONFIG = OctopusConfig.load(os.environ.get("OCTOPUS_BENCH_CONFIG", "tiny"))
PATIENCE_NS = 2_000_000
PRIVILEGED = AxiProt.PRIVILEGED
USER = AxiProt.NONSECURE


def pauses(generator: random.Random, share: float = 0.4) -> Iterator[bool]:
    """A pause in that share of the cycles."""
    while True:
        yield generator.random() < share


def stall(channels: Sequence[Any], generator: random.Random, share: float = 0.4) -> None:
    """Let every channel pause at random."""
    for channel in channels:
        channel.set_pause_generator(pauses(random.Random(generator.random()), share))


async def clock_and_reset(dut: Any) -> random.Random:
    """Start the clock and reset the device; the generator of the run's seed."""
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)  # not every burst
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    for _ in range(5):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    for _ in range(300):  # token balances are cleared by then, 256 instances at most
        await RisingEdge(dut.clk)
    return random.Random(int(os.environ["OCTOPUS_SEED"]))


class Host:
    """cocotbext-axi's masters on both ports, with random stalls if asked for."""

    def __init__(self, dut: Any, generator: random.Random, stalls: bool = False) -> None:
        self.dut = dut
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axil_"), dut.clk, dut.rst)
        self.window = AxiMaster(AxiBus.from_prefix(dut, "axi_"), dut.clk, dut.rst)
        if stalls:
            for master in (self.registers, self.window):
                write, read = master.write_if, master.read_if
                stall((write.aw_channel, write.w_channel, write.b_channel), generator)
                stall((read.ar_channel, read.r_channel), generator)

    async def read_register(self, name: str, prot: AxiProt = PRIVILEGED) -> int:
        """The value of a register that can be read."""
        response, value = await self.try_register(BY_NAME[name].offset, prot)
        assert response == AxiResp.OKAY, name
        return value

    async def try_register(self, offset: int, prot: AxiProt = PRIVILEGED) -> tuple[AxiResp, int]:
        """Response and value of a read."""
        answer = await with_timeout(self.registers.read(offset, 4, prot=prot), PATIENCE_NS, "ns")
        return AxiResp(answer.resp), int.from_bytes(answer.data, "little")

    async def write_register(self, name: str, value: int, prot: AxiProt = PRIVILEGED) -> AxiResp:
        """Write a whole register."""
        content = value.to_bytes(4, "little")
        return await self.write_bytes(BY_NAME[name].offset, content, prot)

    async def write_bytes(self, offset: int, content: bytes, prot: AxiProt = PRIVILEGED) -> AxiResp:
        """Write some bytes of a register."""
        answer = await with_timeout(
            self.registers.write(offset, content, prot=prot), PATIENCE_NS, "ns"
        )
        return AxiResp(answer.resp)

    async def write(self, address: int, content: bytes, **arguments: Any) -> AxiResp:
        """Write through the window."""
        answer = await with_timeout(
            self.window.write(address, content, **arguments), PATIENCE_NS, "ns"
        )
        return AxiResp(answer.resp)

    async def read(self, address: int, count: int, **arguments: Any) -> tuple[AxiResp, bytes]:
        """Read through the window."""
        answer = await with_timeout(
            self.window.read(address, count, **arguments), PATIENCE_NS, "ns"
        )
        return AxiResp(answer.resp), answer.data


class RawWindow:
    """The five channels of the window, each a stream of its own."""

    def __init__(self, dut: Any, generator: random.Random, stalls: bool) -> None:
        bus = AxiBus.from_prefix(dut, "axi_")
        arguments = (dut.clk, dut.rst)
        self.aw = AxiAWSource(bus.write.aw, *arguments)
        self.w = AxiWSource(bus.write.w, *arguments)
        self.b = AxiBSink(bus.write.b, *arguments)
        self.ar = AxiARSource(bus.read.ar, *arguments)
        self.r = AxiRSink(bus.read.r, *arguments)
        if stalls:
            stall((self.aw, self.w, self.b, self.ar, self.r), generator)

    def _address(self, channel: str, burst: AxiBurst, identifier: int) -> dict[str, int]:
        """The signals of an address phase."""
        values = {
            "id": identifier,
            "addr": burst.address,
            "len": burst.length,
            "size": burst.size,
            "burst": burst.burst,
            "lock": int(burst.lock),
            "prot": int(PRIVILEGED if burst.privileged else USER),
        }
        return {f"{channel}{name}": value for name, value in values.items()}

    async def send_write(
        self, burst: AxiBurst, identifier: int, beats: Sequence[tuple[int, int]]
    ) -> None:
        """Begin a write; its answer comes from :meth:`written`."""
        await self.aw.send(AxiAWTransaction(**self._address("aw", burst, identifier)))
        for index, (word, strobes) in enumerate(beats):
            last = index == len(beats) - 1
            await self.w.send(AxiWTransaction(wdata=word, wstrb=strobes, wlast=int(last)))

    async def written(self) -> tuple[int, int]:
        """Identifier and response of the next answer to a write."""
        answer = await with_timeout(self.b.recv(), PATIENCE_NS, "ns")
        return int(answer.bid), int(answer.bresp)

    async def send_read(self, burst: AxiBurst, identifier: int) -> None:
        """Begin a read; its beats come from :meth:`beats`."""
        await self.ar.send(AxiARTransaction(**self._address("ar", burst, identifier)))

    async def beats(self) -> tuple[int, list[tuple[int, int]]]:
        """Identifier, and (response, word) of every beat up to RLAST."""
        found: list[tuple[int, int]] = []
        identifiers = set()
        while True:
            beat = await with_timeout(self.r.recv(), PATIENCE_NS, "ns")
            identifiers.add(int(beat.rid))
            found.append((int(beat.rresp), int(beat.rdata)))
            if int(beat.rlast):
                assert len(identifiers) == 1, f"one burst with identifiers {identifiers}"
                return identifiers.pop(), found
