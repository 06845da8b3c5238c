"""Post-training quantisation to int8 with integer-only scaling (a multiplier and a shift).

All scales are symmetric and for a whole tensor: real = integer * scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels.matrix import Dense
from ..kernels.task import Array

LIMIT = 127
MULTIPLIER_BITS = 16
MAXIMUM_SHIFT = 63


@dataclass(frozen=True)
class QuantisedLayer:
    """One fully connected layer: int8 outputs = clamp((x W^T + bias) * multiplier >> shift).

    ``weights`` are int8 [outputs, inputs], ``bias`` is int32 [outputs].
    """

    weights: Array
    bias: Array
    multiplier: int
    shift: int
    relu: bool

    @property
    def task(self) -> Dense:
        """The layer as a task on one vector."""
        outputs, inputs = self.weights.shape
        return Dense(inputs, outputs, multiplier=self.multiplier, shift=self.shift, relu=self.relu)

    def run(self, inputs: Array) -> Array:
        """int8 outputs [n, outputs] of int8 inputs [n, inputs], by the task's own arithmetic."""
        outputs, features = self.weights.shape
        task = Dense(
            features,
            outputs,
            rows=len(inputs),
            multiplier=self.multiplier,
            shift=self.shift,
            relu=self.relu,
        )
        (result,), _ = task.reference(inputs, self.weights, self.bias)
        return result


def scale_of(values: Array) -> float:
    """The scale at which the largest magnitude becomes 127."""
    return float(np.abs(values).max()) / LIMIT or 1.0


def fixed_point(factor: float) -> tuple[int, int]:
    """Multiplier (16 bits) and shift with multiplier / 2^shift nearest to a positive factor.

    Raises:
        ValueError: the factor is not positive or needs a shift outside 0 to 63.
    """
    if not factor > 0:
        raise ValueError(f"factor is {factor}; allowed: positive")
    shift = MULTIPLIER_BITS - 1 - int(np.floor(np.log2(factor)))
    multiplier = round(factor * 2.0**shift)
    if multiplier >> MULTIPLIER_BITS:
        multiplier, shift = multiplier >> 1, shift - 1
    if not 0 <= shift <= MAXIMUM_SHIFT:
        raise ValueError(f"factor is {factor}; it needs a shift of {shift}, allowed: 0 to 63")
    return multiplier, shift


def quantise_network(
    weights: Sequence[Array], biases: Sequence[Array], inputs: Array, input_scale: float
) -> list[QuantisedLayer]:
    """The int8 layers of a network with ReLU between layers and none after the last.

    Parameters
    ----------
    weights: float [inputs, outputs], one a layer. biases: float [outputs].
    inputs: int8 calibration inputs [n, features]; activations are scaled to their largest.
    input_scale: what an input step is worth.
    """
    layers: list[QuantisedLayer] = []
    real = inputs * input_scale
    scale = input_scale
    for number, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        relu = number < len(weights) - 1
        real = real @ matrix + bias
        if relu:
            real = np.maximum(real, 0)
        weight_scale, output_scale = scale_of(matrix), scale_of(real)
        multiplier, shift = fixed_point(scale * weight_scale / output_scale)
        layers.append(
            QuantisedLayer(
                np.rint(matrix.T / weight_scale).astype(np.int8),
                np.rint(bias / (scale * weight_scale)).astype(np.int32),
                multiplier,
                shift,
                relu,
            )
        )
        scale = output_scale
    return layers


def run_network(layers: Sequence[QuantisedLayer], inputs: Array) -> Array:
    """The int8 outputs of the last layer."""
    for layer in layers:
        inputs = layer.run(inputs)
    return inputs
