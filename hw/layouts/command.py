"""Commands of the host to a cluster, and what a cluster tells the host unasked.

Semantics are in ``docs/specification.md``, sections 7 and 9.
"""

from amaranth.lib import data, enum

from .token import INSTANCE_BITS

BALANCE_BITS = 16
"""Width of a token balance: as many tokens of an instance may be under way at once."""


class CommandOperation(enum.Enum, shape=4):
    """``ABORT``: end the instances and keep them closed. ``OPEN``: admit them again."""

    NONE = 0
    ABORT = 1
    OPEN = 2


class ClusterCommand(data.Struct):
    """The word written to a cluster's ``COMMAND`` register: for instances ``first`` to ``last``."""

    operation: CommandOperation
    reserved0: 4
    first: INSTANCE_BITS
    last: INSTANCE_BITS
    reserved1: 8


class ClusterCommandStatus(data.Struct):
    """The word read from a cluster's ``COMMAND_STATUS`` register."""

    busy: 1
    reserved: 31


class IndexSettings(data.Struct):
    """The word of a cluster's ``INDEX_SETTINGS`` register.

    ``store_bits``: bits of an index that the token store tells apart; each halves the number of
    instances it has room for. ``inner_bits``: bits of an index that are those of an inner map.
    """

    store_bits: 4
    inner_bits: 4
    reserved: 24


class ClusterEvent(enum.Enum, shape=5):
    """What may happen in a cluster that the host should know: bits of its ``EVENTS`` register."""

    TASK_TABLE_FULL = 0
    """No room for another ready task: tokens wait."""
    FIRING_QUEUE_FULL = 1
    """The queue of firings is so full that tokens wait."""
    CONTROL_NETWORK_STUCK = 2
    """A link to a neighbour's control router gave nothing back for ``control_network.timeout``."""
    NETWORK_PARITY = 3
    """A flit with wrong parity came to a router or endpoint of the cluster."""
    UNREACHABLE = 4
    """A packet to a node outside the mesh was discarded."""


class HostOperation(enum.Enum, shape=4):
    """Commands of the host's ``command`` register, for a range of instances.

    ``ABORT``: end them everywhere. ``DRAIN``: start none of them, end when none is active.
    ``ADMIT``: let all start again.
    """

    NONE = 0
    ABORT = 1
    DRAIN = 2
    ADMIT = 3
