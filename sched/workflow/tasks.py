"""The kernels a workflow file can name: parameters in, task out, and back.

Every public kernel (:mod:`octopus.sched.kernels.registry`) that is one task can be named.
"""

from collections.abc import Mapping
from typing import Any

from ..kernels.registry import entry_of, find_kernel
from ..kernels.task import Task


def build_task(kernel: str, parameters: Mapping[str, Any]) -> Task:
    """The task of a kernel's name and parameters.

    Raises:
        ValueError: the kernel is unknown or takes several tasks, or a parameter is unknown,
            missing or out of range.
    """
    task = find_kernel(kernel).build(parameters)
    if not isinstance(task, Task):
        raise ValueError(f"kernel {kernel} may take several tasks: it is no single task block")
    return task


def describe_task(task: Task) -> tuple[str, dict[str, Any]]:
    """The kernel's name and the parameters from which :func:`build_task` makes the task again.

    Raises:
        ValueError: a task that workflow files have no name for.
    """
    entry = entry_of(task)
    return entry.name, entry.describe(task)
