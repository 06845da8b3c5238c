"""cocotb bench of the array and its sequencer against the golden model, cycle by cycle.

Random kernels run on random edge streams that stall at random. In every clock the bench says
from the model whether the array may advance, which words it takes and which it gives away.
"""

import json
import os
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.instruction import CONTROL_BITS, INSTRUCTION_WORDS
from octopus.hw.layouts.kernel import HEADER_WORDS
from octopus.hw.pea import run_command
from octopus.verify.golden.pea import ProcessingElementArray
from octopus.verify.golden.sequencer import Header, tokens

from .pea_coverage import Coverage
from .pea_stimulus import EdgeInput, Run, random_image, random_run

CLOCK_NANOSECONDS = 10
START_CLOCKS = 8
"""Most clocks from the acceptance of a command, or from an exit, to the next array cycle."""

LEAST_RUNS = 200
MOST_RUNS = int(os.environ.get("OCTOPUS_BENCH_RUNS", "4000"))
"""Random runs go on until coverage is complete, within these bounds."""


def configuration() -> PeaConfig:
    """The array that the device was built from (environment ``OCTOPUS_BENCH_CONFIG``)."""
    return OctopusConfig.model_validate(json.loads(os.environ["OCTOPUS_BENCH_CONFIG"])).pea


def seeded(name: str) -> Random:
    """The random source of a test, replayable by ``OCTOPUS_SEED``."""
    return Random(f"{os.environ['OCTOPUS_SEED']} {name}")


@dataclass
class Job:
    """A kernel to be run: image, context bank, run parameters."""

    image: list[int]
    bank: int
    run: Run
    header: Header = field(init=False)

    def __post_init__(self) -> None:
        self.header = Header.of(self.image[:HEADER_WORDS])

    def command(self, pea: PeaConfig) -> int:
        """The pattern of the run command."""
        names = ("head_length", "body_length", "tail_length", "stages", "exit_stage", "skew")
        fields = {name: getattr(self.header, name) for name in (*names, "flush")}
        fields |= {"bank": self.bank, "body_trips": self.run.body_trips}
        fields |= {"outer_trips": self.run.outer_trips}
        return int(run_command(pea).const(fields).as_value().value)


class Model:
    """The golden array in the middle of a job: what must happen in the next cycle."""

    def __init__(self, pea: PeaConfig, array: ProcessingElementArray, job: Job) -> None:
        self.pea = pea
        self.array = array
        self.job = job
        array.reset()
        array.load(job.bank, job.image)
        run, header = job.run, job.header
        self._tokens = tokens(header, run.body_trips, run.outer_trips, pea.stages, job.bank)
        self.token = next(self._tokens, None)
        self.cycle = 0

    def __str__(self) -> str:
        """Where the run is, for messages."""
        return f"cycle {self.cycle} of {self.job.header}"

    def demands(self) -> list[tuple[EdgeInput, bool]]:
        """Every input stream and whether the next cycle demands a word of it."""
        assert self.token is not None
        west, north = self.array.demands(self.token, bool(self.job.header.skew))
        streams = self.job.run.west + self.job.run.north
        return list(zip(streams, west + north, strict=True))

    def outputs(self) -> list[int | None]:
        """The words on the output links, west then north."""
        return self.array.west_outputs + self.array.north_outputs

    def step(self, taken: list[int | None]) -> None:
        """One array cycle with the words that were taken, west then north."""
        assert self.token is not None
        self.cycle += 1
        seen = self.array.exit
        rows = self.pea.rows
        self.array.step(self.token, bool(self.job.header.skew), taken[:rows], taken[rows:])
        try:
            self.token = self._tokens.send(seen)
        except StopIteration:
            self.token = None


class Bench:
    """Drives the device, one clock at a time, and checks it."""

    def __init__(self, device: Any, random: Random) -> None:
        self.device = device
        self.random = random
        self.pea = configuration()
        self.array = ProcessingElementArray(self.pea)
        self.coverage = Coverage(self.pea)
        self.cycles = 0
        self.finished = 0
        self.model: Model | None = None
        self._waiting: deque[Job] = deque()
        self._inputs = [("west_in", r) for r in range(self.pea.rows)]
        self._inputs += [("north_in", c) for c in range(self.pea.columns)]
        self._outputs = [("west_out", r) for r in range(self.pea.rows)]
        self._outputs += [("north_out", c) for c in range(self.pea.columns)]
        self._room = [True] * len(self._outputs)
        self._stalled = False
        self._idle = 0
        self._gap_allowed = True

    def port(self, port: tuple[str, int], name: str) -> Any:
        """The handle of a member of an edge stream."""
        return getattr(self.device, f"{port[0]}__{port[1]}__{name}")

    async def start(self) -> None:
        """Start the clock and reset the device."""
        self.device.command__valid.value = 0
        self.device.abort.value = 0
        self.device.context_write__enable.value = 0
        for port in self._inputs:
            self.port(port, "valid").value = 0
            self.port(port, "next_ready").value = 0
            self.port(port, "next_ready_turned").value = 0
        for port in self._outputs:
            self.port(port, "next_ready").value = 1
        Clock(self.device.clk, CLOCK_NANOSECONDS, "ns").start()
        await self.reset()

    async def reset(self) -> None:
        """A reset of two clocks, whatever is going on."""
        self.device.command__valid.value = 0
        self.device.context_write__enable.value = 0
        self.device.rst.value = 1
        for _ in range(2):
            await RisingEdge(self.device.clk)
        self.device.rst.value = 0
        self.model = None
        self._waiting.clear()

    def random_job(self, bank: int) -> Job:
        """A job for a context bank."""
        image = random_image(self.random, self.pea, self.coverage.missing)
        return Job(image, bank, random_run(self.random, self.pea))

    async def load(self, job: Job) -> None:
        """Write a job's instructions into its bank, one a clock."""
        device = self.device
        slots = job.header.slots
        for element in range(self.pea.rows * self.pea.columns):
            for slot in range(slots):
                start = HEADER_WORDS + (element * slots + slot) * INSTRUCTION_WORDS
                low, high, constant = job.image[start : start + INSTRUCTION_WORDS]
                pattern = (low | high << 32) & self._control_mask()
                pattern |= constant << self._control_mask().bit_length()
                device.context_write__instruction.value = pattern
                device.context_write__bank.value = job.bank
                device.context_write__element.value = element
                device.context_write__slot.value = slot
                device.context_write__enable.value = 1
                await self.clock()
        device.context_write__enable.value = 0

    @staticmethod
    def _control_mask() -> int:
        from amaranth.lib import data

        from octopus.hw.layouts.instruction import Control

        width = data.Layout.cast(Control).size
        assert width <= CONTROL_BITS
        return (1 << width) - 1

    async def submit(self, job: Job) -> None:
        """Offer a job's command until it is accepted."""
        self.device.command__payload.value = job.command(self.pea)
        self.device.command__valid.value = 1
        self._waiting.append(job)
        while job in self._waiting:
            await self.clock()

    async def clock(self) -> None:
        """One clock: drive the edges, compare everything with the model, go on."""
        device = self.device
        stays, turns, room = self._drive()
        await ReadOnly()
        accepted = int(device.command__valid.value) and int(device.command__ready.value)
        advance = int(device.advance.value)
        done = int(device.done.value)
        in_run = self.model is not None
        if self.model is not None:
            self._compare(self.model, bool(advance), bool(done))
        else:
            assert not advance and not done, "the array runs without a command"
        takes = [int(self.port(port, "take").value) for port in self._inputs]
        pushes = [int(self.port(port, "push").value) for port in self._outputs]
        assert advance or not any(takes + pushes), "words move while the array stands"
        await RisingEdge(device.clk)
        self._room = room
        if in_run and done:
            self.model = None
            self.finished += 1
        if accepted:
            assert self.model is None, "a command was accepted during a run"
            self.model = Model(self.pea, self.array, self._waiting.popleft())
            self._idle, self._gap_allowed, self._stalled = 0, True, False
            device.command__valid.value = 0
        if self.model is not None:
            run = self.model.job.run
            for stream, ready in zip(
                run.west + run.north, turns if accepted else stays, strict=True
            ):
                stream.ready = ready

    def _drive(self) -> tuple[list[bool], list[bool], list[bool]]:
        """Set the edge streams for the coming clock.

        Returns what is said of the clock after it: which inputs are ready if the run goes on, which
        if another begins, which outputs have room.
        """
        run = self.model.job.run if self.model is not None else None
        streams = run.west + run.north if run else [EdgeInput([], 1.0) for _ in self._inputs]
        patiences = run.west_room + run.north_room if run else [1.0] * len(self._outputs)
        stays = [self.random.random() < stream.patience for stream in streams]
        turns = [self.random.random() < 0.8 for _ in streams]
        room = [self.random.random() < patience for patience in patiences]
        for port, stream, stay, turned in zip(self._inputs, streams, stays, turns, strict=True):
            # a word may be there though the port was not said to be ready
            there = bool(stream.words) and (stream.ready or self.random.random() < 0.5)
            self.port(port, "valid").value = int(there)
            self.port(port, "data").value = (
                stream.words[0] if there else self.random.getrandbits(32)
            )
            self.port(port, "next_ready").value = int(stay)
            self.port(port, "next_ready_turned").value = int(turned)
        for port, ready in zip(self._outputs, room, strict=True):
            self.port(port, "next_ready").value = int(ready)
        return stays, turns, room

    def _compare(self, model: Model, advance: bool, done: bool) -> None:
        """Check one clock of a run; step the model if the array advances.

        A run ends with its last cycle, one without flush in a clock of its own after it.
        """
        if model.token is None:
            assert not advance, "the array runs on after the end of its run"
            self._idle += 1
            assert self._idle <= START_CLOCKS, "the run does not end"
            return
        assert advance or not done, "the run ends too early"
        demands = model.demands()
        outputs = model.outputs()
        starved = any(demanded and not stream.ready for stream, demanded in demands)
        blocked = not all(self._room)
        if starved or blocked:
            assert not advance, f"no stall: starved {starved}, blocked {blocked}; {model}"
            self._stalled = True
            return
        if not advance:
            assert self._gap_allowed, f"the array stands without a reason; {model}"
            self._idle += 1
            assert self._idle <= START_CLOCKS, "the array does not start"
            return
        self._advance(model, demands, outputs)
        ends = model.token is None and model.job.header.flush > 0
        assert done == ends, f"the run ends: {done}, needed {ends}; {model}"

    def _advance(
        self, model: Model, demands: list[tuple[EdgeInput, bool]], outputs: list[int | None]
    ) -> None:
        for port, word in zip(self._outputs, outputs, strict=True):
            pushed = int(self.port(port, "push").value)
            assert pushed == (word is not None), f"{port}: push, needed {word}; {model}"
            if word is not None:
                found = int(self.port(port, "data").value)
                assert found == word, f"{port}: {found:#010x}, needed {word:#010x}; {model}"
        taken: list[int | None] = []
        for port, (stream, demanded) in zip(self._inputs, demands, strict=True):
            takes = int(self.port(port, "take").value)
            assert takes == (demanded and not stream.exhausted), f"{port}: take; {model}"
            taken.append(stream.take() if takes else None)
        # The sequencer may need time to turn round after an exit, and only then.
        self._gap_allowed = self.array.exit
        self._idle = 0
        model.step(taken)
        self.cycles += 1
        executed = [element.executed for row in self.array.elements for element in row]
        self.coverage.record(executed, self._stalled)
        self.coverage.record_landed([e.landed for row in self.array.elements for e in row])
        self._stalled = False

    async def finish(self, limit: int = 20_000) -> None:
        """Wait until no run is left."""
        for _ in range(limit):
            if self.model is None and not self._waiting:
                return
            await self.clock()
        raise AssertionError("the run does not end")


@cocotb.test()
async def random_kernels(device: Any) -> None:
    """Jobs one after another; the next context is loaded while the array works."""
    bench = Bench(device, seeded("kernels"))
    await bench.start()
    number = 0
    while number < LEAST_RUNS or (number < MOST_RUNS and not bench.coverage.complete):
        job = bench.random_job(number % bench.pea.context_banks)
        # The bank is free once all but the last of the other banks' runs are over.
        while number - bench.finished >= bench.pea.context_banks:
            await bench.clock()
        await bench.load(job)
        await bench.submit(job)
        number += 1
        if bench.random.random() < 0.2:
            await bench.finish()
    await bench.finish()
    assert bench.finished == number
    device._log.info("%d runs, %d cycles, coverage %s", number, bench.cycles, bench.coverage)
    assert not bench.coverage.missing, f"never met: {bench.coverage.missing[:20]}"
    assert not bench.coverage.unmet, f"results never met in {bench.coverage.unmet}"


@cocotb.test()
async def reset_in_flight(device: Any) -> None:
    """Resets at random moments of runs; the run after a reset is sound."""
    bench = Bench(device, seeded("reset"))
    await bench.start()
    for _ in range(30):
        job = bench.random_job(0)
        await bench.load(job)
        await bench.submit(job)
        for _ in range(bench.random.randrange(60)):
            await bench.clock()
        await bench.reset()
        job = bench.random_job(bench.random.randrange(bench.pea.context_banks))
        await bench.load(job)
        await bench.submit(job)
        await bench.finish()


@cocotb.test()
async def aborted_runs(device: Any) -> None:
    """An abort drops a run without ``done`` and leaves nothing behind."""
    bench = Bench(device, seeded("abort"))
    await bench.start()
    for _ in range(30):
        job = bench.random_job(0)
        job.run.outer_trips, job.run.body_trips = 1000, 1000
        await bench.load(job)
        await bench.submit(job)
        for _ in range(bench.random.randrange(60)):
            await bench.clock()
        device.abort.value = 1
        await RisingEdge(device.clk)
        device.abort.value = 0
        bench.model = None
        for _ in range(5):
            await bench.clock()
        job = bench.random_job(1)
        await bench.load(job)
        await bench.submit(job)
        await bench.finish()
