"""Workloads by name: what ``octopus run NAME`` can run."""

from .cascade import Cascade
from .control_tour import ControlTour
from .workload import Summary, Workload, WorkloadError

WORKLOADS: dict[str, type[Workload]] = {
    workload.name: workload for workload in (Cascade, ControlTour)
}


def find_workload(name: str) -> type[Workload]:
    """The workload of that name.

    Raises:
        WorkloadError: there is none; the message lists those there are.
    """
    if name not in WORKLOADS:
        raise WorkloadError(f"workflow is {name!r}; allowed: {', '.join(WORKLOADS)}")
    return WORKLOADS[name]


__all__ = ["WORKLOADS", "Summary", "Workload", "WorkloadError", "find_workload"]
