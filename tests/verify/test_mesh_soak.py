"""A small sample of ``scripts/noc_soak.py``: whole meshes under storms, and with faults."""

import os
import random

import pytest

from octopus.verify.bench.mesh_soak import (
    MESHES,
    NO_FAULTS,
    Faults,
    build_soak,
    keeps_order,
    run_soak,
)

PACKETS = 3000


@pytest.mark.parametrize("name", ["control", "control_multicast_direct", "data_long_links"])
def test_nothing_is_lost_doubled_changed_or_reordered_and_faults_are_reported(name: str) -> None:
    seed = int(os.environ.get("OCTOPUS_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"replay with OCTOPUS_SEED={seed}")
    options = MESHES[name]
    program = build_soak(options)
    counts = run_soak(program, options, PACKETS, seed)
    assert counts["packets"] >= PACKETS
    assert counts["delivered"] == counts["copies"]
    assert (counts["copies"] > counts["packets"]) == options.get("multicast", False)
    counts = run_soak(program, options, PACKETS, seed, Faults(flips=2000, unreachable=20000))
    assert counts["hits"] > 0
    assert counts["counted"] > 0
    assert counts["delivered"] < counts["copies"]


def test_a_failure_is_told_with_its_seed() -> None:
    """Packets of more flits than the bench is told: not what a single-flit router may get."""
    options = MESHES["control"]
    program = build_soak(options)
    wrong = {name: value for name, value in options.items() if name != "single_flit"}
    with pytest.raises(AssertionError, match="seed 1: FAILED in cycle"):
        run_soak(program, wrong, 100, 1, NO_FAULTS)


def test_only_deterministic_routes_keep_order() -> None:
    ordered = {name for name, options in MESHES.items() if keeps_order(options)}
    assert "data" in ordered and "control" in ordered
    assert not ordered & {"data_fast", "data_odd_even", "control_minimal_adaptive"}
