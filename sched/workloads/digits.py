"""Real handwritten digits: scikit-learn's bundled set, 1,797 images of 8 x 8 pixels."""

from dataclasses import astuple, dataclass, fields
from importlib.metadata import version

import numpy as np

from ..kernels.task import Array
from .cache import cached_arrays

PIXEL_SCALE = 1 / 16
"""What a step of a pixel is worth: pixels are 0 to 16 and enter as they are."""

SPLIT_SEED = 20260


@dataclass(frozen=True)
class Digits:
    """Images int8 [n, 64] with labels [n]: to fit on, to choose thresholds with, to test with."""

    fit_images: Array
    fit_labels: Array
    calibration_images: Array
    calibration_labels: Array
    test_images: Array
    test_labels: Array


def load() -> Digits:
    """The set: 30 % to test; of the rest a quarter to calibrate. Always the same split."""
    key = {"seed": SPLIT_SEED, "versions": [np.__version__, version("scikit-learn")]}
    names = [field.name for field in fields(Digits)]
    arrays = cached_arrays("digits", key, lambda: dict(zip(names, astuple(_split()), strict=True)))
    return Digits(**arrays)


def _split() -> Digits:
    """The same, not from the cache."""
    from sklearn.datasets import load_digits  # seconds to import: only who needs it waits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.int8)
    train, test, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.3, random_state=SPLIT_SEED, stratify=labels
    )
    fit, calibration, fit_labels, calibration_labels = train_test_split(
        train, train_labels, test_size=0.25, random_state=SPLIT_SEED, stratify=train_labels
    )
    return Digits(fit, fit_labels, calibration, calibration_labels, test, test_labels)
