"""Convolutions within words of channels: depthwise filters and averages.

Four channels lie in a word, and each array column computes one of them. Its filter has the
weights in the byte of its channel and zeros in the others, so that one multiplier of four does
the work; the array takes a word a cycle from every stream all the same.
"""

from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.space import WORD_BYTES

from .banks import WavePorts
from .convolution import ConvolutionTask
from .operand import Array, Operand, TaskError
from .plan import Computation, Plan
from .registry import public_kernel
from .requantisation import Requantisation
from .windows import Windows

GROUP = WORD_BYTES
"""Channels of a word."""


def depthwise_weights(filters: Any) -> Array:
    """Filters [window, window, channels] in the layout of :class:`DepthwiseTask`'s weights."""
    values = np.asarray(filters)
    rows, columns, channels = values.shape
    weights = np.zeros((channels, rows, columns, GROUP), np.int8)
    for channel in range(channels):
        weights[channel, :, :, channel % GROUP] = values[:, :, channel]
    return weights


class DepthwiseTask(ConvolutionTask):
    """Each channel of the result from the four channels of the image in its word.

    Parameters as :class:`ConvolutionTask`; there are as many filters as channels.
    """

    @property
    def window_channels(self) -> int:
        """As :class:`ConvolutionTask`."""
        return GROUP

    def part(
        self,
        windows: Windows,
        first: int,
        filters: int,
        requantisation: Requantisation | None,
        bias: bool,
    ) -> ConvolutionTask:
        """As :class:`ConvolutionTask`."""
        area = Windows(**{**windows.__dict__, "channels": filters})
        some = filters < self.filters
        apart = some and windows.out_width == self.windows.out_width
        pixel = self.windows.pixel_words * WORD_BYTES if some else None
        return DepthwiseTask(area, filters, requantisation, bias, self.name, apart, pixel)

    def image_offset(self, first: int) -> int:
        """As :class:`ConvolutionTask`."""
        return first

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        image, weights, *rest = self.checked(arrays)
        bias = rest.pop(0) if self.bias else np.zeros(self.filters, np.int32)
        gathered = self.windows.gather(image, *rest).astype(np.int64)
        padded = np.zeros((*gathered.shape[:-1], self.windows.pixel_words * GROUP), np.int64)
        padded[..., : self.filters] = gathered
        own = padded.reshape(*gathered.shape[:-1], -1, GROUP)[
            ..., np.arange(self.filters) // GROUP, :
        ]
        products = np.einsum("yxjicg,cjig->yxc", own, weights.astype(np.int64))
        sums = (products + bias).astype(np.int32)
        if self.requantisation is None:
            return (sums,), None
        return (self.requantisation.apply(sums),), None

    def _columns(self, pea: PeaConfig) -> tuple[int, int]:
        """Groups, or tiles of the only one; and columns used of each."""
        if self.filters > GROUP:
            if pea.columns < GROUP:
                raise TaskError(
                    f"{self.name}: {self.filters} channels in one task of an array with "
                    f"{pea.columns} columns; allowed: {GROUP}"
                )
            return -(-self.filters // GROUP), GROUP
        used = next(u for u in (GROUP, 2, 1) if u <= pea.columns)
        return -(-self.filters // used), used

    def _west(self, pea: PeaConfig, padding: int) -> WavePorts:
        """The windows' stream: for each window all words of its pixels, group by group."""
        windows = self.windows
        line = (windows.line_words + padding) * WORD_BYTES
        pixel = windows.pixel_words * WORD_BYTES
        return WavePorts(
            windows.used_height * line // WORD_BYTES,
            windows.out_height,
            windows.stride * line,
            [
                (windows.window_columns, pixel),
                (windows.window_rows, line),
                (self._columns(pea)[0], WORD_BYTES if self.filters > GROUP else 0),
                (windows.out_width, windows.stride * pixel),
            ],
            self.inner_words,
            self._period(pea),
        )

    def most_filters(self, pea: PeaConfig) -> int:
        """As :class:`ConvolutionTask`."""
        return self.filters if pea.columns >= GROUP else GROUP


@public_kernel("depthwise", height=16, width=16, channels=8, padding=1, multiplier=39, shift=14)
class Depthwise(DepthwiseTask):
    """A depthwise int8 convolution, requantised: each channel has a filter of its own.

    Parameters
    ----------
    height, width, channels: of the image. window, stride, padding: as of ``conv2d``.
    multiplier, shift, zero_point, relu: as of ``dense``.

    Operands: image int8 [height, width, channels], weights int8 [channels, window, window, 4]:
    channel c's filter at [c, :, :, c mod 4] and zeros beside it (``depthwise_weights`` makes them;
    other weights mix the channels of a word), bias int32 [channels], and with padding border int8
    [channels]; result: outputs int8 [out_height, out_width, channels].

    Raises:
        TaskError: a parameter out of its range.
    """

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        *,
        multiplier: int,
        shift: int,
        window: int = 3,
        stride: int = 1,
        padding: int = 0,
        zero_point: int = 0,
        relu: bool = False,
        name: str = "depthwise",
    ) -> None:
        windows = Windows.square(name, height, width, channels, window, stride, padding)
        requantisation = Requantisation(multiplier, shift, zero_point, relu)
        requantisation.check(name)
        super().__init__(windows, channels, requantisation, True, name)
        self.macs = self.macs // GROUP
        self.height, self.width, self.channels = height, width, channels
        self.window, self.stride, self.padding = window, stride, padding
        self.multiplier, self.shift = multiplier, shift
        self.zero_point, self.relu = zero_point, relu

    def random_inputs(self, seed: int) -> list[Array]:
        """As :class:`Computation`; weights of single channels."""
        arrays = super().random_inputs(seed)
        own = np.arange(self.channels)
        arrays[1] = depthwise_weights(arrays[1][own, :, :, own % GROUP].transpose(1, 2, 0))
        return arrays


@public_kernel("average_pool", height=16, width=16, channels=8, window=2, stride=2)
class AveragePool(Computation):
    """The mean of every window, channel by channel, rounded to the nearest int8.

    Parameters
    ----------
    height, width, channels: of the image. window, stride, padding: as of ``conv2d``; the border
        counts in the mean.

    The mean is sum * m / 2^s, with the best m of 16 bits for 1 / window^2: exact but for sums
    within 2^-9 of a half.

    Operands: image int8 [height, width, channels], and with padding border int8 [channels];
    result: outputs int8 [out_height, out_width, channels].
    """

    has_result = False

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        *,
        window: int,
        stride: int,
        padding: int = 0,
        name: str = "average_pool",
    ) -> None:
        windows = Windows.square(name, height, width, channels, window, stride, padding)
        shift = 15 + (windows.taps - 1).bit_length()
        multiplier = ((1 << shift) + windows.taps // 2) // windows.taps
        self.name = name
        self._task = DepthwiseTask(windows, channels, Requantisation(multiplier, shift), True, name)
        self.height, self.width, self.channels = height, width, channels
        self.window, self.stride, self.padding = window, stride, padding
        self.inputs = windows.operands
        self.outputs = self._task.outputs

    def _constants(self) -> dict[Operand, Array]:
        """Filters of ones, and no bias."""
        weights, bias = self._task.inputs[1:3]
        ones = np.ones((self.window, self.window, self.channels), np.int8)
        return {weights: depthwise_weights(ones), bias: np.zeros(bias.shape, np.int32)}

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Computation`."""
        image, *border = self.checked(arrays)
        return self._task.reference(image, *self._constants().values(), *border)

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`."""
        plan = self._task.plan(config)
        return Plan(plan.steps, plan.scratch, self._constants())
