"""What the kernel compiler raises."""

from ..kernels.task import TaskError


class CompileError(TaskError):
    """A kernel cannot be compiled; the message names the operation and the reason."""


class KernelError(TaskError):
    """A kernel function, run by Python, does what no array can; the message names the line."""
