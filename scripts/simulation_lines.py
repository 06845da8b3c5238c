"""The lines of ``simulation_benchmark.py``: each measures something and has its goals."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from simulation_processes import PeakMemory, Worker, warm_start
from simulation_reference import reference_package

from octopus.cache import cache_folder
from octopus.hw.chip import Chip
from octopus.hw.config import OctopusConfig
from octopus.verify.bench.runner import run_bench
from octopus.verify.bench.simulation_speed import FIGURES

IDLE_CYCLES = 5_000
PRODUCT_CYCLES = 2_000
"""Of the reference; the simulator of this checkout does more, so that both take some time."""

FASTER = 10
"""How many times more."""

COCOTB_COUNT = 10
WAVE_COUNT = 30
WAVE_CYCLES = 100
NOISE = 0.05
"""How well a ratio of two times is known, where two equal ones are compared."""


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes
    ----------
    goal: None where there is none. at_most: the goal is a bound from above.
    note: what it was made of.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass
class Bench:
    """What all lines share.

    Parameters
    ----------
    config: preset or TOML file of the chip most lines simulate. images: of the cascade.
    repetitions: of what is timed, in turn with what it is compared with.
    scale_reference: build the reference's library of ``scale`` too (a quarter of an hour).
    say: told what is being done.
    """

    config: str = "default"
    images: int = 300
    repetitions: int = 3
    scale_reference: bool = False
    say: Callable[[str], None] = lambda text: None
    stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def ours(self) -> Worker:
        """A worker of this checkout."""
        return self.worker(self.config)

    @cached_property
    def reference(self) -> Worker:
        """A worker of the reference's commit."""
        return self.reference_worker(self.config)

    def worker(self, config: str, *options: str, cache: Path | None = None) -> Worker:
        """Another one, which ends with the benchmark."""
        return self.stack.enter_context(Worker(config, *options, cache=cache))

    def reference_worker(self, config: str) -> Worker:
        """The same of the reference's commit; its library is built if it is not cached."""
        cache = reference_cache()
        package = reference_package()
        worker = self.stack.enter_context(Worker(config, package=package, cache=cache))
        self.say(f"building the reference's library of {config}, if it is not cached (minutes)")
        worker.ask("build")
        return worker

    def fresh_cache(self) -> Path:
        """An empty cache folder, gone after the benchmark."""
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def speeds(
        self, asked: list[tuple[Worker, dict[str, Any]]], time_of: str = "cpu"
    ) -> list[float]:
        """Cycles a second of each request, the best of the repetitions, which take turns."""
        best = [0.0] * len(asked)
        for repetition in range(self.repetitions):
            for number, (worker, request) in enumerate(asked):
                self.say(f"{request['do']}, {repetition + 1} of {self.repetitions}")
                answer = worker.ask(**request)
                if answer.get("differences"):
                    raise RuntimeError(f"{request}: {answer['differences']} results are wrong")
                best[number] = max(best[number], answer["cycles"] / answer[time_of])
        return best


def reference_cache() -> Path:
    """Where the reference keeps what it built."""
    return cache_folder() / "reference" / "cache"


def _against_reference(bench: Bench, ours: dict[str, Any], theirs: dict[str, Any]) -> list[float]:
    return bench.speeds([(bench.reference, theirs), (bench.ours, ours)])


def _speeds_note(then: float, now: float) -> str:
    return f"{then:,.0f} cycles a second then, {now:,.0f} now"


def cascade(bench: Bench) -> Iterator[Figure]:
    """The cascade, driver and all."""
    request = {"do": "cascade", "count": bench.images}
    then, now = _against_reference(bench, request, request)
    name = f"cascade, {bench.images} images on {bench.config}"
    yield Figure(name, now / then, "x", 10, note=_speeds_note(then, now))


def idle(bench: Bench) -> Iterator[Figure]:
    """A chip with nothing to do."""
    then, now = _against_reference(
        bench,
        {"do": "idle", "cycles": 100 * IDLE_CYCLES},
        {"do": "idle", "cycles": IDLE_CYCLES},
    )
    yield Figure("idle chip", now / then, "x", 100, note=_speeds_note(then, now))


def gemm(bench: Bench) -> Iterator[Figure]:
    """Every array works in every cycle."""
    config = OctopusConfig.load(bench.config)
    request = {"do": "gemm", "clusters": config.clusters}
    checked = bench.ours.ask(**request, cycles=PRODUCT_CYCLES)
    if checked["differences"]:
        raise RuntimeError("the products are wrong")
    request["check"] = False
    then, now = _against_reference(
        bench,
        request | {"cycles": PRODUCT_CYCLES},
        request | {"cycles": PRODUCT_CYCLES},
    )
    advancing = checked["advancing"]
    yield Figure("arrays advancing in the products", advancing, "of the cycles", 0.9)
    name = f"products on {checked['units']} TBUs at once"
    yield Figure(name, now / then, "x", 3, note=_speeds_note(then, now))


def threads(bench: Bench) -> Iterator[Figure]:
    """Two threads on two cores, in wall time: other load on the machine counts against it."""
    two = bench.worker(bench.config, "--threads", "2")
    config = OctopusConfig.load(bench.config)
    gemm_request = {"do": "gemm", "clusters": config.clusters, "check": False}
    for name, request in (
        (f"cascade, {bench.images} images", {"do": "cascade", "count": bench.images}),
        ("products on all TBUs", gemm_request | {"cycles": PRODUCT_CYCLES}),
    ):
        one_speed, two_speed = bench.speeds([(bench.ours, request), (two, request)], "wall")
        note = (
            f"{one_speed:,.0f} and {two_speed:,.0f} cycles a second; load {os.getloadavg()[0]:.1f}"
        )
        yield Figure(f"two threads over one: {name}", two_speed / one_speed, "x", 1.7, note=note)


def scale(bench: Bench) -> Iterator[Figure]:
    """The large preset: built from nothing, then with more and more of its clusters at work."""
    cache = bench.fresh_cache()
    worker = bench.worker("scale", cache=cache)
    bench.say("building scale from nothing")
    with PeakMemory(worker.process.pid) as memory:
        built = worker.ask("build")
    note = f"{built['cpu']:.0f} s of CPU"
    yield Figure("scale: build", built["wall"], "s", 300, True, note)
    yield Figure("scale: memory of the build", memory.peak / 2**30, "GiB", 4, True)
    clusters = OctopusConfig.load("scale").clusters
    used = [1 << power for power in range(clusters.bit_length())]
    requests = [{"do": "gemm", "clusters": n, "cycles": 500, "check": False} for n in used]
    speeds = dict(zip(used, bench.speeds([(worker, r) for r in requests]), strict=True))
    note = "on 1, 2, 4, … clusters: " + ", ".join(f"{speed:,.0f}" for speed in speeds.values())
    yield Figure("scale: all clusters at work", speeds[used[-1]], "cycles/s", 1_000, note=note)
    growth = max(
        speeds[few] * few / (speeds[many] * many) for few in used for many in used if few < many
    )
    note = f"the most between two numbers of clusters; equal times differ by {NOISE:.0%}"
    goal = 1 + NOISE
    yield Figure("scale: cost over active PEs", growth, "times as fast", goal, True, note)
    if bench.scale_reference:
        reference = bench.reference_worker("scale")
        theirs = requests[-1] | {"cycles": 50}
        then, now = bench.speeds([(reference, theirs), (worker, requests[-1])])
        note = _speeds_note(then, now)
        yield Figure("scale: over the reference", now / then, "x", 25, note=note)


def driver(bench: Bench) -> Iterator[Figure]:
    """The driver in Python beside a C++ program that does the same accesses."""
    answer = bench.ours.ask("driver", count=bench.images, repetitions=bench.repetitions)
    note = f"{answer['cycles']:,} cycles: {answer['bare']:.2f} s in C++, {answer['python']:.2f} s"
    ratio = answer["bare"] / answer["python"]
    yield Figure("speed through Python over a bare C++ loop", ratio, "", 0.9, note=note)


def cocotb(bench: Bench) -> Iterator[Figure]:
    """The same workload in a cocotb bench."""
    bench.say("building and running the cocotb bench (minutes if it is not cached)")
    folder = run_bench(
        Chip(OctopusConfig.load(bench.config)),
        "octopus.verify.bench.simulation_speed",
        seed=1,
        extra_environment={
            "OCTOPUS_BENCH_CONFIG": bench.config,
            "OCTOPUS_BENCH_COUNT": str(COCOTB_COUNT),
        },
    )
    figures = json.loads((folder / FIGURES).read_text())
    slow = figures["cycles"] / figures["cpu"]
    (fast,) = bench.speeds([(bench.ours, {"do": "cascade", "count": COCOTB_COUNT})])
    note = f"{slow:,.0f} cycles a second in cocotb, {fast:,.0f} here; {COCOTB_COUNT} images"
    yield Figure("speed over per-cycle cocotb", fast / slow, "x", 30, note=note)


def build(bench: Bench) -> Iterator[Figure]:
    """A build from nothing, and what recording needs beyond it."""
    cache = bench.fresh_cache()
    bench.say(f"building {bench.config} from nothing")
    plain = bench.worker(bench.config, cache=cache).ask("build")
    note = f"{plain['cpu']:.0f} s of CPU; load {os.getloadavg()[0]:.1f}"
    yield Figure(f"cold build of {bench.config}", plain["wall"], "s", 90, True, note)
    bench.say("building it for an FST")
    traced = bench.worker(bench.config, "--trace", cache=cache).ask("build")
    note = f"{traced['wall']:.0f} s, {traced['cpu']:.0f} s of CPU"
    yield Figure("build for an FST after it", traced["cpu"] / plain["cpu"], "of it", note=note)


def warm(bench: Bench) -> Iterator[Figure]:
    """From the start of ``octopus run`` to the first simulated cycle, with all in the cache."""
    bench.ours.ask("build")
    command = ["run", "cascade", "--config", bench.config]
    measured = [warm_start(command) for _ in range(bench.repetitions + 1)][1:]
    best = min(measured, key=lambda one: one["cpu"])
    note = f"CPU; {best['wall']:.2f} s of wall time"
    yield Figure("warm start of octopus run", best["cpu"], "s", 1, True, note)


def report(bench: Bench) -> Iterator[Figure]:
    """What watching and the report cost, of the simulation's time."""
    bare, watched, written = [], [], []
    for _ in range(bench.repetitions):
        with Worker(bench.config) as worker:
            bare.append(worker.ask("bare", count=bench.images))
        with Worker(bench.config) as worker:
            answer = worker.ask("report", count=bench.images)
            watched.append(answer["run"])
            written.append(answer["write"])
    whole = min(one["cpu"] for one in bare)
    simulated = min(one["simulation"] for one in bare)
    extra = (min(watched) - whole) / simulated
    writing = min(written) / simulated
    note = f"watching {extra:.1%}, writing {writing:.1%} of {simulated:.2f} s of simulation"
    name = f"report, {bench.images} images"
    yield Figure(name, extra + writing, "of simulation time", 0.1, True, note)


def waves(bench: Bench) -> Iterator[Figure]:
    """Cycles beside the window of an FST."""
    worker = bench.worker(bench.config, "--trace")
    request = {"do": "cascade", "count": WAVE_COUNT}
    traced, plain = bench.speeds(
        [(worker, request | {"window": [0, WAVE_CYCLES]}), (bench.ours, request)]
    )
    note = f"{traced:,.0f} and {plain:,.0f} cycles a second, {WAVE_CYCLES} cycles recorded"
    yield Figure(
        "speed beside the window of an FST", traced / plain, "of the plain", 1 - NOISE, note=note
    )


LINES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "cascade": cascade,
    "idle": idle,
    "gemm": gemm,
    "threads": threads,
    "driver": driver,
    "cocotb": cocotb,
    "build": build,
    "warm": warm,
    "report": report,
    "waves": waves,
    "scale": scale,
}
