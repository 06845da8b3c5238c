"""Workflows as JSON files; ``docs/workflow.md`` describes the form."""

import json
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from octopus.hw.layouts.block import BlockKind, Combine, Comparison

from ..kernels.task import DTYPES
from .graph import Binding, Block, Distribution, Flow, Role, Tensor, Workflow, WorkflowError
from .tasks import build_task, describe_task
from .validate import validate

Kind = Literal[
    "task",
    "branch",
    "switch",
    "multicast",
    "loop",
    "join",
    "merge",
    "map",
    "gather",
    "source",
    "sink",
]
Compare = Literal["always", "eq", "ne", "lt", "ge", "ltu", "geu", "count"]
Combination = Literal["sum", "minimum", "maximum", "and", "or"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DistributionForm(_Form):
    """A declared distribution."""

    mean: float
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def of(cls, distribution: Distribution | None) -> Self | None:
        """The form of a distribution."""
        return None if distribution is None else cls(**vars(distribution))

    def build(self) -> Distribution:
        """The distribution."""
        return Distribution(self.mean, self.minimum, self.maximum)


class TensorForm(_Form):
    """A tensor; ``values`` of a constant are flat, in C order."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["int8", "int32"] = "int8"
    role: Literal["input", "constant", "internal"] = "internal"
    result: bool = False
    values: list[int] | None = None

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """The form of a tensor."""
        values = None if tensor.value is None else [int(item) for item in tensor.value.flat]
        return cls(
            name=tensor.name,
            shape=tensor.shape,
            dtype="int8" if tensor.dtype == "int8" else "int32",
            role=tensor.role.value,  # type: ignore[arg-type]
            result=tensor.result,
            values=values,
        )

    def build(self) -> Tensor:
        """The tensor."""
        value = None
        if self.values is not None:
            given = np.array(self.values, np.int64)
            limits = np.iinfo(DTYPES[self.dtype])
            if given.size != np.prod(self.shape, dtype=int):
                raise WorkflowError(
                    f"tensor {self.name}: has {given.size} values for shape {self.shape}"
                )
            if given.size and not limits.min <= given.min() <= given.max() <= limits.max:
                raise WorkflowError(f"tensor {self.name}: a value does not fit {self.dtype}")
            value = given.reshape(self.shape).astype(DTYPES[self.dtype])
        return Tensor(self.name, self.shape, self.dtype, Role(self.role), self.result, value)


class BindingForm(_Form):
    """The tensor behind an operand."""

    tensor: str
    by_index: bool = False


class BlockForm(_Form):
    """A block; what a kind does not use must be left out."""

    name: str = Field(min_length=1)
    kind: Kind
    kernel: str | None = None
    parameters: dict[str, Any] = {}
    operands: dict[str, BindingForm | str] = {}
    comparison: Compare = "always"
    operand: int = 0
    combine: Combination = "sum"
    join_count: int = Field(default=0, ge=0, lt=1 << 16)
    time: DistributionForm | None = None

    @model_validator(mode="after")
    def _kernel_belongs_to_a_task(self) -> Self:
        if (self.kernel is None) == (self.kind == "task"):
            raise ValueError(f"block {self.name}: a task, and only a task, has a kernel")
        return self

    @classmethod
    def of(cls, block: Block) -> Self:
        """The form of a block."""
        kernel, parameters = (None, {}) if block.task is None else describe_task(block.task)
        return cls(
            name=block.name,
            kind=block.kind.name.lower(),  # type: ignore[arg-type]
            kernel=kernel,
            parameters=parameters,
            operands={
                operand: BindingForm(tensor=binding.tensor, by_index=True)
                if binding.by_index
                else binding.tensor
                for operand, binding in block.bindings.items()
            },
            comparison=block.comparison.name.lower(),  # type: ignore[arg-type]
            operand=block.operand,
            combine=block.combine.name.lower(),  # type: ignore[arg-type]
            join_count=block.join_count,
            time=DistributionForm.of(block.time),
        )

    def build(self) -> Block:
        """The block."""
        try:
            task = None if self.kernel is None else build_task(self.kernel, self.parameters)
        except ValueError as error:
            raise WorkflowError(f"block {self.name}: {error}") from None
        return Block(
            self.name,
            BlockKind[self.kind.upper()],
            task,
            {
                operand: Binding(form)
                if isinstance(form, str)
                else Binding(form.tensor, form.by_index)
                for operand, form in self.operands.items()
            },
            Comparison[self.comparison.upper()],
            self.operand,
            Combine[self.combine.upper()],
            self.join_count,
            None if self.time is None else self.time.build(),
        )


class FlowForm(_Form):
    """A flow between two blocks."""

    origin: str
    target: str
    arm: int = 0
    expect: bool = False
    frequency: DistributionForm | None = None

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """The form of a flow."""
        frequency = DistributionForm.of(flow.frequency)
        return cls(**{**vars(flow), "frequency": frequency})

    def build(self) -> Flow:
        """The flow."""
        frequency = None if self.frequency is None else self.frequency.build()
        return Flow(self.origin, self.target, self.arm, self.expect, frequency)


class WorkflowForm(_Form):
    """A whole file."""

    format: Literal["octopus.workflow"] = "octopus.workflow"
    version: Literal[1] = 1
    name: str = Field(min_length=1)
    tensors: list[TensorForm] = []
    blocks: list[BlockForm]
    flows: list[FlowForm]


def to_json(workflow: Workflow) -> str:
    """The workflow as JSON text.

    Raises:
        ValueError: a task that workflow files have no name for.
    """
    form = WorkflowForm(
        name=workflow.name,
        tensors=[TensorForm.of(tensor) for tensor in workflow.tensors.values()],
        blocks=[BlockForm.of(block) for block in workflow.blocks],
        flows=[FlowForm.of(flow) for flow in workflow.flows],
    )
    content = {"format": form.format, "version": form.version}
    content |= form.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(content, indent=1) + "\n"


def from_json(text: str, origin: str = "workflow") -> Workflow:
    """A validated workflow from JSON text; ``origin`` names it in errors.

    Raises:
        WorkflowError: not JSON, not the form, or a fault in the workflow.
    """
    try:
        form = WorkflowForm.model_validate_json(text)
    except ValidationError as error:
        raise WorkflowError(f"{origin}: {_describe(error, text)}") from None
    workflow = Workflow(form.name)
    for tensor in form.tensors:
        workflow.add_tensor(tensor.build())
    for block in form.blocks:
        workflow.add_block(block.build())
    for flow in form.flows:
        workflow.add_flow(flow.build())
    validate(workflow)
    return workflow


def _describe(error: ValidationError, text: str) -> str:
    """The first fault: where (with the block's or tensor's name) and what."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return message
    if len(first["loc"]) > 1 and isinstance(first["loc"][1], int):
        section, number = str(first["loc"][0]), first["loc"][1]
        name = json.loads(text)[section][number]
        if isinstance(name, dict) and "name" in name:
            where = f"{section.removesuffix('s')} {name['name']}: " + ".".join(
                str(part) for part in first["loc"][2:]
            )
    return f"{where}: {message}" if where else message


def save(workflow: Workflow, path: str | Path) -> None:
    """Write a workflow file.

    Raises:
        ValueError: as :func:`to_json`. OSError: the file cannot be written.
    """
    Path(path).write_text(to_json(workflow), encoding="utf-8")


def load(path: str | Path) -> Workflow:
    """Read a workflow file.

    Raises:
        WorkflowError: as :func:`from_json`, or the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise WorkflowError(f"{path}: {reason}") from None
    return from_json(text, str(path))
