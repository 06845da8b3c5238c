"""Runs the cocotb system tests: a whole chip with a standard AXI host."""

from octopus.hw.chip import Chip
from octopus.hw.config import OctopusConfig
from octopus.verify.bench.runner import run_bench


def test_tiny_chip() -> None:
    run_bench(
        Chip(OctopusConfig.load("tiny")),
        "octopus.verify.bench.system_bench",
        extra_environment={"OCTOPUS_BENCH_CONFIG": "tiny"},
    )
