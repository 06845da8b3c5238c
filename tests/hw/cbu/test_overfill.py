"""More tokens than the Control Block Unit has room for: nothing lost, nothing stuck."""

import os
from collections.abc import Sequence
from random import Random

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, IndexRule
from octopus.hw.layouts.command import ClusterEvent
from octopus.hw.layouts.token import TokenKind
from octopus.verify.bench.cbu_graphs import executor
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

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
CONFIG = OctopusConfig.load("tiny")
HERE = (0, 0)
ARRIVE, EXPECT, COMPLETE = TokenKind.ARRIVE, TokenKind.EXPECT, TokenKind.COMPLETE


def to(block: int, kind: TokenKind = ARRIVE) -> Successor:
    return Successor(HERE, block, kind)


def out(block: int) -> Successor:
    """Out of a map."""
    return Successor(HERE, block, index=IndexRule.CLEAR)


def check(
    blocks: Sequence[BlockModel],
    tokens: Sequence[TokenModel],
    config: OctopusConfig = CONFIG,
    longest_task: int = 2,
) -> ControlSystem:
    """Run on the unit and on the model, and compare."""
    execute = executor()
    model = ControlBlockModel(HERE, blocks, config.control_block_unit.instances)
    to_host, ran = run({HERE: model}, tokens, execute)
    random = Random(SEED)
    system = ControlSystem({HERE: blocks}, config, execute, random, 0.1, longest_task)
    system.run(tokens, len(to_host))
    assert sorted(system.to_host, key=repr) == sorted(to_host, key=repr)
    assert sorted((task for task, _ in system.ran), key=repr) == sorted(ran, key=repr)
    return system


def source(instance: int, value: int) -> TokenModel:
    return TokenModel(HERE, ARRIVE.value, 0, instance, 0, value)


def test_maps_wider_than_every_queue() -> None:
    blocks = [
        BlockModel(BlockKind.MAP, (to(1), to(3, EXPECT))),
        BlockModel(BlockKind.TASK, (to(2),)),
        BlockModel(BlockKind.TASK, (out(3),)),
        BlockModel(BlockKind.GATHER, (Successor(None, 3, COMPLETE),)),
    ]
    check(blocks, [source(instance, 300) for instance in range(3)])


def test_map_in_map() -> None:
    blocks = [
        BlockModel(BlockKind.MAP, (to(1),)),
        BlockModel(BlockKind.TASK, (to(2),), descriptor=20),
        BlockModel(BlockKind.MAP, (to(3),)),
        BlockModel(BlockKind.MERGE, (to(4),)),
        BlockModel(BlockKind.SINK, (Successor(None, 4, COMPLETE),)),
    ]
    check(blocks, [source(instance, 30) for instance in range(4)])


def test_more_maps_than_can_be_suspended() -> None:
    """Thirty maps wait at once for a TBU that is busy."""
    blocks = [
        BlockModel(BlockKind.SOURCE, [to(1)] * 30),
        BlockModel(BlockKind.MAP, (to(2), to(3, EXPECT))),
        BlockModel(BlockKind.TASK, (out(3),)),
        BlockModel(BlockKind.JOIN, (Successor(None, 3, COMPLETE),), join_count=30 * 8),
    ]
    blocks[1] = BlockModel(BlockKind.MAP, (to(2),))
    check(blocks, [source(0, 8), source(1, 8)], longest_task=4)


def test_static_fan_out_beyond_every_queue() -> None:
    """Tasks end faster than their successors can be served."""
    few, many = 5, 24
    blocks = [
        BlockModel(BlockKind.SOURCE, [to(1)] * few),
        BlockModel(BlockKind.TASK, [to(2)] * many),
        BlockModel(BlockKind.TASK, [to(3)] * many),
        BlockModel(BlockKind.JOIN, (Successor(None, 3, COMPLETE),), join_count=few * many**2),
    ]
    system = check(blocks, [source(0, 1)])
    told = [ClusterEvent(notice.block) for notice in system.notices]
    full = [ClusterEvent.TASK_TABLE_FULL, ClusterEvent.FIRING_QUEUE_FULL]
    assert told == full, "the host is told of each once"


@pytest.mark.parametrize("preset", ["tiny", "default"])
def test_taken_tbu_does_not_hold_up_other_tasks(preset: str) -> None:
    """Forty tasks for TBU 0, which is slow, come before one for TBU 1."""
    config = OctopusConfig.load(preset)
    units = config.cluster.task_block_units
    other = min(1, units - 1)
    blocks = [
        BlockModel(BlockKind.TASK, (Successor(None, 0, COMPLETE),), task_block_units=1),
        BlockModel(BlockKind.TASK, (Successor(None, 1, COMPLETE),), task_block_units=1 << other),
    ]
    tokens = [source(0, number) for number in range(40)]
    tokens.append(TokenModel(HERE, ARRIVE.value, 1, 1, 0, 99))
    system = check(blocks, tokens, config, longest_task=60)
    order = [task.block for task, _ in system.ran]
    if units > 1:
        assert order.index(1) < 20


def test_control_tokens_pass_waiting_tasks() -> None:
    """A branch is followed while more tasks wait than the window holds."""
    blocks = [
        BlockModel(BlockKind.TASK, (Successor(None, 0, COMPLETE),)),
        BlockModel(BlockKind.MERGE, (to(2),)),
        BlockModel(BlockKind.SINK, (Successor(None, 2, COMPLETE),)),
    ]
    tokens = [source(0, number) for number in range(30)]
    tokens.append(TokenModel(HERE, ARRIVE.value, 1, 1, 0, 99))
    system = check(blocks, tokens, longest_task=60)
    assert not system.notices, "there was room for all"
    assert [token.block for token in system.to_host].index(2) < 15


def test_more_ready_tasks_than_there_is_room_for() -> None:
    """Two hundred tokens from elsewhere for one slow TBU: they wait, and the host is told."""
    blocks = [BlockModel(BlockKind.TASK, (Successor(None, 0, COMPLETE),))]
    system = check(blocks, [source(0, number) for number in range(200)], longest_task=30)
    (notice,) = system.notices
    assert notice.block == ClusterEvent.TASK_TABLE_FULL.value
    assert notice.value == 1 << ClusterEvent.TASK_TABLE_FULL.value


def test_shards_of_more_tasks_than_can_be_tracked() -> None:
    blocks = [
        BlockModel(BlockKind.MAP, (to(1), to(2, EXPECT))),
        BlockModel(BlockKind.TASK, (out(2),), shards=3),
        BlockModel(BlockKind.GATHER, (Successor(None, 2, COMPLETE),)),
    ]
    check(blocks, [source(instance, 10) for instance in range(4)], OctopusConfig.load("default"))


def test_same_task_in_shards_twice_at_once() -> None:
    """The second waits until the first has ended: shards of the two are never mixed."""
    blocks = [BlockModel(BlockKind.TASK, (Successor(None, 0, COMPLETE),), shards=2)]

    def execute(task: TaskModel) -> ResultModel:
        return ResultModel(task.value)

    config = OctopusConfig.load("default")
    system = ControlSystem({HERE: blocks}, config, execute, Random(SEED))
    system.run([source(0, value) for value in (1, 10, 100)], 3)
    assert sorted(token.value for token in system.to_host) == [2, 20, 200]
