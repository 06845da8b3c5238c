"""The Control Block Unit's tables of a placed workflow: block and successor entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octopus.hw.layouts.block import (
    BLOCK_ENTRY_WORDS,
    SUCCESSOR_ENTRY_WORDS,
    BlockEntry,
    BlockKind,
    IndexRule,
    SuccessorEntry,
)
from octopus.hw.layouts.space import WORD_BYTES, ConfigurationRegion
from octopus.hw.layouts.token import TokenKind
from octopus.hw.layouts.words import pack

from .lowering_forecasts import Forecast, forecasts
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
    program: Program, cluster: Cluster, launches: Mapping[str, TaskLaunch]
) -> list[tuple[int, list[int]]]:
    """The writes of one cluster's tables: (offset in configuration space, words).

    Raises:
        LoweringError: more successors than the cluster's table or a block may have.
    """
    announced = _announced(program, cluster)
    successors: list[int] = []
    writes: list[tuple[int, list[int]]] = []
    for block in program.workflow.blocks:
        if program.placement[block.name].cluster != cluster:
            continue
        entries = _successors(program, block) + announced.get(block.name, [])
        fields = {
            **_fields(program, block, launches),
            "first_successor": len(successors) // SUCCESSOR_ENTRY_WORDS,
            "successor_count": len(entries),
        }
        offset = program.numbers[block.name] * BLOCK_ENTRY_WORDS * WORD_BYTES
        for entry in entries:
            successors += entry
        _check_successors(program, block, cluster, len(successors) // SUCCESSOR_ENTRY_WORDS)
        writes.append((ConfigurationRegion.BLOCK_TABLE + offset, pack(BlockEntry, fields)))
    return [*writes, (ConfigurationRegion.SUCCESSOR_TABLE, successors)]


def _announced(program: Program, cluster: Cluster) -> dict[str, list[list[int]]]:
    """The forecast entries of each block of a cluster, as far as the table has room for them."""
    here = [
        block
        for block in program.workflow.blocks
        if program.placement[block.name].cluster == cluster
    ]
    own = {block.name: len(_successors(program, block)) for block in here}
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


def _check_successors(program: Program, block: Block, cluster: Cluster, total: int) -> None:
    limit = program.config.control_block_unit.successors
    own = len(_successors(program, block))
    if own > MAXIMUM_SUCCESSORS:
        raise LoweringError(
            f"block {block.name}: has {own} successors; allowed: {MAXIMUM_SUCCESSORS}"
        )
    if total > limit:
        raise LoweringError(
            f"block {block.name}: cluster {cluster} needs {total} or more successor entries; "
            f"allowed: {limit} (control_block_unit.successors)"
        )


def _fields(program: Program, block: Block, launches: Mapping[str, TaskLaunch]) -> dict[str, Any]:
    """The fields of a block entry, without its successors."""
    fields: dict[str, Any] = {
        "kind": block.kind,
        "comparison": block.comparison,
        "combine": block.combine,
        "operand": block.operand,
        "shards": 1,
    }
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


def _successors(program: Program, block: Block) -> list[list[int]]:
    """The successor entries of a block; a sink's only successor is the host."""
    if block.kind is BlockKind.SINK:
        fields = {
            "destination": {"host": 1},
            "block": program.numbers[block.name],
            "kind": TokenKind.COMPLETE,
        }
        return [pack(SuccessorEntry, fields)]
    return [_successor(program, flow) for flow in program.workflow.flows_out(block.name)]


def _index_rule(program: Program, flow: Flow) -> IndexRule:
    """What becomes of the index. No body of a map has a join or gather: these are outside."""
    target = program.workflow.block(flow.target)
    outside = target.kind in (BlockKind.JOIN, BlockKind.GATHER) and not flow.expect
    return IndexRule.CLEAR if outside else IndexRule.KEEP


def _successor(program: Program, flow: Flow) -> list[int]:
    x, y = program.placement[flow.target].cluster
    return pack(
        SuccessorEntry,
        {
            "destination": {"x": x, "y": y, "host": 0},
            "block": program.numbers[flow.target],
            "arm": flow.arm,
            "kind": TokenKind.EXPECT if flow.expect else TokenKind.ARRIVE,
            "index": _index_rule(program, flow),
        },
    )
