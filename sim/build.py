"""Builds the simulation library of a configuration once, and keeps it by content."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from octopus.cache import cache_folder, is_whole, kept
from octopus.hw.config import OctopusConfig
from octopus.hw.emit import EmittedModule, emit, write
from octopus.hw.library import Block

from .engine.build import Target, build_parts, recipe
from .engine.cuts import CUTS
from .engine.partition import partition
from .toolchain import (
    ToolchainError,
    environment,
    run_tool,
    verilator_root,
    verilator_version,
)

HARNESS = Path(__file__).with_name("harness.cpp")
LIBRARY = "libchip.so"
MODEL = "Vchip"
TRACE_PROBE = "#include <lz4.h>\n#include <zlib.h>\nint main() { return 0; }\n"

VERILATOR_ARGUMENTS = (
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--noassert",
    "-Wno-fatal",
    "-Wno-WIDTH",
    "-Wno-UNOPTFLAT",
    "-CFLAGS",
    "-fPIC",
)

HIERARCHICAL_INSTANCES = 8
"""Task Block Units from which the build is cut there, so that the block is compiled once."""


PARTITIONED = "partitioned"
WHOLE = "plain"
ENGINES = (PARTITIONED, WHOLE)
"""In parts, of which only those are evaluated that are not at rest; or Verilator's usual model."""


@dataclass(frozen=True)
class Features:
    """What a library can do beyond simulating.

    trace: record FST (needs the headers of lz4 and zlib; slower). savable: save and restore its
    state (the whole chip is compiled in one piece: slow for a large one). optimised: by the C++
    compiler; without it the library is built sooner and simulates more slowly.
    engine: how the chip is simulated, one of :data:`ENGINES`; see ``docs/simulation.md``.
    """

    trace: bool = False
    savable: bool = False
    optimised: bool = True
    engine: str = PARTITIONED

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"engine is {self.engine!r}; allowed: {', '.join(ENGINES)}")


PLAIN = Features()
SOON_BUILT = Features(optimised=False)
"""For a chip that simulates only some thousands of cycles."""

Progress = Callable[[str], None]
"""Told what the build does; called once a step."""


def build_chip(
    config: OctopusConfig, features: Features = PLAIN, progress: Progress = lambda step: None
) -> Path:
    """The shared library of the chip of ``config``, built if it is not in the cache.

    If nothing of the generator changed since the library was built, nothing is emitted either.
    Parameters and errors as for :func:`build_library`.
    """
    if library := cached_library(config, features):
        return library
    environment()
    progress("emitting Verilog")
    from octopus.hw.chip import Chip

    library = build_library(Chip(config), config.model_dump(), features, progress)
    with suppress(OSError):
        _known(config, features).write_text(library.parent.name, encoding="utf-8")
    return library


def cached_library(config: OctopusConfig, features: Features = PLAIN) -> Path | None:
    """What :func:`build_chip` gives if it is in the cache and whole, found without any tool."""
    try:
        folder = cache_folder() / _known(config, features).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return folder / LIBRARY if is_whole(folder, [LIBRARY]) else None


def check_tools(config: OctopusConfig, features: Features = PLAIN) -> None:
    """To be called before long work of other kinds: whether :func:`build_chip` has what it needs.

    Raises:
        ToolchainError: a program is missing, and the library is not in the cache.
    """
    if cached_library(config, features) is None:
        environment()


def _known(config: OctopusConfig, features: Features) -> Path:
    """A file that names the cached folder."""
    return cache_folder() / f"{config.name}_{_generator_digest(config, features)}.known"


def build_library(
    top: Block,
    configuration: dict[str, Any],
    features: Features = PLAIN,
    progress: Progress = lambda step: None,
    cuts: Iterable[str] = CUTS,
) -> Path:
    """The shared library of ``top``, built if it is not in the cache.

    Parameters
    ----------
    top: a block with the ports of ``hw.chip.Chip``.
    configuration: goes into the manifest beside the Verilog.
    features: what it can do beyond simulating.
    progress: is told each step.
    cuts: the classes of blocks that become parts of their own.

    Raises:
        ToolchainError: a program or header is missing, or the build failed (the message says
            where its log is).
    """
    in_parts = features.engine == PARTITIONED
    modules = emit(top, wirings=in_parts)
    folder = cache_folder() / f"{modules[-1].name}_{_content(modules, features, cuts)}"

    def make(work: Path, log: Path) -> None:
        tools = environment()
        if features.trace:
            _check_trace_headers(tools)
        write(modules, work / "verilog", configuration)
        if in_parts:
            target = Target(HARNESS, work / LIBRARY, features.trace, log)
            build_parts(partition(modules, cuts), target, tools, progress)
        else:
            _compile(modules, work, log, features, tools, progress)

    return kept(folder, [LIBRARY], make, progress) / LIBRARY


def _generator_digest(config: OctopusConfig, features: Features) -> str:
    """A digest of all that decides what :func:`build_chip` builds, found without building it."""
    hardware = Path(__file__).parent.parent / "hw"
    sources = [path.read_text(encoding="utf-8") for path in sorted(hardware.rglob("*.py"))]
    return _digest([*sources, config.model_dump_json(), version("amaranth"), *_recipe(features)])


def _content(modules: list[EmittedModule], features: Features, cuts: Iterable[str]) -> str:
    """A digest of everything that a library depends on."""
    return _digest([*(module.text for module in modules), *cuts, *_recipe(features)])


def _recipe(features: Features) -> list[str]:
    """How Verilog becomes a library."""
    sources = [path.read_text(encoding="utf-8") for path in (HARNESS, Path(__file__))]
    return [*sources, *recipe(), verilator_version(), repr(features)]


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _check_trace_headers(tools: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        probe = Path(scratch) / "probe.cpp"
        probe.write_text(TRACE_PROBE, encoding="utf-8")
        found = subprocess.run(["g++", "-fsyntax-only", probe], env=tools, capture_output=True)
    if found.returncode:
        raise ToolchainError(
            "headers of lz4 or zlib not found: FST traces need the packages liblz4-dev and "
            "zlib1g-dev"
        )


def _compile(
    modules: list[EmittedModule],
    folder: Path,
    log: Path,
    features: Features,
    tools: dict[str, str],
    progress: Progress,
) -> None:
    """Verilate, compile and link."""
    objects = folder / "build"
    objects.mkdir()
    units = sum(m.instances for m in modules if m.name.startswith("octopus_task_block_unit"))
    command = [str(verilator_root() / "bin" / "verilator"), *VERILATOR_ARGUMENTS]
    command += ["--prefix", MODEL, "--top-module", modules[-1].name, "--Mdir", str(objects)]
    command += ["--trace-fst"] if features.trace else []
    command += ["--savable"] if features.savable else []
    in_parts = units >= HIERARCHICAL_INSTANCES and not features.savable
    if in_parts:
        command += ["--hierarchical", str(_hierarchy_file(modules, folder))]
    command += [str(folder / "verilog" / f"{module.name}.v") for module in modules]
    progress("translating Verilog to C++")
    run_tool(command, objects, tools, log)
    progress("compiling C++ (minutes for a large chip, once)")
    makefile = f"{MODEL}_hier.mk" if in_parts else f"{MODEL}.mk"
    jobs = str(os.cpu_count() or 1)
    fast = "-O1" if features.optimised else "-O0"
    optimise = [f"OPT_FAST={fast}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2"]
    run_tool(["make", "-j", jobs, "-f", makefile, *optimise], objects, tools, log)
    progress("linking")
    _link(folder, objects, features, tools, log)


def _link(
    folder: Path, objects: Path, features: Features, tools: dict[str, str], log: Path
) -> None:
    root = verilator_root() / "include"
    command = ["g++", "-std=c++17", "-O2", "-fPIC", "-shared", f"-DMODEL={MODEL}"]
    command += [f'-DMODEL_HEADER="{MODEL}.h"', "-DVERILATOR=1"]
    command += [f"-I{objects}", f"-I{root}", f"-I{root / 'vltstd'}", str(HARNESS)]
    command += ["-DSAVABLE=1", "-DVM_SAVABLE=1"] if features.savable else []
    if features.trace:
        command += ["-DTRACE=1", "-DVM_TRACE=1", "-DVM_TRACE_FST=1"]
    archives = sorted(str(path) for path in objects.rglob("*.a"))
    command += ["-Wl,--start-group", *archives, "-Wl,--end-group", "-pthread", "-latomic"]
    command += ["-llz4", "-lz"] if features.trace else []
    run_tool([*command, "-o", str(folder / LIBRARY)], objects, tools, log)
    shutil.rmtree(objects)


def _hierarchy_file(modules: list[EmittedModule], folder: Path) -> Path:
    """Names the module that Verilator compiles by itself, once for all its instances."""
    blocks = [m.name for m in modules if m.name.startswith("octopus_task_block_unit")]
    path = folder / "hierarchy.vlt"
    lines = [f'hier_block -module "{name}"\n' for name in blocks]
    path.write_text("`verilator_config\n" + "".join(lines), encoding="utf-8")
    return path
