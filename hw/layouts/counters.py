"""What Task Block Units and networks count, readable in configuration space."""

from enum import IntEnum

COUNTERS = 32
"""Words of a unit's counters: its completions by ``Status``, then these."""


class CycleCounter(IntEnum):
    """What a cycle of the unit went to; each cycle counts once, under the first that applies.

    ``ADVANCE``: the array did a cycle. ``STALL_IN``, ``STALL_OUT``: it ran, and waited for a word
    to enter, or for room for one that leaves. ``GAP``: a run began or ended, or an exit was
    carried out. The others tell what the next run waits for: ``SET_UP`` of its streams,
    its operands (``INPUT``), a part of the scratchpad (``SCRATCHPAD``), its kernel (``CONTEXT``),
    its descriptor (``FETCH``), or that results leave (``OUTPUT``). ``IDLE``: nothing is here.
    """

    ADVANCE = 16
    STALL_IN = 17
    STALL_OUT = 18
    GAP = 19
    SET_UP = 20
    INPUT = 21
    SCRATCHPAD = 22
    CONTEXT = 23
    FETCH = 24
    OUTPUT = 25
    IDLE = 26


class LinkCount(IntEnum):
    """The links by which flits come to a cluster, of both networks; flits are counted by link.

    ``..._NORTH`` to ``..._WEST``: from that side to the cluster's router. ``..._LOCAL``: from the
    cluster to its router. ``..._ENDPOINT``: from the router to the cluster.
    """

    CONTROL_NORTH = 0
    CONTROL_EAST = 1
    CONTROL_SOUTH = 2
    CONTROL_WEST = 3
    CONTROL_LOCAL = 4
    CONTROL_ENDPOINT = 5
    DATA_NORTH = 6
    DATA_EAST = 7
    DATA_SOUTH = 8
    DATA_WEST = 9
    DATA_LOCAL = 10
    DATA_ENDPOINT = 11
