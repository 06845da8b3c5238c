"""The kernel image: what is loaded into a TBU's context store.

A header of ``HEADER_WORDS`` words, then for every PE in row-major order its
instructions for slots 0 to ``slots - 1``, ``INSTRUCTION_WORDS`` words each.
Semantics are in ``docs/specification.md``, section Sequencer.
"""

from amaranth.lib import data

HEADER_WORDS = 4
KERNEL_MAGIC = 0x4F43


class KernelHeader(data.Struct):
    """Words 0 to 3 of a kernel image, least significant word first."""

    magic: 16
    rows: 8
    columns: 8

    head_length: 8
    body_length: 8
    tail_length: 8
    stages: 4
    exit_stage: 3
    skew: 1

    flush: 16
    kernel: 16

    image_words: 32
