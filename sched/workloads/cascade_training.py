"""Trains and quantises the two classifiers of the cascade and chooses its threshold."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..kernels.task import Array
from . import digits, quantise
from .cache import cached_arrays
from .digits import Digits
from .quantise import QuantisedLayer, quantise_network, run_network

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier

SEED = 7
EPOCHS = 150
CLASSES = 10


@dataclass(frozen=True)
class CascadeModel:
    """Two int8 classifiers, the margin below which the small one is unsure, float accuracies.

    Accuracies are fractions of the test images, of the float networks before quantisation.
    """

    small: list[QuantisedLayer]
    large: list[QuantisedLayer]
    threshold: int
    small_float_accuracy: float
    large_float_accuracy: float


def margins(logits: Array) -> Array:
    """Largest minus second largest logit of each row."""
    ordered = np.sort(logits.astype(np.int32), axis=1)
    margin: Array = ordered[:, -1] - ordered[:, -2]
    return margin


def cascade(small: Array, large: Array, threshold: int) -> Array:
    """The predicted classes: the small classifier's where its margin reaches the threshold."""
    unsure = margins(small) < threshold
    predicted: Array = np.where(unsure, large.argmax(axis=1), small.argmax(axis=1))
    return predicted


def choose_threshold(small: Array, large: Array, labels: Array) -> int:
    """The lowest threshold of the most accurate cascade on the given int8 logits."""
    accuracies = [np.mean(cascade(small, large, t) == labels) for t in range(256)]
    return int(np.argmax(accuracies))


def train(small_hidden: Sequence[int], large_hidden: Sequence[int]) -> CascadeModel:
    """The trained cascade, from the cache if it was trained before.

    Parameters
    ----------
    small_hidden, large_hidden: widths of the hidden layers.
    """
    sources = (__file__, digits.__file__, quantise.__file__)
    key = {
        "small": list(small_hidden),
        "large": list(large_hidden),
        "versions": [np.__version__, version("scikit-learn")],
        "sources": [Path(source).read_text(encoding="utf-8") for source in sources],
    }
    return _unpack(cached_arrays("cascade", key, lambda: _train(small_hidden, large_hidden)))


def _train(small_hidden: Sequence[int], large_hidden: Sequence[int]) -> dict[str, Array]:
    data = digits.load()
    arrays: dict[str, Array] = {}
    logits: dict[str, Array] = {}
    for name, hidden in (("small", small_hidden), ("large", large_hidden)):
        network = _fit(data, hidden)
        accuracy = network.score(data.test_images * digits.PIXEL_SCALE, data.test_labels)
        layers = quantise_network(
            network.coefs_, network.intercepts_, data.fit_images, digits.PIXEL_SCALE
        )
        logits[name] = run_network(layers, data.calibration_images)
        arrays[f"{name}_accuracy"] = np.array(accuracy)
        for number, layer in enumerate(layers):
            arrays[f"{name}_{number}_weights"] = layer.weights
            arrays[f"{name}_{number}_bias"] = layer.bias
            fields = (layer.multiplier, layer.shift, int(layer.relu))
            arrays[f"{name}_{number}_scaling"] = np.array(fields)
    threshold = choose_threshold(logits["small"], logits["large"], data.calibration_labels)
    arrays["threshold"] = np.array(threshold)
    return arrays


def _fit(data: Digits, hidden: Sequence[int]) -> "MLPClassifier":
    """A float network, trained for a fixed number of epochs."""
    from sklearn.exceptions import ConvergenceWarning  # seconds to import: only who trains waits
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    network = MLPClassifier(
        tuple(hidden), random_state=SEED, max_iter=EPOCHS, n_iter_no_change=EPOCHS
    )
    # Matrices this small lose more to threads waiting for each other than they gain.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(data.fit_images * digits.PIXEL_SCALE, data.fit_labels)
    return network


def _unpack(arrays: dict[str, Array]) -> CascadeModel:
    networks: dict[str, list[QuantisedLayer]] = {"small": [], "large": []}
    for name, layers in networks.items():
        while f"{name}_{len(layers)}_weights" in arrays:
            prefix = f"{name}_{len(layers)}"
            multiplier, shift, relu = (int(item) for item in arrays[f"{prefix}_scaling"])
            layers.append(
                QuantisedLayer(
                    arrays[f"{prefix}_weights"],
                    arrays[f"{prefix}_bias"],
                    multiplier,
                    shift,
                    bool(relu),
                )
            )
    return CascadeModel(
        networks["small"],
        networks["large"],
        int(arrays["threshold"]),
        float(arrays["small_accuracy"]),
        float(arrays["large_accuracy"]),
    )
