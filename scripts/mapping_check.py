"""Runs mappings of graphs from files on the golden model and compares with what the graph means.

The meaning is evaluated by code that shares nothing with the compiler. Arrays that are accessed at
computed addresses get small multiples of a word as contents, so that sums of some of them are
addresses inside; where no draw leads to such addresses, the graph counts as not checked.
"""

from collections.abc import Iterator

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.compiler import Compiled
from octopus.sched.compile.graph import Access, Graph, Role
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.operand import Operand
from octopus.sched.kernels.task import Array, TaskError
from octopus.verify.bench.tbu_tasks import run_golden

LENGTHS = (1, 2, 11, 37)
"""Iterations of a check, unless told otherwise."""

ANYWHERE = 256
"""Elements of an array that is accessed at computed addresses."""

DRAWS = 8
"""Of inputs, before a graph counts as one whose addresses lead nowhere."""

COMPUTED = (Role.GATHER, Role.SCATTER)


def _elements(graph: Graph, array: str, length: int) -> int:
    """The elements that an array must have for ``length`` iterations."""
    sizes = [1]
    for node in graph.nodes.values():
        if node.access is None or node.access.array != array:
            continue
        if node.role in COMPUTED or node.predicate is not None:
            sizes.append(max(ANYWHERE, length))
        else:
            sizes.append(_last(node.access, length) + 1)
    return max(sizes)


def _last(access: Access, length: int) -> int:
    stride = access.strides[0] if access.strides else 0
    return access.offset + max(stride * (length - 1), 0)


def task_of(graph: Graph, length: int, kernel: GraphKernel | None = None) -> CompiledTask:
    """A use of a graph of one loop, on arrays that ``length`` iterations just fill.

    Outputs that are written at computed addresses begin as an input of their own.
    """
    inputs: dict[str, Operand] = {}
    outputs: dict[str, Operand] = {}
    starts: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.access is None:
            continue
        array = node.access.array
        operand = Operand(array, (_elements(graph, array, length),), "int32")
        if node.role in (Role.LOAD, Role.GATHER):
            inputs[array] = operand
            continue
        outputs[array] = operand
        if node.role is Role.SCATTER or node.predicate is not None:
            starts[array] = f"{array}_before"
    for array, start in starts.items():
        inputs[start] = Operand(start, outputs[array].shape, "int32")
    return CompiledTask(
        kernel or GraphKernel(graph),
        (length,),
        list(inputs.values()),
        list(outputs.values()),
        starts=starts,
    )


def _draws(task: CompiledTask) -> Iterator[list[Array]]:
    """Inputs to try, the most random ones first."""
    computed = any(node.role in COMPUTED for node in task.graph.nodes.values())
    if task.graph.source is not None or not computed:
        yield list(task.random_inputs(1))
        return
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        most = max(1, ANYWHERE >> (seed + 2))
        yield [
            (4 * random.integers(0, most, operand.shape)).astype(np.int32)
            for operand in task.inputs
        ]


def is_right(config: OctopusConfig, task: CompiledTask, compiled: Compiled) -> bool | None:
    """Whether the golden model gets what the task means; None if no inputs mean anything.

    Raises:
        TaskError: the task cannot be laid out for this chip.
    """
    task.use(compiled)
    for inputs in _draws(task):
        try:
            wanted, _ = task.reference(*inputs)
        except TaskError:
            continue
        found, outcome = run_golden(config, task, inputs)
        same = all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
        return same and outcome.status is Status.OK
    return None
