"""Convolutions of any size as tasks: rectangles of windows, panels of filters, parts of windows.

A task computes as many rows of results as the array has rows. Where image and filters are too
large for the scratchpad, a task gets fewer windows of a row, fewer filters, and at last only a part
of every window; partial sums of the parts are then added.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from .accumulate import Accumulate
from .matrix_tiler import ROW_CYCLES, TASK_CYCLES, TRANSFER_CYCLES, pieces, tile_matrix
from .operand import Operand, TaskError
from .plan import Plan, Slice, Step
from .plan_program import MAXIMUM_SHARDS
from .windows import Windows, shard

if TYPE_CHECKING:
    from .convolution import ConvolutionTask


@dataclass(frozen=True)
class Cut:
    """What a task gets: windows of a row, filters, rows and columns of every window."""

    columns: int
    filters: int
    window_rows: int
    window_columns: int


def tile_convolution(task: "ConvolutionTask", config: OctopusConfig) -> Plan:
    """The plan of a convolution on a chip.

    Raises:
        TaskError: not even the smallest part fits.
    """
    windows = task.windows
    if (windows.taps, windows.stride) == (1, 1) and task.window_channels == windows.channels:
        return _as_matrix(task, config)
    for rows, columns in (
        (windows.window_rows, windows.window_columns),
        (1, windows.window_columns),
        (1, 1),
    ):
        cut = choose_cut(task, config, rows, columns)
        if cut is not None:
            break
    else:
        words = config.task_block_unit.scratchpad_words
        raise TaskError(f"{task.name}: no part of it fits {words} words of scratchpad")
    output = task.outputs[0]
    if (cut.window_rows, cut.window_columns) == (windows.window_rows, windows.window_columns):
        return Plan(list(shard(list(cut_steps(task, config, cut, output)), MAXIMUM_SHARDS)))
    return _in_parts(task, config, cut)


def _as_matrix(task: "ConvolutionTask", config: OctopusConfig) -> Plan:
    """A convolution with windows of one pixel is a matrix product over the pixels."""
    from .matrix import product

    windows = task.windows
    pixels = windows.height * windows.width
    plan = tile_matrix(
        product(pixels, windows.channels, task.filters, task.requantisation, task.bias, task.name),
        config,
    )
    names = {"activations": "image", "products": "outputs"}

    def renamed(part: Slice) -> Slice:
        return replace(part, operand=names.get(part.operand, part.operand))

    steps = [
        replace(step, slices={name: renamed(part) for name, part in step.slices.items()})
        for step in plan.steps
    ]
    return replace(plan, steps=steps)


def choose_cut(
    task: "ConvolutionTask", config: OctopusConfig, window_rows: int, window_columns: int
) -> Cut | None:
    """The cut that takes the fewest cycles, by estimate; None if none fits."""
    best: tuple[float, Cut] | None = None
    out_width = task.windows.out_width
    for count in sorted({-(-out_width // size) for size in range(1, out_width + 1)}):
        columns = -(-out_width // count)
        for filters in _filter_panels(task.filters, task.most_filters(config.pea)):
            if 1 < columns < out_width and filters < task.filters:
                continue  # results would lie apart in three dimensions
            cut = Cut(columns, filters, window_rows, window_columns)
            cycles = _estimate(task, config, cut)
            if cycles is not None and (best is None or cycles < best[0]):
                best = cycles, cut
    return best[1] if best is not None else None


def _filter_panels(filters: int, most: int) -> Iterator[int]:
    """Panel sizes up to ``most``: all filters, or whole words of them."""
    if filters <= most:
        yield filters
    largest = min(most, filters - 1)
    yield from range(largest // WORD_BYTES * WORD_BYTES, 0, -WORD_BYTES)


def _estimate(task: "ConvolutionTask", config: OctopusConfig, cut: Cut) -> float | None:
    """Cycles of all tasks, if all were like the first full one; None if that does not fit."""
    rows = min(task.windows.out_height, config.pea.rows)
    middle = task.windows.stride * (task.windows.out_height > 2 * rows)
    window = _window_part(task.windows, 0, cut.window_rows, 0, cut.window_columns)
    part = _part(task, cut, window.part(middle, rows, 0, cut.columns), 0, cut.filters, False)
    needed = part.scratchpad_words(config.pea)
    words = config.task_block_unit.scratchpad_words
    if needed > words:
        return None
    count = (
        -(-task.windows.out_height // rows)
        * -(-task.windows.out_width // cut.columns)
        * -(-task.filters // cut.filters)
    )
    image = part.windows.used_height * part.windows.line_words
    filters = sum(operand.words for operand in part.inputs if operand.name in ("weights", "bias"))
    load = image + filters + TRANSFER_CYCLES
    pixels = part.windows.used_width if part.pixel_stride is not None else 1
    load += ROW_CYCLES * (part.windows.used_height * pixels + 2 * part.filters)
    run, store = part.run_cycles(config.pea) + TASK_CYCLES, part.outputs[0].words
    if 2 * needed > words:
        return count * (load + run + store)
    return (count - 1) * max(load + store, run) + load + run + store


def _window_part(windows: Windows, row: int, rows: int, column: int, columns: int) -> Windows:
    """The windows of which only some rows and columns are taken, at the same places."""
    return replace(
        windows,
        window_rows=rows,
        window_columns=columns,
        top=windows.top - row,
        bottom=windows.bottom - (windows.window_rows - row - rows),
        left=windows.left - column,
        right=windows.right - (windows.window_columns - column - columns),
    )


def _part(
    task: "ConvolutionTask", cut: Cut, windows: Windows, first: int, filters: int, bias: bool
) -> "ConvolutionTask":
    """A task of the plan."""
    whole = (cut.window_rows, cut.window_columns) == (
        task.windows.window_rows,
        task.windows.window_columns,
    )
    requantisation = task.requantisation if whole else None
    return task.part(windows, first, filters, requantisation, bias or (whole and task.bias))


def cut_steps(
    task: "ConvolutionTask",
    config: OctopusConfig,
    cut: Cut,
    output: Operand,
    tap: tuple[int, int] = (0, 0),
    bias: bool = False,
) -> Iterator[Step]:
    """The steps for the part of every window that begins at ``tap``, one a task."""
    whole = task.windows
    windows = _window_part(whole, tap[0], cut.window_rows, tap[1], cut.window_columns)
    parts: dict[tuple[Windows, int], ConvolutionTask] = {}
    pixel = output.row_words * WORD_BYTES
    filter_bytes = task.inner_words * WORD_BYTES
    tap_bytes = (tap[0] * whole.window_columns + tap[1]) * (filter_bytes // whole.taps)
    size = WORD_BYTES if output.dtype == "int32" else 1
    rows_of_task = config.pea.rows
    for first, filters in pieces(task.filters, cut.filters):
        for column, columns in pieces(windows.out_width, cut.columns):
            for row, rows in pieces(windows.out_height, rows_of_task):
                area = windows.part(row, rows, column, columns)
                if (area, filters) not in parts:
                    parts[area, filters] = _part(task, cut, area, first, filters, bias)
                part = parts[area, filters]
                image = windows.image_slice(row, column)
                channel = task.image_offset(first)
                slices = {
                    "image": replace(image, offset=image.offset + channel),
                    "weights": Slice("weights", first * filter_bytes + tap_bytes, filter_bytes),
                    "bias": Slice("bias", first * WORD_BYTES),
                    "border": Slice("border", channel),
                    "outputs": Slice(
                        output.name,
                        (row * whole.out_width + column) * pixel + first * size,
                        pixel if part.pixels_apart else whole.out_width * pixel,
                    ),
                }
                yield Step(part, {operand.name: slices[operand.name] for operand in part.operands})


def _in_parts(task: "ConvolutionTask", config: OctopusConfig, cut: Cut) -> Plan:
    """The plan with partial sums: each part of the window its own convolution."""
    windows = task.windows
    taps = [
        (row, column)
        for row in range(0, windows.window_rows, cut.window_rows)
        for column in range(0, windows.window_columns, cut.window_columns)
    ]
    shape = task.outputs[0].shape
    scratch = tuple(Operand(f"partial_{i}", shape, "int32") for i in range(len(taps)))
    steps: list[Step] = []
    for i, tap in enumerate(taps):
        bias = task.bias and i == 0
        steps += cut_steps(task, config, cut, scratch[i], tap, bias)
    steps = list(shard(steps, MAXIMUM_SHARDS))
    products = tuple(range(len(steps)))
    pixels = shape[0] * shape[1]
    largest = Accumulate.most_rows(config, len(taps), task.filters)
    if not largest:
        raise TaskError(f"{task.name}: a pixel of partial sums does not fit the scratchpad")
    output = task.outputs[0]
    sums: list[Step] = []
    tasks: dict[int, Accumulate] = {}
    for first, count in pieces(pixels, largest):
        if count not in tasks:
            tasks[count] = Accumulate(count, task.filters, len(taps), task.requantisation)
        slices = {
            f"partial_{i}": Slice(operand.name, first * operand.row_words * WORD_BYTES)
            for i, operand in enumerate(scratch)
        }
        slices["sums"] = Slice(output.name, first * output.row_words * WORD_BYTES)
        sums.append(Step(tasks[count], slices, after=products))
    return Plan([*steps, *shard(sums, MAXIMUM_SHARDS)], scratch=scratch)
