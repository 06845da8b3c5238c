"""Cycles of control on a simulated chip, and a sample of random workflows on it."""

import os
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockStatistics
from octopus.hw.layouts.space import CONFIGURATION_BIT, ConfigurationRegion, address_of
from octopus.sched.kernels.plan_program import lay_out, run
from octopus.sched.kernels.registry import find_kernel
from octopus.sched.lowering import lower
from octopus.sched.policies.placement import random_placement
from octopus.sched.program import Program
from octopus.sched.runtime import Runtime
from octopus.sched.workflow import ReferenceExecutor
from octopus.sched.workflow.generate import RandomWorkflow, random_instances
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.verify.bench.control_latency import ControlProbe, latency, small_chip

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
WORKFLOWS, ABORTS = 5, 4


@pytest.fixture(scope="module")
def config() -> OctopusConfig:
    return small_chip(columns=4)


@pytest.fixture(scope="module")
def chip(config: OctopusConfig) -> Iterator[Chip]:
    with Chip.build(config) as built:
        yield built


@pytest.mark.parametrize(("hops", "cycles"), [(0, 9), (1, 13), (2, 15), (3, 17)])
def test_successor_starts(chip: Chip, config: OctopusConfig, hops: int, cycles: int) -> None:
    """From a task's completion through a branch to the first step of the next task's array."""
    chip.reset()
    probe = ControlProbe(ChipDriver(chip), config, (hops, 0))
    for _ in range(3):
        probe.run()
        chip.step(200)
        found = latency(chip.events())
        assert (found.cycles, found.from_end) == (cycles, cycles + 1)
        assert found.from_end <= 12 + 2 * hops, "the goal, also by the stricter measure"


def test_the_host_is_slower(chip: Chip, config: OctopusConfig) -> None:
    """The same decision, taken by a host that needs no time to think."""
    found = {}
    for host_driven in (False, True):
        chip.reset()
        probe = ControlProbe(ChipDriver(chip), config, host_driven=host_driven)
        for _ in range(2):
            probe.run()
            chip.step(200)
        found[host_driven] = latency(chip.events()).cycles
    assert found[True] > 10 * found[False]


@pytest.mark.parametrize("seed", range(SEED * 1000, SEED * 1000 + WORKFLOWS))
def test_random_workflows(chip: Chip, config: OctopusConfig, seed: int) -> None:
    """Results and token counts of the reference executor; more: scripts/random_workflows.py."""
    workflow = RandomWorkflow(seed, 25).build()
    program = lower(workflow, random_placement(workflow, config, seed), config)
    given = random_instances(workflow, 8, seed)
    chip.reset()
    runtime = Runtime(ChipDriver(chip), program)
    runtime.load()
    report = runtime.run(given, limit_cycles=1_000_000)
    assert report.differences(ReferenceExecutor(workflow).run(given)) == []


@pytest.mark.parametrize("seed", range(SEED * 1000, SEED * 1000 + ABORTS))
def test_abort_in_the_middle(chip: Chip, config: OctopusConfig, seed: int) -> None:
    """A workflow is given up at some moment; the next one runs as if it had been the first."""
    random = Random(seed)
    chip.reset()
    driver = ChipDriver(chip)
    for number in range(2):
        workflow = RandomWorkflow(2 * seed + number, 20).build()
        program = lower(workflow, random_placement(workflow, config, seed), config)
        given = random_instances(workflow, 6, seed)
        runtime = Runtime(driver, program)
        runtime.load()
        if number == 0:
            for slot, instance in enumerate(given):
                inputs = runtime._words(slot, instance)
                runtime.start_instance(slot, instance.value, inputs)
                chip.step(random.randint(0, 600))
            driver.abort(0, config.control_block_unit.instances - 1)
            for block in workflow.tasks:
                assert _queue(driver, program, block.name) == 0
        else:
            report = runtime.run(given, limit_cycles=1_000_000)
            assert report.differences(ReferenceExecutor(workflow).run(given)) == []


def _queue(driver: ChipDriver, program: Program, name: str) -> int:
    """Tasks of a block that have arrived and not ended."""
    entry = 4 * (BlockStatistics.WORDS * program.numbers[name] + BlockStatistics.QUEUE)
    offset = 1 << CONFIGURATION_BIT | ConfigurationRegion.STATISTICS | entry
    address = address_of(*program.placement[name].cluster, offset)
    return driver.read_memory(address, 1)[0]


def test_programs_in_turns_have_their_own_kernels(chip: Chip, config: OctopusConfig) -> None:
    """Without a reset between, each with as many kernels as the one before."""
    chip.reset()
    driver = ChipDriver(chip)
    tasks = [
        find_kernel(name).build(parameters)
        for name, parameters in (
            ("binary", {"operation": "add", "length": 8}),
            ("binary", {"operation": "xor", "length": 8}),
            ("prefix_sum", {"length": 6}),
        )
    ]
    programs = [lay_out(task, config) for task in tasks]
    assert len({len(program.kernels) for program in programs}) == 1
    for turn, number in enumerate((0, 1, 0, 2, 1, 2)):
        arrays = tasks[number].random_inputs(turn)
        expected, _ = tasks[number].reference(*arrays)
        found = run(driver, programs[number], arrays).outputs
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, f"turn {turn}")
