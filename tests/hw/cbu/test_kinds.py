"""Each kind of block with hand-worked results, on the unit and on its model."""

from collections.abc import Sequence
from random import Random

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, Combine, Comparison
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import TokenKind
from octopus.verify.bench.cbu_system import ControlSystem
from octopus.verify.golden.cbu import (
    BlockModel,
    ControlBlockModel,
    ResultModel,
    Successor,
    TaskModel,
    TokenModel,
    run,
)

CONFIG = OctopusConfig.load("tiny")
HERE = (0, 0)
ARRIVE, EXPECT, COMPLETE, FAULT, FORECAST = TokenKind
MINUS_ONE = 0xFFFFFFFF

Seen = tuple[int, int, int, int]
"""Block (of the token the host gets), instance, index, value."""


def host(block: int, arm: int = 0) -> Successor:
    """The host as successor; ``block`` tells it which."""
    return Successor(None, block, COMPLETE, arm)


def arrive(value: int, index: int = 0, instance: int = 0, block: int = 0) -> TokenModel:
    return TokenModel(HERE, ARRIVE.value, block, instance, index, value)


def expect(value: int, instance: int = 0, block: int = 0) -> TokenModel:
    return TokenModel(HERE, EXPECT.value, block, instance, 0, value)


def execute(task: TaskModel) -> ResultModel:
    """The value + 1; 13 brings bad luck."""
    if task.value == 13:
        return ResultModel(0, Status.KERNEL_UNKNOWN)
    return ResultModel(task.value + 1)


def outcome(blocks: Sequence[BlockModel], tokens: Sequence[TokenModel]) -> list[TokenModel]:
    """What the host gets from the unit, which must be what it gets from the model."""
    instances = CONFIG.control_block_unit.instances
    to_host, _ = run({HERE: ControlBlockModel(HERE, blocks, instances)}, tokens, execute)
    system = ControlSystem({HERE: blocks}, CONFIG, execute, Random(1), stall=0.2)
    system.run(tokens, len(to_host))
    assert sorted(system.to_host, key=repr) == sorted(to_host, key=repr)
    return system.to_host


def values(seen: Sequence[TokenModel]) -> list[tuple[int, int]]:
    """(block, value) of what the host got, sorted."""
    return sorted((token.block, token.value) for token in seen)


ARMS = [host(100 + arm, arm) for arm in range(4)]

COMPARISONS = [
    (Comparison.ALWAYS, 0, 0, 1),
    (Comparison.EQ, 5, 5, 1),
    (Comparison.EQ, 5, 6, 0),
    (Comparison.NE, 5, 6, 1),
    (Comparison.NE, 6, 6, 0),
    (Comparison.LT, MINUS_ONE, 0, 1),
    (Comparison.LT, 0, MINUS_ONE, 0),
    (Comparison.LT, 3, 3, 0),
    (Comparison.GE, 3, 3, 1),
    (Comparison.GE, MINUS_ONE, 0, 0),
    (Comparison.LTU, 0, MINUS_ONE, 1),
    (Comparison.LTU, MINUS_ONE, 0, 0),
    (Comparison.GEU, MINUS_ONE, 0, 1),
    (Comparison.GEU, 2, 3, 0),
]


def test_branch_takes_the_arm_of_its_comparison() -> None:
    blocks = [
        BlockModel(BlockKind.BRANCH, ARMS, comparison, operand=operand)
        for comparison, _, operand, _ in COMPARISONS
    ]
    tokens = [arrive(row[1], block=i, instance=i % 8) for i, row in enumerate(COMPARISONS)]
    expected = sorted((100 + arm, value) for _, value, _, arm in COMPARISONS)
    assert values(outcome(blocks, tokens)) == expected


def test_switch_limits_its_arm() -> None:
    blocks = [BlockModel(BlockKind.SWITCH, ARMS, operand=3)]
    tokens = [arrive(value) for value in (0, 1, 2, 3, 40, MINUS_ONE)]
    arms = [(100, 0), (101, 1), (102, 2), (102, 3), (102, 40), (102, MINUS_ONE)]
    assert values(outcome(blocks, tokens)) == arms


def test_multicast_counts_what_it_sends() -> None:
    gather = Successor(None, 200, EXPECT, arm=31)
    blocks = [BlockModel(BlockKind.MULTICAST, [*ARMS, gather], operand=4)]
    seen = outcome(blocks, [arrive(0b1011), arrive(0, instance=1), arrive(0xF0, instance=2)])
    assert values(seen) == [
        (100, 0b1011), (101, 0b1011), (103, 0b1011), (200, 0), (200, 0), (200, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_counted_loop_goes_round_and_can_be_used_again(rounds: int) -> None:
    blocks = [
        BlockModel(BlockKind.MERGE, [Successor(HERE, 1)]),
        BlockModel(BlockKind.TASK, [Successor(HERE, 2)]),
        BlockModel(
            BlockKind.LOOP,
            [Successor(HERE, 0, arm=1), host(9, 0)],
            Comparison.COUNT,
            operand=rounds,
        ),
    ]
    tokens = [arrive(100, instance=1), arrive(200, instance=6)]
    assert values(outcome(blocks, tokens)) == [(9, 101 + rounds), (9, 201 + rounds)]
    blocks.append(BlockModel(BlockKind.LOOP, [host(7, 1), host(8, 0)], Comparison.COUNT, operand=2))
    seen = outcome(blocks, [arrive(i, block=3, instance=2) for i in range(6)])
    assert [token.block for token in seen] == [7, 7, 8, 7, 7, 8]


@pytest.mark.parametrize(
    ("combine", "total"),
    [
        (Combine.SUM, 8),
        (Combine.MINIMUM, MINUS_ONE - 1),
        (Combine.MAXIMUM, 7),
        (Combine.AND, 2),
        (Combine.OR, MINUS_ONE),
    ],
)
def test_join_and_gather_combine(combine: Combine, total: int) -> None:
    blocks = [
        BlockModel(BlockKind.JOIN, [host(9)], combine=combine, join_count=3),
        BlockModel(BlockKind.GATHER, [host(8)], combine=combine),
    ]
    parts = (7, MINUS_ONE - 1, 3)
    tokens = [arrive(value) for _ in range(2) for value in parts]
    tokens += [expect(3, block=1)] + [arrive(value, block=1) for value in parts]
    tokens += [arrive(value, 0, 1, 1) for value in parts] + [expect(3, 1, 1)]
    seen = outcome(blocks, tokens)
    assert values(seen) == [(8, total)] * 2 + [(9, total)] * 2
    assert all(token.index == 0 for token in seen)


def test_gather_of_nothing_fires_with_zero() -> None:
    blocks = [BlockModel(BlockKind.GATHER, [host(8)])]
    assert values(outcome(blocks, [expect(0), expect(0, instance=3)])) == [(8, 0)] * 2


def test_map_numbers_its_tokens() -> None:
    blocks = [BlockModel(BlockKind.MAP, [host(1), Successor(None, 2, EXPECT), host(3)])]
    seen = outcome(blocks, [arrive(3, index=9), arrive(0, instance=1), arrive(1, instance=2)])
    rows = sorted((token.block, token.instance, token.index, token.value) for token in seen)
    assert rows == [
        (1, 0, 0, 3), (1, 0, 1, 3), (1, 0, 2, 3), (1, 2, 0, 1),
        (2, 0, 9, 3), (2, 1, 0, 0), (2, 2, 0, 1),
        (3, 0, 0, 3), (3, 0, 1, 3), (3, 0, 2, 3), (3, 2, 0, 1),
    ]  # fmt: skip


def test_largest_map() -> None:
    blocks = [BlockModel(BlockKind.MAP, [host(1)])]
    seen = outcome(blocks, [arrive(4096)])
    assert sorted(token.index for token in seen) == list(range(4096))


def test_source_merge_and_sink_pass_to_all() -> None:
    kinds = (BlockKind.SOURCE, BlockKind.MERGE, BlockKind.SINK)
    blocks = [BlockModel(kind, ARMS) for kind in kinds]
    seen = outcome(blocks, [arrive(5, 77, 3, block) for block in range(3)])
    assert values(seen) == sorted([(100 + arm, 5) for arm in range(4)] * 3)
    assert {(token.instance, token.index) for token in seen} == {(3, 77)}


def test_failed_task_is_reported_and_has_no_successors() -> None:
    blocks = [BlockModel(BlockKind.TASK, [host(1)])]
    seen = outcome(blocks, [arrive(13, index=5, instance=2), arrive(14, index=6)])
    assert sorted(seen, key=repr) == [
        TokenModel(None, COMPLETE.value, 1, 0, 6, 15),
        TokenModel(None, FAULT.value, 0, 2, 5, 0, Status.KERNEL_UNKNOWN.value),
    ]


BAD_TOKENS = {
    "block outside the table": arrive(1, 3, 2, CONFIG.control_block_unit.blocks),
    "invalid block": arrive(1, 3, 2, block=4),
    "instance outside the store": arrive(1, 3, CONFIG.control_block_unit.instances),
    "expect for a task": expect(1),
    "expect for a join": expect(1, block=2),
    "expecting too many": expect(1 << 16, block=3),
    "index that a join does not know": arrive(1, 1, block=2),
    "index that a gather does not know": arrive(1, 1, block=3),
    "index that a counting loop does not know": arrive(1, 1, block=5),
    "inner map too wide": arrive(2, 0, block=6),
    "forecast for a join": TokenModel(HERE, FORECAST.value, 2, 0, 0, 5),
    "map too wide": arrive(4097, 3, block=1),
    "complete": TokenModel(HERE, COMPLETE.value, 0, 0, 0, 5),
    "fault": TokenModel(HERE, FAULT.value, 0, 0, 0, 5),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_tokens_are_reported(name: str) -> None:
    blocks = [
        BlockModel(BlockKind.TASK, [host(1)]),
        BlockModel(BlockKind.MAP, [host(1)]),
        BlockModel(BlockKind.JOIN, [host(1)], join_count=1),
        BlockModel(BlockKind.GATHER, [host(1)]),
        BlockModel(BlockKind.INVALID, [host(1)]),
        BlockModel(BlockKind.LOOP, [host(1)], comparison=Comparison.COUNT, operand=1),
        BlockModel(BlockKind.MAP, [host(1)], nested=True),
    ]
    token = BAD_TOKENS[name]
    seen = outcome(blocks, [token, arrive(5)])
    fault = TokenModel(
        None, FAULT.value, token.block, token.instance, token.index, 0,
        Status.DESCRIPTOR_INVALID.value,
    )  # fmt: skip
    assert sorted(seen, key=repr) == sorted([fault, TokenModel(None, 2, 1, 0, 0, 6)], key=repr)
