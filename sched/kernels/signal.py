"""Signal processing: FIR filter, FFT butterfly, prefix sum, polynomial."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compile.trace import Count, Input, Output, kernel
from .python_kernel import PythonKernel, at_least, integers, within, wrapped
from .registry import public_kernel
from .task import Array, TaskError

TAPS_LIMIT = 16


@kernel
def fir(samples: Input(), filtered: Output(), n: Count, taps):  # type: ignore[valid-type]
    """A filter whose window moves by an element an iteration."""
    for i in range(n):
        total = 0
        for k, tap in enumerate(taps):
            total += tap * samples[i + k]
        filtered[i] = total


@public_kernel("fir", length=64, taps="3,-5,7,2")
class Fir(PythonKernel):
    """A finite impulse response filter: filtered[i] = sum over k of taps[k] * samples[i + k].

    Parameters
    ----------
    length: results, at least 1. taps: 1 to 16 signed coefficients, with commas between them.

    Operands: samples int32 [length + taps - 1]; result: filtered int32 [length], wrapping.
    """

    def __init__(self, length: int, taps: str, name: str = "fir") -> None:
        at_least(name, length=length)
        numbers = integers(name, "taps", taps, 1, TAPS_LIMIT)
        self.length, self.taps, self.numbers = length, taps, numbers
        super().__init__(
            name,
            fir,
            [length],
            {"samples": (length + len(numbers) - 1,)},
            {"filtered": (length,)},
            {"taps": numbers},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (samples,) = self.checked(arrays)
        wide = samples.astype(np.int64)
        parts = [wide[k : k + self.length] * tap for k, tap in enumerate(self.numbers)]
        return (wrapped(sum(wrapped(part).astype(np.int64) for part in parts)),), None


@kernel
def butterfly(  # type: ignore[no-untyped-def]
    a: Input(),  # type: ignore[valid-type]
    b: Input(),  # type: ignore[valid-type]
    w: Input(),  # type: ignore[valid-type]
    c: Output(),  # type: ignore[valid-type]
    d: Output(),  # type: ignore[valid-type]
    n: Count,
    shift,
):
    """c = a + w b, d = a - w b on complex numbers in pairs of words."""
    for i in range(n):
        real = (w[2 * i] * b[2 * i] - w[2 * i + 1] * b[2 * i + 1]) >> shift
        imaginary = (w[2 * i] * b[2 * i + 1] + w[2 * i + 1] * b[2 * i]) >> shift
        c[2 * i] = a[2 * i] + real
        c[2 * i + 1] = a[2 * i + 1] + imaginary
        d[2 * i] = a[2 * i] - real
        d[2 * i + 1] = a[2 * i + 1] - imaginary


@public_kernel("fft_butterfly", pairs=16, shift=14)
class FftButterfly(PythonKernel):
    """The radix-2 butterflies of one FFT stage, on fixed-point complex numbers.

    sums = upper + (twiddles * lower >> shift), differences = upper - (twiddles * lower >> shift).

    Parameters
    ----------
    pairs: butterflies, at least 1. shift: fraction bits of the twiddle factors, 0 to 30.

    Operands: a, b, w int32 [pairs, 2] (real, imaginary): upper, lower, twiddles;
    results: c, d int32 [pairs, 2]: sums, differences, wrapping.
    """

    def __init__(self, pairs: int, shift: int = 14, name: str = "fft_butterfly") -> None:
        at_least(name, pairs=pairs)
        within(name, "shift", shift, 0, 30)
        self.pairs, self.shift = pairs, shift
        shape = (pairs, 2)
        super().__init__(
            name,
            butterfly,
            [pairs],
            {"a": shape, "b": shape, "w": shape},
            {"c": shape, "d": shape},
            {"shift": shift},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        a, b, w = (array.astype(np.int64) for array in self.checked(arrays))
        # Products keep 32 bits, as the array's do.
        real = wrapped(w[:, 0] * b[:, 0] - w[:, 1] * b[:, 1]).astype(np.int64) >> self.shift
        imaginary = wrapped(w[:, 0] * b[:, 1] + w[:, 1] * b[:, 0]).astype(np.int64) >> self.shift
        turned = np.stack([real, imaginary], axis=1)
        return (wrapped(a + turned), wrapped(a - turned)), None


@kernel
def prefix_sum(values: Input(), sums: Output(), n: Count):  # type: ignore[valid-type]
    """Running sums."""
    total = 0
    for i in range(n):
        total += values[i]
        sums[i] = total


@public_kernel("prefix_sum", length=64)
class PrefixSum(PythonKernel):
    """Running sums: sums[i] = values[0] + ... + values[i], wrapping.

    Parameters
    ----------
    length: elements, at least 1.

    Operands: values int32 [length]; result: sums int32 [length].
    """

    def __init__(self, length: int, name: str = "prefix_sum") -> None:
        at_least(name, length=length)
        self.length = length
        super().__init__(name, prefix_sum, [length], {"values": (length,)}, {"sums": (length,)})

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (values,) = self.checked(arrays)
        return (wrapped(np.cumsum(values.astype(np.int64))),), None


@kernel
def polynomial(values: Input(), results: Output(), n: Count, factors):  # type: ignore[valid-type]
    """Horner's rule on every element."""
    for i in range(n):
        total = factors[0]
        for factor in factors[1:]:
            total = total * values[i] + factor
        results[i] = total


@public_kernel("polynomial", length=64, factors="2,-3,5,7")
class Polynomial(PythonKernel):
    """A polynomial of every element, by Horner's rule; wraps.

    Parameters
    ----------
    length: elements, at least 1. factors: 2 to 16 coefficients, the highest power's first, commas
    between them.

    Operands: values int32 [length]; result: results int32 [length].
    """

    def __init__(self, length: int, factors: str, name: str = "polynomial") -> None:
        at_least(name, length=length)
        numbers = integers(name, "factors", factors, 2, TAPS_LIMIT)
        self.length, self.factors, self.numbers = length, factors, numbers
        super().__init__(
            name,
            polynomial,
            [length],
            {"values": (length,)},
            {"results": (length,)},
            {"factors": numbers},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (values,) = self.checked(arrays)
        total = np.full(self.length, self.numbers[0], np.int64)
        for factor in self.numbers[1:]:
            total = wrapped(total * values + factor).astype(np.int64)
        return (wrapped(total),), None


def comparators(width: int) -> Sequence[tuple[int, int]]:
    """The pairs of a bitonic network of a power of two, ascending."""
    pairs = []
    size = 2
    while size <= width:
        for block in range(0, width, size):
            pairs += [(block + i, block + size - 1 - i) for i in range(size // 2)]
        step = size // 4
        while step:
            for i in range(width):
                if not i & step:
                    pairs.append((i, i + step))
            step //= 2
        size *= 2
    return pairs


@kernel
def sort(keys: Input(), ordered: Output(), n: Count, width, pairs):  # type: ignore[valid-type]
    """A sorting network on every row."""
    for i in range(n):
        line = [keys[i * width + k] for k in range(width)]
        for low, high in pairs:
            smaller = min(line[low], line[high])
            line[high] = max(line[low], line[high])
            line[low] = smaller
        for k in range(width):
            ordered[i * width + k] = line[k]


@public_kernel("sort", rows=16, width=4)
class Sort(PythonKernel):
    """Every row in ascending order, by a bitonic network.

    Parameters
    ----------
    rows: at least 1. width: elements of a row: 2, 4 or 8.

    Operands: keys int32 [rows, width]; result: ordered int32 [rows, width].
    """

    def __init__(self, rows: int, width: int = 4, name: str = "sort") -> None:
        at_least(name, rows=rows)
        if width not in (2, 4, 8):
            raise TaskError(f"{name}.width is {width}; allowed: 2, 4, 8")
        self.rows, self.width = rows, width
        shape = (rows, width)
        super().__init__(
            name,
            sort,
            [rows],
            {"keys": shape},
            {"ordered": shape},
            {"width": width, "pairs": list(comparators(width))},
        )

    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """As :class:`Task`."""
        (keys,) = self.checked(arrays)
        return (np.sort(keys, axis=1),), None
