"""cocotb tests of the memory window: raw AXI4 bursts, legal and not, against the golden model.

Toplevel: ``HostTestbed``.
"""

import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBurstType, AxiLiteBus, AxiLiteMaster, AxiLockType, AxiResp

from octopus.hw.host.registers import BY_NAME, USER_REGIONS
from octopus.hw.layouts.space import CONFIGURATION_BIT, ConfigurationRegion, address_of
from octopus.verify.bench.host_coverage import WindowCoverage
from octopus.verify.bench.host_masters import CONFIG, Host, RawWindow, clock_and_reset, pauses
from octopus.verify.bench.host_testbed import CONFIGURATION_REGISTERS
from octopus.verify.golden.host import FIXED, INCR, WRAP, AxiBurst, Region, WindowModel

SPAN = 4 * CONFIG.cluster.memory_words
WORKING_BYTES = 2048
"""Of each memory, at its begin and at its end, so that reads meet what writes left."""
ROUNDS = 60
AT_ONCE = 10
IDENTIFIERS = 16


def _configuration() -> dict[int, bool]:
    words = {4 * i: True for i in range(CONFIGURATION_REGISTERS)}
    instances = CONFIG.control_block_unit.instances
    return words | {ConfigurationRegion.TOKEN_BALANCE + 4 * i: False for i in range(instances)}


def _model() -> WindowModel:
    mesh = CONFIG.mesh
    model = WindowModel(mesh.columns, mesh.rows, CONFIG.cluster.memory_words, _configuration())
    for y in range(mesh.rows):
        for x in range(mesh.columns):
            base = address_of(x, y, 1 << CONFIGURATION_BIT)
            model.words |= {(base + place) // 4: 0 for place in _configuration()}
    return model


class Stimulus:
    """Random bursts; most are legal, and each kind of illegal one comes often."""

    def __init__(self, generator: random.Random, model: WindowModel) -> None:
        self.generator = generator
        self.model = model

    def cluster(self) -> tuple[int, int]:
        """A cluster that exists."""
        mesh = CONFIG.mesh
        return self.generator.randrange(mesh.columns), self.generator.randrange(mesh.rows)

    def burst(self) -> tuple[AxiBurst, str, str]:
        """A burst, where it goes, and what was made wrong on purpose ("" if nothing)."""
        generator = self.generator
        place = generator.choice(("memory",) * 6 + ("end of memory", "configuration", "nowhere"))
        reason = generator.choice(
            ("",) * 12 + ("wrap", "bad wrap", "reserved", "wide", "long fixed", "page", "beyond")
        )
        size, length = generator.choice((0, 1, 2, 2, 2)), self._length()
        kind = FIXED if generator.random() < 0.15 and length < 16 else INCR
        address = self._address(place)
        if reason == "wrap":
            kind, length, reason = WRAP, generator.choice((1, 3, 7, 15)), ""
            address = address >> size << size
        elif reason == "bad wrap":
            kind = WRAP
            if generator.random() < 0.5:
                size, address = 2, address | 1
            else:
                length = generator.choice((0, 2, 4, 14, 16, 31))
        elif reason == "reserved":
            kind = 3
        elif reason == "wide":
            size = generator.randrange(3, 8)
        elif reason == "long fixed":
            kind, length = FIXED, generator.randrange(16, 256)
        elif reason == "page":
            kind, size, length = INCR, 2, generator.randrange(1, 256)
            address = address // 4096 * 4096 + 4096 - 4 * generator.randrange(1, length + 1)
        elif reason == "beyond":
            place = "end of memory"
            address = address_of(*self.cluster(), SPAN) + generator.randrange(0, WORKING_BYTES)
        elif kind == INCR:
            # What is left of the page.
            length = min(length, ((4096 - address % 4096) - 1) >> size)
        privileged = generator.random() < 0.5
        burst = AxiBurst(address, length, size, kind, generator.random() < 0.1, privileged)
        return burst, place, reason or ("user" if not privileged else "")

    def _length(self) -> int:
        return self.generator.choice(
            (0, 0, self.generator.randrange(16), self.generator.randrange(256), 255)
        )

    def _address(self, place: str) -> int:
        generator = self.generator
        if place == "nowhere":
            x, y = generator.choice(((CONFIG.mesh.columns, 0), (0, CONFIG.mesh.rows), (31, 31)))
            return address_of(x, y, generator.randrange(WORKING_BYTES))
        x, y = self.cluster()
        if place == "configuration":
            words = 4 * (CONFIGURATION_REGISTERS + 1)
            base = generator.choice((0, 0, ConfigurationRegion.TOKEN_BALANCE))
            return address_of(x, y, (1 << CONFIGURATION_BIT) + base + generator.randrange(words))
        base = SPAN - WORKING_BYTES if place == "end of memory" else 0
        return address_of(x, y, base + generator.randrange(WORKING_BYTES))

    def beats(self, burst: AxiBurst, reason: str) -> list[tuple[int, int]]:
        """Words and strobes of a write; now and then not as many as announced."""
        generator = self.generator
        count = burst.length + 1
        if reason == "early last":
            count = generator.randrange(1, count)
        elif reason == "late last":
            count += generator.randrange(1, 4)
        mode = generator.choice(("all", "all", "lanes", "any", "none"))
        addresses = burst.addresses() if burst.size <= 2 else [burst.address] * count
        beats = []
        for index in range(count):
            address = addresses[min(index, len(addresses) - 1)]
            width = min(1 << burst.size, 4)
            lanes = ((1 << width) - 1) << (address % 4 // width * width) & 0xF
            lanes &= 0xF << address % 4 & 0xF
            strobes = {"all": 0xF, "lanes": lanes, "any": generator.randrange(16), "none": 0}[mode]
            beats.append((generator.getrandbits(32), strobes))
        return beats

    def regions(self) -> list[Region]:
        """What users may reach: parts of the working places, read, write, both or nothing."""
        generator, found = self.generator, []
        for _ in range(USER_REGIONS):
            base = address_of(*self.cluster(), generator.choice((0, SPAN - WORKING_BYTES))) // 4
            first = base + generator.randrange(WORKING_BYTES // 8)
            last = first + generator.randrange(WORKING_BYTES // 2)
            found.append(Region(first, last, generator.random() < 0.7, generator.random() < 0.7))
        return found


class Bench:
    """The device, its model, and the comparison."""

    def __init__(self, dut: Any, generator: random.Random, stalls: bool) -> None:
        self.generator = generator
        self.raw = RawWindow(dut, generator, stalls)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axil_"), dut.clk, dut.rst)
        self.model = _model()
        self.stimulus = Stimulus(generator, self.model)
        self.coverage = WindowCoverage(CONFIG)

    async def register(self, name: str, value: int | None = None) -> int:
        """Write a register, or read it."""
        offset = BY_NAME[name].offset
        if value is not None:
            answer = await self.registers.write(offset, value.to_bytes(4, "little"), prot=1)
        else:
            answer = await self.registers.read(offset, 4, prot=1)
            value = int.from_bytes(answer.data, "little")
        assert answer.resp == AxiResp.OKAY, name
        return value

    async def set_view(self, enforce: bool, regions: Sequence[Region]) -> None:
        """Give users these regions."""
        for index, region in enumerate(regions):
            first, last = (BY_NAME[f"user_region_{index}_{end}"] for end in ("first", "last"))
            word = first.compose(read=region.read, write=region.write, word=region.first)
            await self.register(first.name, word)
            await self.register(last.name, last.compose(word=region.last))
        await self.register("user_view", BY_NAME["user_view"].compose(enforce=enforce))
        self.model.enforce, self.model.regions = enforce, regions

    async def writes(self) -> None:
        """Several writes at a time."""
        sent: deque[Any] = deque()
        for _ in range(self.generator.randrange(1, AT_ONCE)):
            burst, place, reason = self.stimulus.burst()
            if not reason and burst.length and self.generator.random() < 0.2:
                reason = self.generator.choice(("early last", "late last"))
            beats = self.stimulus.beats(burst, reason)
            identifier = self.generator.randrange(IDENTIFIERS)
            await self.raw.send_write(burst, identifier, beats)
            sent.append((identifier, burst, place, reason, beats))
        if len(sent) > 1:
            self.coverage.add("several under way", "write")
        for identifier, burst, place, reason, beats in sent:
            expected = self.model.write(burst, beats)
            found = await self.raw.written()
            assert found == (identifier, expected), f"write {burst} at {burst.address:#x}: {found}"
            self.coverage.burst("write", burst, place, reason, expected)
            if any(strobes == 0 for _, strobes in beats) and expected == 0:
                self.coverage.add("write", "no strobe")

    async def reads(self) -> None:
        """Several reads at a time."""
        sent: deque[Any] = deque()
        for _ in range(self.generator.randrange(1, AT_ONCE)):
            burst, place, reason = self.stimulus.burst()
            identifier = self.generator.randrange(IDENTIFIERS)
            await self.raw.send_read(burst, identifier)
            sent.append((identifier, burst, place, reason))
        if len(sent) > 1:
            self.coverage.add("several under way", "read")
        for identifier, burst, place, reason in sent:
            expected = self.model.read(burst)
            found, beats = await self.raw.beats()
            where = f"read {burst} at {burst.address:#x}"
            assert found == identifier, f"{where}: identifier {found}, expected {identifier}"
            assert len(beats) == len(expected), f"{where}: {len(beats)} beats"
            for index, ((response, word), (right, value)) in enumerate(
                zip(beats, expected, strict=True)
            ):
                assert response == right, f"{where}: beat {index} answered {response}"
                assert value is None or value == word, f"{where}: beat {index} is {word:#x}"
            worst = max(response for response, _ in expected)
            self.coverage.burst("read", burst, place, reason, worst)

    async def compare_errors(self) -> None:
        """The error register tells what happened."""
        errors = BY_NAME["errors"].extract(await self.register("errors"))
        assert errors["window"] == self.model.window_error
        assert errors["violation"] == self.model.violation
        await self.register("errors", BY_NAME["errors"].mask)
        self.model.window_error = self.model.violation = False


async def _random_bursts(dut: Any, stalls: bool, complete: bool) -> None:
    generator = await clock_and_reset(dut)
    bench = Bench(dut, generator, stalls)
    rounds = 0
    while rounds < ROUNDS or (complete and bench.coverage.missing() and rounds < 10 * ROUNDS):
        if rounds % 4 == 0:
            await bench.set_view(generator.random() < 0.7, bench.stimulus.regions())
        await (bench.writes() if generator.random() < 0.5 else bench.reads())
        await bench.compare_errors()
        rounds += 1
    missing = bench.coverage.missing()
    dut._log.info("%d of %d points met", len(bench.coverage.met), len(bench.coverage.declared))
    assert not (complete and missing), f"not met after {rounds} rounds: {missing}"


@cocotb.test()
async def random_bursts_with_stalls(dut: Any) -> None:
    """Every declared point of coverage is met; every answer and every word as the model says."""
    await _random_bursts(dut, stalls=True, complete=True)


@cocotb.test()
async def random_bursts_at_full_speed(dut: Any) -> None:
    """The same without a stall."""
    await _random_bursts(dut, stalls=False, complete=False)


@cocotb.test()
async def standard_master_reaches_every_memory(dut: Any) -> None:
    """cocotbext-axi's master: transfers of any length, narrow and unaligned, with stalls."""
    generator = await clock_and_reset(dut)
    host = Host(dut, generator, stalls=True)
    expected: dict[int, int] = {}
    stimulus = Stimulus(generator, _model())
    for _ in range(60):
        length = generator.choice((1, 2, 3, 4, 7, 64, 65, 130, 300))
        base = generator.choice((0, SPAN - 512))
        address = address_of(*stimulus.cluster(), base + generator.randrange(512 - length))
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
    # A wrapping burst of 16 words that begins at the sixth, and an exclusive access.
    base, content = address_of(0, 0, 1024), generator.randbytes(64)
    assert await host.write(base, content) == AxiResp.OKAY
    wrap = {"burst": AxiBurstType.WRAP}
    response, found = await host.read(base + 20, 64, **wrap)
    assert (response, found) == (AxiResp.OKAY, content[20:] + content[:20])
    assert await host.write(base + 20, content, **wrap) == AxiResp.OKAY
    assert await host.read(base, 64) == (AxiResp.OKAY, content[44:] + content[:44])
    locked = {"lock": AxiLockType.EXCLUSIVE}
    response, _ = await host.read(base, 4, **locked)
    assert response == AxiResp.OKAY, "EXOKAY would promise a monitor"
    assert await host.write(base, bytes(4), **locked) == AxiResp.OKAY


@cocotb.test()
async def reads_and_writes_overlap(dut: Any) -> None:
    """Both directions at once, in places of their own: neither waits for ever, none is lost."""
    generator = await clock_and_reset(dut)
    bench = Bench(dut, generator, stalls=True)
    content = [generator.getrandbits(32) for _ in range(256)]
    await bench.raw.send_write(AxiBurst(0, 255), 1, [(word, 0xF) for word in content])
    assert await bench.raw.written() == (1, 0)

    async def write() -> None:
        for number in range(20):
            burst = AxiBurst(4096, 127)
            await bench.raw.send_write(burst, number % 16, [(number, 0xF)] * 128)
            assert await bench.raw.written() == (number % 16, 0)

    writer = cocotb.start_soon(write())
    for number in range(40):
        await bench.raw.send_read(AxiBurst(0, 255), number % 16)
        identifier, beats = await bench.raw.beats()
        assert (identifier, beats) == (number % 16, [(0, word) for word in content])
    await writer


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    """A reset in the middle of bursts leaves a bridge that works."""
    generator = await clock_and_reset(dut)
    host = Host(dut, generator)
    host.window.read_if.r_channel.set_pause_generator(pauses(generator))
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
