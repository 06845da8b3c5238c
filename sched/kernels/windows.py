"""Windows that slide over an image: sizes, parts, and how the image gets into the scratchpad.

Images are [height, width, channels], a pixel's channels in whole words. In the scratchpad an
image has its border, so that every window is a rectangle of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from octopus.hw.layouts.space import WORD_BYTES

from .launch import Launch
from .operand import Array, Operand, TaskError
from .plan import Slice, Step


@dataclass(frozen=True)
class Windows:
    """A window of ``window_rows`` x ``window_columns`` pixels, moved by ``stride`` each way.

    Parameters
    ----------
    height, width, channels: of the image. top, bottom, left, right: pixels of border; negative
        where the last pixels of the image are left out.
    """

    height: int
    width: int
    channels: int
    window_rows: int
    window_columns: int
    stride: int = 1
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @classmethod
    def square(
        cls, name: str, height: int, width: int, channels: int, window: int, stride: int, pad: int
    ) -> "Windows":
        """Square windows with the same border on all sides.

        Raises:
            TaskError: a size out of range; ``name`` is the task's.
        """
        for field, value, low, high in (
            ("height", height, 1, None),
            ("width", width, 1, None),
            ("channels", channels, 1, None),
            ("window", window, 1, None),
            ("stride", stride, 1, None),
            ("padding", pad, 0, window - 1),
        ):
            if value < low or (high is not None and value > high):
                allowed = f"at least {low}" if high is None else f"{low} to {high}"
                raise TaskError(f"{name}.{field} is {value}; allowed: {allowed}")
        smallest = min(height, width) + 2 * pad
        if window > smallest:
            raise TaskError(f"{name}.window is {window}; allowed: 1 to {smallest}")
        return cls(height, width, channels, window, window, stride, pad, pad, pad, pad)

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        return (self.top + self.height + self.bottom - self.window_rows) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Windows in a row."""
        return (self.left + self.width + self.right - self.window_columns) // self.stride + 1

    @property
    def used_height(self) -> int:
        """Rows of the bordered image that windows touch."""
        return (self.out_height - 1) * self.stride + self.window_rows

    @property
    def used_width(self) -> int:
        """Columns of the bordered image that windows touch."""
        return (self.out_width - 1) * self.stride + self.window_columns

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return self.window_rows * self.window_columns

    @property
    def pixel_words(self) -> int:
        """Words of a pixel."""
        return -(-self.channels // WORD_BYTES)

    @property
    def line_words(self) -> int:
        """Words of a line of the bordered image in the scratchpad."""
        return self.used_width * self.pixel_words

    @property
    def bordered(self) -> bool:
        """Whether there is a border."""
        return any((self.top, self.bottom, self.left, self.right))

    @property
    def image(self) -> Operand:
        """The image."""
        return Operand("image", (self.height, self.width, self.channels))

    @property
    def border(self) -> Operand:
        """The pixel that the border consists of."""
        return Operand("border", (self.channels,))

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The image, and the border's pixel if there is a border."""
        return (self.image, self.border) if self.bordered else (self.image,)

    def part(self, row: int, rows: int, column: int, columns: int) -> "Windows":
        """The windows of a rectangle of results, on the part of the image that they touch."""
        y, x = self._origin(row, column)
        used_height = (rows - 1) * self.stride + self.window_rows
        used_width = (columns - 1) * self.stride + self.window_columns
        height, top, bottom = _overlap(y, used_height, self.height)
        width, left, right = _overlap(x, used_width, self.width)
        return replace(
            self, height=height, width=width, top=top, bottom=bottom, left=left, right=right
        )

    def image_slice(self, row: int, column: int) -> Slice:
        """Where the image of a :meth:`part` lies in this one's."""
        y, x = self._origin(row, column)
        line = self.width * self.pixel_words * WORD_BYTES
        y, x = min(max(0, y), self.height - 1), min(max(0, x), self.width - 1)
        offset = y * line + x * self.pixel_words * WORD_BYTES
        return Slice("image", offset, line)

    def _origin(self, row: int, column: int) -> tuple[int, int]:
        """The first pixel of a window, negative in the border."""
        return row * self.stride - self.top, column * self.stride - self.left

    def load(
        self, launch: Launch, base: int, line_words: int, pixel_stride: int | None = None
    ) -> None:
        """Copy the image and its border to ``base``, lines ``line_words`` apart.

        ``pixel_stride``: bytes between its pixels in memory, if they have others between them.
        """
        line, pixel = line_words * WORD_BYTES, self.pixel_words * WORD_BYTES
        rows = min(self.height, self.used_height - self.top)
        columns = min(self.width, self.used_width - self.left)
        inner = base + self.top * line + self.left * pixel
        memory_line = launch.row_stride(self.image, self.width * pixel)
        if rows and columns and pixel_stride is not None:
            pixels = Operand("image", (columns, pixel))
            for y in range(rows):
                launch.load(
                    pixels, inner + y * line, memory_stride=pixel_stride, offset=y * memory_line
                )
        elif rows and columns:
            lines = Operand("image", (rows, columns * pixel))
            launch.load(lines, inner, line_words, memory_stride=memory_line)
        for y in range(self.used_height):
            if not self.top <= y < self.top + rows:
                self._repeat(launch, base + y * line, self.pixel_words, self.used_width)
        for x in range(self.used_width if rows else 0):
            if not self.left <= x < self.left + columns:
                start = base + self.top * line + x * pixel
                self._repeat(launch, start, line_words, rows)

    def _repeat(self, launch: Launch, address: int, stride_words: int, count: int) -> None:
        """The border's pixel ``count`` times."""
        pixels = Operand("border", (count, self.channels))
        launch.load(pixels, address, stride_words, memory_stride=0)

    def gather(self, image: Array, border: Array | None = None) -> Array:
        """All windows: [out_height, out_width, window_rows, window_columns, channels]."""
        shape = (self.top + self.height + self.bottom, self.left + self.width + self.right)
        full = np.empty((*shape, self.channels), image.dtype)
        full[:] = 0 if border is None else border
        full[self.top : self.top + self.height, self.left : self.left + self.width] = image
        views = sliding_window_view(full, (self.window_rows, self.window_columns), axis=(0, 1))
        return views[:: self.stride, :: self.stride].transpose(0, 1, 3, 4, 2)


def _overlap(start: int, used: int, length: int) -> tuple[int, int, int]:
    """Pixels of an image of ``length`` in ``used`` ones from ``start`` on, and border around them.

    Where there are none, one pixel follows the border outside of what is used.
    """
    before = min(used, max(0, -start))
    after = max(0, start + used - length)
    inside = used - before - after
    return (inside, before, after) if inside > 0 else (1, used, -1)


def shard(steps: list[Step], most: int) -> Iterator[Step]:
    """Neighbouring steps of the same task whose parts are evenly spaced, as shards of one step.

    Steps of equal tasks must share the task object. ``most``: shards of a step.
    """
    group: list[Step] = []
    for step in steps:
        if group and not (len(group) < most and _continues(group, step)):
            yield _merged(group)
            group = []
        group.append(step)
    if group:
        yield _merged(group)


def _offsets(step: Step) -> dict[str, int]:
    return {name: part.offset for name, part in step.slices.items()}


def _strides(first: Step, second: Step) -> dict[str, int]:
    """How far the parts of the second step lie behind those of the first."""
    before, after = _offsets(first), _offsets(second)
    return {name: after[name] - before[name] for name in before}


def _continues(group: list[Step], step: Step) -> bool:
    """Whether a step goes on as the group does."""
    last = group[-1]
    if step.task is not last.task or step.after != last.after or step.shards != 1:
        return False
    same = all(
        replace(part, offset=0) == replace(last.slices[name], offset=0)
        for name, part in step.slices.items()
    )
    even = len(group) == 1 or _strides(group[0], group[1]) == _strides(last, step)
    return same and even


def _merged(group: list[Step]) -> Step:
    """One step for the group."""
    if len(group) == 1:
        return group[0]
    strides = _strides(group[0], group[1])
    slices: Mapping[str, Slice] = {
        name: replace(part, shard_stride=strides[name]) for name, part in group[0].slices.items()
    }
    return replace(group[0], slices=slices, shards=len(group))
