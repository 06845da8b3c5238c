"""Plans over the rows of a matrix: a chain of compiled kernels, on some rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import WORD_BYTES

from ..compile.trace import KernelFunction
from .compiled import CompiledTask
from .matrix_tiler import pieces
from .operand import TaskError
from .plan import Slice, Step
from .python_kernel import PythonKernel
from .task import Buffer


@dataclass(frozen=True)
class Stage:
    """One kernel of the chain.

    Parameters
    ----------
    function, constants: what is traced. count: iterations of the inner loop.
    arrays: elements of a row, by array; ``shared``: of arrays that all rows have in common.
    outputs: which of the arrays are written. bytes: which are of int8.
    """

    function: KernelFunction
    count: int
    arrays: Mapping[str, int]
    outputs: tuple[str, ...]
    constants: Mapping[str, int] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)
    bytes: tuple[str, ...] = ()

    def task(self, rows: int, name: str) -> CompiledTask:
        """The kernel on so many rows."""
        shapes = {array: (size * rows,) for array, size in self.arrays.items()}
        shapes |= {array: (size,) for array, size in self.shared.items()}
        return PythonKernel(
            name,
            self.function,
            (self.count, rows),
            {array: shape for array, shape in shapes.items() if array not in self.outputs},
            {array: shapes[array] for array in self.outputs},
            self.constants,
            written=self.outputs,  # all but the padding of rows of bytes
        )

    def row_bytes(self, array: str) -> int:
        """Bytes of a row of an array."""
        return self.arrays[array] * (1 if array in self.bytes else WORD_BYTES)


def row_steps(
    name: str,
    rows: int,
    stages: Sequence[Stage],
    config: OctopusConfig,
    operand_of: Callable[[str], str] = lambda array: array,
) -> list[Step]:
    """The steps of a chain of stages, as many rows at a time as fit.

    Parameters
    ----------
    operand_of: the plan's operand behind an array.

    Raises:
        TaskError: not even one row fits. CompileError: a kernel cannot be mapped.
    """
    most = rows
    while not all(_fits(stage.task(most, name), config) for stage in stages):
        if most == 1:
            raise TaskError(
                f"{name}: a row does not fit {config.task_block_unit.scratchpad_words} words "
                "of scratchpad"
            )
        most = -(-most // 2)
    steps: list[Step] = []

    @cache
    def task(stage: int, count: int) -> CompiledTask:
        return stages[stage].task(count, name)

    for first, count in pieces(rows, most):
        for number, stage in enumerate(stages):
            slices = {
                array: Slice(operand_of(array), first * stage.row_bytes(array))
                for array in stage.arrays
            }
            slices |= {array: Slice(operand_of(array)) for array in stage.shared}
            after = (len(steps) - 1,) if number else ()
            steps.append(Step(task(number, count), slices, after=after))
    return steps


def _fits(task: CompiledTask, config: OctopusConfig) -> bool:
    """Whether the task's arrays fit the scratchpad."""
    try:
        task.descriptor(config, 0, {operand.name: Buffer(0) for operand in task.operands})
    except TaskError:
        return False
    return True
