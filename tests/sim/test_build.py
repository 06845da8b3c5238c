"""Simulators are built in caches of any kind, and taken from them without any tool."""

import shutil

import pytest

from octopus.hw.config import OctopusConfig
from octopus.sim import build
from octopus.sim.build import SOON_BUILT, build_library, cached_library, check_tools
from octopus.sim.chip import Chip
from octopus.sim.toolchain import ToolchainError, environment

from .probe import CLUSTERS, UNITS, Probe

TINY = OctopusConfig.load("tiny")


def test_a_cache_with_an_awkward_path(monkeypatch, tmp_path):
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path / "Müllers \"cache\" $(x) `y` 'z' #1"))
    library = build_library(Probe(), {}, SOON_BUILT)
    with Chip(library, UNITS, CLUSTERS) as probe:
        probe.write_memory(0, [7])
        assert probe.read_memory(0, 1) == [7]
    # Again, without any program to build with.
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build_library(Probe(), {}, SOON_BUILT) == library
    # A damaged one would be built anew.
    library.write_bytes(library.read_bytes()[:5000])
    with pytest.raises(ToolchainError, match=r"g\+\+"):
        build_library(Probe(), {}, SOON_BUILT)


def test_no_tool_is_asked_for_what_is_cached(monkeypatch, tmp_path):
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError):
        check_tools(TINY)

    def stand_in(top, configuration, features, progress):
        return build.kept(
            tmp_path / "chip", [build.LIBRARY], lambda work, log: (work / build.LIBRARY).touch()
        ) / (build.LIBRARY)

    monkeypatch.setattr(build, "environment", dict)
    monkeypatch.setattr(build, "build_library", stand_in)
    library = build.build_chip(TINY)
    monkeypatch.setattr(build, "environment", environment)
    assert cached_library(TINY) == library
    check_tools(TINY)
    shutil.rmtree(library.parent)
    assert cached_library(TINY) is None
    with pytest.raises(ToolchainError):
        check_tools(TINY)


def test_a_name_of_nothing_in_the_cache_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path))
    for content in (b"", b"..", b"\xff", b"gone", b"a" * 5000):
        build._known(TINY, build.PLAIN).write_bytes(content)
        assert cached_library(TINY) is None
