"""Every operation on edge cases and random words, for every pipeline depth."""

import random

import pytest

from octopus.hw.layouts.instruction import SIMPLE_OPERATIONS, Operation

from .harness import command, configuration, execute, seed
from .reference import (
    AI,
    MASK,
    UNARY,
    binary,
    dot4,
    instruction,
    requantise,
    signed,
)

EDGES = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
EDGES += [0xFFFFFF80, 0xFFFFFF7F, 0x80808080, 0x7F7F7F7F, 31, 32, 33]
STATELESS = [
    operation
    for operation in Operation
    if operation.name not in ("NOP", "SELECT", "DOT4", "READ_ACCUMULATOR", "REQUANTISE")
]


def pairs(generator: random.Random) -> list[tuple[int, int]]:
    both = [(a, b) for a in EDGES for b in EDGES]
    both += [(generator.getrandbits(32), generator.getrandbits(32)) for _ in range(40)]
    return both + [(generator.getrandbits(32), shift) for shift in range(32)]


def stream_through(pea, code: list[dict], words: list[tuple[int, int]], **run: int) -> list[int]:
    """Feed pairs by west and north through PE (0, 0); the words on its west output."""
    program = {(0, 0, slot): fields for slot, fields in enumerate(code)}
    inputs = {("west", 0): [a for a, _ in words], ("north", 0): [b for _, b in words]}
    fields = {"body_length": len(code), "body_trips": len(words), "flush": 7} | run
    return execute(pea, program, command(**fields), inputs).pushed.get(("west", 0), [])


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5, 6])
def test_stateless_operations(stages: int) -> None:
    """All of them in one program: the operands stay in registers while each operation runs."""
    check_operations(STATELESS, stages - 1, pipeline_stages=stages)


@pytest.mark.parametrize(("stages", "simple"), [(2, 1), (4, 2), (6, 1), (6, 2), (6, 3)])
def test_early_results_of_simple_operations(stages: int, simple: int) -> None:
    """The operands can be read as many cycles later as the array promises."""
    operations = [operation for operation in STATELESS if operation in SIMPLE_OPERATIONS]
    assert len(operations) == len(STATELESS) - len({Operation.MUL, Operation.MULH})
    latencies = {"pipeline_stages": stages, "simple_latency": simple}
    check_operations(operations, simple - 1, early=1, **latencies)


def check_operations(operations: list[Operation], wait: int, early: int = 0, **array: int) -> None:
    """Load both operands, wait, and do all operations on them."""
    generator = random.Random(seed())
    words = generator.sample(pairs(generator), 120)
    target = {"write_register": 1, "early": early}
    load = [
        instruction(Operation.PASS, a="WEST", destination_register=1, **target),
        instruction(Operation.PASS, a="NORTH", destination_register=2, **target),
    ] + [instruction()] * wait
    registers = {"a": "REGISTER", "a_register": 1, "b": "REGISTER", "b_register": 2}
    work = [
        instruction(operation, west="RESULT", early=early, **registers) for operation in operations
    ]
    pea = configuration(rows=1, columns=1, context_slots=32, **array)
    got = stream_through(pea, load + work, words)
    expected = [binary(operation, a, b) for a, b in words for operation in operations]
    labels = [(operation.name, hex(a), hex(b)) for a, b in words for operation in operations]
    assert len(got) == len(expected)
    wrong = [
        (label, hex(g), hex(e)) for label, g, e in zip(labels, got, expected, strict=True) if g != e
    ]
    assert not wrong


@pytest.mark.parametrize("operation", sorted(AI - {Operation.PASS}, key=lambda item: item.value))
@pytest.mark.parametrize("operations", ["all", "ai"])
def test_every_edge_pair_back_to_back(operation: Operation, operations: str) -> None:
    """One result a cycle straight from the links; the accumulator is zero where it is read."""
    generator = random.Random(seed())
    words = pairs(generator)
    pea = configuration(rows=1, columns=1, pipeline_stages=3, operations=operations)
    got = stream_through(
        pea, [instruction(operation, a="WEST", b="NORTH", west="RESULT")], words, stages=1
    )
    if operation in (Operation.READ_ACCUMULATOR, Operation.REQUANTISE):
        assert got == []  # the accumulator is never valid
    elif operation == Operation.DOT4:
        total, expected = 0, []
        for a, b in words:
            total += dot4(a, b)
            expected.append(total & MASK)
        assert got == expected
    else:
        assert got == [binary(operation, a, b) for a, b in words]


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("operations", ["all", "ai"])
def test_requantise(stages: int, operations: str) -> None:
    """A product of four bytes, a bias and parameters, over all shifts and the clamp's edges."""
    generator = random.Random(seed())
    words = []
    for shift in range(64):
        for _ in range(6):
            magnitude = generator.randrange(1, 33)
            bias = generator.choice([generator.getrandbits(magnitude), -1, 127, 1 << 31])
            bias = generator.choice([bias, -bias]) & MASK
            multiplier = generator.choice([0, 1, 0x8000, 0xFFFF, generator.getrandbits(16)])
            zero, relu = generator.choice([0, 127, 0x80, 0xFF, 5]), generator.randrange(2)
            words.append((bias, multiplier | shift << 16 | relu << 22 | zero << 24))
    code = [
        instruction(Operation.DOT4, a="CONSTANT", b="CONSTANT", constant=0x01FE0380),
        instruction(Operation.REQUANTISE, a="WEST", b="NORTH", west="RESULT"),
    ]
    pea = configuration(rows=1, columns=1, pipeline_stages=stages, operations=operations)
    got = stream_through(pea, code, words)
    start = dot4(0x01FE0380, 0x01FE0380)
    expected = [requantise((bias + start) & MASK, p) & MASK for bias, p in words]
    assert [signed(word) for word in got] == [signed(word) for word in expected]


@pytest.mark.parametrize("stages", [1, 3])
def test_read_accumulator_takes_the_sum_away(stages: int) -> None:
    code = [
        instruction(Operation.DOT4, a="WEST", b="NORTH"),
        instruction(Operation.DOT4, a="WEST", b="NORTH", north="RESULT"),
        instruction(Operation.READ_ACCUMULATOR, a="CONSTANT", constant=-5, west="RESULT"),
        instruction(Operation.READ_ACCUMULATOR, a="CONSTANT", constant=7, west="RESULT"),
    ]
    words = [(0x01020304, 0x05060708), (0x80808080, 0x7F807F80)] * 3
    pea = configuration(rows=1, columns=1, pipeline_stages=stages)
    got = stream_through(pea, code, words, body_trips=3)
    total = sum(dot4(a, b) for a, b in words[:2])
    assert got == [(total - 5) & MASK] * 3  # the second read finds no valid accumulator


def test_select_follows_the_predicate_of_its_cycle() -> None:
    code = [
        instruction(Operation.PASS, a="WEST", write_predicate=1),
        instruction(
            Operation.SELECT, a="CONSTANT", constant=11, b="REGISTER", b_register=3, west="RESULT"
        ),
        instruction(Operation.PASS, a="CONSTANT", constant=22, predicate="IF_TRUE", west="RESULT"),
        instruction(Operation.PASS, a="CONSTANT", constant=33, predicate="IF_FALSE", west="RESULT"),
    ]
    pea = configuration(rows=1, columns=1, pipeline_stages=1)
    got = stream_through(pea, code, [(1, 0), (0, 0), (5, 0)])
    assert got == [11, 22, 0, 33, 11, 22]


def test_an_operation_that_is_not_there_gives_nothing_and_takes_nothing() -> None:
    pea = configuration(rows=1, columns=1, operations="ai")
    for operation in sorted(set(Operation) - AI, key=lambda item: item.value):
        program = {
            (0, 0, 0): instruction(
                operation, a="WEST", b="NORTH", west="RESULT", write_predicate=1, exit=1
            )
        }
        run = command(body_length=1, body_trips=3, flush=4)
        done = execute(pea, program, run, {("west", 0): [1, 2, 3], ("north", 0): [1, 2, 3]})
        assert (done.cycles, done.pushed, done.taken) == (7, {}, {}), operation


def test_unary_operations_do_not_wait_for_b() -> None:
    pea = configuration(rows=1, columns=1)
    for operation in sorted(UNARY - {Operation.READ_ACCUMULATOR}, key=lambda item: item.value):
        code = instruction(operation, a="CONSTANT", constant=-300, b="EAST", west="RESULT")
        got = stream_through(pea, [code], [(0, 0)])
        assert got == [binary(operation, -300 & MASK, 0)], operation
