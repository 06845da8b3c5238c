"""The Control Block Unit against its token-semantics model."""

import os
from random import Random

import pytest

from octopus.hw.config import OctopusConfig
from octopus.verify.bench.cbu_graphs import RARE_FAULTS, GraphMaker, executor, start_tokens
from octopus.verify.bench.cbu_system import ControlSystem
from octopus.verify.golden.cbu import run

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
DEFAULT = OctopusConfig.load("default")
CONFIG = DEFAULT.model_copy(
    update={"cluster": DEFAULT.cluster.model_copy(update={"task_block_units": 2})}
)
TABLES = CONFIG.control_block_unit


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("places", [[(0, 0)], [(1, 0), (2, 3)]], ids=["one", "two"])
def test_random_graphs(number: int, places: list[tuple[int, int]]) -> None:
    seed = SEED * 1000 + number
    print(f"OCTOPUS_SEED={SEED} graph seed {seed}")
    random = Random(seed)
    while True:
        graph = GraphMaker(random, places, task_block_units=2, depth=3).graph
        tokens = start_tokens(graph, random, range(random.randint(1, 6)))
        execute = executor(RARE_FAULTS if number % 3 == 2 else 0)
        if max(map(len, graph.blocks.values())) > TABLES.blocks:
            continue
        if max(map(graph.successors, places)) > TABLES.successors:
            continue
        try:
            to_host, ran = run(graph.models(TABLES.instances), tokens, execute, limit=3000)
        except RuntimeError:
            continue
        break
    system = ControlSystem(graph.blocks, CONFIG, execute, random)
    system.run(tokens, len(to_host))
    assert sorted(system.to_host, key=repr) == sorted(to_host, key=repr)
    assert sorted((task for task, _ in system.ran), key=repr) == sorted(ran, key=repr)
    for task, unit in system.ran:
        allowed = task.task_block_units & 0b11 or 0b11
        assert allowed >> unit & 1, f"{task} ran on TBU {unit}"
