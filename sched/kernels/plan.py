"""What may take several tasks: a computation, and the plan of its tasks on one chip."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from octopus.hw.config import OctopusConfig

from .operand import Array, Operand, TaskError

if TYPE_CHECKING:
    from .task import Task


@dataclass(frozen=True)
class Slice:
    """The part of a computation's operand that a task's operand is.

    Parameters
    ----------
    operand: of the plan. offset: of the part's first word, in bytes.
    row_stride: bytes between the part's rows in memory; None: they follow each other.
    shard_stride: bytes between the parts of neighbouring shards.
    """

    operand: str
    offset: int = 0
    row_stride: int | None = None
    shard_stride: int = 0


@dataclass(frozen=True)
class Step:
    """One task of a plan, or ``shards`` equal ones on neighbouring parts.

    Parameters
    ----------
    slices: one an operand of the task, by its name.
    after: numbers of earlier steps that must have ended.
    """

    task: "Task"
    slices: Mapping[str, Slice]
    shards: int = 1
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The tasks of a computation, in an order in which they may run.

    Parameters
    ----------
    scratch: operands that only pass between steps.
    constants: operands with a value that the plan itself knows.
    result: the step whose result word is the computation's; None if it has none.
    """

    steps: Sequence[Step]
    scratch: tuple[Operand, ...] = ()
    constants: Mapping[Operand, Array] = field(default_factory=dict)
    result: int | None = None


class Computation(ABC):
    """What a public kernel computes: operands, exact result, and its tasks on a given chip.

    ``macs``: multiplications of int8 values that the result needs, 0 if that is not its work.
    """

    name: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    has_result: bool
    macs: int = 0

    @abstractmethod
    def reference(self, *arrays: Any) -> tuple[tuple[Array, ...], int | None]:
        """The outputs and the result word (unsigned, None without one) for given inputs.

        Raises:
            TaskError: an input of the wrong shape, dtype or range.
        """

    @abstractmethod
    def plan(self, config: OctopusConfig) -> Plan:
        """The tasks that compute it on a chip.

        Raises:
            TaskError: the chip cannot do it.
        """

    def random_inputs(self, seed: int) -> list[Array]:
        """Inputs over the whole range of every dtype, for a test."""
        return [operand.random(seed + i) for i, operand in enumerate(self.inputs)]

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Inputs, then outputs."""
        return self.inputs + self.outputs

    def checked(self, arrays: Sequence[Any]) -> list[Array]:
        """The input arrays in their dtypes.

        Raises:
            TaskError: wrong number of arrays, or as :meth:`Operand.check`.
        """
        if len(arrays) != len(self.inputs):
            needed = ", ".join(operand.name for operand in self.inputs)
            raise TaskError(f"{self.name} takes {needed}; got {len(arrays)} arrays")
        return [operand.check(array) for operand, array in zip(self.inputs, arrays, strict=True)]
