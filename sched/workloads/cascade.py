"""Early-exit classification of real handwritten digits: a small network, and a large one in need.

A small int8 classifier looks at every image. A branch on its confidence, taken by the Control
Block Unit, ends the sure ones; the others go to a larger classifier.
"""

from collections.abc import Sequence

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import Comparison

from ..kernels.reduction import CLASS_BITS, Confidence
from ..workflow import Instance, InstanceResult, Port, TensorHandle, Workflow, WorkflowBuilder
from . import digits
from .cascade_training import CLASSES, CascadeModel, train
from .quantise import QuantisedLayer, run_network
from .workload import Summary, Workload, WorkloadError

SMALL_HIDDEN = (16,)
LARGEST_WIDTH = 128
PIXELS = 64
SMALL_SINK, LARGE_SINK = "sure", "escalated"


def large_hidden(config: OctopusConfig) -> tuple[int, int]:
    """Widths of the large network: 128 and 64, less where the scratchpad is too small for them.

    Raises:
        WorkloadError: the scratchpad is too small for any useful width.
    """
    # A row of the first layer takes 16 words, its bias one, spreading and results up to three.
    scratchpad = config.task_block_unit.scratchpad_words
    width = min(LARGEST_WIDTH, scratchpad // 20 // 16 * 16)
    if width < SMALL_HIDDEN[0]:
        raise WorkloadError(
            f"task_block_unit.scratchpad_words is {scratchpad}; cascade needs at least 512"
        )
    return width, width // 2


def prediction(result: InstanceResult) -> int:
    """The class that an instance ended with."""
    return result.value & ((1 << CLASS_BITS) - 1)


class Cascade(Workload):
    """See the module."""

    name = "cascade"
    description = "early-exit classification of handwritten digits: branch on confidence"

    def __init__(self, config: OctopusConfig) -> None:
        super().__init__(config)
        self.model: CascadeModel = train(SMALL_HIDDEN, large_hidden(config))
        self._data = digits.load()
        self._workflow = self._build()

    @property
    def workflow(self) -> Workflow:
        """As :class:`Workload`."""
        return self._workflow

    def instances(self, count: int, seed: int) -> list[Instance]:
        """As :class:`Workload`: test images in random order, again from the start if need be."""
        images = self._data.test_images[self._order(count, seed)]
        return [Instance({"image": image}) for image in images]

    def labels(self, count: int, seed: int) -> list[int]:
        """As :class:`Workload`."""
        return [int(label) for label in self._data.test_labels[self._order(count, seed)]]

    def summarise(self, results: Sequence[InstanceResult], labels: Sequence[int]) -> Summary:
        """As :class:`Workload`; the accuracies of the networks alone are over all test images."""
        right = [prediction(r) == label for r, label in zip(results, labels, strict=True)]
        escalated = [result.sink == LARGE_SINK for result in results]
        return {
            "accuracy": float(np.mean(right)),
            "escalation rate": float(np.mean(escalated)),
            "small network, float": self.model.small_float_accuracy,
            "small network, int8": self._accuracy(self.model.small),
            "large network, float": self.model.large_float_accuracy,
            "large network, int8": self._accuracy(self.model.large),
            "margin threshold": self.model.threshold,
        }

    def _accuracy(self, layers: Sequence[QuantisedLayer]) -> float:
        logits = run_network(layers, self._data.test_images)
        return float(np.mean(logits.argmax(axis=1) == self._data.test_labels))

    def _order(self, count: int, seed: int) -> list[int]:
        order = np.random.default_rng(seed).permutation(len(self._data.test_images))
        return [int(order[i % len(order)]) for i in range(count)]

    def _build(self) -> Workflow:
        builder = WorkflowBuilder(self.name)
        image = builder.input("image", (PIXELS,))
        small = _classify(builder, builder.source(), "small", self.model.small, image)
        # The margin sits above the class in the result word.
        threshold = self.model.threshold << CLASS_BITS
        unsure, sure = small.branch("unsure", Comparison.LTU, threshold)
        sure.sink(SMALL_SINK)
        large = _classify(builder, unsure, "large", self.model.large, image)
        large.sink(LARGE_SINK)
        return builder.build()


def _classify(
    builder: WorkflowBuilder,
    port: Port,
    name: str,
    layers: Sequence[QuantisedLayer],
    image: TensorHandle,
) -> Port:
    """The task blocks of one classifier; the token's value is then margin and class."""
    activations = image
    for number, layer in enumerate(layers, 1):
        block = f"{name}_{number}"
        port = port.task(
            block,
            layer.task,
            activations=activations,
            weights=builder.constant(f"{block}.weights", layer.weights),
            bias=builder.constant(f"{block}.bias", layer.bias),
        )
        activations = port["outputs"]
    return port.task(f"{name}_confidence", Confidence(CLASSES), logits=activations)
