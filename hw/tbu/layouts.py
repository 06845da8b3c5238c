"""What the parts of a TBU pass to each other."""

from amaranth.lib import data

from ..config import PeaConfig
from ..layouts.descriptor import STREAM_DIMENSIONS, Element, Status, StreamMode
from ..layouts.region import DOMAIN_BITS
from ..layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS, SHARD_BITS
from ..pea.interfaces import bank_shape

COUNT_BITS = 16
"""Width of a stream's counts; larger counts are refused when the descriptor is fetched."""

EPOCH_BITS = 2
"""Runs are told apart modulo four: the past, the present and the next one."""

DESCRIPTOR_SLOTS = 8
"""Descriptors held at once, a power of two: one each for fetch, context load, input, set-up, run
and output, and those of the tasks that wait behind the context load."""


def stride_bits(address_bits: int) -> int:
    """Width of a saturated stride: signed, and able to leave a space of ``address_bits``."""
    return address_bits + 2


def pattern_layout(address_bits: int) -> data.StructLayout:
    """An affine pattern in a scratchpad of ``1 << address_bits`` bytes.

    ``base`` has one more bit, set if it lies outside. Strides are saturated: one that is larger
    than the scratchpad leaves it in any case.
    """
    return data.StructLayout(
        {
            "base": address_bits + 1,
            "counts": data.ArrayLayout(COUNT_BITS, STREAM_DIMENSIONS),
            "strides": data.ArrayLayout(stride_bits(address_bits), STREAM_DIMENSIONS),
        }
    )


def stream_layout(address_bits: int) -> data.StructLayout:
    """The configuration of one port's stream. ``window`` says which part of the scratchpad."""
    return data.StructLayout(
        {
            "mode": StreamMode,
            "element": Element,
            "window": window_layout(),
            "pattern": pattern_layout(address_bits),
        }
    )


def window_layout() -> data.StructLayout:
    """The part of the scratchpad that a task owns: all of it, or the lower or upper half."""
    return data.StructLayout({"half": 1, "upper": 1})


def task_layout(pea: PeaConfig) -> data.StructLayout:
    """A task on its way through the TBU's stages.

    A task whose ``status`` is not OK passes the remaining stages untouched. ``holds_bank`` and
    ``holds_window``: it owns a context bank, or a part of the scratchpad, that must be released.
    ``started``: the clock when its dispatch was taken. ``prepared``: its dispatch has not come yet.
    ``committed``: its streams are set up, whether it runs or not.
    """
    return data.StructLayout(
        {
            "block": BLOCK_BITS,
            "instance": INSTANCE_BITS,
            "index": INDEX_BITS,
            "shard": SHARD_BITS,
            "value": 32,
            "domain": DOMAIN_BITS,
            "status": Status,
            "slot": range(DESCRIPTOR_SLOTS),
            "kernel": 16,
            "bank": bank_shape(pea),
            "holds_bank": 1,
            "body_trips": 32,
            "outer_trips": 32,
            "has_result": 1,
            "result_address": 32,
            "cycle_limit": 32,
            "input_count": 8,
            "output_count": 8,
            "stream_count": 8,
            "half_scratchpad": 1,
            "window": window_layout(),
            "holds_window": 1,
            "started": 32,
            "prepared": 1,
            "committed": 1,
            "trips_from_token": 1,
            "early_inputs": 1,
            "array_cycles": 32,
        }
    )
