"""cocotb bench of the Task Block Unit against its golden model.

The device gets dispatches with random gaps, a memory with random delays, and a receiver of
completions with random back-pressure. Every completion and the whole memory are compared.
"""

import json
import os
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import Completion, Dispatch
from octopus.verify.golden.tbu import Outcome

from .tbu_memory import MemoryResponder, bits, fields
from .tbu_scenarios import Scenario, Step, written_elsewhere

CLOCK_NANOSECONDS = 10
ECHOED = ("block", "instance", "index", "shard")
PATIENCE = 30_000
"""Clocks in which some completion must come."""


def configuration() -> OctopusConfig:
    """The configuration that the device was built from (environment ``OCTOPUS_BENCH_CONFIG``)."""
    return OctopusConfig.model_validate(json.loads(os.environ["OCTOPUS_BENCH_CONFIG"]))


def seeded(name: str) -> Random:
    """The random source of a test, replayable by ``OCTOPUS_SEED``."""
    return Random(f"{os.environ['OCTOPUS_SEED']} {name}")


def clocks() -> int:
    """Clocks since the simulation began."""
    return int(get_sim_time("ns")) // CLOCK_NANOSECONDS


class Bench:
    """Drives one scenario; ``completions`` collects what the device answers."""

    def __init__(self, device: Any, scenario: Scenario, random: Random) -> None:
        self.device = device
        self.scenario = scenario
        self.random = random
        self.pace = random.choice((0.3, 0.7, 1.0))
        self.golden, self.outcomes = scenario.golden()
        self.memory = scenario.store.memory.copy()
        eagerness = random.choice((0.3, 0.8, 1.0))
        self.responder = MemoryResponder(device, self.memory, random, eagerness)
        self.completions: list[dict[str, int]] = []
        self._accepted: list[int] = []
        self._offered: list[int] = []

    async def start(self) -> None:
        """Start clock and memory, reset the device."""
        device = self.device
        device.kernel_table_address.value = self.scenario.store.kernel_table_address
        device.kernel_count.value = self.scenario.kernel_count
        for name in ("x", "y", "cancel"):
            getattr(device, name).value = 0
        device.dispatch__valid.value = 0
        device.completion__ready.value = 0
        Clock(device.clk, CLOCK_NANOSECONDS, "ns").start()
        self.serving = cocotb.start_soon(self.responder.run())
        await self.reset()

    async def reset(self) -> None:
        """A reset of two clocks."""
        self.device.dispatch__valid.value = 0
        self.device.rst.value = 1
        for _ in range(2):
            await RisingEdge(self.device.clk)
        self.device.rst.value = 0

    async def send(self, steps: list[Step]) -> None:
        """Offer the dispatches of steps in order."""
        device = self.device
        for step in steps:
            while self.random.random() > self.pace:
                await RisingEdge(device.clk)
            device.dispatch__payload.value = bits(Dispatch, **step.dispatch)
            device.dispatch__valid.value = 1
            await self._edge_with("dispatch")
            self._accepted.append(clocks())
            device.dispatch__valid.value = 0

    async def receive(self, steps: list[Step]) -> None:
        """Take a completion a step; an offered one must stay as it is until it is taken."""
        device = self.device
        offered: int | None = None
        waited = 0
        while len(self.completions) < len(steps):
            assert waited < PATIENCE, f"no completion of {steps[len(self.completions)].name}"
            waited += 1
            device.completion__ready.value = int(self.random.random() < self.pace)
            await ReadOnly()
            valid = int(device.completion__valid.value)
            payload = int(device.completion__payload.value) if valid else None
            assert offered in (None, payload), "a completion changed before it was taken"
            if valid and offered is None:
                self._offered.append(clocks())
            taken = valid and int(device.completion__ready.value)
            offered = None if taken else payload
            if taken:
                self.completions.append(fields(Completion, payload or 0))
                waited = 0
            await RisingEdge(device.clk)
        device.completion__ready.value = 0

    async def _edge_with(self, port: str) -> None:
        """Wait for the clock edge of a handshake that this side offers."""
        while True:
            await ReadOnly()
            ready = int(getattr(self.device, f"{port}__ready").value)
            await RisingEdge(self.device.clk)
            if ready:
                return

    async def run(self, first: int = 0) -> None:
        """Send all steps from number ``first`` on and check what comes back."""
        steps = self.scenario.steps[first:]
        self.completions, self._accepted, self._offered = [], [], []
        cocotb.start_soon(self.send(steps))
        await self.receive(steps)
        for step, outcome, completion in zip(
            steps, self.outcomes[first:], self.completions, strict=True
        ):
            check_completion(step, outcome, completion)
        self.check_busy_cycles(steps)
        self.check_memory()

    def check_busy_cycles(self, steps: list[Step]) -> None:
        """No task was busy for longer than since its dispatch or the completion before it."""
        previous = 0
        for step, accepted, offered, completion in zip(
            steps, self._accepted, self._offered, self.completions, strict=True
        ):
            most = offered - max(accepted, previous) + 2
            assert 0 < completion["busy_cycles"] <= most, f"{step.name}: {completion}, {most}"
            previous = offered

    def check_memory(self) -> None:
        """Every word but those that failed tasks may have touched is as the model says."""
        stray = written_elsewhere(self.scenario, sorted(self.responder.addresses_written))
        assert not stray, f"stray writes at {sorted(map(hex, stray))}"
        for step, outcome in zip(self.scenario.steps, self.outcomes, strict=True):
            if outcome.stored and outcome.status is not Status.OK:
                continue
            for output in step.outputs:
                for address, mask in zip(output.addresses, output.masks, strict=True):
                    needed, found = self.golden.memory.read(address), self.memory.read(address)
                    assert not (needed ^ found) & mask, (
                        f"{step.name}: {found:#010x} at {address:#x}, needed {needed:#010x}"
                    )


def check_completion(step: Step, outcome: Outcome, completion: dict[str, int]) -> None:
    """Compare a completion with the model's outcome."""
    for name in ECHOED:
        assert completion[name] == step.dispatch[name], f"{step.name}: {name}"
    status = Status(completion["status"])
    assert status is outcome.status, f"{step.name}: {status}, needed {outcome}"
    assert completion["value"] == outcome.value, f"{step.name}: {completion}, needed {outcome}"
    if status is Status.OK:
        cycles = completion["array_cycles"]
        assert cycles == outcome.array_cycles, f"{step.name}: {completion}, needed {outcome}"


@cocotb.test()
async def sound_tasks(device: Any) -> None:
    """Many tasks without a fault."""
    random = seeded("sound")
    bench = Bench(device, Scenario(configuration(), random, 40), random)
    await bench.start()
    await bench.run()


@cocotb.test()
async def every_fault(device: Any) -> None:
    """Every fault once, sound tasks between."""
    random = seeded("faults")
    bench = Bench(device, Scenario.of_every_fault(configuration(), random), random)
    await bench.start()
    await bench.run()


@cocotb.test()
async def mixed_tasks(device: Any) -> None:
    """Faults at random among sound tasks."""
    random = seeded("mixed")
    bench = Bench(device, Scenario(configuration(), random, 40, spoilt=0.3), random)
    await bench.start()
    await bench.run()


@cocotb.test()
async def reset_in_flight(device: Any) -> None:
    """Resets at random moments; what is dispatched afterwards runs as if nothing had been."""
    random = seeded("reset")
    scenario = Scenario(configuration(), random, 12)
    bench = Bench(device, scenario, random)
    await bench.start()
    for _ in range(6):
        sender = cocotb.start_soon(bench.send(scenario.steps))
        for _ in range(random.randrange(1, 900)):
            await RisingEdge(device.clk)
        sender.cancel()
        await bench.reset()
    bench.responder.addresses_written.clear()
    await bench.run()
