"""Kernels over the rows of a matrix, written as functions for the compiler."""

# The annotations of kernel functions are their arrays.
# mypy: ignore-errors

from ..compile.trace import Count, Input, Output, clamp8, geu, kernel


@kernel
def row_maximum(x: Input("int8"), largest: Output(), n: Count, rows: Count, width):
    """The largest element of each row."""
    for i in range(rows):
        best = -128
        for j in range(n):
            best = max(best, x[i * width + j])
        largest[i] = best


@kernel
def row_exponentials(
    x: Input("int8"),
    largest: Input(),
    table: Input(),
    powers: Output(),
    n: Count,
    rows: Count,
    width,
    length,
):
    """The table's entry for the distance of each element to the largest."""
    for i in range(rows):
        for j in range(n):
            powers[i * length + j] = table[largest[i] - x[i * width + j]]


@kernel
def row_total(powers: Input(), total: Output(), n: Count, rows: Count, length):
    """The sum of each row."""
    for i in range(rows):
        together = 0
        for j in range(n):
            together += powers[i * length + j]
        total[i] = together


@kernel
def row_reciprocal(divisor: Input(), quotient: Output(), bits: Count, rows: Count):
    """2^bits / divisor, rounded down, at most 2^bits - 1: one bit an iteration."""
    for i in range(rows):
        rest = 1
        found = 0
        for _ in range(bits):
            rest = rest + rest
            fits = rest >= divisor[i]
            rest = rest - divisor[i] if fits else rest
            found = found + found + fits
        quotient[i] = found


@kernel
def row_shares(
    powers: Input(),
    quotient: Input(),
    outputs: Output("int8"),
    n: Count,
    rows: Count,
    width,
    length,
    half,
    shift,
):
    """powers * quotient / 2^shift, rounded, at most 127."""
    for i in range(rows):
        for j in range(n):
            product = powers[i * length + j] * quotient[i]
            outputs[i * width + j] = min((product + half) >> shift, 127)


@kernel
def row_moments(
    x: Input("int8"), total: Output(), spread: Output(), n: Count, rows: Count, width, length
):
    """The sum of each row, and length^2 times its variance."""
    for i in range(rows):
        first = 0
        second = 0
        for j in range(n):
            value = x[i * width + j]
            first += value
            second += value * value
        total[i] = first
        spread[i] = second * length - first * first


@kernel
def row_root(square: Input(), root: Output(), bits: Count, rows: Count, top):
    """The square root, rounded down, at least 1: one bit an iteration from ``top`` on."""
    for i in range(rows):
        found = 0
        bit = top
        for _ in range(bits):
            trial = found + bit
            fits = geu(square[i], trial * trial)
            found = trial if fits else found
            bit = bit >> 1
        root[i] = max(found, 1)


@kernel
def row_normalise(
    x: Input("int8"),
    total: Input(),
    quotient: Input(),
    gamma: Input(),
    beta: Input(),
    outputs: Output("int8"),
    n: Count,
    rows: Count,
    width,
    length,
    scale,
    half,
    shift,
):
    """clamp8(((x * length - total) * quotient >> scale) * gamma + beta, shifted and rounded)."""
    for i in range(rows):
        for j in range(n):
            centred = x[i * width + j] * length - total[i]
            score = (centred * quotient[i]) >> scale
            outputs[i * width + j] = clamp8((score * gamma[j] + beta[j] + half) >> shift)
