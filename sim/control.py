"""What the Control Block Units did: their events, decisions, and tasks that were ready."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.activity import ControlDetail, ControlEvent

from .recording import Recording, field_of

EVENT_NAMES = ("token", "completion", "discard")
"""By number, what an event is: ``hw.cbu.records.EventKind``."""

TOKEN, COMPLETION, DISCARD = range(len(EVENT_NAMES))


@dataclass(frozen=True)
class ControlEvents:
    """The events of all Control Block Units in order of time; arrays have an entry an event.

    Attributes
    ----------
    cycle: in which it was taken. cluster: counted row by row.
    event: ``TOKEN``, ``COMPLETION`` or ``DISCARD``; kind: of a token, ``TokenKind``.
    block, instance, index, status: whose it is, and how a task ended.
    task, hint, fires, chooses: it made a task ready, announced one, let its block fire, let it
        choose successors by ``arm``.
    """

    cycle: NDArray[np.int64]
    cluster: NDArray[np.int64]
    event: NDArray[np.int64]
    kind: NDArray[np.int64]
    block: NDArray[np.int64]
    instance: NDArray[np.int64]
    index: NDArray[np.int64]
    status: NDArray[np.int64]
    task: NDArray[np.bool_]
    hint: NDArray[np.bool_]
    fires: NDArray[np.bool_]
    chooses: NDArray[np.bool_]
    arm: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cycle)

    def select(self, mask: NDArray[np.bool_]) -> "ControlEvents":
        """Those of the events for which ``mask`` holds."""
        return ControlEvents(**{name: column[mask] for name, column in vars(self).items()})


FLAGS = ("task", "hint", "fires", "chooses")


def control_events(recording: Recording) -> ControlEvents:
    """All events during the run."""
    columns: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ControlEvents.__dataclass_fields__
    }
    for cluster in range(recording.config.clusters):
        shown = recording.changes(recording.places.event(cluster))
        valid = (shown.flips() & np.uint32(1)) == 1
        cycles, words = shown.cycles[valid], shown.values[valid]
        details = recording.changes(recording.places.detail(cluster)).at(cycles)
        # They are shown while they are evaluated, the cycle after they were taken.
        columns["cycle"].append(cycles - 1)
        columns["cluster"].append(np.full(len(cycles), cluster, np.int64))
        for name in ("event", "kind", "block", "instance", *FLAGS):
            columns[name].append(field_of(ControlEvent, name, words).astype(np.int64))
        for name in ("index", "status", "arm"):
            columns[name].append(field_of(ControlDetail, name, details).astype(np.int64))
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    inside = (joined["cycle"] >= recording.start) & (joined["cycle"] < recording.end)
    order = np.flatnonzero(inside)[np.argsort(joined["cycle"][inside], kind="stable")]
    found: dict[str, Any] = {name: column[order] for name, column in joined.items()}
    return ControlEvents(**found | {name: found[name] == 1 for name in FLAGS})
