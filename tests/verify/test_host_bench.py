"""Runs the cocotb benches of the host bridge and the interconnects."""

from importlib import resources
from pathlib import Path

import pytest

from octopus.hw.config import OctopusConfig
from octopus.verify.bench.host_testbed import HostTestbed
from octopus.verify.bench.runner import run_bench

MESH = ("[mesh]\nrows = 1\ncolumns = 1\n", "[mesh]\nrows = 1\ncolumns = 2\n")


@pytest.mark.parametrize("bench", ["host_bench", "host_window_bench"])
@pytest.mark.parametrize("size", ["one cluster", "mesh"])
def test_host_bridge(size: str, bench: str, tmp_path: Path) -> None:
    text = resources.files("octopus.hw.presets").joinpath("tiny.toml").read_text()
    path = tmp_path / "bench.toml"
    path.write_text(text.replace(*MESH) if size == "mesh" else text)
    config = OctopusConfig.load(path)
    assert (config.clusters == 1) == (size == "one cluster")
    run_bench(
        HostTestbed(config),
        f"octopus.verify.bench.{bench}",
        extra_environment={"OCTOPUS_BENCH_CONFIG": str(path)},
    )
