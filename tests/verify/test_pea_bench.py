"""The array and its sequencer in Verilog against their golden model."""

from typing import Any

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.pea import ArrayCore
from octopus.verify.bench.runner import run_bench

ARRAYS: dict[str, dict[str, Any]] = {
    "two_stages": {"pipeline_stages": 2},
    "six_stages_mixed": {
        "pipeline_stages": 6,
        "simple_latency": 2,
        "operations": [["all", "mac"], ["all", "all"]],
        "features": [["full", "systolic"], ["full", "full"]],
    },
}
"""Changes to the tiny array."""


@pytest.mark.parametrize("name", ARRAYS)
def test_array(name):
    config = OctopusConfig.load("tiny")
    pea = type(config.pea).model_validate(config.pea.model_dump() | ARRAYS[name])
    config = config.model_copy(update={"pea": pea})
    run_bench(
        ArrayCore(pea),
        "octopus.verify.bench.pea_bench",
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )
