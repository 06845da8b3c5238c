"""The Control Block Unit's tables of a placed workflow: block and successor entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.block import (
    BLOCK_ENTRY_WORDS,
    SUCCESSOR_ENTRY_WORDS,
    BlockEntry,
    BlockKind,
    SuccessorEntry,
)
from octopus.hw.layouts.space import WORD_BYTES, ConfigurationRegion
from octopus.hw.layouts.token import TokenKind
from octopus.hw.layouts.words import pack

from .lowering_forecasts import Forecast, forecasts
from .lowering_indices import IndexPlan
from .program import LoweringError, Program
from .workflow import Block, Flow

MAXIMUM_SUCCESSORS = 255
"""Successors of one block: its count has eight bits."""

Cluster = tuple[int, int]


@dataclass(frozen=True)
class TaskLaunch:
    """What a block entry says of a task: its descriptor's global address, its kernel's number."""

    descriptor: int
    kernel: int


def block_tables(
    program: Program, indices: IndexPlan, cluster: Cluster, launches: Mapping[str, TaskLaunch]
) -> list[tuple[int, list[int]]]:
    """The writes of one cluster's tables: (offset in configuration space, words).

    Raises:
        LoweringError: more successors than the cluster's table or a block may have.
    """
    announced = _announced(program, indices, cluster)
    successors: list[int] = []
    writes: list[tuple[int, list[int]]] = []
    for block in program.workflow.blocks:
        if program.placement[block.name].cluster != cluster:
            continue
        entries = _successors(program, indices, block) + announced.get(block.name, [])
        fields = {
            **_fields(program, indices, block, launches),
            "first_successor": len(successors) // SUCCESSOR_ENTRY_WORDS,
            "successor_count": len(entries),
        }
        offset = program.numbers[block.name] * BLOCK_ENTRY_WORDS * WORD_BYTES
        for entry in entries:
            successors += entry
        _check_successors(program, block, cluster, len(entries), len(successors))
        writes.append((ConfigurationRegion.BLOCK_TABLE + offset, pack(BlockEntry, fields)))
    return [*writes, (ConfigurationRegion.SUCCESSOR_TABLE, successors)]


def _announced(
    program: Program, indices: IndexPlan, cluster: Cluster
) -> dict[str, list[list[int]]]:
    """The forecast entries of each block of a cluster, as far as the table has room for them."""
    here = [
        block
        for block in program.workflow.blocks
        if program.placement[block.name].cluster == cluster
    ]
    own = {block.name: len(_successors(program, indices, block)) for block in here}
    room = program.config.control_block_unit.successors - sum(own.values())
    announced: dict[str, list[list[int]]] = {}
    for block in here:
        entries = [_forecast(program, item) for item in forecasts(program.workflow, block)]
        if len(entries) <= room and own[block.name] + len(entries) <= MAXIMUM_SUCCESSORS:
            announced[block.name] = entries
            room -= len(entries)
    return announced


def _forecast(program: Program, forecast: Forecast) -> list[int]:
    x, y = program.placement[forecast.target].cluster
    return pack(
        SuccessorEntry,
        {
            "destination": {"x": x, "y": y, "host": 0},
            "block": program.numbers[forecast.target],
            "arm": forecast.arm,
            "kind": TokenKind.FORECAST,
            "likely": int(forecast.likely),
        },
    )


def _check_successors(
    program: Program, block: Block, cluster: Cluster, own: int, words: int
) -> None:
    limit, total = program.config.control_block_unit.successors, words // SUCCESSOR_ENTRY_WORDS
    if own > MAXIMUM_SUCCESSORS:
        raise LoweringError(
            f"block {block.name}: has {own} successors; allowed: {MAXIMUM_SUCCESSORS}"
        )
    if total > limit:
        raise LoweringError(
            f"block {block.name}: cluster {cluster} needs {total} or more successor entries; "
            f"allowed: {limit} (control_block_unit.successors)"
        )


def _fields(
    program: Program, indices: IndexPlan, block: Block, launches: Mapping[str, TaskLaunch]
) -> dict[str, Any]:
    """The fields of a block entry, without its successors."""
    fields: dict[str, Any] = {
        "kind": block.kind,
        "comparison": block.comparison,
        "combine": block.combine,
        "operand": block.operand,
        "shards": 1,
    }
    if block.kind is BlockKind.MAP:
        # The chip knows no limit of a map but what an index can hold.
        fields |= {"operand": 0, "nested": int(indices.nested(block.name))}
    if block.kind is BlockKind.JOIN:
        fields["join_count"] = program.workflow.join_count(block)
    if block.kind is BlockKind.TASK:
        launch = launches[block.name]
        fields |= {
            "descriptor": launch.descriptor,
            "task_block_units": program.placement[block.name].units,
            "kernel": launch.kernel,
        }
    return fields


def _successors(program: Program, indices: IndexPlan, block: Block) -> list[list[int]]:
    """The successor entries of a block; a sink's only successor is the host."""
    if block.kind is BlockKind.SINK:
        fields = {
            "destination": {"host": 1},
            "block": program.numbers[block.name],
            "kind": TokenKind.COMPLETE,
        }
        return [pack(SuccessorEntry, fields)]
    return [_successor(program, indices, flow) for flow in program.workflow.flows_out(block.name)]


def _successor(program: Program, indices: IndexPlan, flow: Flow) -> list[int]:
    x, y = program.placement[flow.target].cluster
    return pack(
        SuccessorEntry,
        {
            "destination": {"x": x, "y": y, "host": 0},
            "block": program.numbers[flow.target],
            "arm": flow.arm,
            "kind": TokenKind.EXPECT if flow.expect else TokenKind.ARRIVE,
            "index": indices.rule(flow),
        },
    )
