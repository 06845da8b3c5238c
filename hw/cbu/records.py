"""Records that only live inside the Control Block Unit; nothing outside reads them."""

from amaranth.hdl import Cat, Value
from amaranth.lib import data, enum

from ..layouts.block import SUCCESSOR_INDEX_BITS
from ..layouts.descriptor import Status
from ..layouts.region import DOMAIN_BITS
from ..layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS, SHARD_BITS, TokenKind

SELECTOR_BITS = 6
COUNT_BITS = 16
KERNEL_BITS = 16
MASK_BITS = 16

MAXIMUM_FAN_OUT = 1 << INDEX_BITS
"""Tokens one firing of a map may emit: each has an index of its own."""

MAXIMUM_EXPECTED = (1 << COUNT_BITS) - 1
"""Tokens a gather may be told to expect."""


MAP_COUNT_BITS = 16


def map_value(count: Value, index: Value) -> Value:
    """The value of a map's firing: how many indices, and the map's own index."""
    return Cat(count[:MAP_COUNT_BITS], index)


class EventKind(enum.Enum, shape=2):
    """What the front of the unit took: a token, the completion of a task, or that a ready task
    was discarded."""

    TOKEN = 0
    COMPLETION = 1
    DISCARD = 2


class Event(data.Struct):
    """One event on its way through the unit; ``kind`` of a completion is ``ARRIVE``."""

    event: EventKind
    kind: TokenKind
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    status: Status
    value: 32
    busy_cycles: 32
    array_cycles: 32


class FiringMode(enum.Enum, shape=3):
    """Which successors of a fired block receive a token.

    ``ALL``: each. ``ARM``: those whose arm equals the selector. ``MASK``: those whose arm's bit
    is set in the value. ``MAP``: each, once for every index below the value. ``FAULT``: none,
    the host is told of the status in the selector.
    """

    ALL = 0
    ARM = 1
    MASK = 2
    MAP = 3
    FAULT = 4


class Firing(data.Struct):
    """A block that fired and whose successors are still to be served.

    ``selector`` is an arm (``ARM``), the number of tokens to expect (``MASK``) or a status
    (``FAULT``). Of a ``MAP``, ``selector`` says whether it is nested, ``value`` is a
    ``map_value``, and ``index`` the next index to serve.
    """

    mode: FiringMode
    selector: SELECTOR_BITS
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    value: 32
    first_successor: SUCCESSOR_INDEX_BITS
    successor_count: 8


class ReadyTask(data.Struct):
    """A task with its operands at hand that waits for a TBU."""

    descriptor: 32
    kernel: KERNEL_BITS
    task_block_units: MASK_BITS
    shards: SHARD_BITS
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    value: 32
    domain: DOMAIN_BITS


class StoreEntry(data.Struct):
    """The token store's entry of one (instance, block).

    ``combined`` is a join's or gather's value so far; a loop keeps its rounds there, for no
    block has both.
    """

    arrivals: COUNT_BITS
    expected: COUNT_BITS
    expected_known: 1
    combined: 32


class ShardGroup(data.Struct):
    """The key of a task in shards."""

    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS


class StatisticsRow(data.Struct):
    """A block's statistics, in the order of ``BlockStatistics``."""

    arrivals: 32
    completions: 32
    busy_cycles: 32
    array_cycles: 32
    mean_cycles: 32
    faults: 32
    forecast: 32
    queue: 32
