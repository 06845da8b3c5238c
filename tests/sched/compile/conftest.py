"""What the tests of the compiler share."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.sched.compile.graph import Role
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.task import Operand
from octopus.verify.bench.tbu_tasks import run_golden


@pytest.fixture
def run_dot():
    """Runs a graph of vectors, all of the length of the first, on the golden model of a preset."""

    def run(graph, arrays, preset="default"):
        length = len(arrays[0])
        names = [
            list(dict.fromkeys(node.access.array for node in graph.of_role(role)))
            for role in (Role.LOAD, Role.STORE)
        ]
        operands = [[Operand(name, (length,), "int32") for name in part] for part in names]
        task = CompiledTask(GraphKernel(graph), (length,), *operands)
        outputs, outcome = run_golden(OctopusConfig.load(preset), task, arrays)
        assert outcome.status is Status.OK
        return outputs

    return run
