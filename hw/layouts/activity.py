"""What a Task Block Unit shows of its work, for traces."""

from amaranth.lib import data, enum

from .token import BLOCK_BITS, INSTANCE_BITS


class ActivityState(enum.Enum, shape=3):
    """What a TBU does, told by the stage closest to the array that has work."""

    IDLE = 0
    FETCH = 1
    CONTEXT_LOAD = 2
    INPUT = 3
    RUN = 4
    OUTPUT = 5


class Activity(data.Struct):
    """For traces: ``block`` and ``instance`` are those of the task that runs, or ran last."""

    state: ActivityState
    block: BLOCK_BITS
    instance: INSTANCE_BITS
