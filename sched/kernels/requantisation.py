"""From 32-bit sums to int8: the fields of ``RequantiseParameters``, checked, and their effect."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from octopus.hw.layouts.instruction import RequantiseParameters
from octopus.hw.layouts.words import pack

from .operand import Array, TaskError


def requantise(accumulated: Array, parameters: Mapping[str, int]) -> Array:
    """int32 accumulators (bias included) to int8, by the fields of ``RequantiseParameters``."""
    multiplier, shift = parameters["multiplier"], parameters["shift"]
    zero_point = parameters["zero_point"]
    low = zero_point if parameters["relu"] else -128
    # A product of 32 by 16 bits and a half of at most 2 ** 62 stay below 2 ** 63.
    half = np.int64((1 << shift - 1) if shift else 0)
    scaled = (accumulated.astype(np.int64) * multiplier + half) >> shift
    return np.clip(scaled + zero_point, low, 127).astype(np.int8)


@dataclass(frozen=True)
class Requantisation:
    """int8 = clamp(((sum * multiplier + half) >> shift) + zero_point).

    Parameters
    ----------
    multiplier: 0 to 65535. shift: 0 to 63. zero_point: -128 to 127.
    relu: results below the zero point become the zero point.
    """

    multiplier: int
    shift: int
    zero_point: int = 0
    relu: bool = False

    def check(self, name: str) -> None:
        """Refuse fields out of range.

        Raises:
            TaskError: names ``name`` and the field.
        """
        for field, value, low, high in (
            ("multiplier", self.multiplier, 0, 0xFFFF),
            ("shift", self.shift, 0, 63),
            ("zero_point", self.zero_point, -128, 127),
        ):
            if not low <= value <= high:
                raise TaskError(f"{name}.{field} is {value}; allowed: {low} to {high}")

    @property
    def fields(self) -> dict[str, int]:
        """The fields of ``RequantiseParameters``."""
        return {name: int(value) for name, value in asdict(self).items()}

    @property
    def word(self) -> int:
        """``RequantiseParameters`` as a word."""
        return pack(RequantiseParameters, self.fields)[0]

    def apply(self, accumulated: Array) -> Array:
        """int8 of int32 sums."""
        return requantise(accumulated, self.fields)
