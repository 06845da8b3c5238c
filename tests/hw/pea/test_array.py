"""Links, streams, state and the wave: the array on small programs worked out by hand."""

import pytest

from octopus.hw.layouts.instruction import Operation

from .harness import Bench, command, configuration, execute
from .reference import dot4, instruction, requantise, signed

PASS = Operation.PASS
PREDICATE = {"write_predicate": 1, "early": 1}
WEST = {"west": "RESULT", "early": 1}


@pytest.mark.parametrize("early", [0, 1, 2])
@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5, 6])
def test_result_reaches_the_neighbour_after_its_latency(stages: int, early: int) -> None:
    """PE (0, 1) passes what comes from the west back west; cycles counted by the words dropped.

    ``early``: the latency of early results, 0 if there are none.
    """
    latency = min(early or stages, stages)
    pea = configuration(rows=1, columns=2, pipeline_stages=stages, simple_latency=latency)
    fast = {"early": int(early > 0)}
    program = {
        (0, 0, 0): instruction(PASS, a="WEST", east="RESULT", west="ROUTE", route="EAST", **fast),
        (0, 1, 0): instruction(PASS, a="WEST", west="RESULT", **fast),
    }
    words = [3, 1, 4, 1, 5]
    # the last word enters in cycle 4 and is pushed in cycle 4 + 2 L + 1
    cycles = 4 + 2 * latency + 2
    run = command(body_length=1, body_trips=cycles)
    assert execute(pea, program, run, {("west", 0): words}).pushed == {("west", 0): words}
    run["body_trips"] -= 1
    assert execute(pea, program, run, {("west", 0): words}).pushed == {("west", 0): words[:-1]}


def test_an_early_result_is_there_for_the_next_instruction_of_its_pe() -> None:
    """A sum over a register, and a predicate, one instruction a cycle."""
    pea = configuration(rows=1, columns=1, pipeline_stages=6)
    code = [
        instruction(Operation.ADD, a="WEST", b="REGISTER", b_register=1, write_register=1, early=1),
        instruction(
            Operation.GE, a="REGISTER", a_register=1, b="CONSTANT", constant=10, **PREDICATE
        ),
        instruction(
            Operation.SELECT, a="CONSTANT", constant=99, b="REGISTER", b_register=1, **WEST
        ),
    ]
    code[0]["destination_register"] = 1
    program = {(0, 0, slot): fields for slot, fields in enumerate(code)}
    run = command(body_length=3, body_trips=4, flush=2)
    done = execute(pea, program, run, {("west", 0): [3, 4, 3, 5]})
    assert done.pushed == {("west", 0): [3, 7, 99, 99]}


def test_two_results_at_once() -> None:
    """A product and a younger sum land together: both links get theirs, one register is written,
    and where both want a link the sum has it."""
    pea = configuration(rows=1, columns=1, pipeline_stages=3)
    for shared in (False, True):
        product = {"destination_register": 1, "write_register": 1, "west": "RESULT"}
        younger = {"destination_register": 2, "write_register": 1, "early": 1}
        younger["west" if shared else "north"] = "RESULT"
        code = [
            instruction(Operation.MUL, a="CONSTANT", b="CONSTANT", constant=5, **product),
            instruction(),
            instruction(Operation.ADD, a="CONSTANT", constant=7, **younger),
            instruction(Operation.ADD, a="REGISTER", a_register=1, **WEST),
            instruction(Operation.ADD, a="REGISTER", a_register=2, **WEST),
        ]
        program = {(0, 0, slot): fields for slot, fields in enumerate(code)}
        done = execute(pea, program, command(head_length=5, flush=3))
        first = {"west": [7]} if shared else {"west": [25], "north": [7]}
        wanted = {("west", 0): [*first["west"], 0, 7]}
        if not shared:
            wanted["north", 0] = first["north"]
        assert done.pushed == wanted


def test_straight_takes_one_cycle_and_needs_no_stage() -> None:
    pea = configuration(rows=1, columns=4)
    program = {(0, c, 0): instruction(west="STRAIGHT") for c in range(3)}
    program[0, 3, 0] = instruction(PASS, a="CONSTANT", constant=9, west="RESULT", stage=3)
    for slot in range(3):
        program |= {(0, c, slot): program[0, c, 0] for c in range(3)}
    run = command(head_length=1, flush=6)
    assert execute(pea, program, run).pushed == {("west", 0): [9]}


def test_a_valid_result_wins_over_what_passes() -> None:
    """RESULT of slot 0 meets the ROUTE of slot 1 (two stages)."""
    pea = configuration(rows=1, columns=1)
    program = {
        (0, 0, 0): instruction(PASS, a="WEST", west="RESULT"),
        (0, 0, 1): instruction(west="ROUTE", route="CONSTANT", constant=7),
    }
    run = command(head_length=2, outer_trips=2, flush=3)
    done = execute(pea, program, run, {("west", 0): [5]})
    assert done.pushed == {("west", 0): [5, 7]}  # the second PASS finds the stream exhausted


def test_exhausted_stream_gives_invalid_words_without_stall() -> None:
    pea = configuration(rows=1, columns=1)
    program = {(0, 0, 0): instruction(Operation.ADD, a="WEST", b="NORTH", west="RESULT")}
    run = command(body_length=1, body_trips=6, flush=3)
    done = execute(pea, program, run, {("west", 0): [1, 2, 3, 4], ("north", 0): [10, 20]})
    assert done.pushed == {("west", 0): [11, 22]}
    assert done.taken == {("west", 0): 4, ("north", 0): 2}
    assert done.cycles == 9


def test_only_active_stages_take_words() -> None:
    pea = configuration(rows=1, columns=1)
    program = {
        (0, 0, 0): instruction(PASS, a="WEST", stage=2, west="RESULT"),
        (0, 0, 1): instruction(south="STRAIGHT", stage=1),
    }
    run = command(body_length=2, body_trips=3, stages=3, flush=3)
    words = {("west", 0): list(range(9)), ("north", 0): list(range(9))}
    done = execute(pea, program, run, words)
    assert done.cycles == 5 * 2 + 3
    assert done.pushed == {("west", 0): [0, 1, 2]}
    assert done.taken == {("west", 0): 3, ("north", 0): 3}


def test_predicates_registers_and_clear_do_not_outlive_a_run() -> None:
    """The second run would read register, predicate and accumulator of the first."""
    pea = configuration(rows=1, columns=1)
    first = {
        (0, 0, 0): instruction(PASS, a="CONSTANT", constant=99, write_register=1),
        (0, 0, 1): instruction(PASS, a="CONSTANT", constant=1, write_predicate=1),
        (0, 0, 2): instruction(Operation.DOT4, a="CONSTANT", b="CONSTANT", constant=3),
    }
    second = {
        (0, 0, 0): instruction(PASS, a="REGISTER", west="RESULT"),
        (0, 0, 1): instruction(PASS, a="CONSTANT", predicate="IF_TRUE", west="RESULT"),
        (0, 0, 2): instruction(Operation.READ_ACCUMULATOR, west="RESULT"),
    }
    bench = Bench(pea)

    async def process(ctx) -> None:
        await bench.load(ctx, first, 0)
        await bench.load(ctx, second, 1)
        runs = [command(head_length=3, flush=1), command(head_length=3, flush=3, bank=1)]
        await bench.run(ctx, runs, [{}, {}])

    bench.simulate(process)
    assert bench.runs[1].pushed == {("west", 0): [0]}


def gemm_program(pea, depth: int, parameters: int) -> dict:
    """Output stationary: bytes from west and north, results leave by the west edge."""
    body = instruction(
        Operation.DOT4, a="WEST", b="NORTH", east="STRAIGHT", south="STRAIGHT", stage=0
    )
    drain = instruction(Operation.REQUANTISE, b="CONSTANT", constant=parameters, west="RESULT")
    program = {}
    for r in range(pea.rows):
        for c in range(pea.columns):
            program[r, c, 0] = body
            program[r, c, 1] = drain
            for slot in range(2, 2 + pea.columns + pea.pipeline_stages):
                program[r, c, slot] = instruction(west="STRAIGHT")
    return program


@pytest.mark.parametrize(("stages", "stall"), [(1, 0.0), (2, 0.3), (3, 0.0), (4, 0.3)])
def test_small_gemm(stages: int, stall: float) -> None:
    pea = configuration(pipeline_stages=stages, operations="ai" if stages == 3 else "all")
    depth = 8
    parameters = 0x4000 | 18 << 16 | 3 << 24
    left = [
        [(37 * (r + 1) * (k + 3)) * 0x01030507 & 0xFFFFFFFF for k in range(depth)] for r in (0, 1)
    ]
    right = [
        [(91 * (c + 2) * (k + 1)) * 0x0B0D1113 & 0xFFFFFFFF for k in range(depth)] for c in (0, 1)
    ]
    inputs = {("west", r): left[r] for r in (0, 1)} | {("north", c): right[c] for c in (0, 1)}
    tail = 1 + pea.columns + stages
    run = command(
        body_length=1, body_trips=depth, tail_length=tail, skew=1, flush=pea.rows + pea.columns
    )
    done = execute(pea, gemm_program(pea, depth, parameters), run, inputs, stall)
    for r in (0, 1):
        sums = [
            sum(dot4(a, b) for a, b in zip(left[r], right[c], strict=True)) & 0xFFFFFFFF
            for c in (0, 1)
        ]
        got = [signed(word) for word in done.pushed["west", r]]
        assert got == [requantise(total, parameters) for total in sums]
