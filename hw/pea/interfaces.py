"""What crosses the border of the array: tokens, run commands, edge streams, context writes.

The TBU uses :class:`octopus.hw.pea.ArrayCore`, the sequencer and the array in one block; the token
between them runs ahead of the array, so nobody else should have to know it.
"""

from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.instruction import Instruction

LENGTH_BITS = 8
"""Width of the head, body and tail lengths of a kernel."""

FLUSH_BITS = 16
TRIP_BITS = 32


def _index_bits(count: int) -> int:
    """Bits of an index below ``count``; at least one, so that every field exists."""
    return max(1, (count - 1).bit_length())


def bank_shape(pea: PeaConfig) -> Shape:
    """Shape of a context bank's index."""
    return Shape(_index_bits(pea.context_banks))


def slot_shape(pea: PeaConfig) -> Shape:
    """Shape of a slot index inside a context bank."""
    return Shape(_index_bits(pea.context_slots))


def element_shape(pea: PeaConfig) -> Shape:
    """Shape of a PE's index, row-major."""
    return Shape(_index_bits(pea.rows * pea.columns))


def sequencer_token(pea: PeaConfig) -> data.StructLayout:
    """What the sequencer tells the array about one array cycle, two clocks ahead of it.

    ``bank``, ``slot``, ``active`` (one bit a software-pipeline stage) and ``clear`` (with a run's
    first cycle) are the token of the specification. ``valid``: there is such a cycle (otherwise
    this clock is a gap that the array skips). ``last``: the run is over, with this cycle if it is
    ``valid``; the array empties its links. ``cancel``: tokens sent and not yet executing are void.
    ``abort``: everything is void, at once.
    """
    return data.StructLayout(
        {
            "bank": bank_shape(pea),
            "slot": slot_shape(pea),
            "active": pea.stages,
            "clear": 1,
            "valid": 1,
            "last": 1,
            "cancel": 1,
            "abort": 1,
        }
    )


def run_command(pea: PeaConfig) -> data.StructLayout:
    """One run: the kernel header's fields, the bank that holds the kernel, and the trip counts.

    Lengths are at most ``context_slots`` in sum, ``stages`` is 1 to the array's own; who issues
    the command has checked that.
    """
    return data.StructLayout(
        {
            "bank": bank_shape(pea),
            "head_length": LENGTH_BITS,
            "body_length": LENGTH_BITS,
            "tail_length": LENGTH_BITS,
            "stages": 4,
            "exit_stage": 3,
            "skew": 1,
            "flush": FLUSH_BITS,
            "body_trips": TRIP_BITS,
            "outer_trips": TRIP_BITS,
        }
    )


class ArrayInput(wiring.Signature):
    """An edge input of the array, seen from the array (the consumer).

    ``data``, ``valid``: the next word is there. ``take``: it is consumed in this clock; high only
    with ``valid``, from registers but for ``valid``.
    ``next_ready``: in the next clock, after what is taken in this one, a word is there, or none
    will come any more (``valid`` is low then). ``next_ready_turned``: the same if another run
    begins with the next clock. Both may be low though they could be high: the array waits.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "data": In(32),
                "valid": In(1),
                "take": Out(1),
                "next_ready": In(1),
                "next_ready_turned": In(1),
            }
        )


class ArrayOutput(wiring.Signature):
    """An edge output of the array, seen from the array (the producer).

    ``data``, ``valid``: the link carries a word. ``push``: it leaves in this clock; high only with
    ``valid``. All are made of registers.
    ``next_ready``: after what is pushed in this clock there is room for one word more, or no
    stream is configured and words are dropped. While it is low the array waits, also with
    nothing to push.
    """

    def __init__(self) -> None:
        super().__init__({"data": Out(32), "valid": Out(1), "push": Out(1), "next_ready": In(1)})


class ContextWrite(wiring.Signature):
    """Writes one instruction into the context store, seen from the array.

    ``enable``: write in this cycle. ``bank``, ``element`` (row-major PE index), ``slot``: where.
    A bank must not be written while a run uses it, nor in the clock before a command for it is
    offered.
    """

    def __init__(self, pea: PeaConfig) -> None:
        super().__init__(
            {
                "enable": In(1),
                "bank": In(bank_shape(pea)),
                "element": In(element_shape(pea)),
                "slot": In(slot_shape(pea)),
                "instruction": In(Instruction),
            }
        )
