"""Builds the parts of a chip, each once for every chip that has it, and links them with the engine.

Each part is kept by its content, so that after a change of one block only that block is built.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from octopus.cache import cache_folder, kept, plain_temporary_folder

from ..toolchain import processor, run_tool, verilator_root, verilator_version
from .partition import Part, Partition
from .tables import tables
from .wrapper import register, wrapper

HERE = Path(__file__).parent
VERILATOR_ARGUMENTS = (
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--noassert",
    "--output-split",
    "0",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-WIDTH",
    "-Wno-UNOPTFLAT",
    "-Wno-SYMRSVDWORD",
)
COMPILER = ("g++", "-std=c++20", "-fPIC", "-fvisibility=hidden", "-w")
OPTIMISED = ("-O2", "-march=native")
DEFINES = ("-DVERILATOR=1", "-DVM_TRACE=0")
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
FST_SOURCES = ("fstcpp_writer.cpp", "fstcpp_variable_info.cpp")

Tools = dict[str, str]


@dataclass(frozen=True)
class Target:
    """What is to be linked.

    harness: the C++ that drives the chip. library: the file to write. trace: it can record FST
    (needs the headers of lz4 and zlib). log: takes what the tools say.
    """

    harness: Path
    library: Path
    trace: bool
    log: Path


def build_parts(
    partition: Partition, target: Target, tools: Tools, progress: Callable[[str], None]
) -> None:
    """Make the library of the partition's parts, the engine and the harness.

    Raises:
        ToolchainError: Verilator or the compiler failed (the message says where its log is).
        WrapperError: Verilator's code has not the form that the engine needs.
    """
    names = list(partition.parts)
    left = len(names)

    def build(name: str) -> list[Path]:
        nonlocal left
        objects = builder.part(partition.parts[name])
        left -= 1
        progress(f"compiling parts of the chip, {left} of {len(names)} left")
        return objects

    with _Builder(tools) as builder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runtime = pool.submit(builder.runtime)
        recorder = pool.submit(builder.recorder) if target.trace else None
        order = sorted(names, key=lambda name: -_size(partition.parts[name]))
        try:
            objects = [path for paths in pool.map(build, order) for path in paths]
            objects += runtime.result()
            objects += recorder.result() if recorder is not None else []
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what has not begun is not begun
            raise
    progress("linking")
    _link(partition, objects, target, tools)


def _link(partition: Partition, objects: list[Path], target: Target, tools: Tools) -> None:
    names = list(partition.parts)
    work = target.library.parent / "link"
    work.mkdir()
    joins = tables(partition, names)
    (work / "tables.bin").write_bytes(joins)
    symbols = [f"{_prefix(_digest_of(partition.parts[name]))}_part" for name in names]
    model = _model_header(partition)
    (work / "register.cpp").write_text(register(symbols), encoding="utf-8")
    (work / "Vchip.h").write_text(model, encoding="utf-8")
    identity = _digest([*symbols, model, hashlib.sha256(joins).hexdigest()])
    command = [*COMPILER, "-O2", "-shared", "-DPARTS=1", "-DMODEL=Vchip"]
    command += ['-DMODEL_HEADER="Vchip.h"', f'-DIDENTITY="octopus state {identity}"']
    command += [*DEFINES, f"-I{work}", f"-I{HERE}", *_includes()]
    command += ["-DTRACE=1"] if target.trace else []
    command += [str(target.harness), str(work / "register.cpp"), str(HERE / "tables.S")]
    command += [*map(str, objects), "-Wl,--gc-sections", "-pthread"]
    command += ["-llz4", "-lz"] if target.trace else []
    run_tool([*command, "-o", str(target.library)], work, tools, target.log)
    shutil.rmtree(work)


def recipe() -> list[str]:
    """All that decides how parts become a library, besides the parts."""
    sources = sorted([*HERE.glob("*.py"), *HERE.glob("*.?pp"), *HERE.glob("*.S")])
    texts = (path.read_text(encoding="utf-8") for path in sources)
    return [verilator_version(), processor(), *texts]


class _Builder:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._cache = cache_folder() / "parts"
        self._scratch = plain_temporary_folder()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def part(self, part: Part) -> list[Path]:
        """The objects of a part."""
        digest = _digest_of(part)
        prefix = _prefix(digest)

        def make(folder: Path, log: Path) -> None:
            source = folder / "part.v"
            source.write_text("".join(part.texts.values()), encoding="utf-8")
            command = [str(verilator_root() / "bin" / "verilator_bin"), *VERILATOR_ARGUMENTS]
            command += ["--prefix", prefix, "--top-module", part.name, "--Mdir", str(folder)]
            run_tool([*command, str(source)], folder, self._tools, log)
            (folder / "part.cc").write_text(wrapper(part, prefix, folder), encoding="utf-8")
            self._compile(folder / "part.cc", folder / "part.o", log, self._precompiled())

        return self._made(f"{part.name}_{digest}", ["part.o"], make)

    def _precompiled(self) -> list[str]:
        """Arguments that give Verilator's header in a form that is soon read."""
        with self._lock:
            header = self._scratch / "verilated.h"
            if not header.exists():
                source = verilator_root() / "include" / header.name
                command = [*COMPILER, *OPTIMISED, *_includes(), *DEFINES, "-x", "c++-header"]
                log = header.with_suffix(".log")
                target = f"{header}.gch"
                run_tool([*command, str(source), "-o", target], header.parent, self._tools, log)
                header.write_text(f'#include "{source}"\n', encoding="utf-8")
        return ["-include", str(header)]

    def runtime(self) -> list[Path]:
        """The objects that every library has: Verilator's own, and the engine."""
        sources = [verilator_root() / "include" / name for name in RUNTIME]
        sources += [HERE / "engine.cpp", HERE / "load.cpp"]
        headers = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.?pp"))]
        return self._sources("runtime", sources, headers)

    def recorder(self) -> list[Path]:
        """The objects that write FST."""
        sources = [verilator_root() / "include" / "fstcpp" / name for name in FST_SOURCES]
        return self._sources("recorder", sources, [])

    def _sources(self, name: str, sources: Sequence[Path], headers: Sequence[str]) -> list[Path]:
        own = [path.read_text(encoding="utf-8") for path in sources if path.is_relative_to(HERE)]
        digest = _digest([verilator_version(), processor(), *COMPILER, *OPTIMISED, *headers, *own])

        def make(folder: Path, log: Path) -> None:
            for source in sources:
                self._compile(source, folder / f"{source.stem}.o", log)

        return self._made(f"{name}_{digest}", [f"{s.stem}.o" for s in sources], make)

    def _made(
        self, name: str, objects: Sequence[str], make: Callable[[Path, Path], None]
    ) -> list[Path]:
        """The objects in the cache's folder ``name``, made if they are not there."""

        def make_only(folder: Path, log: Path) -> None:
            make(folder, log)
            for path in folder.iterdir():
                if path.name not in objects:
                    path.unlink()

        folder = kept(self._cache / name, objects, make_only)
        return [folder / item for item in objects]

    def _compile(self, source: Path, target: Path, log: Path, more: Sequence[str] = ()) -> None:
        command = [*COMPILER, *OPTIMISED, *more, f"-I{HERE}", *_includes(), *DEFINES]
        run_tool([*command, "-c", str(source), "-o", str(target)], target.parent, self._tools, log)


def _model_header(partition: Partition) -> str:
    """A class with the chip's ports under the names that Verilator gives them."""
    members, starts = [], []
    for name, (width, _) in partition.driver_ports.items():
        escaped = name.replace("__", "___05F")
        members.append(f"    {_storage(width)}& {escaped};")
        starts.append(
            f'          {escaped}(*reinterpret_cast<{_storage(width)}*>(engine.port("{name}")))'
        )
    return _MODEL.format(members="\n".join(members), starts=",\n".join(starts))


def _storage(width: int) -> str:
    for bits, kind in ((8, "CData"), (16, "SData"), (32, "IData"), (64, "QData")):
        if width <= bits:
            return kind
    return f"VlWide<{(width + 31) // 32}>"


def _includes() -> list[str]:
    root = verilator_root() / "include"
    return [f"-I{root}", f"-I{root / 'vltstd'}"]


def _size(part: Part) -> int:
    return sum(map(len, part.texts.values()))


def _prefix(digest: str) -> str:
    return f"V{digest}"


def _digest_of(part: Part) -> str:
    ports = [repr(port) for port in part.ports]
    how = [*VERILATOR_ARGUMENTS, *COMPILER, *OPTIMISED, *DEFINES, verilator_version(), processor()]
    files = [(HERE / name).read_text(encoding="utf-8") for name in ("wrapper.py", "part.hpp")]
    return _digest([part.name, *part.texts.values(), *ports, *how, *files])


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


_MODEL = """\
#pragma once
#include "engine.hpp"

extern const octopus::Part* const octopus_parts[];
extern "C" const uint8_t octopus_tables[];

class Vchip {{
  public:
    octopus::Engine engine;
{members}

    explicit Vchip(uint32_t threads)
        : engine(octopus_parts, octopus_tables, threads),
{starts} {{}}
}};
"""
