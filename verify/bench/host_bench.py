"""cocotb tests of the host bridge and the clusters' interconnects, with a standard AXI host.

Toplevel: ``HostTestbed``. The expectation is a plain dictionary of bytes.
"""

import os
import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBurstType, AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster, AxiResp

from octopus.hw.config import OctopusConfig
from octopus.hw.host.registers import BY_NAME, REGISTERS, Access, constants
from octopus.hw.layouts.space import CONFIGURATION_BIT, address_of
from octopus.hw.layouts.token import TokenKind
from octopus.verify.bench.host_testbed import CONFIGURATION_REGISTERS

CONFIG = OctopusConfig.load(os.environ.get("OCTOPUS_BENCH_CONFIG", "tiny"))
PATIENCE_NS = 2_000_000


def _pauses(generator: random.Random) -> Iterator[bool]:
    while True:
        yield generator.random() < 0.4


class Host:
    """The bus masters of a test, with random stalls if asked for."""

    def __init__(self, dut: Any, generator: random.Random, stalls: bool) -> None:
        self.dut = dut
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axil_"), dut.clk, dut.rst)
        self.window = AxiMaster(AxiBus.from_prefix(dut, "axi_"), dut.clk, dut.rst)
        if stalls:
            for master in (self.registers, self.window):
                for channel in (
                    master.write_if.aw_channel,
                    master.write_if.w_channel,
                    master.write_if.b_channel,
                    master.read_if.ar_channel,
                    master.read_if.r_channel,
                ):
                    channel.set_pause_generator(_pauses(random.Random(generator.random())))

    async def read_register(self, name: str) -> int:
        answer = await with_timeout(self.registers.read(BY_NAME[name].offset, 4), PATIENCE_NS, "ns")
        assert answer.resp == AxiResp.OKAY, name
        return int.from_bytes(answer.data, "little")

    async def write_register(self, name: str, value: int) -> AxiResp:
        answer = await with_timeout(
            self.registers.write(BY_NAME[name].offset, value.to_bytes(4, "little")),
            PATIENCE_NS,
            "ns",
        )
        return AxiResp(answer.resp)

    async def write(self, address: int, content: bytes, **arguments: Any) -> AxiResp:
        answer = await with_timeout(
            self.window.write(address, content, **arguments), PATIENCE_NS, "ns"
        )
        return AxiResp(answer.resp)

    async def read(self, address: int, count: int, **arguments: Any) -> tuple[AxiResp, bytes]:
        answer = await with_timeout(
            self.window.read(address, count, **arguments), PATIENCE_NS, "ns"
        )
        return AxiResp(answer.resp), answer.data


async def _start(dut: Any, stalls: bool = False) -> tuple[Host, random.Random]:
    generator = random.Random(int(os.environ["OCTOPUS_SEED"]))
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    host = Host(dut, generator, stalls)
    for _ in range(5):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    return host, generator


def _places() -> list[tuple[int, int]]:
    mesh = CONFIG.mesh
    return [(x, y) for y in range(mesh.rows) for x in range(mesh.columns)]


@cocotb.test()
async def registers_say_how_the_chip_is_built(dut: Any) -> None:
    """Constant registers hold the configuration; illegal accesses are answered SLVERR."""
    host, _ = await _start(dut)
    for name, value in constants(CONFIG).items():
        assert await host.read_register(name) == value, name
        assert await host.write_register(name, 1) == AxiResp.SLVERR, name
    known = {register.offset for register in REGISTERS}
    for offset in range(0, 0x100, 4):
        if offset not in known:
            answer = await host.registers.read(offset, 4)
            assert answer.resp == AxiResp.SLVERR, hex(offset)
    push_only = [r.offset for r in REGISTERS if r.access is Access.PUSH]
    for offset in push_only:
        assert (await host.registers.read(offset, 4)).resp == AxiResp.SLVERR
    partial = await host.registers.write(BY_NAME["interrupt_enable"].offset, b"\x01")
    assert partial.resp == AxiResp.SLVERR, "a partial write must be refused"
    assert await host.read_register("interrupt_enable") == 0


@cocotb.test()
async def tokens_come_back(dut: Any) -> None:
    """Every token sent returns once and in order; the interrupt tells of it."""
    host, generator = await _start(dut, stalls=True)
    destination, tag = BY_NAME["token_destination"], BY_NAME["token_tag"]
    assert (await host.registers.read(BY_NAME["completion_value"].offset, 4)).resp == AxiResp.SLVERR
    await host.write_register("interrupt_enable", 1)
    assert not int(dut.interrupt_line.value)
    sent = []
    for _ in range(3 * CONFIG.host.completion_queue_depth // 2):
        token = tuple(generator.randrange(limit) for limit in (1024, 256, 4096, 1 << 32))
        block, instance, index, value = token
        await host.write_register("token_destination", destination.compose(block=block))
        await host.write_register("token_tag", tag.compose(instance=instance, index=index))
        if await host.write_register("token_value", value) == AxiResp.OKAY:
            sent.append(token)
    assert len(sent) < 3 * CONFIG.host.completion_queue_depth // 2, "never refused"
    assert BY_NAME["errors"].extract(await host.read_register("errors"))["overrun"]
    await host.write_register("errors", 0b100)
    assert await host.read_register("errors") == 0
    assert int(dut.interrupt_line.value)
    for block, instance, index, value in sent:
        kind = BY_NAME["completion_kind"].extract(await host.read_register("completion_kind"))
        got = BY_NAME["completion_tag"].extract(await host.read_register("completion_tag"))
        assert (kind["kind"], kind["block"]) == (TokenKind.ARRIVE.value, block)
        assert (got["instance"], got["index"]) == (instance, index)
        assert await host.read_register("completion_value") == value ^ 0xFFFFFFFF
    assert await host.read_register("completion_count") == 0
    for _ in range(3):
        await RisingEdge(dut.clk)
    assert not int(dut.interrupt_line.value)


@cocotb.test()
async def memories_hold_what_was_written(dut: Any) -> None:
    """Random bursts, narrow and unaligned accesses with stalls, against a dictionary of bytes."""
    host, generator = await _start(dut, stalls=True)
    expected: dict[int, int] = {}
    span = 4 * CONFIG.cluster.memory_words
    for _ in range(60):
        x, y = generator.choice(_places())
        length = generator.choice((1, 2, 3, 4, 7, 64, 65, 130, 300))
        region = generator.choice((0, span - 512))
        address = address_of(x, y, region + generator.randrange(512 - length))
        size = generator.choice((0, 1, 2))
        if generator.random() < 0.55:
            content = generator.randbytes(length)
            assert await host.write(address, content, size=size) == AxiResp.OKAY
            expected |= {address + i: byte for i, byte in enumerate(content)}
        else:
            response, content = await host.read(address, length, size=size)
            assert response == AxiResp.OKAY
            for i, byte in enumerate(content):
                if address + i in expected:
                    assert byte == expected[address + i], hex(address + i)


@cocotb.test()
async def configuration_space_is_reached(dut: Any) -> None:
    """Configuration registers of every cluster; a partial word and a missing register fail."""
    host, generator = await _start(dut)
    base = 1 << CONFIGURATION_BIT
    for x, y in _places():
        words = generator.randbytes(4 * CONFIGURATION_REGISTERS)
        assert await host.write(address_of(x, y, base), words) == AxiResp.OKAY
        assert await host.read(address_of(x, y, base), len(words)) == (AxiResp.OKAY, words)
        missing = address_of(x, y, base + 4 * CONFIGURATION_REGISTERS)
        assert await host.write(missing, bytes(4)) == AxiResp.SLVERR
        assert (await host.read(missing, 4))[0] == AxiResp.SLVERR
        assert await host.write(address_of(x, y, base), b"\xff") == AxiResp.SLVERR
        assert await host.read(address_of(x, y, base), len(words)) == (AxiResp.OKAY, words)


@cocotb.test()
async def illegal_accesses_are_answered(dut: Any) -> None:
    """Missing clusters: DECERR. Missing memory and WRAP bursts: SLVERR. Then all still works."""
    host, _ = await _start(dut)
    columns, rows = CONFIG.mesh.columns, CONFIG.mesh.rows
    for x, y in ((columns, 0), (0, rows), (31, 31)):
        assert await host.write(address_of(x, y, 0), bytes(80)) == AxiResp.DECERR
        assert (await host.read(address_of(x, y, 0), 80))[0] == AxiResp.DECERR
    end = 4 * CONFIG.cluster.memory_words
    for offset in (end, end - 8):
        assert await host.write(address_of(0, 0, offset), bytes(64)) == AxiResp.SLVERR
        assert (await host.read(address_of(0, 0, offset), 64))[0] == AxiResp.SLVERR
    wrap = {"burst": AxiBurstType.WRAP}
    assert await host.write(address_of(0, 0, 0), bytes(64), **wrap) == AxiResp.SLVERR
    assert (await host.read(address_of(0, 0, 0), 64, **wrap))[0] == AxiResp.SLVERR
    assert await host.write(address_of(0, 0, 64), b"octopus!") == AxiResp.OKAY
    assert await host.read(address_of(0, 0, 64), 8) == (AxiResp.OKAY, b"octopus!")


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    """A reset in the middle of bursts leaves a bridge that works."""
    host, generator = await _start(dut)
    for _ in range(5):
        cocotb.start_soon(host.window.write(address_of(0, 0, 0), generator.randbytes(300)))
        cocotb.start_soon(host.window.read(address_of(0, 0, 0), 300))
        for _ in range(generator.randrange(5, 150)):
            await RisingEdge(dut.clk)
        dut.rst.value = 1
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        content = generator.randbytes(100)
        assert await host.write(address_of(0, 0, 0), content) == AxiResp.OKAY
        assert await host.read(address_of(0, 0, 0), 100) == (AxiResp.OKAY, content)
