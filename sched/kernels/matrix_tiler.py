"""Matrix products of any size as tasks: panels of rows and columns, and chunks of the inner sum.

A task computes a panel of the result from a panel of rows and one of columns; while it runs,
the operands of the next one are loaded into the other half of the scratchpad. Panels are chosen by
the cycles that transfers and array will take. Where no panel fits with the whole inner dimension,
or none large enough to keep the array busy, chunks of it give 32-bit partial sums, which are
then added.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from .accumulate import Accumulate
from .operand import Operand, TaskError
from .plan import Plan, Slice, Step
from .plan_program import MAXIMUM_SHARDS

if TYPE_CHECKING:
    from .matrix import MatrixTask

TASK_CYCLES = 32
"""What a run costs beside its rounds: filling and emptying the wave."""

TRANSFER_CYCLES = 150
"""What a task's transfers cost beside their words: its descriptor and the memory's latency."""

ROW_CYCLES = 2
"""What a row of a transfer costs beside its words."""

CHUNK_CHOICES = 6
"""Numbers of chunks that are compared, from the first with which a panel fits."""

RESERVED_WORDS = 8192
"""Words of memory for kernels and descriptors."""

INNER_BYTES = 4
"""Chunks of the inner dimension begin on words."""


@dataclass(frozen=True)
class Panels:
    """Sizes of a panel: rows, columns, and elements of the inner dimension."""

    rows: int
    columns: int
    inner: int


def pieces(total: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, length) of pieces of ``size``, the last one shorter."""
    for start in range(0, total, size):
        yield start, min(size, total - start)


def tile_matrix(task: "MatrixTask", config: OctopusConfig) -> Plan:
    """The plan of a matrix task on a chip.

    Raises:
        TaskError: not even the smallest panel fits.
    """
    panels = _choose(task, config)
    if panels.inner >= task.features_in:
        return Plan(list(_panel_steps(task, panels)))
    return _chunked(task, panels, config)


def _choose(task: "MatrixTask", config: OctopusConfig) -> Panels:
    """The panels that take the fewest cycles, by estimate, among some numbers of chunks."""
    best: tuple[float, Panels] | None = None
    chunks, tried = 1, 0
    operands = sum(operand.words for operand in task.operands)
    while tried < CHUNK_CHOICES:
        inner = -(-task.features_in // chunks)
        inner += -inner % INNER_BYTES if chunks > 1 else 0
        found = _choose_panels(task, config, inner)
        if found is not None:
            tried += 1
            partial_words = (chunks > 1) * chunks * task.rows * task.features_out
            cycles = found[0] + partial_words * (chunks + 1) / chunks
            stored = operands + partial_words <= config.cluster.memory_words - RESERVED_WORDS
            if best is None or (stored and cycles < best[0]):
                best = cycles, found[1]
        if inner <= INNER_BYTES:
            break
        chunks += 1
    if best is None:
        words = config.task_block_unit.scratchpad_words
        raise TaskError(f"{task.name}: no panel fits {words} words of scratchpad")
    return best[1]


def _choose_panels(
    task: "MatrixTask", config: OctopusConfig, inner: int
) -> tuple[float, Panels] | None:
    """The panels with this inner dimension and their cycles for all of it; None if none fits."""
    rows_step, columns_step = config.pea.rows, lcm(config.pea.columns, WORD_BYTES)
    words = config.task_block_unit.scratchpad_words
    chunks = -(-task.features_in // inner)
    product = task if chunks == 1 else task.partial(with_bias=True)
    best: tuple[float, Panels] | None = None
    for rows in _sizes(task.rows, rows_step):
        for columns in _sizes(task.features_out, columns_step):
            part = product.part(rows, inner, columns)
            if part.scratchpad_words(config.pea) > words:
                break
            cycles = chunks * _estimate(task, part, config)
            if best is None or cycles < best[0]:
                best = cycles, Panels(rows, columns, inner)
    return best


def _sizes(total: int, step: int) -> list[int]:
    """Panel sizes worth a try: whole tiles of the array, balanced over the whole."""
    tiles = -(-total // step)
    counts = {-(-tiles // size) for size in range(1, tiles + 1)}
    sizes = {min(total, -(-tiles // count) * step) for count in counts}
    return sorted(sizes)


def _estimate(task: "MatrixTask", part: "MatrixTask", config: OctopusConfig) -> float:
    """Cycles of all tasks, if all were like ``part``."""
    count = -(-task.rows // part.rows) * -(-task.features_out // part.features_out)
    run = part.run_cycles(config.pea) + TASK_CYCLES
    load = sum(operand.words for operand in part.inputs) + TRANSFER_CYCLES
    load += ROW_CYCLES * (part.rows + 2 * part.features_out)
    store = sum(operand.words for operand in part.outputs)
    half = 2 * part.scratchpad_words(config.pea) <= config.task_block_unit.scratchpad_words
    if not half:
        return count * (load + run + store)
    return (count - 1) * max(load + store, run) + load + run + store


def _panel_steps(task: "MatrixTask", panels: Panels) -> Iterator[Step]:
    """The steps of a product whose inner dimension is whole."""
    for row, rows in pieces(task.rows, panels.rows):
        yield from _row_steps(task, panels, row, rows, 0, task.features_in, task.outputs[0])


def _row_steps(
    task: "MatrixTask",
    panels: Panels,
    row: int,
    rows: int,
    inner: int,
    length: int,
    output: Operand,
) -> Iterator[Step]:
    """The steps of one panel of rows: neighbouring panels of columns are shards."""
    whole, rest = divmod(task.features_out, panels.columns)
    groups = [
        (start * panels.columns, panels.columns, count)
        for start, count in pieces(whole, MAXIMUM_SHARDS)
    ]
    if rest:
        groups.append((whole * panels.columns, rest, 1))
    inner_stride = -(-task.features_in // INNER_BYTES) * INNER_BYTES
    size = WORD_BYTES if output.dtype == "int32" else 1
    for column, columns, shards in groups:
        part = task.part(rows, length, columns)
        apart = columns if shards > 1 else 0
        parts = {
            "activations": Slice("activations", row * inner_stride + inner, inner_stride),
            "weights": Slice(
                "weights",
                column * inner_stride + inner,
                inner_stride,
                apart * inner_stride,
            ),
            part.outputs[0].name: Slice(
                output.name,
                row * output.row_words * WORD_BYTES + column * size,
                output.row_words * WORD_BYTES,
                apart * size,
            ),
        }
        if part.bias:
            parts["bias"] = Slice("bias", column * WORD_BYTES, None, apart * WORD_BYTES)
        yield Step(part, parts, shards)


def _chunked(task: "MatrixTask", panels: Panels, config: OctopusConfig) -> Plan:
    """The plan with partial sums: every chunk its own product, then all are added."""
    chunks = list(pieces(task.features_in, panels.inner))
    shape = (task.rows, task.features_out)
    scratch = tuple(Operand(f"partial_{i}", shape, "int32") for i in range(len(chunks)))
    steps: list[Step] = []
    for i, (inner, length) in enumerate(chunks):
        product = task.partial(with_bias=i == 0)
        for row, rows in pieces(task.rows, panels.rows):
            steps += _row_steps(product, panels, row, rows, inner, length, scratch[i])
    products = tuple(range(len(steps)))
    largest = Accumulate.most_rows(config, len(chunks), task.features_out)
    if not largest:
        raise TaskError(f"{task.name}: a row of partial sums does not fit the scratchpad")
    output = task.outputs[0]
    for row, rows in pieces(task.rows, largest):
        accumulate = Accumulate(rows, task.features_out, len(chunks), task.requantisation)
        parts = {
            f"partial_{i}": Slice(operand.name, row * operand.row_words * WORD_BYTES)
            for i, operand in enumerate(scratch)
        }
        parts[accumulate.outputs[0].name] = Slice(output.name, row * output.row_words * WORD_BYTES)
        steps.append(Step(accumulate, parts, after=products))
    return Plan(steps, scratch=scratch)
