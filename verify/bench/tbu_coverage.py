"""Functional coverage of the Task Block Unit: what happened in which state, and how tasks ended."""

from collections import Counter
from enum import Enum, auto

from octopus.hw.layouts.activity import ActivityState
from octopus.hw.layouts.descriptor import Status

Point = tuple[Enum, ...]


class Event(Enum):
    """What can happen to the unit in a clock cycle.

    ``DISPATCH``: a dispatch was taken. ``FULL``: one was offered and not taken. ``COMPLETED``,
    ``FAILED``: a completion was taken. ``HELD``: one was offered and not taken. ``DENIED``:
    the memory did not take a burst. ``LATE``: the memory owed an answer and gave none.
    ``CANCEL``, ``RESET``: as the port says. ``TABLE``: the region table was written. ``HINT``: a
    task was announced; ``FORGET``: what was prepared is out of date.
    """

    DISPATCH = auto()
    FULL = auto()
    COMPLETED = auto()
    FAILED = auto()
    HELD = auto()
    DENIED = auto()
    LATE = auto()
    CANCEL = auto()
    RESET = auto()
    TABLE = auto()
    HINT = auto()
    FORGET = auto()


IMPOSSIBLE: frozenset[Point] = frozenset(
    {
        # A unit that shows itself idle holds no task: it owes no burst and its queue is empty.
        (ActivityState.IDLE, Event.FULL),
        (ActivityState.IDLE, Event.DENIED),
        (ActivityState.IDLE, Event.LATE),
    }
)


class Coverage:
    """Counts how often each declared point was met.

    Points: every event in every state of the unit but ``IMPOSSIBLE``; every status of a task, and
    whether the task before it was of the same domain.
    """

    def __init__(self) -> None:
        states = {(state, event) for state in ActivityState for event in Event}
        statuses = {(status, same) for status in Status for same in Same}
        self.declared: frozenset[Point] = frozenset((states - IMPOSSIBLE) | statuses)
        self.hits: Counter[Point] = Counter()

    def see(self, state: ActivityState, events: set[Event]) -> None:
        """What happened in one cycle."""
        for event in events:
            self.hits[state, event] += 1

    def end(self, status: Status, same_domain: bool) -> None:
        """A task ended."""
        self.hits[status, Same.DOMAIN if same_domain else Same.NOTHING] += 1

    @property
    def missing(self) -> list[str]:
        """Declared points that were never met, in words."""
        return sorted(_words(point) for point in self.declared - self.hits.keys())

    @property
    def wrong(self) -> list[str]:
        """Points that were met although they are said to be impossible."""
        return sorted(_words(point) for point in self.hits.keys() & IMPOSSIBLE)


class Same(Enum):
    """What a task shares with the one before it."""

    DOMAIN = auto()
    NOTHING = auto()


def _words(point: Point) -> str:
    return " ".join(part.name for part in point)
