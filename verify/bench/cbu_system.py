"""Control Block Units in Amaranth's simulator, with TBUs, network and host played in Python."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data
from amaranth.sim import Simulator

from octopus.hw.cbu.control_block_unit import ControlBlockUnit
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockEntry, SuccessorEntry
from octopus.hw.layouts.space import ConfigurationRegion
from octopus.hw.layouts.token import Completion, ControlPacket, Dispatch, TokenKind
from octopus.hw.layouts.words import pack
from octopus.verify.golden.cbu import BlockModel, ResultModel, TaskModel, TokenModel

TBU_QUEUE = 4
Place = tuple[int, int]


def table_writes(blocks: Sequence[BlockModel]) -> list[tuple[int, int]]:
    """The configuration writes (byte offset, word) that load a cluster's blocks."""
    writes: list[tuple[int, int]] = []
    next_successor = 0
    for number, block in enumerate(blocks):
        entry = pack(
            BlockEntry,
            {
                "kind": block.kind,
                "comparison": block.comparison,
                "combine": block.combine,
                "join_count": block.join_count,
                "operand": block.operand,
                "first_successor": next_successor,
                "successor_count": len(block.successors),
                "shards": block.shards,
                "descriptor": block.descriptor,
                "task_block_units": block.task_block_units,
                "kernel": block.kernel,
                "nested": int(block.nested),
                "domain": block.domain,
            },
        )
        base = ConfigurationRegion.BLOCK_TABLE + 32 * number
        writes += [(base + 4 * i, word) for i, word in enumerate(entry)]
        for successor in block.successors:
            x, y = successor.destination or (0, 0)
            (word,) = pack(
                SuccessorEntry,
                {
                    "destination": {"x": x, "y": y, "host": successor.destination is None},
                    "block": successor.block,
                    "arm": successor.arm,
                    "kind": successor.kind,
                    "index": successor.index,
                    "likely": int(successor.likely),
                },
            )
            writes.append((ConfigurationRegion.SUCCESSOR_TABLE + 4 * next_successor, word))
            next_successor += 1
    return writes


def packet_fields(token: TokenModel) -> dict[str, Any]:
    """The fields of the ``ControlPacket`` that carries ``token``."""
    x, y = token.destination or (0, 0)
    return {
        "destination": {"x": x, "y": y, "host": token.destination is None},
        "token": {
            "kind": token.kind,
            "block": token.block,
            "instance": token.instance,
            "index": token.index,
            "status": token.status,
            "value": token.value,
        },
    }


def unpack_bits(layout: type[data.Struct], bits: int) -> dict[str, int]:
    """The fields of a structure in an integer, nested ones joined by underscores."""
    return _fields(data.Layout.cast(layout), bits)


def _fields(layout: data.Layout, bits: int, prefix: str = "") -> dict[str, int]:
    result: dict[str, int] = {}
    for name, member in layout:
        part = bits >> member.offset & (1 << member.width) - 1
        inner = member.shape
        try:
            nested = data.Layout.cast(inner)
        except TypeError:
            result[f"{prefix}{name}"] = part
        else:
            result |= _fields(nested, part, f"{prefix}{name}_")
    return result


def pack_bits(layout: type[data.Struct], fields: dict[str, Any]) -> int:
    """A structure as an integer."""
    return int(data.Layout.cast(layout).const(fields).as_value().value)


class ControlSystem:
    """Clusters' Control Block Units joined by queues of unlimited length.

    Parameters
    ----------
    blocks: the block table of each cluster.
    config: of the chip.
    execute: what a task gives; called when it starts.
    random: decides delays. stall: chance of not being ready, or of waiting, in a cycle.
    longest_task: upper bound of a task's cycles.

    Attributes
    ----------
    to_host, notices: tokens the host received, those that tell of events. ran: tasks, with the
        TBU each ran on.
    """

    def __init__(
        self,
        blocks: Mapping[Place, Sequence[BlockModel]],
        config: OctopusConfig,
        execute: Callable[[TaskModel], ResultModel],
        random: Random,
        stall: float = 0.3,
        longest_task: int = 30,
    ) -> None:
        self.blocks = blocks
        self.execute = execute
        self.random = random
        self.stall = stall
        self.longest_task = longest_task
        self.units = {place: ControlBlockUnit(config) for place in blocks}
        self.arriving: dict[Place, deque[TokenModel]] = {place: deque() for place in blocks}
        self.to_host: list[TokenModel] = []
        self.notices: list[TokenModel] = []
        self.ran: list[tuple[TaskModel, int]] = []
        self.configured: set[Place] = set()
        self.cycles = 0

    def run(self, tokens: Sequence[TokenModel], expected: int, limit: int = 100_000) -> None:
        """Send ``tokens``; stop some cycles after the host has received ``expected``.

        Raises:
            TimeoutError: that did not happen within ``limit`` cycles.
        """
        m = Module()
        for (x, y), unit in self.units.items():
            m.submodules[f"unit_{x}_{y}"] = unit
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        for place, unit in self.units.items():
            self._attach(simulator, place, unit)

        async def watch(ctx: Any) -> None:
            for place, unit in self.units.items():
                ctx.set(unit.x, place[0])
                ctx.set(unit.y, place[1])
            while len(self.configured) < len(self.units):
                await ctx.tick()
            for token in tokens:
                self._route(token)
            while len(self.to_host) < expected:
                await ctx.tick()
                self.cycles += 1
                if self.cycles > limit:
                    raise TimeoutError(
                        f"host received {len(self.to_host)} of {expected} tokens; "
                        f"{len(self.ran)} tasks ran"
                    )
            for _ in range(200):
                await ctx.tick()

        simulator.add_testbench(watch)
        simulator.run()

    def _attach(self, simulator: Simulator, place: Place, unit: ControlBlockUnit) -> None:
        simulator.add_testbench(self._configure(place, unit), background=True)
        simulator.add_testbench(self._arrivals(place, unit), background=True)
        simulator.add_testbench(self._departures(unit), background=True)
        for number in range(unit.task_block_units):
            waiting: deque[dict[str, Any]] = deque()
            for process in (self._dispatches, self._completions):
                simulator.add_testbench(process(place, unit, number, waiting), background=True)

    def _route(self, token: TokenModel) -> None:
        if token.destination is None and token.kind == TokenKind.ARRIVE.value:
            self.notices.append(token)
        elif token.destination is None:
            self.to_host.append(token)
        else:
            self.arriving[token.destination].append(token)

    def _stalls(self) -> bool:
        return self.random.random() < self.stall

    def _configure(self, place: Place, unit: ControlBlockUnit) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            await configure(ctx, unit, self.blocks[place])
            self.configured.add(place)

        return process

    def _arrivals(self, place: Place, unit: ControlBlockUnit) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            port = unit.token_in
            while True:
                if not self.arriving[place] or self._stalls():
                    await ctx.tick()
                    continue
                token = self.arriving[place].popleft()
                ctx.set(port.payload, packet_fields(token))
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)

        return process

    def _departures(self, unit: ControlBlockUnit) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            port = unit.token_out
            while True:
                ready = not self._stalls()
                ctx.set(port.ready, ready)
                _, _, valid, bits = await ctx.tick().sample(port.valid, port.payload.as_value())
                if valid and ready:
                    self._route(received(bits))

        return process

    def _dispatches(
        self, place: Place, unit: ControlBlockUnit, number: int, waiting: deque[dict[str, Any]]
    ) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            port = unit.dispatch[number]
            while True:
                ready = len(waiting) < TBU_QUEUE and not self._stalls()
                ctx.set(port.ready, ready)
                _, _, valid, bits = await ctx.tick().sample(port.valid, port.payload.as_value())
                if valid and ready:
                    fields = unpack_bits(Dispatch, bits)
                    task = dispatched(place, self.blocks[place], fields)
                    self.ran.append((task, number))
                    result = self.execute(task)
                    waiting.append(fields | {"value": result.value, "status": result.status})

        return process

    def _completions(
        self, place: Place, unit: ControlBlockUnit, number: int, waiting: deque[dict[str, Any]]
    ) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            port = unit.completion[number]
            names = list(dict(data.Layout.cast(Completion)))
            while True:
                if not waiting:
                    await ctx.tick()
                    continue
                cycles = self.random.randint(1, self.longest_task)
                await ctx.tick().repeat(cycles)
                done = waiting[0] | {"busy_cycles": cycles, "array_cycles": cycles // 2}
                ctx.set(port.payload, {name: done[name] for name in names})
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)
                waiting.popleft()

        return process


async def access(
    ctx: Any, unit: ControlBlockUnit, offset: int, word: int | None = None
) -> tuple[int, bool]:
    """Read a word of the configuration space, or write ``word``; the answer and its error bit."""
    request, response = unit.configuration.request, unit.configuration.response
    ctx.set(response.ready, 1)
    ctx.set(request.payload, {"write": word is not None, "offset": offset, "data": word or 0})
    ctx.set(request.valid, 1)
    await ctx.tick().until(request.ready)
    ctx.set(request.valid, 0)
    (answer,) = await ctx.tick().sample(response.payload).until(response.valid)
    return answer.data, bool(answer.error)


async def configure(ctx: Any, unit: ControlBlockUnit, blocks: Sequence[BlockModel]) -> None:
    """Load the tables, and wait until the unit accepts tokens."""
    for offset, word in table_writes(blocks):
        _, error = await access(ctx, unit, offset, word)
        assert not error, f"write to {offset:#x} refused"
    await ctx.tick().until(unit.store.ready)


def received(bits: int) -> TokenModel:
    """The token in a control packet's bits."""
    fields = unpack_bits(ControlPacket, bits)
    place = (fields["destination_x"], fields["destination_y"])
    names = ("kind", "block", "instance", "index", "value", "status")
    return TokenModel(
        None if fields["destination_host"] else place, *(fields[f"token_{name}"] for name in names)
    )


def dispatched(place: Place, blocks: Sequence[BlockModel], fields: Mapping[str, int]) -> TaskModel:
    """The task of a dispatch; what a dispatch does not carry is taken from the block table."""
    return TaskModel(
        place,
        fields["block"],
        fields["instance"],
        fields["index"],
        fields["shard"],
        fields["shards"],
        fields["value"],
        fields["descriptor"],
        blocks[fields["block"]].task_block_units,
        fields["domain"],
    )
