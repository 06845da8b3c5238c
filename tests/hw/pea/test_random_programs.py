"""Random programs, runs and stalls: the array against the specification in plain Python."""

import random

import pytest

from octopus.hw.layouts.instruction import (
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)

from .harness import Bench, command, configuration, execute, seed
from .reference import SIDES, instruction, simulate

INTERESTING = [0, 1, 2, 0x7F, 0x80, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF0000, 31, 32]


def word(generator: random.Random) -> int:
    choice = generator.random()
    if choice < 0.4:
        return generator.choice(INTERESTING)
    return generator.getrandbits(32) if choice < 0.8 else generator.getrandbits(8)


def random_instruction(generator: random.Random, stages: int, exits: bool) -> dict:
    frequent = [Operation.DOT4, Operation.READ_ACCUMULATOR, Operation.REQUANTISE, Operation.PASS]
    operations = list(Operation) + frequent
    return instruction(
        generator.choice(operations),
        a=generator.choice(list(OperandSource)),
        b=generator.choice(list(OperandSource)),
        route=generator.choice(list(OperandSource)),
        a_register=generator.randrange(16),
        b_register=generator.randrange(16),
        destination_register=generator.randrange(16),
        write_register=generator.randrange(2),
        write_predicate=int(generator.random() < 0.3),
        early=generator.randrange(2),
        exit=int(exits and generator.random() < 0.2),
        predicate=generator.choice([PredicateMode.ALWAYS, *PredicateMode]),
        constant=word(generator),
        stage=generator.randrange(stages),
        **{side: generator.choice(list(OutputSelect)) for side in SIDES},
    )


def random_run(generator: random.Random, pea) -> dict:
    return command(
        head_length=generator.choice([0, 1, 3]),
        body_length=generator.choice([0, 1, 2, 4]),
        tail_length=generator.choice([0, 0, 1, 2]),
        stages=generator.randint(1, pea.stages),
        exit_stage=generator.randrange(pea.stages),
        skew=generator.randrange(2),
        flush=generator.choice([0, 1, 2, 5, 9]),
        body_trips=generator.choice([0, 1, 3, 8]),
        outer_trips=generator.choice([0, 1, 2, 3]),
    )


def random_case(generator: random.Random, pea, exits: bool) -> tuple[dict, dict, dict]:
    program = {
        (r, c, slot): random_instruction(generator, pea.stages, exits)
        for r in range(pea.rows)
        for c in range(pea.columns)
        for slot in range(pea.context_slots)
    }
    edges = [("west", r) for r in range(pea.rows)] + [("north", c) for c in range(pea.columns)]
    inputs = {
        edge: [word(generator) for _ in range(generator.choice([0, 5, 200]))] for edge in edges
    }
    return program, random_run(generator, pea), inputs


CONFIGURATIONS = [
    {"pipeline_stages": 1},
    {"pipeline_stages": 2},
    {"pipeline_stages": 3, "simple_latency": 3},
    {"pipeline_stages": 4, "simple_latency": 2},
    {"pipeline_stages": 5},
    {"pipeline_stages": 6, "simple_latency": 2},
    {"pipeline_stages": 3, "operations": "ai"},
    {"rows": 1, "columns": 1, "stages": 1},
    {"rows": 3, "columns": 2, "registers": 2, "stages": 8},
    {"rows": 3, "columns": 2, "operations": [["all", "ai"], ["general", "alu"]]},
    {
        "rows": 1,
        "columns": 3,
        "pipeline_stages": 5,
        "simple_latency": 4,
        "operations": [["mul+add", "alu"]],
    },
    {"pipeline_stages": 6, "simple_latency": 6, "operations": "mac", "features": "systolic"},
    {"pipeline_stages": 2, "operations": [["all", "mac"]], "features": [["full", "systolic"]]},
    {
        "pipeline_stages": 5,
        "simple_latency": 3,
        "registers": 1,
        "features": [["full"], ["systolic"]],
    },
]


@pytest.mark.parametrize("fields", CONFIGURATIONS, ids=str)
def test_queued_random_runs(fields: dict) -> None:
    """Several runs queued on one bench, so that what one leaves behind would spoil the next."""
    generator = random.Random(seed())
    pea = configuration(**fields)
    cases = [random_case(generator, pea, exits=bool(i % 2)) for i in range(12)]
    bench = Bench(pea, 0.15, generator)

    async def process(ctx) -> None:
        for number in range(0, len(cases), 2):
            batch = cases[number : number + 2]
            for bank, (program, run, _) in enumerate(batch):
                run["bank"] = bank
                await bench.load(ctx, program, bank)
            await bench.run(ctx, [case[1] for case in batch], [case[2] for case in batch])

    bench.simulate(process)
    for number, ((program, run, inputs), got) in enumerate(zip(cases, bench.runs, strict=True)):
        expected = simulate(pea, program, run, inputs)
        context = f"case {number}: {run}"
        assert got.cycles == expected.cycles, context
        assert got.taken == {edge: n for edge, n in expected.taken.items() if n}, context
        assert got.pushed == {edge: words for edge, words in expected.pushed.items() if words}, (
            context
        )


def test_stalls_change_no_result() -> None:
    generator = random.Random(seed() + 1)
    pea = configuration()
    program, _, inputs = random_case(generator, pea, exits=False)
    run = command(body_length=4, body_trips=20, stages=3, flush=4, skew=1)
    calm = execute(pea, program, run, inputs)
    stalled = execute(pea, program, run, inputs, stall=0.6, generator=generator)
    assert calm.cycles == stalled.cycles
    assert (calm.taken, calm.pushed) == (stalled.taken, stalled.pushed)
    assert stalled.clocks > calm.clocks
