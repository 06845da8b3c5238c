"""Convolutions of int8 images on the systolic kernel: no copy of a window is ever made.

Array row r computes row r of the results, so the west streams walk the windows of a line: the
words of a window's line lie behind each other, then come the lines of the window, then the same
for the next columns of filters, then the next window. Filters enter from the north as the columns
of a matrix product.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.space import WORD_BYTES

from .banks import WavePorts, spread
from .convolution_tiler import tile_convolution
from .launch import Launch
from .plan import Plan
from .registry import public_kernel
from .requantisation import Requantisation
from .systolic import LONGEST_PERIOD, MAXIMUM_ROWS, SystolicKernel
from .task import Array, Buffer, Operand, Task, TaskError
from .windows import Windows


class ConvolutionTask(Task):
    """Any rectangle of windows and any number of filters that fit the scratchpad.

    Parameters
    ----------
    windows: at most as many rows of them as the array has. filters: how many.
    requantisation: for int8 results; None for 32-bit partial sums. bias: add one a filter.
    pixels_apart: the results' rows in memory are pixels with room between them, not lines.
    pixel_stride: bytes between the image's pixels in memory, None if they follow each other.
    """

    has_result = False

    def __init__(
        self,
        windows: Windows,
        filters: int,
        requantisation: Requantisation | None,
        bias: bool,
        name: str,
        pixels_apart: bool = False,
        pixel_stride: int | None = None,
    ) -> None:
        if filters < 1:
            raise TaskError(f"{name}.filters is {filters}; allowed: at least 1")
        self.name = name
        self.windows = windows
        self.filters = filters
        self.requantisation = requantisation
        self.bias = bias
        self.pixels_apart = pixels_apart
        self.pixel_stride = pixel_stride
        results = (windows.out_height, windows.out_width, filters)
        self.macs = int(np.prod(results)) * windows.taps * self.window_channels
        shape = (filters, windows.window_rows, windows.window_columns, self.window_channels)
        self._weights = Operand("weights", shape)
        self._bias = Operand("bias", (filters,), "int32")
        image, *border = windows.operands
        biases = (self._bias,) if bias else ()
        self.inputs = (image, self._weights, *biases, *border)
        dtype = "int32" if requantisation is None else "int8"
        self.outputs = (Operand("outputs", results, dtype),)

    @property
    def window_channels(self) -> int:
        """Channels of the image that make one of the result."""
        return self.windows.channels

    @property
    def inner_words(self) -> int:
        """Words of a window."""
        return self.windows.taps * -(-self.window_channels // WORD_BYTES)

    def part(
        self,
        windows: Windows,
        first: int,
        filters: int,
        requantisation: Requantisation | None,
        bias: bool,
    ) -> "ConvolutionTask":
        """The task for other windows and for ``filters`` of the filters, from ``first`` on."""
        apart = filters < self.filters and windows.out_width == self.windows.out_width
        return ConvolutionTask(windows, filters, requantisation, bias, self.name, apart)

    def most_filters(self, pea: PeaConfig) -> int:
        """The most filters that one task can have on an array."""
        return self.filters

    def image_offset(self, first: int) -> int:
        """Where the channels of the image for filters from ``first`` on begin in a pixel."""
        return 0

    @property
    def kernel(self) -> SystolicKernel:
        """As :class:`Task`."""
        return SystolicKernel(
            min(self.inner_words, LONGEST_PERIOD),
            min(self.windows.out_height, MAXIMUM_ROWS),
            None if self.requantisation is None else self.requantisation.word,
            self.bias,
        )

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`: as many tasks as array and scratchpad ask for."""
        return tile_convolution(self, config)

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        image, weights, *rest = self.checked(arrays)
        bias = rest.pop(0) if self.bias else np.zeros(self.filters, np.int32)
        gathered = self.windows.gather(image, *rest).reshape(
            self.windows.out_height, self.windows.out_width, -1
        )
        flat = weights.reshape(self.filters, -1).astype(np.int64)
        sums = (gathered.astype(np.int64) @ flat.T + bias).astype(np.int32)
        if self.requantisation is None:
            return (sums,), None
        return (self.requantisation.apply(sums),), None

    def _columns(self, pea: PeaConfig) -> tuple[int, int]:
        """Column tiles and array columns used: no result lies behind a pixel's last word."""
        room = self.outputs[0].row_words * (4 if self.outputs[0].dtype == "int8" else 1)
        fitting = [
            (-(-self.filters // used), used)
            for used in range(1, min(pea.columns, self.filters) + 1)
            if -(-self.filters // used) * used <= room
        ]
        return min(fitting)

    def _period(self, pea: PeaConfig) -> int:
        """Cycles of a round."""
        kernel = self.kernel
        return kernel.period(pea) + self.inner_words - kernel.inner_words

    def _west(self, pea: PeaConfig, padding: int) -> WavePorts:
        """The windows' stream, with lines so many words longer."""
        windows = self.windows
        line = (windows.line_words + padding) * WORD_BYTES
        step = windows.stride * windows.pixel_words * WORD_BYTES
        return WavePorts(
            windows.used_height * line // WORD_BYTES,
            windows.out_height,
            windows.stride * line,
            [
                (windows.window_columns * windows.pixel_words, WORD_BYTES),
                (windows.window_rows, line),
                (self._columns(pea)[0], 0),
                (windows.out_width, step),
            ],
            self.inner_words,
            self._period(pea),
        )

    def _north(self, pea: PeaConfig, padding: int) -> WavePorts:
        """The stream of the filters with their bias."""
        tiles, used = self._columns(pea)
        fed = self.inner_words + self.bias
        filter_bytes = (fed + padding) * WORD_BYTES
        return WavePorts(
            tiles * used * filter_bytes // WORD_BYTES,
            used,
            filter_bytes,
            [(fed, WORD_BYTES), (tiles, used * filter_bytes), (self.windows.out_width, 0)],
            fed,
            self._period(pea),
        )

    def run_cycles(self, pea: PeaConfig) -> int:
        """Cycles of all rounds."""
        return self._columns(pea)[0] * self.windows.out_width * self._period(pea)

    def scratchpad_words(self, pea: PeaConfig) -> int:
        """The words of scratchpad that the task needs at least."""
        operands = self._west(pea, 0).words + self._north(pea, 0).words
        return operands + self.outputs[0].words

    def descriptor(
        self,
        config: OctopusConfig,
        kernel_number: int,
        buffers: Mapping[str, Buffer],
        *,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """As :class:`Task`."""
        pea, windows, output = config.pea, self.windows, self.outputs[0]
        self.check_rows(pea)
        launch = Launch(config, self, buffers)
        place = spread(
            lambda padding: self._west(pea, padding),
            lambda padding: self._north(pea, padding),
            config.task_block_unit,
            launch.budget(self.scratchpad_words(pea)) - output.words,
        )
        west, north = self._west(pea, place.west_padding), self._north(pea, place.north_padding)
        image = launch.allocate("image", west.words)
        launch.allocate("the gap before the weights", place.gap)
        weights = launch.allocate("weights", north.words)
        result = launch.allocate(output.name, output.words)
        filter_words = north.port_stride // WORD_BYTES
        windows.load(launch, image, windows.line_words + place.west_padding, self.pixel_stride)
        rows = Operand("weights", (self.filters, self.inner_words * WORD_BYTES))
        launch.load(rows, weights, filter_words)
        if self.bias:
            column = Operand("bias", (self.filters, 1), "int32")
            launch.load(column, weights + self.inner_words * WORD_BYTES, filter_words)
        self._store(launch, result)
        launch.stream_wave(Edge.WEST_IN, image, west)
        launch.stream_wave(Edge.NORTH_IN, weights, north)
        tiles, used = self._columns(pea)
        size = WORD_BYTES if output.dtype == "int32" else 1
        pixel = output.row_words * WORD_BYTES
        launch.stream(
            Edge.NORTH_OUT,
            result,
            [
                (windows.out_height, windows.out_width * pixel),
                (tiles, used * size),
                (windows.out_width, pixel),
            ],
            port_count=used,
            port_stride=size,
            element=Element.WORD if size == WORD_BYTES else Element.BYTE_SIGNED,
        )
        return launch.words(
            kernel_number,
            body_trips=self.inner_words,
            outer_trips=tiles * windows.out_width,
            domain=domain,
            cycle_limit=cycle_limit,
        )

    def check_rows(self, pea: PeaConfig) -> None:
        """Refuse more rows of results than the array has rows.

        Raises:
            TaskError: there are more.
        """
        if self.windows.out_height > pea.rows:
            raise TaskError(
                f"{self.name}: {self.windows.out_height} rows of results in one task; allowed: "
                f"{pea.rows}, one a row of the array"
            )

    def _store(self, launch: Launch, result: int) -> None:
        """The results' way to memory: by pixels if these lie apart there, else by lines."""
        output = self.outputs[0]
        if self.pixels_apart:
            launch.store(output, result)
        else:
            line = self.windows.out_width * output.row_words * WORD_BYTES
            launch.store(Operand("outputs", (self.windows.out_height, line)), result)


@public_kernel(
    "conv2d", height=16, width=16, channels=8, filters=8, padding=1, multiplier=39, shift=18
)
class Conv2d(ConvolutionTask):
    """A two-dimensional int8 convolution, requantised: any window, stride and padding.

    Parameters
    ----------
    height, width, channels: of the image. filters: channels of the result.
    window: rows and columns of a filter. stride: pixels from window to window, both ways.
    padding: pixels of border around the image, less than ``window``; each is ``border``.
    multiplier, shift, zero_point, relu: as of ``dense``.

    Operands: image int8 [height, width, channels], weights int8 [filters, window, window,
    channels], bias int32 [filters], and with padding border int8 [channels] (the image's zero);
    result: outputs int8 [out_height, out_width, filters].

    Raises:
        TaskError: a parameter out of its range.
    """

    requantisation: Requantisation

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        filters: int,
        *,
        multiplier: int,
        shift: int,
        window: int = 3,
        stride: int = 1,
        padding: int = 0,
        zero_point: int = 0,
        relu: bool = False,
        name: str = "conv2d",
    ) -> None:
        windows = Windows.square(name, height, width, channels, window, stride, padding)
        requantisation = Requantisation(multiplier, shift, zero_point, relu)
        requantisation.check(name)
        super().__init__(windows, filters, requantisation, True, name)
        self.height, self.width, self.channels = height, width, channels
        self.window, self.stride, self.padding = window, stride, padding
        self.multiplier, self.shift = multiplier, shift
        self.zero_point, self.relu = zero_point, relu
