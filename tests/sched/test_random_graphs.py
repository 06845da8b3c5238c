"""Random workflows, placed at random, on golden models against the reference executor."""

import os
from collections import Counter

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind
from octopus.sched.lowering import lower
from octopus.sched.policies.placement import random_placement
from octopus.sched.runtime import Runtime
from octopus.sched.workflow import ReferenceExecutor, from_json, to_json
from octopus.sched.workflow.generate import RandomWorkflow, random_instances

from .golden_driver import GoldenDriver

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
COUNT = int(os.environ.get("OCTOPUS_RANDOM_GRAPHS", "25"))


def config() -> OctopusConfig:
    """A mesh of 2 x 3 small clusters with room for large graphs."""
    content = OctopusConfig.load("tiny").model_dump()
    content["mesh"] = {"rows": 2, "columns": 3}
    content["cluster"] |= {"task_block_units": 2, "memory_words": 16384}
    content["control_block_unit"] |= {"blocks": 128, "successors": 256}
    return OctopusConfig.model_validate(content)


@pytest.mark.parametrize("seed", range(SEED * 1000, SEED * 1000 + COUNT))
def test_random_workflows(seed):
    workflow = RandomWorkflow(seed, 30).build()
    assert to_json(from_json(to_json(workflow))) == to_json(workflow)
    program = lower(workflow, random_placement(workflow, config(), seed), config())
    given = random_instances(workflow, 6, seed)
    runtime = Runtime(GoldenDriver(config()), program)
    runtime.load()
    assert runtime.run(given).differences(ReferenceExecutor(workflow).run(given)) == []


def test_the_graphs_are_worth_it():
    kinds: Counter[BlockKind] = Counter()
    for seed in range(20):
        kinds.update(block.kind for block in RandomWorkflow(seed, 30).build().blocks)
    assert set(kinds) == set(BlockKind) - {BlockKind.INVALID}
