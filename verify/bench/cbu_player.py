"""Plays everything around a Control Block Unit under cocotb: TBUs, network, host."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from amaranth.lib import data
from cocotb.triggers import FallingEdge, ReadOnly

from octopus.hw.layouts.block import BlockStatistics
from octopus.hw.layouts.command import IndexSettings
from octopus.hw.layouts.space import ClusterRegister, ConfigurationRegion
from octopus.hw.layouts.token import Completion, ControlPacket, Dispatch, TokenKind
from octopus.hw.layouts.words import pack
from octopus.verify.bench.cbu_graphs import Graph
from octopus.verify.bench.cbu_system import (
    TBU_QUEUE,
    Place,
    dispatched,
    pack_bits,
    packet_fields,
    received,
    table_writes,
    unpack_bits,
)
from octopus.verify.golden.cbu import (
    BlockModel,
    ControlBlockModel,
    ResultModel,
    TaskModel,
    TokenModel,
)

CONFIGURATION_OFFSET_BITS = 21
STATISTICS_BYTES = 4 * BlockStatistics.WORDS


class Stream:
    """A stream port of the device."""

    def __init__(self, device: Any, name: str) -> None:
        self.valid = getattr(device, f"{name}__valid")
        self.ready = getattr(device, f"{name}__ready")
        self.payload = getattr(device, f"{name}__payload")
        self.stalled = 0

    @property
    def moves(self) -> bool:
        """A transfer happens at the coming edge."""
        valid, ready = bool(int(self.valid.value)), bool(int(self.ready.value))
        self.stalled += valid and not ready
        return valid and ready


class Player:
    """One unit, its TBUs, and the other clusters as models.

    Everything is set at the falling edge, and seen before the rising one.

    Parameters
    ----------
    device: the cocotb handle. place: where the unit is. task_block_units: its TBUs.
    random: the source of chance.

    Attributes
    ----------
    to_host, notices: tokens the host got, those that tell of events. ran: tasks of the unit with
        their TBU.
    busy: by block, the sum of busy cycles; mean: their running mean, as specified.
    stall, longest_task: chance not to be ready in a cycle; bound of a task's cycles.
    idle_cycles: cycles since a token, a dispatch or a completion last moved.
    """

    def __init__(self, device: Any, place: Place, task_block_units: int, random: Random) -> None:
        self.device = device
        self.place = place
        self.random = random
        self.stall = 0.3
        self.longest_task = 40
        self.token_in = Stream(device, "token_in")
        self.token_out = Stream(device, "token_out")
        self.dispatch = [Stream(device, f"dispatch__{i}") for i in range(task_block_units)]
        self.completion = [Stream(device, f"completion__{i}") for i in range(task_block_units)]
        self.request = Stream(device, "configuration__request")
        self.response = Stream(device, "configuration__response")
        self.clear()

    def clear(self) -> None:
        """Forget everything under way; no port is valid or ready."""
        units = range(len(self.dispatch))
        self.arriving: deque[TokenModel] = deque()
        self.elsewhere: list[tuple[int, TokenModel]] = []
        self.others: dict[Place, ControlBlockModel] = {}
        self.waiting: list[deque[dict[str, Any]]] = [deque() for _ in units]
        self.remaining = [0 for _ in units]
        self.to_host: list[TokenModel] = []
        self.notices: list[TokenModel] = []
        self.ran: list[tuple[TaskModel, int]] = []
        self.busy: Counter[int] = Counter()
        self.mean: Counter[int] = Counter()
        self.blocks: Sequence[BlockModel] = ()
        self.execute: Callable[[TaskModel], ResultModel] = lambda task: ResultModel(0)
        self.now = 0
        self.idle_cycles = 0
        for source in (self.token_in, *self.completion, self.request):
            source.valid.value = 0
        for sink in (self.token_out, *self.dispatch):
            sink.ready.value = 0
        self.response.ready.value = 1

    async def reset(self) -> None:
        """Reset the device in the middle of whatever it does."""
        self.device.rst.value = 1
        self.clear()
        await FallingEdge(self.device.clk)
        await FallingEdge(self.device.clk)
        self.device.rst.value = 0

    async def access(
        self, offset: int, word: int | None = None, playing: bool = False, refused: bool = False
    ) -> int:
        """Read a word of the configuration space, or write ``word``.

        ``playing``: everything else goes on meanwhile. ``refused``: the answer must be an error.
        """
        write = word is not None
        self.request.payload.value = (
            write | offset << 1 | (word or 0) << 1 + CONFIGURATION_OFFSET_BITS
        )
        self.request.valid.value = 1
        while not await self._edge(self.request, playing):
            pass
        self.request.valid.value = 0
        while not await self._edge(self.response, playing):
            pass
        answer = self._answer
        assert bool(answer >> 32) == refused, f"answer for {offset:#x}: {answer:#x}"
        return answer & 0xFFFFFFFF

    async def _edge(self, stream: Stream, playing: bool) -> bool:
        """Pass one clock edge; whether ``stream`` moved at it."""
        if playing:
            self._start_cycle()
        await ReadOnly()
        moved = stream.moves
        if moved:
            self._answer = int(stream.payload.value)
        if playing:
            self._observe()
        await FallingEdge(self.device.clk)
        if playing:
            self._withdraw()
        return moved

    def under_way(self, instances: range) -> bool:
        """Whether a token of one of ``instances`` is under way outside the unit."""
        tokens = [*self.arriving, *(token for _, token in self.elsewhere)]
        return any(token.instance in instances for token in tokens)

    async def load(self, graph: Graph, instances: int) -> None:
        """Write the tables of the unit; the other clusters become models."""
        self.blocks = graph.blocks[self.place]
        self.others = graph.models(instances)
        del self.others[self.place]
        self.device.x.value, self.device.y.value = self.place
        for offset, word in table_writes(self.blocks):
            await self.access(offset, word)
        (word,) = pack(
            IndexSettings, {"store_bits": graph.store_bits, "inner_bits": graph.inner_bits}
        )
        await self.access(ClusterRegister.INDEX_SETTINGS, word)

    async def statistics(self, block: int, field: int) -> int:
        """A word of a block's statistics."""
        return await self.access(
            ConfigurationRegion.STATISTICS + STATISTICS_BYTES * block + 4 * field
        )

    @property
    def busy_now(self) -> bool:
        """A task runs, or a token is under way outside the unit."""
        return any(self.waiting) or bool(self.arriving) or bool(self.elsewhere)

    def send(self, token: TokenModel) -> None:
        """Bring a token to its destination, after a while if that is another cluster."""
        if token.destination is None and token.kind == TokenKind.ARRIVE.value:
            self.notices.append(token)
        elif token.destination is None:
            self.to_host.append(token)
        elif token.destination == self.place:
            self.arriving.append(token)
        else:
            self.elsewhere.append((self.now + self.random.randint(1, 60), token))

    async def cycle(self) -> None:
        """Play one cycle."""
        self._start_cycle()
        await ReadOnly()
        self._observe()
        await FallingEdge(self.device.clk)
        self._withdraw()

    def _start_cycle(self) -> None:
        """What becomes due in this cycle, and what the device is to see of it."""
        self.now += 1
        self._others_work()
        self._offer()

    def _stalls(self) -> bool:
        return self.random.random() < self.stall

    def _others_work(self) -> None:
        """Tokens that have reached another cluster are followed there at once."""
        due = [token for time, token in self.elsewhere if time <= self.now]
        self.elsewhere = [item for item in self.elsewhere if item[0] > self.now]
        for token in due:
            assert token.destination is not None
            cluster = self.others[token.destination]
            following, tasks = cluster.deliver(token)
            for task in tasks:
                following += cluster.complete(task, self.execute(task))
            for made in following:
                self.send(made)

    def _offer(self) -> None:
        """Set what the device sees in this cycle; what was offered and not taken stays."""
        if self.arriving and not int(self.token_in.valid.value) and not self._stalls():
            self.token_in.payload.value = pack_bits(ControlPacket, packet_fields(self.arriving[0]))
            self.token_in.valid.value = 1
        self.token_out.ready.value = not self._stalls()
        for unit, port in enumerate(self.dispatch):
            port.ready.value = len(self.waiting[unit]) < TBU_QUEUE and not self._stalls()
        for unit, port in enumerate(self.completion):
            if not self.waiting[unit]:
                continue
            task = self.waiting[unit][0]
            self.remaining[unit] -= 1
            if self.remaining[unit] == 0:
                names = dict(data.Layout.cast(Completion))
                port.payload.value = pack_bits(Completion, {name: task[name] for name in names})
                port.valid.value = 1

    def _observe(self) -> None:
        """See what moves at the coming edge."""
        self.idle_cycles += 1
        self._taken = [self.token_in] if self.token_in.moves else []
        if self._taken:
            self.arriving.popleft()
            self.idle_cycles = 0
        if self.token_out.moves:
            self.send(received(int(self.token_out.payload.value)))
            self.idle_cycles = 0
        for unit, port in enumerate(self.completion):
            if port.moves:
                self._taken.append(port)
                self._finish(unit)
                self.idle_cycles = 0
        for unit, port in enumerate(self.dispatch):
            if port.moves:
                self._start(unit, unpack_bits(Dispatch, int(port.payload.value)))
                self.idle_cycles = 0

    def _withdraw(self) -> None:
        for port in self._taken:
            port.valid.value = 0

    def _start(self, unit: int, fields: dict[str, int]) -> None:
        task = dispatched(self.place, self.blocks, fields)
        self.ran.append((task, unit))
        result = self.execute(task)
        cycles = self.random.randint(1, self.longest_task)
        times = {"busy_cycles": cycles, "array_cycles": cycles // 2}
        self.waiting[unit].append(fields | times | {"value": result.value, "status": result.status})
        if len(self.waiting[unit]) == 1:
            self.remaining[unit] = cycles

    def _finish(self, unit: int) -> None:
        done = self.waiting[unit].popleft()
        block, cycles = done["block"], done["busy_cycles"]
        self.busy[block] += cycles
        mean = self.mean[block]
        self.mean[block] = mean + (cycles - mean) // 8 if mean else cycles
        if self.waiting[unit]:
            self.remaining[unit] = self.waiting[unit][0]["busy_cycles"]
