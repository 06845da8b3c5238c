"""Random workflow graphs for the Control Block Unit, and what their tasks compute."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from octopus.hw.layouts.block import BlockKind, Combine, Comparison, IndexRule
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import TokenKind
from octopus.verify.golden.cbu import (
    BlockModel,
    ControlBlockModel,
    ResultModel,
    Successor,
    TaskModel,
    TokenModel,
)

WORD = 1 << 32
RARE_FAULTS, FREQUENT_FAULTS = 8, 100
"""Tasks in a thousand that fail: so few that most graphs end, or so many that each sees one."""


FORECASTS = 0.3
"""Part of the tasks that are announced."""


@dataclass(frozen=True)
class Exit:
    """Where a part of a graph ends: a block and the arm on which its token leaves."""

    place: tuple[int, int]
    block: int
    arm: int = 0


@dataclass
class Graph:
    """Blocks on clusters. Block 0 of the first cluster is the source."""

    places: Sequence[tuple[int, int]]
    store_bits: int = 0
    inner_bits: int = 0
    blocks: dict[tuple[int, int], list[BlockModel]] = field(init=False)

    def __post_init__(self) -> None:
        self.blocks = {place: [] for place in self.places}

    def add(self, place: tuple[int, int], kind: BlockKind, **fields: object) -> Exit:
        """A block without successors."""
        self.blocks[place].append(BlockModel(kind, **fields))  # type: ignore[arg-type]
        return Exit(place, len(self.blocks[place]) - 1)

    def join(
        self,
        source: Exit,
        destination: Exit | None,
        kind: TokenKind = TokenKind.ARRIVE,
        arm: int | None = None,
        index: IndexRule = IndexRule.KEEP,
    ) -> None:
        """Make ``destination`` (None: the host) a successor of ``source``."""
        blocks = self.blocks[source.place]
        block = blocks[source.block]
        successor = Successor(
            destination.place if destination else None,
            destination.block if destination else source.block,
            kind,
            source.arm if arm is None else arm,
            index,
        )
        blocks[source.block] = replace(block, successors=(*block.successors, successor))

    def models(self, instances: int) -> dict[tuple[int, int], ControlBlockModel]:
        """A model of every cluster."""
        return {
            place: ControlBlockModel(
                place, self.blocks[place], instances, self.store_bits, self.inner_bits
            )
            for place in self.places
        }

    def successors(self, place: tuple[int, int]) -> int:
        """Entries of a cluster's successor table."""
        return sum(len(block.successors) for block in self.blocks[place])


class GraphMaker:
    """Makes a random graph in which every token's way is independent of timing.

    Parameters
    ----------
    random: the source of chance.
    places: the clusters.
    task_block_units: TBUs of a cluster.
    depth: nesting.
    store_bits, inner_bits: of an index that the units are set to; without any, no block of a map's
        body waits for tokens.
    """

    def __init__(
        self,
        random: Random,
        places: Sequence[tuple[int, int]],
        task_block_units: int,
        depth: int = 3,
        store_bits: int = 0,
        inner_bits: int = 0,
    ) -> None:
        self.random = random
        self.graph = Graph(places, store_bits, inner_bits)
        self.task_block_units = task_block_units
        source = self._add(BlockKind.SOURCE, place=places[0])
        last = source
        for _ in range(random.randint(1, 4)):
            last = self._part(last, random.randint(1, depth), maps=0)
        sink = self._add(BlockKind.SINK)
        self.graph.join(last, sink)
        self.graph.join(sink, None, TokenKind.COMPLETE)

    def _add(self, kind: BlockKind, place: tuple[int, int] | None = None, **fields: object) -> Exit:
        return self.graph.add(place or self.random.choice(self.graph.places), kind, **fields)

    def _task(self, before: Exit, modulus: int = 0, sharded: bool = True) -> Exit:
        """A task whose results are below ``modulus`` (0: any word)."""
        units = 1 << self.task_block_units
        task = self._add(
            BlockKind.TASK,
            shards=self.random.choice((0, 1, 1, 2, 3)) if sharded else 1,
            combine=self.random.choice((Combine.MINIMUM, Combine.MAXIMUM))
            if modulus
            else self.random.choice(list(Combine)),
            descriptor=modulus,
            kernel=self.random.randrange(4),
            task_block_units=self.random.choice((0, self.random.randrange(units))),
            domain=self.random.randrange(256),
        )
        self.graph.join(before, task)
        if self.random.random() < FORECASTS:
            self.graph.join(before, task, TokenKind.FORECAST)
        return task

    def _part(self, before: Exit, depth: int, maps: int) -> Exit:
        """Append a random part behind ``before``."""
        if depth == 0:
            return self._task(before)
        parts: list[Callable[[Exit, int, int], Exit]] = [
            self._sequence, self._branch, self._switch, self._loop_until,
        ]  # fmt: skip
        if not maps or self.graph.store_bits:
            parts += [self._fork, self._multicast, self._loop_count]
        if not maps or (maps == 1 and self.graph.inner_bits):
            parts.append(self._map)
        return self.random.choice(parts)(before, depth - 1, maps)

    def _sequence(self, before: Exit, depth: int, maps: int) -> Exit:
        for _ in range(self.random.randint(1, 3)):
            before = self._part(before, depth, maps)
        return before

    def _branch(self, before: Exit, depth: int, maps: int) -> Exit:
        comparison = self.random.choice([item for item in Comparison if item.name != "COUNT"])
        operand = self.random.randrange(WORD)
        branch = self._add(BlockKind.BRANCH, comparison=comparison, operand=operand)
        self.graph.join(before, branch)
        return self._arms(branch, 2, BlockKind.MERGE, depth, maps)

    def _switch(self, before: Exit, depth: int, maps: int) -> Exit:
        arms = self.random.randint(1, 4)
        before = self._task(before, modulus=arms + 1)
        switch = self._add(BlockKind.SWITCH, operand=arms)
        self.graph.join(before, switch)
        return self._arms(switch, arms, BlockKind.MERGE, depth, maps)

    def _fork(self, before: Exit, depth: int, maps: int) -> Exit:
        arms = self.random.randint(1, 3)
        fork = self._add(BlockKind.MERGE)
        self.graph.join(before, fork)
        return self._arms(fork, arms, BlockKind.JOIN, depth, maps)

    def _multicast(self, before: Exit, depth: int, maps: int) -> Exit:
        arms = self.random.randint(1, 4)
        before = self._task(before, modulus=1 << arms)
        multicast = self._add(BlockKind.MULTICAST, operand=arms)
        self.graph.join(before, multicast)
        gather = self._arms(multicast, arms, BlockKind.GATHER, depth, maps)
        self.graph.join(multicast, gather, TokenKind.EXPECT)
        return gather

    def _arms(self, start: Exit, arms: int, end_kind: BlockKind, depth: int, maps: int) -> Exit:
        """A part on each arm of ``start``, all ending in one block."""
        end = self._add(end_kind, combine=self.random.choice(list(Combine)), join_count=arms)
        for arm in range(arms):
            last = self._part(replace(start, arm=arm), depth, maps)
            self.graph.join(last, end)
        return end

    def _loop_count(self, before: Exit, depth: int, maps: int) -> Exit:
        loop = self._add(
            BlockKind.LOOP, comparison=Comparison.COUNT, operand=self.random.randrange(4)
        )
        return self._looped(before, loop, depth, maps)

    def _loop_until(self, before: Exit, depth: int, maps: int) -> Exit:
        loop = self._add(BlockKind.LOOP, comparison=Comparison.LTU, operand=WORD // 2)
        return self._looped(before, loop, depth, maps)

    def _looped(self, before: Exit, loop: Exit, depth: int, maps: int) -> Exit:
        """A body that ``loop`` repeats."""
        start = self._add(BlockKind.MERGE)
        self.graph.join(before, start)
        last = self._task(self._part(start, depth, maps))
        self.graph.join(last, loop)
        self.graph.join(loop, start, arm=1)
        return loop

    def _map(self, before: Exit, depth: int, maps: int) -> Exit:
        store, inner = self.graph.store_bits, self.graph.inner_bits
        largest = inner if maps else store - inner
        modulus = 2**largest + 1 if store else self.random.choice((2, 6, 20))
        before = self._task(before, modulus=modulus)
        fan_out = self._add(BlockKind.MAP, nested=bool(maps))
        gather = self._add(BlockKind.GATHER, combine=self.random.choice(list(Combine)))
        self.graph.join(before, fan_out)
        last = self._part(fan_out, depth, maps + 1)
        leaves = IndexRule.OUTER if maps else IndexRule.CLEAR
        self.graph.join(last, gather, index=leaves)
        self.graph.join(fan_out, gather, TokenKind.EXPECT)
        return gather


def executor(faults_per_mille: int = 0) -> Callable[[TaskModel], ResultModel]:
    """What tasks compute: a hash of all they are given, below the descriptor (if not 0).

    Parameters
    ----------
    faults_per_mille: tasks in a thousand that fail instead.
    """

    def execute(task: TaskModel) -> ResultModel:
        given = (task.place, task.block, task.instance, task.index, task.shard, task.value)
        value = zlib.crc32(repr(given).encode())
        if value % 1000 < faults_per_mille:
            return ResultModel(0, Status.WATCHDOG)
        return ResultModel(value % task.descriptor if task.descriptor else value)

    return execute


def start_tokens(graph: Graph, random: Random, instances: Sequence[int]) -> list[TokenModel]:
    """A token to the source for each of ``instances``."""
    return [
        TokenModel(graph.places[0], TokenKind.ARRIVE.value, 0, instance, 0, random.randrange(WORD))
        for instance in instances
    ]
