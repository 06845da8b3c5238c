"""The Orchestrated Workflow Graph: model, builder, files, validation, reference executor."""

from .builder import Port, TensorHandle, WorkflowBuilder
from .files import from_json, load, save, to_json
from .graph import Binding, Block, Distribution, Flow, Role, Tensor, Workflow, WorkflowError
from .reference import Instance, InstanceResult, ReferenceExecutor
from .validate import check_tables, validate

__all__ = [
    "Binding",
    "Block",
    "Distribution",
    "Flow",
    "Instance",
    "InstanceResult",
    "Port",
    "ReferenceExecutor",
    "Role",
    "Tensor",
    "TensorHandle",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowError",
    "check_tables",
    "from_json",
    "load",
    "save",
    "to_json",
    "validate",
]
