"""A driver over golden models: decodes the lowered tables and follows tokens without RTL."""

from collections import deque
from collections.abc import Mapping, Sequence

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import (
    BLOCK_ENTRY_WORDS,
    BlockEntry,
    BlockKind,
    BlockStatistics,
    Combine,
    Comparison,
    IndexRule,
    SuccessorEntry,
)
from octopus.hw.layouts.command import IndexSettings
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    OFFSET_BITS,
    WORD_BYTES,
    ClusterRegister,
    ConfigurationRegion,
    Node,
    address_of,
)
from octopus.hw.layouts.token import TokenKind
from octopus.hw.layouts.words import unpack
from octopus.sched.driver_protocol import DriverError, HostToken
from octopus.verify.golden.cbu import (
    BlockModel,
    ControlBlockModel,
    ResultModel,
    Successor,
    TaskModel,
    TokenModel,
)
from octopus.verify.golden.memory import GlobalMemory
from octopus.verify.golden.tbu import Task, TaskBlockUnit

Cluster = tuple[int, int]


class GoldenDriver:
    """A :class:`Driver` that executes what was written to it. One token is one cycle.

    Parameters
    ----------
    config: the chip. broken: block numbers whose tasks fail with WATCHDOG.
    lost: block numbers whose completions vanish.
    """

    def __init__(
        self, config: OctopusConfig, broken: Sequence[int] = (), lost: Sequence[int] = ()
    ) -> None:
        self.config = config
        self.broken, self.lost = broken, lost
        self.clusters = [
            (x, y) for y in range(config.mesh.rows) for x in range(config.mesh.columns)
        ]
        size = config.cluster.memory_words
        self.memory = GlobalMemory(*((address_of(*c, 0), size) for c in self.clusters))
        self.space: dict[Cluster, dict[int, int]] = {cluster: {} for cluster in self.clusters}
        self.units: dict[Cluster, TaskBlockUnit] = {}
        self.models: dict[Cluster, ControlBlockModel] = {}
        self.tokens: deque[TokenModel] = deque()
        self.identity = {"mesh.rows": config.mesh.rows, "mesh.columns": config.mesh.columns}
        self.in_flight = 0
        self.most_in_flight = 0
        self._cycles = 0

    def identify(self) -> Mapping[str, int]:
        return self.identity

    @property
    def cycles(self) -> int:
        return self._cycles

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        self._cycles += len(words)
        if address >> CONFIGURATION_BIT & 1:
            cluster, offset = self._split(address)
            for i, word in enumerate(words):
                self.space[cluster][offset + i * WORD_BYTES] = word
            self.models.clear()
            self.units.clear()
        else:
            self.memory.write_words(address, list(words))

    def read_memory(self, address: int, count: int) -> list[int]:
        self._cycles += count
        if address >> CONFIGURATION_BIT & 1:
            cluster, offset = self._split(address)
            return [self.space[cluster].get(offset + i * WORD_BYTES, 0) for i in range(count)]
        return self.memory.read_words(address, count)

    def inject(self, x: int, y: int, token: HostToken) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        kind = token.kind.value
        self.tokens.append(
            TokenModel((x, y), kind, token.block, token.instance, token.index, token.value)
        )

    def wait(self, limit_cycles: int) -> list[HostToken]:
        for _ in range(limit_cycles):
            if not self.tokens:
                self._cycles += limit_cycles
                return []
            self._cycles += 1
            token = self.tokens.popleft()
            if token.destination is None:
                self.in_flight -= 1
                return [_host_token(token)]
            self._deliver(token, token.destination)
        return []

    def _deliver(self, token: TokenModel, cluster: Cluster) -> None:
        model = self._model(cluster)
        if token.block < len(model.blocks) and token.kind != TokenKind.FORECAST.value:
            self._count(cluster, token.block, BlockStatistics.ARRIVALS)
        following, tasks = model.deliver(token)
        self.tokens.extend(following)
        for task in tasks:
            result = self._execute(cluster, task)
            if task.block in self.lost:
                continue
            good = result.status is Status.OK
            counter = BlockStatistics.COMPLETIONS if good else BlockStatistics.FAULTS
            self._count(cluster, task.block, counter)
            self.tokens.extend(model.complete(task, result))

    def _execute(self, cluster: Cluster, task: TaskModel) -> ResultModel:
        if task.block in self.broken:
            return ResultModel(0, Status.WATCHDOG)
        if cluster not in self.units:
            registers = self.space[cluster]
            self.units[cluster] = TaskBlockUnit(
                self.config,
                self.memory,
                registers[ClusterRegister.KERNEL_TABLE_ADDRESS],
                registers[ClusterRegister.KERNEL_COUNT],
                address_of(*cluster, 0),
            )
        dispatched = Task(
            task.descriptor, task.value, task.instance, task.index, task.shard, task.domain
        )
        outcome = self.units[cluster].run(dispatched)
        self._count(cluster, task.block, BlockStatistics.ARRAY_CYCLES, outcome.array_cycles)
        return ResultModel(outcome.value, outcome.status)

    def _count(self, cluster: Cluster, block: int, counter: int, amount: int = 1) -> None:
        entry = (block * BlockStatistics.WORDS + counter) * WORD_BYTES
        offset = ConfigurationRegion.STATISTICS + entry
        self.space[cluster][offset] = self.space[cluster].get(offset, 0) + amount

    def _model(self, cluster: Cluster) -> ControlBlockModel:
        if cluster not in self.models:
            unit = self.config.control_block_unit
            blocks = [self._block(cluster, number) for number in range(unit.blocks)]
            word = self.space[cluster].get(
                ConfigurationRegion.REGISTERS | ClusterRegister.INDEX_SETTINGS, 0
            )
            self.models[cluster] = ControlBlockModel(
                cluster, blocks, unit.instances, **_index_settings(word)
            )
        return self.models[cluster]

    def _block(self, cluster: Cluster, number: int) -> BlockModel:
        base = ConfigurationRegion.BLOCK_TABLE + number * BLOCK_ENTRY_WORDS * WORD_BYTES
        space = self.space[cluster]
        words = [space.get(base + i * WORD_BYTES, 0) for i in range(BLOCK_ENTRY_WORDS)]
        entry = unpack(BlockEntry, words)
        first, count = entry["first_successor"], entry["successor_count"]
        return BlockModel(
            BlockKind(entry["kind"]),
            [self._successor(cluster, first + i) for i in range(count)],
            Comparison(entry["comparison"]),
            Combine(entry["combine"]),
            entry["operand"],
            entry["join_count"],
            entry["shards"],
            entry["descriptor"],
            entry["kernel"],
            entry["task_block_units"],
            nested=bool(entry["nested"]),
            domain=entry["domain"],
        )

    def _successor(self, cluster: Cluster, number: int) -> Successor:
        offset = ConfigurationRegion.SUCCESSOR_TABLE + number * WORD_BYTES
        entry = unpack(SuccessorEntry, [self.space[cluster][offset]])
        node = unpack(Node, [entry["destination"]])
        place = None if node["host"] else (node["x"], node["y"])
        return Successor(
            place,
            entry["block"],
            TokenKind(entry["kind"]),
            entry["arm"],
            IndexRule(entry["index"]),
            bool(entry["likely"]),
        )

    def _split(self, address: int) -> tuple[Cluster, int]:
        coordinates = address >> OFFSET_BITS
        cluster = coordinates & 31, coordinates >> 5
        if cluster not in self.space:
            raise DriverError(f"no cluster {cluster}")
        return cluster, address & (1 << CONFIGURATION_BIT) - 1


def _index_settings(word: int) -> dict[str, int]:
    settings = unpack(IndexSettings, [word])
    return {name: settings[name] for name in ("store_bits", "inner_bits")}


def _host_token(token: TokenModel) -> HostToken:
    return HostToken(
        token.block,
        token.instance,
        token.value,
        token.index,
        TokenKind(token.kind),
        Status(token.status),
    )
