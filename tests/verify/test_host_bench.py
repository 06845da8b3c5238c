"""Runs the cocotb bench of the host bridge and the interconnects."""

import pytest

from octopus.hw.config import OctopusConfig
from octopus.verify.bench.host_testbed import HostTestbed
from octopus.verify.bench.runner import run_bench


@pytest.mark.parametrize("name", ["tiny", "default"])
def test_host_bridge(name: str) -> None:
    config = OctopusConfig.load(name)
    run_bench(
        HostTestbed(config),
        "octopus.verify.bench.host_bench",
        extra_environment={"OCTOPUS_BENCH_CONFIG": name},
    )
