"""cocotb bench of the Task Block Unit against its golden model.

The device gets dispatches with random gaps, a memory with random delays, and a receiver of
completions with random back-pressure. Every completion and the whole memory are compared.
The last test asserts that everything worth seeing was seen (``tbu_coverage``).
"""

import json
import os
from collections import Counter
from dataclasses import asdict
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Activity, ActivityState
from octopus.hw.layouts.counters import CycleCounter
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.region import REGION_ENTRY_WORDS, RegionEntry
from octopus.hw.layouts.token import Completion, Dispatch
from octopus.verify.golden.tbu import Outcome

from .tbu_coverage import Coverage, Event
from .tbu_memory import MemoryResponder, bits, fields
from .tbu_scenarios import Scenario, Step, written_elsewhere

CLOCK_NANOSECONDS = 10
ECHOED = ("block", "instance", "index", "shard")
PATIENCE = 30_000
"""Clocks in which some completion must come."""

COVERAGE = Coverage()
"""Of all tests of this module, which run in the order in which they stand."""


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
        self.aborted: list[Step] = []
        self._accepted: list[int] = []
        self._hints: list[tuple[int, dict[str, int]]] = []
        self._offered: list[int] = []

    async def start(self) -> None:
        """Start clock and memory, reset the device."""
        device = self.device
        device.kernel_table_address.value = self.scenario.store.kernel_table_address
        device.kernel_count.value = self.scenario.kernel_count
        pulses = ("cancel", "regions_changed", "hint_valid", "forget", "announced")
        for name in ("x", "y", "closed", "counter_index", *pulses):
            getattr(device, name).value = 0
        device.regions.value = sum(
            bits(RegionEntry, **asdict(region)) << 32 * REGION_ENTRY_WORDS * number
            for number, region in enumerate(self.scenario.regions)
        )
        device.dispatch__valid.value = 0
        device.completion__ready.value = 0
        Clock(device.clk, CLOCK_NANOSECONDS, "ns").start()
        self.serving = cocotb.start_soon(self.responder.run())
        self.watching = cocotb.start_soon(self.watch())
        await self.reset()

    async def reset(self) -> None:
        """A reset of two clocks."""
        self.device.dispatch__valid.value = 0
        self.device.rst.value = 1
        for _ in range(2):
            await RisingEdge(self.device.clk)
        self.device.rst.value = 0

    async def watch(self) -> None:
        """Note for the coverage what happens, clock by clock."""
        device = self.device

        def moves(port: str) -> tuple[bool, bool]:
            """Whether something is offered, and whether it is taken."""
            valid = bool(int(getattr(device, f"{port}__valid").value))
            return valid, valid and bool(int(getattr(device, f"{port}__ready").value))

        while True:
            await ReadOnly()
            seen = set()
            for port, taken, waits in (
                ("dispatch", Event.DISPATCH, Event.FULL),
                ("completion", None, Event.HELD),
                ("memory__request", None, Event.DENIED),
            ):
                offered, moved = moves(port)
                if offered and not moved:
                    seen.add(waits)
                if moved and taken:
                    seen.add(taken)
                if moved and port == "completion":
                    status = fields(Completion, int(device.completion__payload.value))["status"]
                    seen.add(Event.FAILED if status else Event.COMPLETED)
            if self.responder.owes and not moves("memory__response")[0]:
                seen.add(Event.LATE)
            for port, event in (
                ("cancel", Event.CANCEL),
                ("rst", Event.RESET),
                ("regions_changed", Event.TABLE),
                ("hint_valid", Event.HINT),
                ("forget", Event.FORGET),
            ):
                if int(getattr(device, port).value):
                    seen.add(event)
            COVERAGE.see(self.state, seen)
            await RisingEdge(device.clk)

    @property
    def state(self) -> ActivityState:
        """What the unit shows that it does."""
        return ActivityState(fields(Activity, int(self.device.activity.value))["state"])

    def happens(self, event: Event, probability: float) -> bool:
        """Whether ``event`` is to happen now; more often in states in which it was never seen."""
        missed = (self.state, event) not in COVERAGE.hits
        return self.random.random() < (max(probability, 0.5) if missed else probability)

    async def pulse(self, port: str, probability: float, event: Event) -> None:
        """Raise ``port``, which means ``event``, for single clocks, at random, for ever."""
        while True:
            getattr(self.device, port).value = int(self.happens(event, probability))
            await RisingEdge(self.device.clk)

    async def announce(self, probability: float) -> None:
        """Name, now and then, a task that is to come soon, the next one or not, for ever."""
        device, steps = self.device, self.scenario.steps
        while True:
            device.hint_valid.value = 0
            if self.happens(Event.HINT, probability):
                number = min(len(self._accepted) + self.random.choice((0, 0, 1)), len(steps) - 1)
                device.hint.value = bits(Dispatch, **steps[number].dispatch)
                device.hint_valid.value = 1
                self._hints.append((clocks(), steps[number].dispatch))
            await RisingEdge(device.clk)

    async def send(self, steps: list[Step]) -> None:
        """Offer the dispatches of steps in order."""
        device = self.device
        for step in steps:
            while self.random.random() > self.pace:
                await RisingEdge(device.clk)
            device.dispatch__payload.value = bits(Dispatch, **step.dispatch)
            device.dispatch__valid.value = 1
            earlier = [hint for clock, hint in self._hints[-2:] if clock < clocks()]
            device.announced.value = int(earlier[-1:] == [step.dispatch])
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
            if Status(completion["status"]) is not Status.ABORTED:
                check_completion(step, outcome, completion)
        domains = [step.dispatch["domain"] for step in steps]
        for before, domain, completion in zip(
            [None, *domains], domains, self.completions, strict=False
        ):
            COVERAGE.end(Status(completion["status"]), before in (None, domain))
        self.aborted = [
            step
            for step, completion in zip(steps, self.completions, strict=True)
            if Status(completion["status"]) is Status.ABORTED
        ]
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
            if step in self.aborted:
                written = self.responder.addresses_written & {
                    address for output in step.outputs for address in output.addresses
                }
                assert not written, f"{step.name} was aborted and stored {written}"
                continue
            if outcome.stored and outcome.status is not Status.OK:
                continue
            for output in step.outputs:
                for address, mask in zip(output.addresses, output.masks, strict=True):
                    if not mask:
                        continue
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
    """Every fault twice, sound tasks between."""
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
    for state in [*ActivityState, *ActivityState]:
        sender = cocotb.start_soon(bench.send(scenario.steps))
        for _ in range(PATIENCE):
            await RisingEdge(device.clk)
            if bench.state is state and random.random() < 0.2:
                break
        sender.cancel()
        await bench.reset()
    bench.responder.addresses_written.clear()
    await bench.run()


@cocotb.test()
async def cancelled_tasks(device: Any) -> None:
    """Cancels at any time end the present run only; the region table is written in between."""
    random = seeded("cancel")
    bench = Bench(device, Scenario(configuration(), random, 60, spoilt=0.2), random)
    await bench.start()
    cocotb.start_soon(bench.pulse("cancel", 0.02, Event.CANCEL))
    cocotb.start_soon(bench.pulse("regions_changed", 0.01, Event.TABLE))
    await bench.run()
    for _ in range(400):  # an idle unit does not care
        await RisingEdge(device.clk)
    assert bench.aborted, "nothing was cancelled: the test shows nothing"


@cocotb.test()
async def closed_instances(device: Any) -> None:
    """Runs of a closed instance end with ABORTED, those of others as ever."""
    random = seeded("closed")
    instances = configuration().control_block_unit.instances
    bench = Bench(device, Scenario(configuration(), random, 20, instances=instances), random)
    await bench.start()
    steps = bench.scenario.steps
    some = {step.dispatch["instance"] for step in steps[::3]}
    device.closed.value = sum(1 << instance for instance in some)
    await bench.run()
    assert bench.aborted == [step for step in steps if step.dispatch["instance"] in some]


@cocotb.test()
async def announced_tasks(device: Any) -> None:
    """Tasks that are prepared before they are dispatched, or in vain, end like any other."""
    random = seeded("announced")
    bench = Bench(device, Scenario(configuration(), random, 40, spoilt=0.2), random)
    await bench.start()
    bench.pace = 0.01  # time enough for what is announced
    cocotb.start_soon(bench.announce(0.02))
    await bench.run()


@cocotb.test()
async def forgotten_tasks(device: Any) -> None:
    """What was prepared is out of date at any moment, or the region table is written."""
    random = seeded("forgotten")
    bench = Bench(device, Scenario(configuration(), random, 20), random)
    await bench.start()
    bench.pace = 0.01
    cocotb.start_soon(bench.announce(0.05))
    cocotb.start_soon(bench.pulse("forget", 0.02, Event.FORGET))
    cocotb.start_soon(bench.pulse("regions_changed", 0.02, Event.TABLE))
    await bench.run()


@cocotb.test()
async def nothing_is_left(device: Any) -> None:
    """One domain fills the whole scratchpad, another stores what it finds there: zeros."""
    random = seeded("left")
    scenario = Scenario(configuration(), random, 0)
    words = configuration().task_block_unit.scratchpad_words
    for half in (0, 1, 0):
        for fills, domain in ((True, 1), (False, 1), (False, 2)):
            for _ in range(1 + half):
                scenario.add_copy(words // (1 + half), fills, domain, half)
    bench = Bench(device, scenario, random)
    await bench.start()
    await bench.run()
    found = [
        {bench.memory.read(address) for address in step.outputs[0].addresses}
        for step in scenario.steps
        if step.outputs
    ]
    # the domain that filled it, then the other; once in one piece, twice in halves, once again
    own, other = found[0:1] + found[2:4] + found[6:7], found[1:2] + found[4:6] + found[7:8]
    assert other == [{0}] * 4
    assert all(len(words) > 1 and 0 not in words for words in own)


@cocotb.test()
async def counters(device: Any) -> None:
    """After a reset the unit's counters agree with the completions, and name every cycle."""
    random = seeded("counters")
    bench = Bench(device, Scenario(configuration(), random, 20, spoilt=0.3), random)
    await bench.start()
    began = clocks()
    await bench.run()
    found = {}
    for index in [*(status.value for status in Status), *CycleCounter]:
        device.counter_index.value = index
        for _ in range(3):
            await RisingEdge(device.clk)
        found[index] = int(device.counter.value)
        ended = clocks()
    statuses = Counter(completion["status"] for completion in bench.completions)
    assert {status.value: found[status.value] for status in Status} == {
        status.value: statuses[status.value] for status in Status
    }
    assert found[CycleCounter.ADVANCE] >= sum(c["array_cycles"] for c in bench.completions) > 0
    cycles = sum(found[cause] for cause in CycleCounter)
    # they are read one after the other, while IDLE goes on
    assert ended - began - 3 * len(found) <= cycles <= ended - began


@cocotb.test()
async def coverage_is_complete(device: Any) -> None:
    """Everything declared was seen in the tests before, and nothing said to be impossible."""
    del device
    assert not COVERAGE.missing, "never seen: " + ", ".join(COVERAGE.missing)
    assert not COVERAGE.wrong, "said to be impossible: " + ", ".join(COVERAGE.wrong)
