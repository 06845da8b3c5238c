"""Wrong operands, arrays, buffers and sizes are refused with a message that names them."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.assembler import Assembler, Instruction, Operation
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.reduction import Confidence
from octopus.sched.kernels.task import Buffer, Operand, TaskError

TINY = OctopusConfig.load("tiny")


def small(**changes):
    return TINY.pea.model_copy(update=changes)


def buffers(task):
    return {operand.name: Buffer(4096 * i) for i, operand in enumerate(task.operands)}


def lacking(task):
    kept = buffers(task)
    kept.pop(task.operands[0].name)
    return task.descriptor(TINY, 0, kept)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Operand("x", (2, 0)), r"x\.shape is \(2, 0\)"),
        (lambda: Operand("x", (2,), "int16"), r"x\.dtype is 'int16'; allowed: int8, int32"),
        (lambda: Operand("x", (2,)).to_words([1, 2, 3]), r"x has shape \(3,\); needed: \(2,\)"),
        (lambda: Operand("x", (2,)).to_words([1, 200]), "x has values from 1 to 200; allowed"),
        (lambda: Operand("x", (2,)).to_words([0.5, 1]), "x has dtype float64"),
        (lambda: Operand("x", (2,)).from_words([1, 2]), "x takes 1 words, got 2"),
        (lambda: Buffer(2), "address is 2; allowed: multiples of 4"),
        (lambda: Buffer(0, index_stride=6), "index_stride is 6"),
        (lambda: Buffer(1 << 32), "address is 4294967296"),
        (lambda: Dense(0, 1, multiplier=1, shift=0), r"dense\.features_in is 0"),
        (lambda: Dense(1, 1, multiplier=1 << 16, shift=0), r"dense\.multiplier is 65536"),
        (lambda: Dense(1, 1, multiplier=1, shift=64), r"dense\.shift is 64; allowed: 0 to 63"),
        (lambda: Confidence(1), r"confidence\.classes is 1; allowed: 2 to 256"),
        (lambda: Scale(4, 1 << 31), r"scale\.multiplier"),
        (lambda: VectorAdd(4).reference([1, 2, 3, 4]), "vector_add takes left, right; got 1"),
        (
            lambda: Gemm(64, 64).descriptor(TINY, 0, buffers(Gemm(64, 64))),
            "gemm: weights needs 1024 words of scratchpad, 1008 of 1024 are free",
        ),
        (lambda: lacking(VectorAdd(4)), "vector_add has no buffer for left"),
        (
            lambda: VectorAdd(4).descriptor(TINY, 0, buffers(VectorAdd(4)) | {"z": Buffer(0)}),
            "vector_add has no operand z; it has left, right, sums",
        ),
        (
            lambda: Confidence(4).kernel.image(small(context_slots=4), 0),
            "kernel confidence needs 16 slots; the array has 4",
        ),
        (
            lambda: Confidence(4).kernel.image(small(operations="ai"), 0),
            "kernel confidence needs LT",
        ),
        (
            lambda: Confidence(4).kernel.image(small(registers=4), 0),
            "kernel confidence needs 6 registers; the array has 4",
        ),
        (
            lambda: Scale(4, 1).kernel.image(small(columns=1), 0),
            "kernel scale_1_0 needs 2 columns; the array has 1",
        ),
        (
            lambda: Assembler(small(stages=1), "deep", body=1, stages=2),
            "kernel deep needs 2 stages; the array has 1",
        ),
    ],
)
def test_refusals(action, message):
    with pytest.raises(TaskError, match=message):
        action()


def test_slots_are_taken_once():
    assembler = Assembler(TINY.pea, "x")
    assembler.place(0, 0, 0, Instruction(Operation.ADD))
    with pytest.raises(TaskError, match=r"kernel x: PE \(0, 0\) slot 0 is taken"):
        assembler.place(0, 0, 0, Instruction())
    with pytest.raises(TaskError, match="slot is 1; allowed: 0 to 0"):
        assembler.place(0, 0, 1, Instruction())


@pytest.mark.parametrize(
    ("shape", "dtype"), [((3, 5), "int8"), ((7,), "int8"), ((2, 3), "int32"), ((), "int32")]
)
def test_words_and_back(shape, dtype):
    operand = Operand("x", shape, dtype)
    array = (np.arange(np.prod(shape, dtype=int)).reshape(shape) - 3).astype(dtype)
    words = operand.to_words(array)
    assert len(words) == operand.words
    assert all(0 <= word < 1 << 32 for word in words)
    np.testing.assert_array_equal(operand.from_words(words), array)


def test_rows_of_bytes_start_on_words():
    assert Operand("x", (2, 5)).to_words([[1, 2, 3, 4, -1], [5, 6, 7, 8, 9]]) == [
        0x04030201,
        0x000000FF,
        0x08070605,
        0x00000009,
    ]


def test_equal_kernels_share_an_image():
    same = [Dense(k, n, rows=3, multiplier=5, shift=6).kernel for k, n in ((200, 4), (300, 9))]
    assert same[0] == same[1]
    assert Dense(200, 4, rows=3, multiplier=5, shift=7).kernel != same[0]
