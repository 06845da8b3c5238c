"""The language of kernel functions: every sentence of the document, and every fault found once.

An accepted case is compiled, run on the golden model and compared with what Python computes, and
with a value written here where one is given. A refused one is refused with its line.
"""

import re
from pathlib import Path
from random import Random
from textwrap import dedent, indent

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.compiler import compile_graph
from octopus.sched.kernels.python_kernel import PythonKernel
from octopus.sched.kernels.task import TaskError
from octopus.verify.bench.kernel_text import kernel_of
from octopus.verify.bench.tbu_tasks import run_golden

from .language_cases import ACCEPTED
from .language_refusals import REFUSED, Refused

DOCUMENT = Path(__file__).parents[3] / "docs" / "compiler.md"
LENGTH, ROWS = 5, 3
CONFIG = OctopusConfig.load("default")
X = [3, -1, 0, 7, 2, -5, 9, 1, 0, 4, -8, 6, 2, 2, -3]
Z = [1, 2, 0, -4, 5, 3, 3, -1, 0, 2, 6, 0, 8, -9, 1]


def source(case):
    return case.head + indent(dedent(case.body).strip("\n"), "    ") + "\n"


def task_of(case, size=15):
    return PythonKernel(
        "program",
        kernel_of(source(case)),
        {"n": LENGTH, "m": ROWS},
        {"x": (15,), "z": (15,), "start": (size,)},
        {"y": (size,)},
        starts={"y": "start"},
    )


def check(case):
    if isinstance(case, Refused):
        with pytest.raises(TaskError, match=case.reason) as refusal:
            task_of(case)
        if case.line:
            line = case.head.count("\n") + case.line
            assert re.search(rf"\bline {line}\b", str(refusal.value)), refusal.value
        return
    task = task_of(case, case.size)
    arrays = [np.array(X, np.int32), np.array(Z, np.int32), np.zeros(case.size, np.int32)]
    (wanted,), _ = task.reference(*arrays)
    assert tuple(wanted[: len(case.gives)].tolist()) == case.gives
    compiled = compile_graph(task.graph, CONFIG.pea, attempts=2, effort=0.5)
    task.use(compiled)
    for given in (arrays, random_arrays(case.size)):
        try:
            (wanted,), _ = task.reference(*given)
        except TaskError:
            continue  # An index that other values do not give.
        (found,), outcome = run_golden(CONFIG, task, given)
        assert outcome.status is Status.OK, outcome.reason
        np.testing.assert_array_equal(found, wanted)


def random_arrays(size):
    chance = Random(1)
    edges = [0, 1, -1, 2, (1 << 31) - 1, -(1 << 31)]
    words = [chance.choice([*edges, chance.randint(-99, 99)]) for _ in range(30)]
    x, z = np.array(words[:15], np.int32), np.array(words[15:], np.int32)
    return [x, z, np.arange(size, dtype=np.int32)]


def bullets(heading):
    text = DOCUMENT.read_text().partition(f"### {heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^- \*\*(.*?)\*\*", text, re.MULTILINE)


def test_document_and_cases_agree():
    assert bullets("Accepted") == list(ACCEPTED)
    assert bullets("Refused") == list(REFUSED)


@pytest.mark.parametrize("sentence", [*ACCEPTED, *REFUSED])
def test_sentence(sentence):
    for case in {**ACCEPTED, **REFUSED}[sentence]:
        check(case)
