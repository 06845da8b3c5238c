"""Which task made which ready: the tokens' ways, as arrows between tasks."""

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.activity import Stage

from .critical_path import ancestors
from .profile import NO_INSTANCE, Profile
from .tasks import NEVER, NOBODY


def predecessors(profile: Profile) -> NDArray[np.int64]:
    """For each task, the place of the one whose completion made it ready, or ``NOBODY``.

    That is, of its instance, the last to end before it was ready, of those blocks from which a
    token can come to it.
    """
    tasks = profile.tasks
    found = np.full(len(tasks), NOBODY, np.int64)
    before = {
        number: {
            profile.program.numbers[origin] for origin in ancestors(profile.program.workflow, name)
        }
        for name, number in profile.program.numbers.items()
    }
    known = np.flatnonzero((tasks.number != NO_INSTANCE) & (tasks.ready != NEVER))
    ended = tasks.at(Stage.COMPLETED)
    order = known[np.lexsort((ended[known], tasks.number[known]))]
    edges = np.flatnonzero(np.diff(tasks.number[order], prepend=NO_INSTANCE - 1))
    for mine in np.split(order, edges[1:]) if len(order) else []:
        ends = ended[mine]
        for task in mine.tolist():
            origins = before[int(tasks.block[task])]
            place = int(np.searchsorted(ends, tasks.ready[task], side="right")) - 1
            while place >= 0 and (
                ends[place] == NEVER or int(tasks.block[mine[place]]) not in origins
            ):
                place -= 1
            if place >= 0:
                found[task] = mine[place]
    return found
