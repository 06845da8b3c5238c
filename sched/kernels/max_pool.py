"""The largest element of every window, channel by channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.descriptor import Edge, Element
from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect
from octopus.hw.layouts.space import WORD_BYTES

from .assembler import Assembler, Instruction
from .convolution import ConvolutionTask
from .convolution_tiler import choose_cut, cut_steps
from .depthwise import DepthwiseTask
from .launch import Launch
from .plan import Plan
from .plan_program import MAXIMUM_SHARDS
from .registry import public_kernel
from .requantisation import Requantisation
from .task import Array, Buffer, Kernel, TaskError
from .windows import Windows, shard

BEST = 0
"""The register of the largest element so far."""


@dataclass(frozen=True)
class MaxPoolKernel(Kernel):
    """PE (r, 0) takes the elements of a window from the west and gives the largest back.

    A round is a window: the head takes the first element, each trip of the body compares one
    more, as often as the comparison's latency allows; the tail stores.
    """

    @property
    def name(self) -> str:
        """As :class:`Kernel`."""
        return "max_pool"

    def image(self, pea: PeaConfig, number: int) -> list[int]:
        """As :class:`Kernel`."""
        latency = pea.pipeline_stages
        assembler = Assembler(pea, self.name, head=latency, body=latency, tail=1, flush=latency + 1)
        west, register = OperandSource.WEST, OperandSource.REGISTER
        first = Instruction(Operation.PASS, west, destination=BEST)
        compare = Instruction(Operation.MAX, west, register, b_register=BEST, destination=BEST)
        store = Instruction(Operation.PASS, register, a_register=BEST, west=OutputSelect.RESULT)
        for row in range(pea.rows):
            assembler.place(row, 0, 0, first)
            assembler.place(row, 0, latency, compare)
            assembler.place(row, 0, 2 * latency, store)
        return assembler.image(number)


class MaxPoolTask(DepthwiseTask):
    """The largest elements of any rectangle of windows and any channels that fit.

    Parameters
    ----------
    windows: at most as many rows of them as the array has.
    pixels_apart, pixel_stride: as of :class:`ConvolutionTask`.
    """

    def __init__(
        self,
        windows: Windows,
        name: str,
        pixels_apart: bool = False,
        pixel_stride: int | None = None,
    ) -> None:
        # Only the type of the results is taken from the requantisation.
        results = Requantisation(1, 0)
        super().__init__(
            windows, windows.channels, results, False, name, pixels_apart, pixel_stride
        )
        self.macs = 0
        self.inputs = windows.operands

    def part(
        self,
        windows: Windows,
        first: int,
        filters: int,
        requantisation: Requantisation | None,
        bias: bool,
    ) -> ConvolutionTask:
        """As :class:`ConvolutionTask`."""
        whole = super().part(windows, first, filters, requantisation, bias)
        return MaxPoolTask(whole.windows, self.name, whole.pixels_apart, whole.pixel_stride)

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        """As :class:`Task`."""
        return MaxPoolKernel()

    def plan(self, config: OctopusConfig) -> Plan:
        """As :class:`Computation`."""
        windows = self.windows
        cut = choose_cut(self, config, windows.window_rows, windows.window_columns)
        if cut is None:
            words = config.task_block_unit.scratchpad_words
            raise TaskError(f"{self.name}: no part of it fits {words} words of scratchpad")
        steps = list(cut_steps(self, config, cut, self.outputs[0]))
        return Plan(list(shard(steps, MAXIMUM_SHARDS)))

    def most_filters(self, pea: PeaConfig) -> int:
        """As :class:`ConvolutionTask`."""
        return self.filters

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        image, *border = self.checked(arrays)
        return (self.windows.gather(image, *border).max(axis=(2, 3)),), None

    def run_cycles(self, pea: PeaConfig) -> int:
        """As :class:`ConvolutionTask`."""
        rounds = self.windows.out_width * self.filters
        return rounds * (self.windows.taps * pea.pipeline_stages + 1)

    def scratchpad_words(self, pea: PeaConfig) -> int:
        """As :class:`ConvolutionTask`."""
        return self.windows.used_height * self.windows.line_words + self.outputs[0].words

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
        windows, output = self.windows, self.outputs[0]
        self.check_rows(config.pea)
        launch = Launch(config, self, buffers)
        image = launch.allocate("image", windows.used_height * windows.line_words)
        result = launch.allocate(output.name, output.words)
        windows.load(launch, image, windows.line_words, self.pixel_stride)
        self._store(launch, result)
        line, pixel = windows.line_words * WORD_BYTES, windows.pixel_words * WORD_BYTES
        launch.stream(
            Edge.WEST_IN,
            image,
            [
                (windows.window_columns, pixel),
                (windows.window_rows, line),
                (windows.channels, 1),
                (windows.out_width, windows.stride * pixel),
            ],
            port_count=windows.out_height,
            port_stride=windows.stride * line,
            element=Element.BYTE_SIGNED,
        )
        launch.stream(
            Edge.WEST_OUT,
            result,
            [(windows.channels, 1), (windows.out_width, pixel)],
            port_count=windows.out_height,
            port_stride=windows.out_width * pixel,
            element=Element.BYTE_SIGNED,
        )
        return launch.words(
            kernel_number,
            body_trips=windows.taps - 1,
            outer_trips=windows.channels * windows.out_width,
            domain=domain,
            cycle_limit=cycle_limit,
        )


@public_kernel("max_pool", height=16, width=16, channels=8, window=2, stride=2)
class MaxPool(MaxPoolTask):
    """The largest element of every window, channel by channel.

    Parameters
    ----------
    height, width, channels: of the image. window, stride, padding: as of ``conv2d``; the border
        competes with the image.

    Operands: image int8 [height, width, channels], and with padding border int8 [channels];
    result: outputs int8 [out_height, out_width, channels].
    """

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        *,
        window: int,
        stride: int,
        padding: int = 0,
        name: str = "max_pool",
    ) -> None:
        super().__init__(
            Windows.square(name, height, width, channels, window, stride, padding), name
        )
        self.height, self.width, self.channels = height, width, channels
        self.window, self.stride, self.padding = window, stride, padding
