"""The Task Block Unit: task pipeline, stream engines, DMA and context store."""

from .task_block_unit import Activity, ActivityState, TaskBlockUnit

__all__ = ["Activity", "ActivityState", "TaskBlockUnit"]
