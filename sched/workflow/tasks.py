"""The kernels a workflow file can name: parameters in, task out, and back."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..kernels.elementwise import Scale, VectorAdd
from ..kernels.reduction import ArgMax, Confidence
from ..kernels.systolic import Dense, Gemm
from ..kernels.task import Task


class TaskParameters(BaseModel):
    """What a file says of one kind of task: its parameters, named as in the constructor."""

    model_config = ConfigDict(extra="forbid", strict=True)
    kind: ClassVar[type[Task]]

    def build(self) -> Task:
        """The task.

        Raises:
            TaskError: a parameter is out of range.
        """
        return self.kind(**self.model_dump())

    @classmethod
    def of(cls, task: Task) -> Self:
        """The parameters of a task, from its attributes of the same names."""
        return cls(**{name: getattr(task, name) for name in cls.model_fields})


class DenseParameters(TaskParameters):
    """A :class:`Dense` layer."""

    kind = Dense
    features_in: int
    features_out: int
    rows: int = 1
    multiplier: int
    shift: int
    zero_point: int = 0
    relu: bool = False

    @classmethod
    def of(cls, task: Task) -> Self:
        """As :meth:`TaskParameters.of`; the requantisation has a dictionary of its own."""
        assert isinstance(task, Dense)
        return cls(
            features_in=task.features_in,
            features_out=task.features_out,
            rows=task.rows,
            multiplier=task.parameters["multiplier"],
            shift=task.parameters["shift"],
            zero_point=task.parameters["zero_point"],
            relu=bool(task.parameters["relu"]),
        )


class GemmParameters(TaskParameters):
    """A :class:`Gemm`."""

    kind = Gemm
    features_in: int
    features_out: int
    rows: int = 1


class _VectorParameters(TaskParameters):
    classes: int
    dtype: Literal["int8", "int32"] = "int8"

    @classmethod
    def of(cls, task: Task) -> Self:
        """As :meth:`TaskParameters.of`."""
        (operand,) = task.inputs
        return cls(classes=operand.shape[0], dtype=operand.dtype)  # type: ignore[arg-type]


class ConfidenceParameters(_VectorParameters):
    """A :class:`Confidence`."""

    kind = Confidence


class ArgMaxParameters(_VectorParameters):
    """An :class:`ArgMax`."""

    kind = ArgMax


class VectorAddParameters(TaskParameters):
    """A :class:`VectorAdd`."""

    kind = VectorAdd
    length: int


class ScaleParameters(TaskParameters):
    """A :class:`Scale`."""

    kind = Scale
    length: int
    multiplier: int
    shift: int = 0


KERNELS: dict[str, type[TaskParameters]] = {
    "argmax": ArgMaxParameters,
    "confidence": ConfidenceParameters,
    "dense": DenseParameters,
    "gemm": GemmParameters,
    "scale": ScaleParameters,
    "vector_add": VectorAddParameters,
}
"""What ``kernel`` may be in a workflow file."""


def build_task(kernel: str, parameters: Mapping[str, Any]) -> Task:
    """The task of a kernel's name and parameters.

    Raises:
        ValueError: the kernel is unknown, or a parameter is unknown, missing or out of range.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}; allowed: {', '.join(KERNELS)}")
    try:
        return KERNELS[kernel](**parameters).build()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"kernel {kernel}: parameter {field}: {first['msg']}") from None


def describe_task(task: Task) -> tuple[str, dict[str, Any]]:
    """The kernel's name and the parameters from which :func:`build_task` makes the task again.

    Raises:
        ValueError: a task that workflow files have no name for.
    """
    for name, parameters in KERNELS.items():
        if type(task) is parameters.kind:
            return name, parameters.of(task).model_dump(exclude_defaults=True)
    raise ValueError(f"kernel {type(task).__name__} has no name in workflow files")
