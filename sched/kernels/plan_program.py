"""A plan as memory writes for one cluster, and its run through any driver.

The cluster's memory holds, from offset 0: kernel table, kernel images, descriptors, then all
operands. The Control Block Unit follows the order of the steps: the source starts those that
wait for nothing, joins bring together what a step waits for, the sink tells the host. Plans with
more steps than the tables hold run in batches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import (
    BlockEntry,
    BlockKind,
    BlockStatistics,
    SuccessorEntry,
)
from octopus.hw.layouts.command import IndexSettings
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    KERNEL_TABLE_ENTRY_WORDS,
    WORD_BYTES,
    ClusterRegister,
    ConfigurationRegion,
    address_of,
)
from octopus.hw.layouts.token import SHARD_BITS, TokenKind
from octopus.hw.layouts.words import pack

from ..driver_protocol import Driver, HostToken
from .operand import Array, TaskError
from .plan import Computation, Plan
from .task import Buffer, Kernel

X, Y = 0, 0
"""The cluster that runs plans."""

SOURCE, SINK = 0, 1
"""Block numbers; the steps follow, then the joins."""

FIRST_STEP = 2
MAXIMUM_SUCCESSORS = 255
MAXIMUM_SHARDS = (1 << SHARD_BITS) - 1
RUN_LIMIT = 100_000_000
"""Cycles a run may take, unless told otherwise."""


class PlanError(RuntimeError):
    """A run failed; the message names step and status."""


@dataclass(frozen=True)
class Batch:
    """Steps that the chip's tables hold at a time: ``count`` from ``first`` on."""

    first: int
    count: int
    writes: list[tuple[int, list[int]]]


@dataclass
class PlanProgram:
    """A plan laid out in a cluster.

    Attributes
    ----------
    writes: (global byte address, words), in order. addresses: of every operand, by name.
    descriptors: the steps' descriptors' global addresses. kernels: in the table's order; it is
    at offset 0. batches: one after the other. words: of memory in use.
    """

    computation: Computation
    config: OctopusConfig
    plan: Plan
    writes: list[tuple[int, list[int]]] = field(default_factory=list)
    addresses: dict[str, int] = field(default_factory=dict)
    descriptors: list[int] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    words: int = 0

    def input_writes(self, arrays: Sequence[Any]) -> list[tuple[int, list[int]]]:
        """The writes of the inputs.

        Raises:
            TaskError: as :meth:`Computation.checked`.
        """
        checked = self.computation.checked(arrays)
        return [
            (self.addresses[operand.name], operand.to_words(array))
            for operand, array in zip(self.computation.inputs, checked, strict=True)
        ]


@dataclass(frozen=True)
class StepFigures:
    """What the Control Block Unit counted for a step."""

    busy_cycles: int
    array_cycles: int


@dataclass(frozen=True)
class PlanRun:
    """What a run gave: outputs, result word (None without one), cycles as the host sees them."""

    outputs: tuple[Array, ...]
    value: int | None
    cycles: int
    steps: tuple[StepFigures, ...]

    @property
    def array_cycles(self) -> int:
        """Cycles in which arrays advanced, over all tasks."""
        return sum(step.array_cycles for step in self.steps)


def lay_out(computation: Computation, config: OctopusConfig, cycle_limit: int = 0) -> PlanProgram:
    """The program of a computation's plan in cluster (0, 0), over all its TBUs.

    Raises:
        TaskError: the chip cannot do it, or its tables or memory are too small.
    """
    plan = computation.plan(config)
    program = PlanProgram(computation, config, plan)
    for step in plan.steps:
        if step.task.kernel not in program.kernels:
            program.kernels.append(step.task.kernel)
    images = [kernel.image(config.pea, n) for n, kernel in enumerate(program.kernels)]
    _reserve(program, len(images) * KERNEL_TABLE_ENTRY_WORDS)
    table = []
    for image in images:
        table += [_reserve(program, len(image)), len(image)]
    _write(program, 0, [*table, *(word for image in images for word in image)])
    for operand in (*computation.operands, *plan.scratch, *plan.constants):
        program.addresses[operand.name] = address_of(X, Y, _reserve(program, operand.words))
    for operand, value in plan.constants.items():
        program.writes.append((program.addresses[operand.name], operand.to_words(value)))
    for number, step in enumerate(plan.steps):
        kernel = program.kernels.index(step.task.kernel)
        buffers = _buffers(program, number)
        words = step.task.descriptor(config, kernel, buffers, cycle_limit=cycle_limit)
        offset = _reserve(program, len(words))
        program.descriptors.append(address_of(X, Y, offset))
        _write(program, offset, words)
    program.batches = _batches(program)
    registers = 1 << CONFIGURATION_BIT | ConfigurationRegion.REGISTERS
    _write(program, registers | ClusterRegister.KERNEL_TABLE_ADDRESS, [0])
    # A workflow that ran before may have divided indices.
    _write(program, registers | ClusterRegister.INDEX_SETTINGS, pack(IndexSettings, {}))
    # The same number may have meant another kernel before: only a change makes TBUs forget.
    for count in (0, len(images)):
        _write(program, registers | ClusterRegister.KERNEL_COUNT, [count])
    return program


def _reserve(program: PlanProgram, words: int) -> int:
    """The byte offset of fresh words of memory."""
    offset, limit = program.words * WORD_BYTES, program.config.cluster.memory_words
    program.words += words
    if program.words > limit:
        raise TaskError(
            f"{program.computation.name} needs more than {limit} words of memory "
            "(cluster.memory_words)"
        )
    return offset


def _write(program: PlanProgram, offset: int, words: list[int]) -> None:
    program.writes.append((address_of(X, Y, offset), words))


def _buffers(program: PlanProgram, number: int) -> Mapping[str, Buffer]:
    """Where the operands of a step are."""
    return {
        name: Buffer(
            program.addresses[part.operand] + part.offset,
            shard_stride=part.shard_stride,
            row_stride=part.row_stride,
        )
        for name, part in program.plan.steps[number].slices.items()
    }


def _batches(program: PlanProgram) -> list[Batch]:
    """As few batches of steps as the chip's tables allow."""
    batches: list[Batch] = []
    first, steps = 0, len(program.plan.steps)
    while first < steps:
        count = min(steps - first, program.config.control_block_unit.blocks - FIRST_STEP)
        while (tables := _tables(program, first, count)) is None:
            count -= 1
            if count < 1:
                raise TaskError(
                    f"{program.computation.name}: the chip's block tables are too small for a step"
                )
        batches.append(Batch(first, count, tables))
        first += count
    return batches


def _tables(program: PlanProgram, first: int, count: int) -> list[tuple[int, list[int]]] | None:
    """The writes of block and successor table for some steps; None if there is no room."""
    steps = program.plan.steps[first : first + count]
    blocks: list[dict[str, Any]] = [{"kind": BlockKind.SOURCE}, {"kind": BlockKind.SINK}]
    followers: list[list[int]] = [[], []]
    for number, step in enumerate(steps, first):
        if not 1 <= step.shards <= MAXIMUM_SHARDS:
            raise TaskError(
                f"{program.computation.name}: {step.shards} shards; allowed: 1 to {MAXIMUM_SHARDS}"
            )
        blocks.append(
            {
                "kind": BlockKind.TASK,
                "descriptor": program.descriptors[number],
                "task_block_units": (1 << program.config.cluster.task_block_units) - 1,
                "kernel": program.kernels.index(step.task.kernel),
                "shards": step.shards,
            }
        )
        followers.append([])
    joins: dict[tuple[int, ...], int] = {}

    def gather(origins: list[int], target: int) -> None:
        """Let ``target`` follow all ``origins``; what awaits the same ones shares a join."""
        join = joins.get(tuple(origins))
        if join is None and len(origins) > 1:
            join = joins[tuple(origins)] = len(blocks)
            blocks.append({"kind": BlockKind.JOIN, "join_count": len(origins)})
            followers.append([])
            for origin in origins:
                followers[origin].append(join)
        followers[origins[0] if join is None else join].append(target)

    # What ended in an earlier batch needs no waiting for.
    awaited = {before - first for step in steps for before in step.after}
    for number, step in enumerate(steps):
        waits = [FIRST_STEP + before - first for before in step.after if before >= first]
        gather(waits or [SOURCE], FIRST_STEP + number)
    gather([FIRST_STEP + n for n in range(count) if n not in awaited], SINK)
    return _packed(program.config, blocks, followers)


def _packed(
    config: OctopusConfig, blocks: list[dict[str, Any]], followers: list[list[int]]
) -> list[tuple[int, list[int]]] | None:
    """The tables' words, if they and the successors of each block are not too many."""
    limits = config.control_block_unit
    total = sum(map(len, followers)) + 1
    if len(blocks) > limits.blocks or total > limits.successors:
        return None
    if max(map(len, followers)) > MAXIMUM_SUCCESSORS:
        return None
    node = {"x": X, "y": Y, "host": 0}
    successors: list[int] = []
    entries: list[int] = []
    for number, fields in enumerate(blocks):
        following: list[dict[str, Any]] = [
            {"destination": node, "block": target, "kind": TokenKind.ARRIVE}
            for target in followers[number]
        ]
        if number == SINK:
            host = {"host": 1}
            following = [{"destination": host, "block": SINK, "kind": TokenKind.COMPLETE}]
        place = {"first_successor": len(successors), "successor_count": len(following)}
        for successor in following:
            successors += pack(SuccessorEntry, successor)
        entries += pack(BlockEntry, {"shards": 1} | fields | place)
    configuration = 1 << CONFIGURATION_BIT
    return [
        (address_of(X, Y, configuration | ConfigurationRegion.BLOCK_TABLE), entries),
        (address_of(X, Y, configuration | ConfigurationRegion.SUCCESSOR_TABLE), successors),
    ]


def run(
    driver: Driver, program: PlanProgram, arrays: Sequence[Any], limit_cycles: int = RUN_LIMIT
) -> PlanRun:
    """Load a program with its inputs and run it once.

    Parameters
    ----------
    limit_cycles: of each batch.

    Raises:
        TaskError: an input does not fit. PlanError: a task failed, or the limit is over.
        DriverError: an access fails.
    """
    for address, words in [*program.writes, *program.input_writes(arrays)]:
        driver.write_memory(address, words)
    cycles, figures, value = 0, [], 0
    for batch in program.batches:
        for address, words in batch.writes:
            driver.write_memory(address, words)
        before = _statistics(driver, batch)
        start = driver.cycles
        driver.inject(X, Y, HostToken(SOURCE, 0, 0))
        value = _await(driver, program, batch, limit_cycles)
        cycles += driver.cycles - start
        after = _statistics(driver, batch)
        figures += [
            StepFigures(*((b - a) & 0xFFFFFFFF for a, b in zip(one, other, strict=True)))
            for one, other in zip(before, after, strict=True)
        ]
    outputs = tuple(
        operand.from_words(driver.read_memory(program.addresses[operand.name], operand.words))
        for operand in program.computation.outputs
    )
    has_result = program.plan.result is not None
    return PlanRun(outputs, value if has_result else None, cycles, tuple(figures))


def _await(driver: Driver, program: PlanProgram, batch: Batch, limit_cycles: int) -> int:
    """The value of the token with which a batch ends.

    Raises:
        PlanError: a task failed, or there is no end.
    """
    name = program.computation.name
    tokens = driver.wait(limit_cycles)
    if not tokens:
        raise PlanError(f"{name}: no end after {limit_cycles} cycles")
    if tokens[0].kind is not TokenKind.COMPLETE:
        step = batch.first + tokens[0].block - FIRST_STEP
        raise PlanError(f"{name}: step {step}: {tokens[0].status.name}")
    return tokens[0].value


def _statistics(driver: Driver, batch: Batch) -> list[list[int]]:
    """Busy and array cycles of every step of a batch."""
    found = []
    for number in range(batch.count):
        entry = (FIRST_STEP + number) * BlockStatistics.WORDS * WORD_BYTES
        offset = 1 << CONFIGURATION_BIT | ConfigurationRegion.STATISTICS | entry
        words = driver.read_memory(address_of(X, Y, offset), BlockStatistics.FAULTS + 1)
        found.append([words[BlockStatistics.BUSY_CYCLES], words[BlockStatistics.ARRAY_CYCLES]])
    return found
