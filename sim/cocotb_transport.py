"""A :class:`Transport` over cocotbext-axi's bus models, for the same driver in cocotb.

The driver is synchronous, cocotb's models are coroutines: run the code that uses the driver with
``await cocotb.task.bridge(function)(...)``, and each access here resumes the simulation.
"""

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.task import resume
from cocotb.triggers import ClockCycles, First, ReadOnly, RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster, AxiProt

from .transport import BusError

WORD_BYTES = 4
RESET_CYCLES = 4
PRIVILEGED = AxiProt.PRIVILEGED


class CocotbTransport:
    """Drives a chip's AXI ports with cocotbext-axi.

    Parameters
    ----------
    top: the handle of the chip.
    period_ns: of the clock that runs on ``top.clk``.

    Attributes
    ----------
    registers, memory: the bus models, for tests that need more than a driver does.
    """

    def __init__(self, top: Any, period_ns: int) -> None:
        self._top = top
        self._period_ns = period_ns
        self._start_ns = 0
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(top, "axil_"), top.clk, top.rst)
        self.memory = AxiMaster(AxiBus.from_prefix(top, "axi_"), top.clk, top.rst)

    async def reset(self) -> None:
        """Reset the chip; cycles count from here."""
        self._top.rst.value = 1
        await ClockCycles(self._top.clk, RESET_CYCLES)
        self._top.rst.value = 0
        await RisingEdge(self._top.clk)
        self._start_ns = int(get_sim_time("ns"))

    @resume
    async def write_register(self, address: int, value: int) -> None:
        """Write a 32-bit register over AXI4-Lite."""
        word = value.to_bytes(WORD_BYTES, "little")
        answer = await self.registers.write(address, word, prot=PRIVILEGED)
        _check(answer.resp, f"writing register 0x{address:x}")

    @resume
    async def read_register(self, address: int) -> int:
        """Read a 32-bit register over AXI4-Lite."""
        answer = await self.registers.read(address, WORD_BYTES, prot=PRIVILEGED)
        _check(answer.resp, f"reading register 0x{address:x}")
        return int.from_bytes(answer.data, "little")

    @resume
    async def write_memory(self, address: int, words: Sequence[int]) -> None:
        """Write words through the AXI4 window."""
        data = b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)
        answer = await self.memory.write(address, data, prot=PRIVILEGED)
        _check(answer.resp, f"writing {len(words)} words at 0x{address:08x}")

    @resume
    async def read_memory(self, address: int, count: int) -> list[int]:
        """Read words through the AXI4 window."""
        answer = await self.memory.read(address, WORD_BYTES * count, prot=PRIVILEGED)
        _check(answer.resp, f"reading {count} words at 0x{address:08x}")
        data = bytes(answer.data)
        return [
            int.from_bytes(data[i : i + WORD_BYTES], "little")
            for i in range(0, len(data), WORD_BYTES)
        ]

    @resume
    async def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """Run until the interrupt line is high, at most ``limit_cycles``."""
        line = self._top.interrupt_line
        await ReadOnly()
        if not int(line.value):
            limit = ClockCycles(self._top.clk, max(limit_cycles, 1))
            await First(RisingEdge(line), limit)
        raised = bool(int(line.value))
        await RisingEdge(self._top.clk)
        return raised

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return int((get_sim_time("ns") - self._start_ns) // self._period_ns)


def _check(response: Any, access: str) -> None:
    if int(response):
        cocotb.log.debug("%s: %s", access, response)
        raise BusError(f"{access}: {response.name}")
