"""Which PEs of an array can do which operation."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation


@lru_cache(maxsize=1024)
def capable(pea: PeaConfig, operation: Operation) -> NDArray[np.bool_]:
    """For each PE, by row and column, whether it has an operation."""
    return np.array(
        [
            [operation in pea.operations_at(row, column) for column in range(pea.columns)]
            for row in range(pea.rows)
        ]
    )
