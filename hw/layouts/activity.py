"""What the chip shows of its work for traces: words that change only when something happens.

The chip's ``activity`` output is an array of 32-bit words, in this order (:class:`ActivityMap`):
a word of :class:`Activity` a Task Block Unit, then a word of :class:`Progress` each, then a word
of :class:`TakenTask` each, then a word of :class:`ControlEvent` a Control Block Unit, then a word
of :class:`ControlDetail` each. Units and clusters are counted through the mesh row by row.

What these words say in a cycle is what was so in the cycle before.
"""

from dataclasses import dataclass

from amaranth.lib import data, enum

from .descriptor import Status
from .token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS, SHARD_BITS, TokenKind


class ActivityState(enum.Enum, shape=3):
    """What a TBU does, told by the stage closest to the array that has work."""

    IDLE = 0
    FETCH = 1
    CONTEXT_LOAD = 2
    INPUT = 3
    RUN = 4
    OUTPUT = 5


class Activity(data.Struct):
    """``block`` and ``instance`` are those of the task that runs, or ran last.

    ``cause``: the :class:`~.counters.CycleCounter` that the cycle is counted under.
    """

    state: ActivityState
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    cause: 5


class Stage(enum.IntEnum):
    """The borders that a task passes in a TBU, in this order; a bit each of ``Progress.passed``.

    ``DISPATCHED``: the TBU has taken a dispatch (a prepared task's comes late, or never).
    ``TAKEN``: its descriptor's fetch begins. ``FETCHED``: it goes to the context loader.
    ``LOADED``: its kernel is resident. ``ROOM``, ``PLACED``: it has its part of the scratchpad and
    may get its operands. ``FILLED``: they are there. ``CONFIGURED``: its streams are set up.
    ``STARTED``: it goes to the array, or is dropped. ``ENDED``: its last word is in the scratchpad.
    ``STORED``: its results are in memory. ``COMPLETED``: its Control Block Unit knows of it.
    """

    DISPATCHED = 0
    TAKEN = 1
    FETCHED = 2
    LOADED = 3
    ROOM = 4
    PLACED = 5
    FILLED = 6
    CONFIGURED = 7
    STARTED = 8
    ENDED = 9
    STORED = 10
    COMPLETED = 11


class Progress(data.Struct):
    """How tasks go through a TBU. Tasks never overtake each other, so that counting is enough.

    ``passed``: a bit a :class:`Stage`, which changes whenever a task passes it. ``loads`` changes
    with each burst that the context loader asks for, ``drops`` with each prepared task that is
    dropped. ``draining``: a task has left the array, words of it have not.
    """

    passed: len(Stage)
    loads: 1
    drops: 1
    draining: 1
    shard: SHARD_BITS


class TakenTask(data.Struct):
    """The task that passed :attr:`Stage.TAKEN` last, until the next is about to.

    ``prepared``: it was announced, and not dispatched, when it was taken. Its shard is in
    ``Progress``.
    """

    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    prepared: 1


class ControlEvent(data.Struct):
    """An event of the Control Block Unit while it is evaluated.

    Attributes
    ----------
    count: changes with each event; between events the other fields mean nothing.
    event: an ``EventKind``; kind: of a token; block, instance: whose event it is.
    task, hint, fires: it makes a task ready, announces one, lets its block fire.
    arm: those of the block's successors whose arm this is receive a token (``chooses``).
    """

    count: 1
    event: 2
    kind: TokenKind
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    task: 1
    hint: 1
    fires: 1
    chooses: 1


class ControlDetail(data.Struct):
    """The rest of a :class:`ControlEvent`."""

    index: INDEX_BITS
    status: Status
    arm: 6


@dataclass(frozen=True)
class ActivityMap:
    """Where in the ``activity`` output each word is.

    Parameters
    ----------
    units, clusters: on the whole chip.
    """

    units: int
    clusters: int

    @property
    def words(self) -> int:
        """Words in all."""
        return 3 * self.units + 2 * self.clusters

    def progress(self, unit: int) -> int:
        """The word of :class:`Progress`; that of :class:`Activity` is ``unit`` itself."""
        return self.units + unit

    def taken(self, unit: int) -> int:
        """The word of :class:`TakenTask`."""
        return 2 * self.units + unit

    def event(self, cluster: int) -> int:
        """The word of :class:`ControlEvent`."""
        return 3 * self.units + cluster

    def detail(self, cluster: int) -> int:
        """The word of :class:`ControlDetail`."""
        return 3 * self.units + self.clusters + cluster


class WordKind(enum.IntEnum):
    """Words that a TBU moves between memory and itself; a bit each of its ``word_active``.

    ``OPERANDS`` include the words that a region check refused; ``RESULTS`` are written.
    """

    DESCRIPTOR = 0
    CONTEXT = 1
    OPERAND = 2
    RESULT = 3
