"""The array and its sequencer in Verilog against their golden model."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.pea import ArrayCore
from octopus.verify.bench.runner import run_bench


@pytest.mark.parametrize("latency", [2])
def test_array(latency):
    config = OctopusConfig.load("tiny")
    pea = config.pea.model_copy(update={"pipeline_stages": latency})
    config = config.model_copy(update={"pea": pea})
    run_bench(
        ArrayCore(pea),
        "octopus.verify.bench.pea_bench",
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )
