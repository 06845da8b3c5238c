"""Listings of kernel images."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.sched.kernels.matrix import Dense
from octopus.sched.kernels.reduction import ArgMax
from octopus.verify.golden.disassembler import ImageError, disassemble

PEA = OctopusConfig.load("tiny").pea

ARGMAX = """\
kernel 3: 2 x 2 PEs, 100 words
head 1, body 6, tail 1, stages 1, exit stage 0, flush 2, not skewed
PE (0, 0)
  head  0: pass #-2147483648 -> r1
  body  1: pass west -> r0
  body  3: lt r1, r0 -> p
  body  4: max r1, r0 -> r1
  body  5: if p: pass r4 -> r3
  body  6: add r4, #1 -> r4
  tail  7: pass r3 -> west
"""


def test_listing_of_a_program():
    listing = disassemble(ArgMax(10).kernel.image(PEA, 3))
    assert listing == ARGMAX


def test_listing_of_a_systolic_kernel():
    task = Dense(64, 10, multiplier=3, shift=4)
    listing = disassemble(task.kernel.image(PEA, 0))
    assert "dot4 north, west; north <- straight; east <- straight; south <- straight" in listing
    assert "requantise north, #262147 -> north; south <- straight" in listing
    assert listing.count("PE (") == 4


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([], "0 words"),
        ([0] * 4, "magic"),
        (ArgMax(10).kernel.image(PEA, 0)[:-1], "99 words"),
        ([*ArgMax(10).kernel.image(PEA, 0)[:4], 31, *[0] * 95], "word 4"),
    ],
)
def test_no_image_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        disassemble(image)
