"""Runs the cocotb bench of the Control Block Unit."""

import pytest

from octopus.hw.cbu.control_block_unit import ControlBlockUnit
from octopus.hw.config import OctopusConfig
from octopus.verify.bench.runner import run_bench


@pytest.mark.parametrize("preset", ["default"])
def test_cbu_bench(preset: str) -> None:
    unit = ControlBlockUnit(OctopusConfig.load(preset))
    run_bench(unit, "octopus.verify.bench.cbu_tests", extra_environment={"CBU_PRESET": preset})
