"""The Task Block Unit in Verilog against its golden model."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.tbu import TaskBlockUnit
from octopus.verify.bench.runner import run_bench


@pytest.mark.parametrize("preset", ["tiny"])
def test_task_block_unit(preset):
    config = OctopusConfig.load(preset)
    run_bench(
        TaskBlockUnit(config),
        "octopus.verify.bench.tbu_bench",
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )
