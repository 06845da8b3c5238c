"""EdgePort on a scratchpad: patterns, elements, gather, scatter, epochs, faults."""

import os
import random

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from octopus.hw.layouts.descriptor import Element, StreamMode
from octopus.hw.memory import BankedMemory
from octopus.hw.tbu.edge_port import EdgePort

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
WORDS = 64
ADDRESS_BITS = 8


class PortOnScratchpad(Elaboratable):
    """One port, its scratchpad, and a spare pair of memory ports for the test."""

    def __init__(self, depth=4):
        self.port = EdgePort(ADDRESS_BITS, depth)
        self.memory = BankedMemory(WORDS, 4, 2, 2, registered=True)

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = self.port
        m.submodules.memory = self.memory
        wiring.connect(m, self.port.read, self.memory.reads[0])
        wiring.connect(m, self.port.write, self.memory.writes[0])
        return m


class Driver:
    """Configures and runs the port; plays the array."""

    def __init__(self, context, dut, seed=SEED):
        self.context, self.port, self.memory = context, dut.port, dut.memory
        self.generator = random.Random(seed)
        self.pressure = 0.0
        self.epoch = 0
        self.faults = 0
        self.ready = False  # what the port said of this clock in the one before
        self.room = True

    def get(self, value):
        return self.context.get(value)

    def set(self, value, to):
        self.context.set(value, to)

    async def tick(self):
        control, array = self.port.control, self.port.array_input
        self.faults += self.get(control.fault)
        if self.generator.random() < self.pressure:  # a rival in the same bank
            for request in (self.memory.reads[1].request, self.memory.writes[1].request):
                self.set(request.valid, 1)
            self.set(self.memory.reads[1].request.payload, self.generator.randrange(4))
        else:
            for request in (self.memory.reads[1].request, self.memory.writes[1].request):
                self.set(request.valid, 0)
        turned = self.get(control.start)
        self.ready = self.get(array.next_ready_turned if turned else array.next_ready)
        self.room = self.get(self.port.array_output.next_ready)
        await self.context.tick()

    def over(self):
        """The input stream says that no word will come."""
        return self.ready and not self.get(self.port.array_input.valid)

    async def fill(self, content):
        request = self.memory.writes[1].request
        for address, word in enumerate(content):
            self.set(request.payload, {"address": address, "mask": 15, "data": word})
            self.set(request.valid, 1)
            await self.context.tick()
        self.set(request.payload, {"address": 0, "mask": 0, "data": 0})
        self.set(request.valid, 0)

    async def dump(self):
        words = []
        port = self.memory.reads[1]
        self.set(port.request.valid, 1)
        for address in range(WORDS):
            self.set(port.request.payload, address)
            await self.context.tick()
            words.append(self.get(port.data))
        self.set(port.request.valid, 0)
        await self.context.tick()
        return [*words[1:], self.get(port.data)]  # a word comes two cycles after its request

    async def configure(self, **streams):
        """``entering``, ``leaving`` or ``gather``: keyword arguments of :func:`stream`."""
        setup = self.port.setup
        while self.get(setup.busy):
            await self.tick()
        self.set(setup.begin, 1)
        await self.tick()
        self.set(setup.begin, 0)
        for kind, fields in streams.items():
            self.set(setup.stream, fields)
            self.set(setup.load_input, kind in ("entering", "gather"))
            self.set(setup.load_output, kind in ("leaving", "gather"))
            await self.tick()
        self.set(setup.load_input, 0)
        self.set(setup.load_output, 0)
        self.set(setup.commit, 1)
        await self.tick()
        self.set(setup.commit, 0)
        await self.tick()

    async def start(self):
        self.set(self.port.control.start, 1)
        await self.tick()
        self.set(self.port.control.start, 0)
        self.epoch = (self.epoch + 1) % 4
        self.set(self.port.control.epoch, self.epoch)

    async def take(self, count, pause=0.0, limit=400):
        """Up to ``count`` words; ends when the stream is exhausted. Returns words, cycles."""
        words, cycles = [], 0
        array = self.port.array_input
        while len(words) < count:
            willing = self.generator.random() >= pause
            if self.over():
                break
            if willing and self.get(array.valid):
                words.append(self.get(array.data))
                self.set(array.take, 1)
            await self.tick()
            self.set(array.take, 0)
            cycles += 1
            assert cycles < limit, f"no word (OCTOPUS_SEED={SEED})"
        return words, cycles

    async def push(self, words, pause=0.0):
        array = self.port.array_output
        for word in words:
            for _ in range(200):
                if self.generator.random() >= pause and self.room:
                    break
                await self.tick()
            else:
                raise AssertionError(f"no room (OCTOPUS_SEED={SEED})")
            self.set(array.data, word)
            self.set(array.valid, 1)
            self.set(array.push, 1)
            await self.tick()
            self.set(array.push, 0)
            self.set(array.valid, 0)

    async def drained(self):
        self.set(self.port.control.drain_epoch, self.epoch)
        for _ in range(200):
            await self.tick()
            if not self.get(self.port.control.holds):
                return
        raise AssertionError("words never stored")


def stream(
    base, counts=(1,), strides=(0,), element=Element.WORD, mode=StreamMode.AFFINE, half=0, upper=0
):
    counts = [*counts] + [1] * (4 - len(counts))
    strides = [s & 0x3FF for s in [*strides] + [0] * (4 - len(strides))]
    return {
        "mode": mode,
        "element": element,
        "window": {"half": half, "upper": upper},
        "pattern": {"base": base, "counts": counts, "strides": strides},
    }


def addresses(base, counts, strides):
    result = [base]
    for count, stride in zip(reversed(counts), reversed(strides), strict=True):
        result = [a + i * stride for a in result for i in range(count)]
    return result


def element_at(content, address, element):
    if element == Element.WORD:
        return content[address // 4]
    byte = content[address // 4] >> 8 * (address % 4) & 0xFF
    return byte | 0xFFFFFF00 if element == Element.BYTE_SIGNED and byte & 0x80 else byte


def simulate(bench, depth=4):
    dut = PortOnScratchpad(depth)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    finished = []

    async def testbench(context):
        await bench(Driver(context, dut))
        finished.append(True)

    simulator.add_testbench(testbench)
    simulator.run()
    assert finished


def random_content(seed=SEED):
    generator = random.Random(seed)
    return [generator.getrandbits(32) for _ in range(WORDS)]


def random_pattern(generator):
    while True:
        counts = [generator.randint(1, 4) for _ in range(4)]
        strides = [generator.randint(-40, 40) for _ in range(4)]
        base = generator.randrange(4 * WORDS)
        if all(0 <= a < 4 * WORDS for a in addresses(base, counts, strides)):
            return base, counts, strides


@pytest.mark.parametrize("pressure", [0.0, 0.5])
def test_random_affine_inputs_follow_each_other(pressure):
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        driver.pressure = pressure
        for _ in range(12):
            pattern = random_pattern(driver.generator)
            element = driver.generator.choice(list(Element))
            await driver.configure(entering=stream(*pattern, element=element))
            await driver.start()
            words, _ = await driver.take(1000, pause=0.3 * driver.generator.randrange(2))
            assert words == [element_at(content, a, element) for a in addresses(*pattern)]
        assert driver.faults == 0

    simulate(bench)


def test_input_streams_a_word_a_cycle_and_the_next_epoch_is_read_ahead():
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        await driver.configure(entering=stream(0, [32], [4]))
        await driver.start()
        await driver.tick()
        words, cycles = await driver.take(32)
        assert words == content[:32]
        assert cycles <= 32 + 7
        await driver.configure(entering=stream(128, [32], [4]))
        for _ in range(10):
            await driver.tick()
        assert driver.over()
        await driver.start()
        words, cycles = await driver.take(32)
        assert words == content[32:]
        assert cycles == 32

    simulate(bench)


def test_words_left_over_by_a_run_are_dropped():
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        for first in (0, 5, 9):
            await driver.configure(entering=stream(4 * first, [20], [4]))
            await driver.start()
            words, _ = await driver.take(3)
            assert words == content[first : first + 3]
        await driver.configure()
        await driver.start()
        words, _ = await driver.take(3)
        assert words == []

    simulate(bench)


def test_window_places_a_task_in_its_half():
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        await driver.configure(entering=stream(0, [40], [4], half=1, upper=1))
        await driver.start()
        words, _ = await driver.take(32)
        assert words == content[32:]
        assert driver.faults == 0
        await driver.take(1)
        assert driver.faults == 1
        await driver.tick()
        assert driver.over()

    simulate(bench)


@pytest.mark.parametrize(
    ("base", "strides"), [(256, 4), (252, 4), (0, -4), (0, 256), (0, -256), (255, 256)]
)
def test_addresses_outside_fault_only_when_demanded(base, strides):
    async def bench(driver):
        await driver.configure(entering=stream(base, [2], [strides]))
        await driver.start()
        good = 0 if base == 256 else 1
        await driver.take(good)
        for _ in range(10):
            await driver.tick()
        assert driver.faults == 0
        words, _ = await driver.take(1)
        assert (words, driver.faults) == ([0], 1)

    simulate(bench)


@pytest.mark.parametrize("pressure", [0.0, 0.5])
def test_random_affine_outputs(pressure):
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        driver.pressure = pressure
        for _ in range(12):
            pattern = random_pattern(driver.generator)
            element = driver.generator.choice(list(Element))
            await driver.configure(leaving=stream(*pattern, element=element))
            await driver.start()
            targets = addresses(*pattern)
            words = [driver.generator.getrandbits(32) for _ in range(len(targets) + 2)]
            await driver.push(words, pause=0.3)
            for address, word in zip(targets, words, strict=False):
                shift, keep = (0, 0)
                if element != Element.WORD:
                    shift, keep = 8 * (address % 4), 0xFFFFFFFF ^ 0xFF << 8 * (address % 4)
                    word &= 0xFF
                content[address // 4] = content[address // 4] & keep | word << shift
            await driver.drained()
        driver.pressure = 0
        await driver.tick()
        assert await driver.dump() == content
        assert driver.faults == 0

    simulate(bench)


def test_words_of_an_ended_run_are_stored_during_the_next():
    async def bench(driver):
        await driver.fill([0] * WORDS)
        await driver.configure(leaving=stream(0, [8], [4]))
        await driver.start()
        driver.pressure = 1.0  # keeps the words in the queue
        await driver.push([1, 2, 3])
        await driver.configure(leaving=stream(128, [8], [4]))
        old = driver.epoch
        await driver.start()
        driver.set(driver.port.control.drain_epoch, old)
        await driver.push([4, 5])
        driver.pressure = 0
        await driver.drained()
        words = await driver.dump()
        assert words[:4] == [1, 2, 3, 0]
        assert words[32:35] == [4, 5, 0]

    simulate(bench)


@pytest.mark.parametrize("element", list(Element))
def test_gather_answers_offsets_in_order_and_is_exhausted_in_between(element):
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        await driver.configure(gather=stream(16, element=element, mode=StreamMode.COMPUTED))
        await driver.start()
        assert (await driver.take(1))[0] == []
        for _ in range(6):
            offsets = [driver.generator.randrange(-16, 200) for _ in range(5)]
            await driver.push([o & 0xFFFFFFFF for o in offsets[:3]])
            words, _ = await driver.take(1)
            await driver.push([o & 0xFFFFFFFF for o in offsets[3:]])
            words += (await driver.take(10))[0]
            assert words == [element_at(content, 16 + o, element) for o in offsets]
        assert driver.faults == 0
        await driver.push([0xFFFF0000])
        assert (await driver.take(1))[0] == [0]
        assert driver.faults == 1

    simulate(bench)


def test_offsets_left_over_are_dropped():
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        for base in (0, 64):
            await driver.configure(gather=stream(base, mode=StreamMode.COMPUTED))
            await driver.start()
            await driver.push([4 * i for i in range(9)])
            words, _ = await driver.take(2)
            assert words == content[base // 4 : base // 4 + 2]
            await driver.drained()

    simulate(bench)


def test_scatter_stores_words_at_offsets():
    async def bench(driver):
        content = random_content()
        await driver.fill(content)
        await driver.configure(leaving=stream(32, mode=StreamMode.COMPUTED))
        await driver.start()
        pairs = [(4 * driver.generator.randrange(40), i) for i in range(30)]
        await driver.push([word for pair in pairs for word in pair], pause=0.2)
        for offset, word in pairs:
            content[8 + offset // 4] = word
        await driver.drained()
        assert await driver.dump() == content
        assert driver.faults == 0
        await driver.push([224, 1])
        await driver.drained()
        assert driver.faults == 1

    simulate(bench)
