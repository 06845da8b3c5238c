"""The Control Block Unit's tables: block entries and successor entries.

Semantics are in ``docs/specification.md``, section CBU.
"""

from amaranth.lib import data, enum

from .region import DOMAIN_BITS
from .space import Node
from .token import ARM_BITS, BLOCK_BITS, SHARD_BITS, TokenKind

BLOCK_ENTRY_WORDS = 8
SUCCESSOR_ENTRY_WORDS = 1
SUCCESSOR_INDEX_BITS = 12


class BlockKind(enum.Enum, shape=4):
    """The kinds of block of the Orchestrated Workflow Graph."""

    INVALID = 0
    TASK = 1
    BRANCH = 2
    SWITCH = 3
    MULTICAST = 4
    LOOP = 5
    JOIN = 6
    MERGE = 7
    MAP = 8
    GATHER = 9
    SOURCE = 10
    SINK = 11


class Comparison(enum.Enum, shape=3):
    """The predicate of a branch or loop: ``value <comparison> operand``.

    ``COUNT`` (loop only) holds while fewer than ``operand`` rounds were taken.
    """

    ALWAYS = 0
    EQ = 1
    NE = 2
    LT = 3
    GE = 4
    LTU = 5
    GEU = 6
    COUNT = 7


class Combine(enum.Enum, shape=3):
    """How a join or gather combines the values of its tokens (signed where it matters)."""

    SUM = 0
    MINIMUM = 1
    MAXIMUM = 2
    AND = 3
    OR = 4


class IndexRule(enum.Enum, shape=2):
    """The index of a token to a successor: as it is, 0 (it leaves a map), or that of the outer map
    (it leaves a map inside of another)."""

    KEEP = 0
    CLEAR = 1
    OUTER = 2


class BlockEntry(data.Struct):
    """Eight words of the block table; blank lines part the words.

    ``nested``: a map inside the body of another.
    """

    kind: BlockKind
    comparison: Comparison
    combine: Combine
    nested: 1
    reserved0: 5
    join_count: 16

    operand: 32

    first_successor: SUCCESSOR_INDEX_BITS
    reserved1: 4
    successor_count: 8
    shards: SHARD_BITS
    reserved2: 4

    descriptor: 32

    task_block_units: 16
    kernel: 16

    domain: DOMAIN_BITS
    reserved3: 24

    reserved4: 32

    reserved5: 32


class SuccessorEntry(data.Struct):
    """One word: where a token goes when ``arm`` is taken.

    ``likely`` (of a FORECAST): the tokens may come or not, they are not counted.
    """

    destination: Node
    block: BLOCK_BITS
    arm: ARM_BITS
    kind: TokenKind
    index: IndexRule
    likely: 1


class BlockStatistics:
    """Word offsets in a block's eight-word entry of the statistics region."""

    WORDS = 8
    ARRIVALS = 0
    COMPLETIONS = 1
    BUSY_CYCLES = 2
    ARRAY_CYCLES = 3
    MEAN_CYCLES = 4
    FAULTS = 5
    FORECAST = 6
    QUEUE = 7
