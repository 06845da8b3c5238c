"""Converted modules are kept by content: what comes out never depends on what was kept."""

import json
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from octopus.hw import emit as emission
from octopus.hw import module_cache
from octopus.hw.cbu.statistics import StatisticsTable
from octopus.hw.emit import emit
from octopus.hw.library import Block, mark_used
from octopus.hw.memory.banked import BankedMemory
from octopus.hw.module_cache import ModuleCache, key_of


class Elsewhere(Block):
    """A block of no package of ours, around one that is."""

    def __init__(self) -> None:
        super().__init__({"x": In(1), "y": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.x)
        return m


@pytest.fixture(autouse=True)
def _as_loaded(monkeypatch):
    """Somebody may edit a source while the tests run."""
    monkeypatch.setattr(module_cache, "_LOADED", float("inf"))


def _memory() -> BankedMemory:
    return BankedMemory(64, 4, 2, 1)


@pytest.fixture
def converted(monkeypatch) -> list[str]:
    """Names of the modules that were converted."""
    names: list[str] = []
    whole = emission.to_verilog

    def to_verilog(elaborated: Any, wirings: bool) -> Any:
        names.extend(elaborated)
        return whole(elaborated, wirings)

    monkeypatch.setattr(emission, "to_verilog", to_verilog)
    return names


def test_what_is_kept_is_not_converted_again(tmp_path, converted):
    first = emit(_memory(), ModuleCache(tmp_path))
    assert sorted(converted) == sorted(module.name for module in first)
    converted.clear()
    assert emit(_memory(), ModuleCache(tmp_path)) == first
    assert converted == []


def test_only_what_depends_on_a_change_is_converted_again(tmp_path, converted, monkeypatch):
    emit(_memory(), ModuleCache(tmp_path))
    converted.clear()
    changed = module_cache.HARDWARE / "memory" / "banked.py"
    whole = module_cache._source

    def source(path: Any) -> Any:
        digest, imported = whole(path)
        return ("changed" if path == changed else digest), imported

    monkeypatch.setattr(module_cache, "_source", source)
    emit(_memory(), ModuleCache(tmp_path))
    assert len(converted) == 1 and converted[0].startswith("octopus_banked_memory")


def test_a_damaged_or_missing_entry_is_made_anew(tmp_path, converted):
    first = emit(_memory(), ModuleCache(tmp_path))
    for damage in (lambda path: path.write_text("{"), lambda path: path.unlink()):
        for path in sorted(tmp_path.glob("*.json")):
            converted.clear()
            damage(path)
            assert emit(_memory(), ModuleCache(tmp_path)) == first
            assert converted


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("")
    assert emit(StatisticsTable(8), ModuleCache(tmp_path / "file")) == emit(
        StatisticsTable(8), ModuleCache(tmp_path / "cache")
    )


def test_keys_tell_parameters_sources_and_tools_apart(monkeypatch):
    table, same, other, elsewhere = (
        StatisticsTable(8),
        StatisticsTable(8),
        StatisticsTable(16),
        Elsewhere(),
    )
    for block in (table, same, other, elsewhere):
        mark_used(block)
    key = key_of(table)
    assert key and key == key_of(same) != key_of(other)
    assert key_of(elsewhere) is None
    monkeypatch.setattr(module_cache, "version", lambda name: "another")
    assert key_of(table) != key
    monkeypatch.setattr(module_cache, "_LOADED", 0.0)
    assert key_of(table) is None, "sources changed since they were loaded"


def test_the_sources_of_a_class_are_those_it_imports():
    names = {
        str(path.relative_to(module_cache.HARDWARE))
        for path in module_cache._closure(module_cache.HARDWARE / "memory" / "burst.py")
    }
    assert {"memory/burst.py", "memory/ports.py", "library.py", "layouts/memory.py"} <= names
    assert not {name for name in names if name.startswith(("cbu/", "noc/"))}


def test_the_least_recently_used_entries_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module_cache, "MAXIMUM_ENTRIES", 4)
    cache = ModuleCache(tmp_path)
    for blocks in (2, 4, 8, 16, 32):
        emit(StatisticsTable(blocks), cache)
    kept = [json.loads(path.read_text())["name"] for path in tmp_path.glob("*.json")]
    assert len(kept) == 2 and "octopus_statistics_table_blocks32" in kept
