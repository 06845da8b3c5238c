"""The Task Block Unit in Verilog against its golden model."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.tbu import TaskBlockUnit
from octopus.verify.bench.runner import run_bench


@pytest.mark.parametrize("bench", ["tbu_bench", "tbu_overlap"])
def test_task_block_unit(bench):
    config = OctopusConfig.load("tiny")
    run_bench(
        TaskBlockUnit(config),
        f"octopus.verify.bench.{bench}",
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )
