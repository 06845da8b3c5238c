"""The Task Block Unit: task pipeline, stream engines, DMA and context store."""

from .task_block_unit import TaskBlockUnit

__all__ = ["TaskBlockUnit"]
