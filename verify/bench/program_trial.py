"""Tries a random kernel function: Python's own results against a chip's."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.compiler import compile_graph
from octopus.sched.compile.errors import CompileError
from octopus.sched.kernels.python_kernel import PythonKernel
from octopus.sched.kernels.task import TaskError

from .kernel_text import kernel_of
from .random_programs import Program, ProgramMaker
from .tbu_tasks import run_golden

SHAPES = [(4, 4)] * 8 + [(3, 3), (2, 2), (4, 2), (3, 5)] * 2 + [(1, 1), (6, 6), (8, 8)]
STAGES = [8, 8, 4, 2, 1, 3, 5]
LENGTHS = [1, 2, 3, 5, 9, 40]
VALUES = [0, 1, 2, 3, -1, -2, 7, 255, -(1 << 31), (1 << 31) - 1]
SECONDS = 3.0
"""Of a processor, for a compilation."""

MOST_NODES = 24
"""Nodes of a graph that is mapped: larger ones take the mapping minutes, and show no more."""


class Verdict(Enum):
    """How a program ended.

    REFUSED: by the compiler. MEANINGLESS: Python itself fails, or leaves elements undefined.
    UNMAPPED: no mapping was found, or it does not fit the chip. RIGHT, DIFFERENT: what was
    computed.
    """

    RIGHT = "right"
    REFUSED = "refused"
    MEANINGLESS = "meaningless"
    UNMAPPED = "unmapped"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True)
class Trial:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str = ""


Run = Callable[[PythonKernel, Sequence[Any]], Sequence[NDArray[Any]]]
"""Runs a task on arrays and gives its outputs.

Raises:
    RuntimeError: it did not end well.
"""


def random_program(seed: int) -> Program:
    """The program of a seed."""
    source = Random(seed)
    size, length = source.randint(1, 4), source.choice(LENGTHS)
    return ProgramMaker(source, size, length).make()


def random_config(seed: int) -> OctopusConfig:
    """An array that depends on the seed, to try them all."""
    source = Random(seed)
    config = OctopusConfig.load("default")
    rows, columns = source.choice(SHAPES)
    array = {
        "rows": rows,
        "columns": columns,
        "pipeline_stages": source.randint(1, 6),
        "stages": source.choice(STAGES),
        "context_slots": 16,
    }
    unit = config.task_block_unit.model_copy(update={"descriptor_words": 512})
    pea = config.pea.model_copy(update=array)
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


def on_golden_model(config: OctopusConfig) -> Run:
    """Runs tasks on the golden Task Block Unit."""

    def run(task: PythonKernel, arrays: Sequence[Any]) -> Sequence[NDArray[Any]]:
        outputs, outcome = run_golden(config, task, arrays)
        if outcome.status is not Status.OK:
            raise RuntimeError(f"{outcome.status.name} {outcome.reason}")
        return outputs

    return run


def on_graph(task: PythonKernel, arrays: Sequence[Any]) -> Sequence[NDArray[Any]]:
    """Evaluates the graph that a function became, without any mapping."""
    results = task.run_graph(task.checked(arrays))
    return [results[operand.name] for operand in task.outputs]


def task_of(program: Program) -> PythonKernel:
    """The task of a program.

    Raises:
        TaskError: it is refused.
    """
    started = {name: f"start_{name}" for name in program.outputs if name in program.started}
    inputs = {name: (program.sizes[name],) for name in program.inputs}
    inputs |= {start: (program.sizes[name],) for name, start in started.items()}
    return PythonKernel(
        "program",
        kernel_of(program.text),
        program.counts,
        inputs,
        {name: (program.sizes[name],) for name in program.outputs},
        program.constants,
        starts=started,
    )


def arrays_of(task: PythonKernel, source: Random) -> list[NDArray[Any]]:
    """Inputs with many of the values that matter."""
    arrays = []
    for operand in task.inputs:
        if operand.dtype == "int8":
            values = [source.randint(-128, 127) for _ in range(operand.shape[0])]
        else:
            values = [
                source.choice(VALUES) if source.random() < 0.5 else source.randint(-99, 99)
                for _ in range(operand.shape[0])
            ]
        arrays.append(np.array(values, operand.dtype))
    return arrays


def try_program(program: Program, seed: int, config: OctopusConfig | None, run: Run) -> Trial:
    """Compile a program and compare what it computes with what Python computes.

    Parameters
    ----------
    config: the chip; None: nothing is mapped, and ``run`` does without.
    """
    try:
        task = task_of(program)
    except TaskError as error:
        return Trial(Verdict.REFUSED, str(error))
    arrays = arrays_of(task, Random(seed))
    try:
        wanted, _ = task.reference(*arrays)
    except TaskError as error:
        return Trial(Verdict.MEANINGLESS, str(error))
    if config is not None:
        if len(task.graph.nodes) > MOST_NODES:
            return Trial(Verdict.UNMAPPED, f"a graph of more than {MOST_NODES} nodes is not tried")
        pea = config.pea
        try:
            task.use(compile_graph(task.graph, pea, seconds=SECONDS, attempts=1, effort=0.0))
        except CompileError as error:
            return Trial(Verdict.UNMAPPED, str(error))
    try:
        outputs = run(task, arrays)
    except TaskError as error:
        return Trial(Verdict.UNMAPPED, str(error))
    except RuntimeError as error:
        return Trial(Verdict.DIFFERENT, str(error))
    for name, found, expected in zip(program.outputs, outputs, wanted, strict=True):
        if not np.array_equal(found, expected):
            return Trial(
                Verdict.DIFFERENT, f"{name} is {found.tolist()}; right: {expected.tolist()}"
            )
    return Trial(Verdict.RIGHT)


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """A program of fewer lines that still fails."""
    lines = program.text.splitlines()
    size = len(lines) // 2
    while size:
        for start in range(2, len(lines) - size + 1):
            fewer = lines[:start] + lines[start + size :]
            shorter = replace(program, text="\n".join(fewer) + "\n")
            try:
                compile(shorter.text, "program", "exec")
            except SyntaxError:
                continue
            if fails(shorter):
                lines, program = fewer, shorter
                break
        else:
            size -= 1
    return program


def kind_of(reason: str) -> str:
    """A reason without what is special to one program."""
    text = re.sub(r"kernel \w+(, line \d+)?: |program: | \(<.*", "", reason)
    return re.sub(r"-?\d+", "N", re.sub(r"\b([a-z]|s\d|[a-z]+_\d+)\b", "_", text))[:90]
