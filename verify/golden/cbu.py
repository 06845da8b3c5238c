"""What the Control Block Unit must do with tokens: a model written from the specification.

It knows nothing of cycles. Tokens are handled one at a time, in any order the caller likes;
for graphs whose results do not depend on that order the hardware must give the same set of
tokens and tasks.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from octopus.hw.layouts.block import BlockKind, Combine, Comparison, IndexRule
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import TokenKind

WORD = 1 << 32
MAXIMUM_FAN_OUT = 1 << 12
MAXIMUM_EXPECTED = (1 << 16) - 1

Place = tuple[int, int] | None
"""A cluster's (x, y), or None for the host."""


@dataclass(frozen=True)
class Successor:
    """An entry of the successor table. ``destination`` None is the host.

    ``likely``: of a forecast, the tokens may come or not.
    """

    destination: Place
    block: int
    kind: TokenKind = TokenKind.ARRIVE
    arm: int = 0
    index: IndexRule = IndexRule.KEEP
    likely: bool = False


@dataclass(frozen=True)
class BlockModel:
    """An entry of the block table with its successors."""

    kind: BlockKind
    successors: Sequence[Successor] = ()
    comparison: Comparison = Comparison.ALWAYS
    combine: Combine = Combine.SUM
    operand: int = 0
    join_count: int = 0
    shards: int = 1
    descriptor: int = 0
    kernel: int = 0
    task_block_units: int = 0
    nested: bool = False
    domain: int = 0


@dataclass(frozen=True, order=True)
class TokenModel:
    """A token under way; values are unsigned."""

    destination: Place
    kind: int
    block: int
    instance: int
    index: int
    value: int
    status: int = 0


@dataclass(frozen=True, order=True)
class TaskModel:
    """A dispatch to a TBU."""

    place: Place
    block: int
    instance: int
    index: int
    shard: int
    shards: int
    value: int
    descriptor: int
    task_block_units: int
    domain: int


@dataclass(frozen=True)
class ResultModel:
    """How a task (one shard of it) ended."""

    value: int
    status: Status = Status.OK


@dataclass
class _Stored:
    arrivals: int = 0
    combined: int = 0
    expected: int | None = None
    rounds: int = 0


@dataclass
class ControlBlockModel:
    """The blocks of one cluster.

    Parameters
    ----------
    place: (x, y) of the cluster.
    blocks: the block table.
    instances: number of instances the token store has room for if it knows no index.
    store_bits, inner_bits: of an index, as in ``IndexSettings``.

    Attributes
    ----------
    arrivals, completions, faults, forecasts: by block, as the statistics count them.
    closed: instances that are being aborted.
    """

    place: tuple[int, int]
    blocks: Sequence[BlockModel]
    instances: int
    store_bits: int = 0
    inner_bits: int = 0
    arrivals: Counter[int] = field(default_factory=Counter)
    completions: Counter[int] = field(default_factory=Counter)
    faults: Counter[int] = field(default_factory=Counter)
    forecasts: Counter[int] = field(default_factory=Counter)
    closed: set[int] = field(default_factory=set)
    _store: dict[tuple[int, int, int], _Stored] = field(default_factory=dict)
    _shards: dict[tuple[int, int, int], list[ResultModel]] = field(default_factory=dict)

    def abort(self, first: int, last: int) -> None:
        """Close instances ``first`` to ``last`` and forget all about them."""
        chosen = range(first, min(last + 1, self.instances))
        self.closed.update(chosen)
        self._store = {key: item for key, item in self._store.items() if key[0] not in chosen}
        self._shards = {key: item for key, item in self._shards.items() if key[1] not in chosen}

    def open(self, first: int, last: int) -> None:
        """Admit instances ``first`` to ``last`` again."""
        self.closed.difference_update(range(first, last + 1))

    def deliver(self, token: TokenModel) -> tuple[list[TokenModel], list[TaskModel]]:
        """The tokens and the tasks that follow from one token for this cluster."""
        if token.instance in self.closed:
            return [], []
        if token.block >= len(self.blocks) or token.instance >= (self.instances >> self.store_bits):
            return [_fault(token, Status.DESCRIPTOR_INVALID)], []
        self.arrivals[token.block] += token.kind == TokenKind.ARRIVE.value
        tokens, tasks = self._follow(token, self.blocks[token.block])
        self.faults[token.block] += sum(made.kind == TokenKind.FAULT.value for made in tokens)
        return tokens, tasks

    def _follow(
        self, token: TokenModel, block: BlockModel
    ) -> tuple[list[TokenModel], list[TaskModel]]:
        if token.index >> self.store_bits and (
            block.kind in (BlockKind.JOIN, BlockKind.GATHER)
            or (block.kind == BlockKind.LOOP and block.comparison == Comparison.COUNT)
        ):
            return [_fault(token, Status.DESCRIPTOR_INVALID)], []
        if token.kind == TokenKind.EXPECT.value:
            return self._expect(token, block), []
        if token.kind == TokenKind.FORECAST.value and block.kind == BlockKind.TASK:
            self.forecasts[token.block] += token.value
            return [], []
        if token.kind != TokenKind.ARRIVE.value or block.kind == BlockKind.INVALID:
            return [_fault(token, Status.DESCRIPTOR_INVALID)], []
        if block.kind == BlockKind.TASK:
            return [], self._tasks(token, block)
        return self._control(token, block), []

    def complete(self, task: TaskModel, result: ResultModel) -> list[TokenModel]:
        """The tokens that follow from the end of a task or of one of its shards.

        The order of a task's shards matters only for which failure is reported.
        """
        if task.instance in self.closed:
            return []
        key = task.block, task.instance, task.index
        results = self._shards.setdefault(key, [])
        results.append(result)
        if len(results) < task.shards:
            return []
        del self._shards[key]
        block = self.blocks[task.block]
        token = TokenModel(
            self.place, TokenKind.ARRIVE.value, task.block, task.instance, task.index, 0
        )
        failures = [item.status for item in results if item.status != Status.OK]
        self.completions[task.block] += 1
        if failures:
            self.faults[task.block] += 1
            return [_fault(token, failures[0])]
        total = results[0].value
        for item in results[1:]:
            total = combine(block.combine, total, item.value)
        return self._to_all(token, block, value=total)

    def _tasks(self, token: TokenModel, block: BlockModel) -> list[TaskModel]:
        shards = max(1, block.shards)
        return [
            TaskModel(
                self.place,
                token.block,
                token.instance,
                token.index,
                shard,
                shards,
                token.value,
                block.descriptor,
                block.task_block_units,
                block.domain,
            )
            for shard in range(shards)
        ]

    def _stored(self, token: TokenModel) -> _Stored:
        return self._store.setdefault((token.instance, token.block, token.index), _Stored())

    def _expect(self, token: TokenModel, block: BlockModel) -> list[TokenModel]:
        if block.kind != BlockKind.GATHER or token.value > MAXIMUM_EXPECTED:
            return [_fault(token, Status.DESCRIPTOR_INVALID)]
        stored = self._stored(token)
        stored.expected = token.value
        return self._gathered(token, block, stored)

    def _gathered(self, token: TokenModel, block: BlockModel, stored: _Stored) -> list[TokenModel]:
        if stored.expected is None or stored.arrivals < stored.expected:
            return []
        total = stored.combined if stored.expected else 0
        del self._store[token.instance, token.block, token.index]
        return self._to_all(token, block, value=total)

    def _control(self, token: TokenModel, block: BlockModel) -> list[TokenModel]:
        kind, value = block.kind, token.value
        if kind in (BlockKind.SOURCE, BlockKind.MERGE, BlockKind.SINK):
            return self._to_all(token, block)
        if kind == BlockKind.BRANCH:
            return self._to_arm(token, block, int(holds(block.comparison, value, block.operand)))
        if kind == BlockKind.SWITCH:
            return self._to_arm(token, block, min(value, block.operand - 1))
        if kind == BlockKind.MULTICAST:
            chosen = sum(value >> arm & 1 for arm in range(min(block.operand, 32)))
            return self._tokens(
                token, block, lambda item: bool(value >> item.arm & 1), expect=chosen
            )
        if kind == BlockKind.LOOP:
            return self._loop(token, block)
        if kind == BlockKind.MAP:
            return self._map(token, block)
        stored = self._stored(token)
        stored.combined = (
            combine(block.combine, stored.combined, value) if stored.arrivals else value
        )
        stored.arrivals += 1
        if kind == BlockKind.GATHER:
            return self._gathered(token, block, stored)
        if stored.arrivals < block.join_count:
            return []
        del self._store[token.instance, token.block, token.index]
        return self._to_all(token, block, value=stored.combined)

    def _loop(self, token: TokenModel, block: BlockModel) -> list[TokenModel]:
        if block.comparison != Comparison.COUNT:
            return self._to_arm(
                token, block, int(holds(block.comparison, token.value, block.operand))
            )
        stored = self._stored(token)
        again = stored.rounds < block.operand
        stored.rounds = stored.rounds + 1 if again else 0
        return self._to_arm(token, block, int(again))

    def _tokens(
        self,
        token: TokenModel,
        block: BlockModel,
        chosen: Callable[[Successor], bool],
        expect: int | None = None,
        value: int | None = None,
    ) -> list[TokenModel]:
        """One token to each chosen successor; EXPECT successors are always chosen."""
        value = token.value if value is None else value
        result = []
        for item in block.successors:
            number = value
            if item.kind == TokenKind.EXPECT:
                number = value if expect is None else expect
            elif not chosen(item):
                continue
            elif item.kind == TokenKind.FORECAST:
                number = 0 if item.likely else 1
            result.append(self._token(token, item, token.index, number))
        return result

    def _token(self, token: TokenModel, item: Successor, index: int, value: int) -> TokenModel:
        """A token to one successor; the index follows the entry's rule."""
        if item.index == IndexRule.CLEAR:
            index = 0
        elif item.index == IndexRule.OUTER:
            index >>= self.inner_bits
        fields = (item.block, token.instance, index, value)
        return TokenModel(item.destination, item.kind.value, *fields)

    def _to_all(
        self, token: TokenModel, block: BlockModel, value: int | None = None
    ) -> list[TokenModel]:
        return self._tokens(token, block, lambda item: True, value=value)

    def _to_arm(self, token: TokenModel, block: BlockModel, arm: int) -> list[TokenModel]:
        return self._tokens(token, block, lambda item: item.arm == arm)

    def _map(self, token: TokenModel, block: BlockModel) -> list[TokenModel]:
        first, limit = 0, MAXIMUM_FAN_OUT
        if block.nested:
            first, limit = token.index << self.inner_bits, 1 << self.inner_bits
        if token.value > limit or token.value > MAXIMUM_FAN_OUT or first >= MAXIMUM_FAN_OUT:
            return [_fault(token, Status.DESCRIPTOR_INVALID)]
        announcing = (TokenKind.EXPECT, TokenKind.FORECAST)
        result = [
            self._token(token, item, token.index, 0 if item.likely else token.value)
            for item in block.successors
            if item.kind in announcing
        ]
        for index in range(first, first + token.value):
            result += [
                self._token(token, item, index, token.value)
                for item in block.successors
                if item.kind not in announcing
            ]
        return result


def signed(word: int) -> int:
    """A 32-bit word as a signed integer."""
    return word - WORD if word >= WORD // 2 else word


def holds(comparison: Comparison, value: int, operand: int) -> bool:
    """Whether ``value comparison operand``; both unsigned words."""
    return {
        Comparison.ALWAYS: True,
        Comparison.EQ: value == operand,
        Comparison.NE: value != operand,
        Comparison.LT: signed(value) < signed(operand),
        Comparison.GE: signed(value) >= signed(operand),
        Comparison.LTU: value < operand,
        Comparison.GEU: value >= operand,
        Comparison.COUNT: False,
    }[comparison]


def combine(operation: Combine, first: int, second: int) -> int:
    """Two unsigned words combined."""
    if operation == Combine.MINIMUM:
        return min(first, second, key=signed)
    if operation == Combine.MAXIMUM:
        return max(first, second, key=signed)
    if operation == Combine.AND:
        return first & second
    if operation == Combine.OR:
        return first | second
    return (first + second) % WORD


def _fault(token: TokenModel, status: Status) -> TokenModel:
    return TokenModel(
        None, TokenKind.FAULT.value, token.block, token.instance, token.index, 0, status.value
    )


def run(
    clusters: Mapping[tuple[int, int], ControlBlockModel],
    tokens: Sequence[TokenModel],
    execute: Callable[[TaskModel], ResultModel],
    limit: int = 1_000_000,
) -> tuple[list[TokenModel], list[TaskModel]]:
    """Follow ``tokens`` through ``clusters`` until nothing is left.

    Returns:
        The tokens the host received and the tasks that ran, in the order of this model.

    Raises:
        RuntimeError: more than ``limit`` tokens: the graph does not come to an end.
    """
    waiting = deque(tokens)
    to_host: list[TokenModel] = []
    ran: list[TaskModel] = []
    for _ in range(limit):
        if not waiting:
            return to_host, ran
        token = waiting.popleft()
        if token.destination is None:
            to_host.append(token)
            continue
        cluster = clusters[token.destination]
        following, tasks = cluster.deliver(token)
        waiting.extend(following)
        for task in tasks:
            ran.append(task)
            waiting.extend(cluster.complete(task, execute(task)))
    raise RuntimeError(f"more than {limit} tokens")
