"""cocotb tests of one Control Block Unit; run by ``tests/verify/test_cbu_bench.py``.

Parameters come in environment variables ``CBU_...``; the seed in ``OCTOPUS_SEED``.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, BlockStatistics
from octopus.hw.layouts.command import ClusterCommand, CommandOperation
from octopus.hw.layouts.space import ClusterRegister, ConfigurationRegion
from octopus.hw.layouts.words import pack
from octopus.verify.bench.cbu_graphs import (
    FREQUENT_FAULTS,
    RARE_FAULTS,
    Graph,
    GraphMaker,
    executor,
    start_tokens,
)
from octopus.verify.bench.cbu_player import Player
from octopus.verify.golden.cbu import (
    ControlBlockModel,
    ResultModel,
    TaskModel,
    TokenModel,
    run,
)

HERE, ELSEWHERE = (3, 1), (0, 2)
COMMAND = ConfigurationRegion.REGISTERS + ClusterRegister.COMMAND
EVENTS = ConfigurationRegion.REGISTERS + ClusterRegister.EVENTS
COMMAND_STATUS = ConfigurationRegion.REGISTERS + ClusterRegister.COMMAND_STATUS
GRAPHS = int(os.environ.get("CBU_GRAPHS", "40"))
ABORTS = int(os.environ.get("CBU_ABORTS", "15"))
INDEX_BITS = ((2, 1), (3, 1), (4, 2), (5, 2))
"""Settings of the token store: bits of an index, of them those of an inner map."""
LONGEST_PAUSE = 3000
"""Cycles without any event after which a run counts as stuck: far more than the longest task and
the longest way of a token, whatever stalls there are."""
Execute = Callable[[TaskModel], ResultModel]


class Job:
    """A random graph that fits the unit, its tokens, and what the model makes of them."""

    def __init__(self, random: Random, config: OctopusConfig, faults_per_mille: int = 0) -> None:
        tables = config.control_block_unit
        places = random.choice(([HERE], [HERE, ELSEWHERE], [ELSEWHERE, HERE, HERE]))
        self.execute: Execute = executor(faults_per_mille)
        while True:
            units = config.cluster.task_block_units
            bits = random.choice(((0, 0), (0, 0), *INDEX_BITS))
            self.graph: Graph = GraphMaker(random, places, units, 3, *bits).graph
            self.graph.blocks.setdefault(HERE, [])
            rows = tables.instances >> bits[0]
            instances = random.randint(1, min(16, rows))
            self.tokens: list[TokenModel] = start_tokens(
                self.graph, random, random.sample(range(rows), instances)
            )
            self.models: dict[tuple[int, int], ControlBlockModel] = self.graph.models(
                tables.instances
            )
            fits = (
                len(self.graph.blocks[HERE]) <= tables.blocks
                and self.graph.successors(HERE) <= tables.successors
            )
            try:
                if fits:
                    self.to_host, self.ran = run(self.models, self.tokens, self.execute, 4000)
                    return
            except RuntimeError:
                continue


class Bench:
    """The device, and what has been seen of it."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.config = OctopusConfig.load(os.environ["CBU_PRESET"])
        self.random = Random(int(os.environ["OCTOPUS_SEED"]))
        units = self.config.cluster.task_block_units
        self.player = Player(device, HERE, units, self.random)
        self.seen: Counter[str] = Counter()

    async def start(self) -> None:
        """Clock and first reset."""
        Clock(self.device.clk, 10, unit="ns").start()
        await self.player.reset()

    async def play(self, job: Job, cycles: int | None = None) -> None:
        """Load a job and play it to its end, or for some cycles."""
        player = self.player
        await player.load(job.graph, self.config.control_block_unit.instances)
        player.execute = job.execute
        for token in job.tokens:
            player.send(token)
        expected = len(job.to_host)
        while player.now < cycles if cycles is not None else len(player.to_host) < expected:
            await player.cycle()
            self.check_progress(expected if cycles is None else 0)

    def check_progress(self, expected: int) -> None:
        """Something moved lately."""
        player = self.player
        assert player.idle_cycles < LONGEST_PAUSE, (
            f"stuck: host received {len(player.to_host)} of {expected} tokens, "
            f"{len(player.ran)} tasks ran in {player.now} cycles"
        )

    async def abort(self, job: Job) -> None:
        """Abort some instances in the middle, let the others end, then start those again."""
        random, player = self.random, self.player
        instances = self.config.control_block_unit.instances
        first = random.choice([token.instance for token in job.tokens])
        last = random.choice((first, random.randrange(first, instances), 255))
        chosen = range(first, last + 1)
        await self.play(job, cycles=random.randint(30, 2000))
        await self.command(CommandOperation.ABORT, first, last)
        for model in player.others.values():
            model.abort(first, last)
        told = [token for token in player.to_host if token.instance in chosen]
        await player.access(COMMAND, 1, playing=True, refused=True)
        player.idle_cycles = 0
        while await player.access(COMMAND_STATUS, playing=True) or player.under_way(chosen):
            self.check_progress(0)
        assert told == [token for token in player.to_host if token.instance in chosen]
        ended = [task for task, _ in player.ran if task.instance in chosen]

        # The others end as if nothing had happened, and those again that start a second time.
        await self.command(CommandOperation.OPEN, first, last)
        for model in player.others.values():
            model.open(first, last)
        again = [token for token in job.tokens if token.instance in chosen]
        for token in again:
            player.send(token)
        expected = [*job.to_host, *told]
        while len(player.to_host) < len(expected):
            await player.cycle()
            self.check_progress(len(expected))
        await self.settle()
        assert sorted(player.to_host, key=repr) == sorted(expected, key=repr)
        ran = sorted((task for task, _ in player.ran), key=repr)
        for block in range(len(job.graph.blocks[HERE])):
            assert await player.statistics(block, BlockStatistics.QUEUE) == 0, block
        mine = [task for task in job.ran if task.place == HERE]
        assert ran == sorted([*mine, *ended], key=repr)

    async def command(self, operation: CommandOperation, first: int, last: int) -> None:
        """Give the unit a command."""
        fields = {"operation": operation, "first": first, "last": last}
        (word,) = pack(ClusterCommand, fields)
        await self.player.access(COMMAND, word, playing=True)

    async def settle(self) -> None:
        """Wait until nothing runs and nothing comes any more."""
        quiet = 0
        while quiet < 300:
            await self.player.cycle()
            quiet = 0 if self.player.busy_now else quiet + 1

    async def check(self, job: Job) -> None:
        """Nothing more comes, and all there is agrees with the model."""
        player = self.player
        await self.settle()
        assert sorted(player.to_host, key=repr) == sorted(job.to_host, key=repr)
        ran = sorted((task for task, _ in player.ran), key=repr)
        assert ran == sorted((task for task in job.ran if task.place == HERE), key=repr)
        units = self.config.cluster.task_block_units
        every = (1 << units) - 1
        for task, unit in player.ran:
            assert (task.task_block_units & every or every) >> unit & 1, f"{task} on TBU {unit}"
        model = job.models[HERE]
        for block in range(len(job.graph.blocks[HERE])):
            for field, expected in (
                (BlockStatistics.ARRIVALS, model.arrivals[block]),
                (BlockStatistics.COMPLETIONS, model.completions[block]),
                (BlockStatistics.FAULTS, model.faults[block]),
                (BlockStatistics.BUSY_CYCLES, player.busy[block]),
                (BlockStatistics.MEAN_CYCLES, player.mean[block]),
                (BlockStatistics.FORECAST, model.forecasts[block] & 0xFFFFFFFF),
                (BlockStatistics.QUEUE, 0),
            ):
                found = await player.statistics(block, field)
                assert found == expected, f"block {block}, field {field}: {found}, not {expected}"
        await self.check_events()
        self.cover(job)

    async def check_events(self) -> None:
        """Each event was told once, and writing its bit clears it."""
        player = self.player
        x, y = HERE
        told = [notice.block for notice in player.notices]
        assert len(set(told)) == len(told)
        for notice in player.notices:
            assert (notice.instance, notice.index, notice.status) == (0, x + 32 * y, 0)
            assert notice.value >> notice.block & 1
        events = await player.access(EVENTS)
        assert events == sum(1 << number for number in told), (events, told)
        await player.access(EVENTS, events)
        assert await player.access(EVENTS) == 0
        self.seen["event"] += len(told)

    def cover(self, job: Job) -> None:
        """Note what this job has exercised."""
        model = job.models[HERE]
        for number, block in enumerate(model.blocks):
            self.seen[block.kind.name] += model.arrivals[number]
            self.seen["fault"] += model.faults[number]
            self.seen["shards"] += block.shards > 1 and model.arrivals[number]
        for unit, port in enumerate(self.player.dispatch):
            self.seen[f"TBU {unit}"] += sum(at == unit for _, at in self.player.ran)
            self.seen[f"TBU {unit} stalled"] += port.stalled
            self.seen[f"completion {unit} waited"] += self.player.completion[unit].stalled
        self.seen["token from elsewhere waited"] += self.player.token_in.stalled
        self.seen["token to elsewhere waited"] += self.player.token_out.stalled

    @property
    def missing(self) -> list[str]:
        """Points that ought to have been seen and were not."""
        units = self.config.cluster.task_block_units
        points = [kind.name for kind in BlockKind if kind.name != "INVALID"]
        points += ["fault", "token from elsewhere waited", "token to elsewhere waited"]
        points += ["shards"]
        for unit in range(units):
            points += [f"TBU {unit}", f"TBU {unit} stalled"]
        if units > 1:
            points += [f"completion {unit} waited" for unit in range(units)]
        return [point for point in points if not self.seen[point]]


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def random_graphs(device: Any) -> None:
    """Random graphs, stalls and task lengths: the model's tokens, tasks and statistics."""
    bench = Bench(device)
    await bench.start()
    for number in range(GRAPHS):
        faults = {3: RARE_FAULTS, 7: FREQUENT_FAULTS}.get(number % 8, 0)
        job = Job(bench.random, bench.config, faults)
        bench.player.stall = bench.random.choice((0.0, 0.3, 0.8))
        bench.player.longest_task = bench.random.choice((1, 10, 100))
        await bench.play(job)
        await bench.check(job)
        await bench.player.reset()
    Path("cbu_coverage.json").write_text(json.dumps(bench.seen, indent=1) + "\n")
    assert not bench.missing, bench.missing


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def reset_in_flight(device: Any) -> None:
    """After a reset in the middle of a graph the next one runs as on a new unit."""
    bench = Bench(device)
    await bench.start()
    for _ in range(10):
        job = Job(bench.random, bench.config)
        await bench.play(job, cycles=bench.random.randint(50, 3000))
        await bench.player.reset()
        job = Job(bench.random, bench.config)
        await bench.play(job)
        await bench.check(job)
        await bench.player.reset()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def abort_in_flight(device: Any) -> None:
    """Aborted instances leave nothing behind and disturb no others; they can start anew."""
    bench = Bench(device)
    await bench.start()
    for _ in range(ABORTS):
        job = Job(bench.random, bench.config)
        bench.player.stall = bench.random.choice((0.0, 0.3, 0.6))
        bench.player.longest_task = bench.random.choice((1, 10, 100))
        await bench.abort(job)
        await bench.player.reset()
