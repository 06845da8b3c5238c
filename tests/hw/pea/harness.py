"""Drives an ArrayCore in Amaranth's simulator: loads programs, feeds streams, collects outputs."""

import os
import random
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from octopus.hw.config import PeaConfig
from octopus.hw.pea import ArrayCore

from .reference import instruction_bits

Edge = tuple[str, int]


def seed() -> int:
    """The seed of random tests; set OCTOPUS_SEED to replay."""
    value = int(os.environ.get("OCTOPUS_SEED", "1"))
    print(f"OCTOPUS_SEED={value}")
    return value


def configuration(**fields: object) -> PeaConfig:
    values = {
        "rows": 2,
        "columns": 2,
        "context_slots": 16,
        "context_banks": 2,
        "registers": 8,
        "stages": 4,
        "pipeline_stages": 2,
        "operations": "all",
    }
    return PeaConfig(**(values | fields))


def command(**fields: int) -> dict[str, int]:
    names = ["head_length", "body_length", "tail_length", "exit_stage", "skew", "flush"]
    names += ["body_trips", "bank"]
    return dict.fromkeys(names, 0) | {"stages": 1, "outer_trips": 1} | fields


@dataclass
class Run:
    """What one run did on the RTL."""

    cycles: int = 0
    clocks: int = 0
    taken: dict[Edge, int] = field(default_factory=dict)
    pushed: dict[Edge, list[int]] = field(default_factory=dict)


class Bench:
    """One ArrayCore; ``stall`` is the probability that a word or room is withheld in a clock."""

    def __init__(self, pea: PeaConfig, stall: float = 0.0, generator: random.Random | None = None):
        self.pea, self.stall = pea, stall
        self.random = generator or random.Random(0)
        self.dut = ArrayCore(pea)
        self.runs: list[Run] = []

    async def load(self, ctx, program: dict, bank: int = 0) -> None:
        port = self.dut.context_write
        for (row, column, slot), fields in program.items():
            ctx.set(port.enable, 1)
            ctx.set(port.bank, bank)
            ctx.set(port.element, row * self.pea.columns + column)
            ctx.set(port.slot, slot)
            ctx.set(port.instruction.as_value(), instruction_bits(fields))
            await ctx.tick()
        ctx.set(port.enable, 0)

    def ports(self) -> dict[Edge, tuple]:
        dut, pea = self.dut, self.pea
        west = {("west", r): (dut.west_in[r], dut.west_out[r]) for r in range(pea.rows)}
        north = {("north", c): (dut.north_in[c], dut.north_out[c]) for c in range(pea.columns)}
        return west | north

    async def run(self, ctx, commands: list[dict], inputs: list[dict], limit: int = 5000) -> None:
        """Offer the commands one after the other without pause; streams change with each run."""
        dut, ports = self.dut, self.ports()
        offered, current = 0, None
        ready = dict.fromkeys(ports, True)  # inputs that were said to be ready in this clock
        room = dict.fromkeys(ports, True)
        for _ in range(limit):
            if offered < len(commands):
                ctx.set(dut.command.valid, 1)
                ctx.set(dut.command.payload, commands[offered])
            else:
                ctx.set(dut.command.valid, 0)
            if current is None and offered == len(commands):
                return
            words = inputs[current] if current is not None else {}
            run = self.runs[-1] if current is not None else Run()
            for edge, (source, _) in ports.items():
                stream, position = words.get(edge, []), run.taken.get(edge, 0)
                valid = ready[edge] and position < len(stream)
                ctx.set(source.valid, int(valid))
                ctx.set(source.data, stream[position] if valid else 0xDEADBEEF)
            advance, done = ctx.get(dut.advance), ctx.get(dut.done)
            accepted = ctx.get(dut.command.valid & dut.command.ready)
            assert all(room.values()) or not advance
            run.clocks += 1
            run.cycles += advance
            for edge, (source, sink) in ports.items():
                if ctx.get(source.take):
                    assert ctx.get(source.valid) and advance
                    run.taken[edge] = run.taken.get(edge, 0) + 1
                if ctx.get(sink.push):
                    assert ctx.get(sink.valid) and advance
                    run.pushed.setdefault(edge, []).append(ctx.get(sink.data))
            stays, turns = self._promise(ports, self.stall), self._promise(ports, self.stall)
            # an output without room stops the array even if nothing is pushed: less often
            room = self._promise(ports, self.stall / len(ports))
            for edge, (source, sink) in ports.items():
                ctx.set(source.next_ready, stays[edge])
                ctx.set(source.next_ready_turned, turns[edge])
                ctx.set(sink.next_ready, room[edge])
            ready = turns if accepted else stays
            if done:
                current = None
            if accepted:
                assert current is None
                current, offered = offered, offered + 1
                self.runs.append(Run())
            await ctx.tick()
        raise AssertionError(f"not done within {limit} clocks")

    def _promise(self, ports: dict[Edge, tuple], stall: float) -> dict[Edge, bool]:
        """What the edges say of the next clock: a word or its absence is known, there is room."""
        return {edge: self.random.random() >= stall for edge in ports}

    def simulate(self, process) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(process)
        simulator.run()


def execute(
    pea: PeaConfig,
    program: dict,
    run: dict,
    inputs: dict | None = None,
    stall: float = 0.0,
    generator: random.Random | None = None,
) -> Run:
    """Load ``program``, do one run, return what it did."""
    bench = Bench(pea, stall, generator)

    async def process(ctx) -> None:
        await bench.load(ctx, program)
        await bench.run(ctx, [run], [inputs or {}])

    bench.simulate(process)
    return bench.runs[0]
