"""Checks emitted Verilog with independent tools: Verilator, Yosys, Icarus and slang.

Verilator and Icarus flatten what they check: two minutes and 3 GB for 256 PEs, more than any
machine has for 4,096. As every distinct module is a file, each is checked alone, the modules below
it standing as empty ones with the same ports; so a module costs once what it costs, however often
the chip instantiates it. Chips of few instances are checked flat: that finds loops across modules.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from .toolchain import environment, verilator_root

WAIVERS = Path(__file__).with_name("amaranth.vlt")
"""Verilator warnings that Amaranth's style brings, with the reason for each."""

OBJECTIONS_SHOWN = 10

FLAT_INSTANCES = 500
"""Chips of at most so many module instances are linted flat, too."""

_HEADER = re.compile(r"^module (\w+)\(.*?\);$", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  (?:input|output) .*;$", re.MULTILINE)


class LintError(RuntimeError):
    """A tool objects to the Verilog; the message names the tool and its first objections."""


def lint(folder: Path, top: str, progress: Callable[[str], None] = lambda step: None) -> list[str]:
    """Check the Verilog of an emitted folder with every tool that is installed.

    Parameters
    ----------
    folder: with ``filelist.f`` and ``manifest.json``.
    top: name of the top module.
    progress: is told each tool before it runs.

    Returns:
        The names of the tools that ran; Verilator is always among them.

    Raises:
        LintError: a tool objects.
        ToolchainError: Verilator or what it needs is missing.
    """
    files = [folder / name for name in (folder / "filelist.f").read_text(encoding="utf-8").split()]
    checks: dict[str, tuple[bool, Callable[[list[Path], str], None]]] = {
        "verilator": (True, _verilator),
        "yosys": (find_spec("pyosys") is not None, _yosys),
        "icarus": (shutil.which("iverilog") is not None, _icarus),
        "slang": (find_spec("pyslang") is not None, _slang),
    }
    ran = []
    for name, (available, check) in checks.items():
        if available:
            progress(f"checking with {name}")
            check(files, top)
            ran.append(name)
    return ran


def _verilator(files: list[Path], top: str) -> None:
    command = [str(verilator_root() / "bin" / "verilator"), "--lint-only", "-Wall", str(WAIVERS)]
    if _is_small(files[0].parent):
        _run("verilator", [*command, "--top-module", top, *map(str, files)])
    # The ports of a top become symbols of the C++ model; nothing is compiled here.
    alone = [*command, "-Wno-SYMRSVDWORD", "--top-module"]
    _each_alone(files, lambda module, sources: _run("verilator", [*alone, module, *sources]))


def _is_small(folder: Path) -> bool:
    """Whether the folder's chip is small enough to be flattened."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return sum(module["instances"] for module in manifest["modules"]) <= FLAT_INSTANCES


def _each_alone(files: list[Path], check: Callable[[str, list[str]], None]) -> None:
    """Check every module with those below it as empty ones; ``check`` gets name and sources."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        shells = {path.stem: _write_shell(path, Path(name)) for path in files}

        def one(path: Path) -> None:
            others = [str(shell) for module, shell in shells.items() if module != path.stem]
            check(path.stem, [str(path), *others])

        list(pool.map(one, files))


def _write_shell(module: Path, folder: Path) -> Path:
    """A module with the ports of ``module`` and nothing inside, as a file in ``folder``."""
    text = module.read_text(encoding="utf-8")
    header = next(match for match in _HEADER.finditer(text) if match.group(1) == module.stem)
    end = text.index("\nendmodule", header.end())
    lines = [
        "/* verilator lint_off UNDRIVEN */",
        header.group(0),
        *_PORT.findall(text, header.end(), end),
        "endmodule",
    ]
    shell = folder / module.name
    shell.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return shell


def _yosys(files: list[Path], top: str) -> None:
    """No undriven net, no multiple driver, no combinational loop in a module, no latch."""
    script = (
        f"read_verilog {' '.join(path.name for path in files)}; hierarchy -check -top {top}; "
        "proc; select -assert-none t:$dlatch t:$adlatch t:$dlatchsr; check -assert"
    )
    run = "import sys; from pyosys import libyosys as y; y.run_pass(sys.argv[1], y.Design())"
    _run("yosys", [sys.executable, "-c", run, script], files[0].parent)


def _icarus(files: list[Path], top: str) -> None:
    """Icarus elaborates every instance: 13 GB for 4,096 PEs, so large chips go by modules."""
    command = ["iverilog", "-t", "null", "-s"]
    if _is_small(files[0].parent):
        _run("icarus", [*command, top, *map(str, files)])
    else:
        _each_alone(files, lambda module, sources: _run("icarus", [*command, module, *sources]))


def _slang(files: list[Path], top: str) -> None:
    import pyslang

    compilation = pyslang.ast.Compilation()
    for path in files:
        compilation.addSyntaxTree(pyslang.syntax.SyntaxTree.fromFile(str(path)))
    engine = pyslang.DiagnosticEngine(compilation.sourceManager)
    errors = [item for item in compilation.getAllDiagnostics() if item.isError()]
    if errors:
        raise LintError(f"slang: {engine.formatMessage(errors[0])} ({len(errors)} errors)")


def _run(name: str, command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        lines = done.stdout.splitlines()
        objections = [line for line in lines if re.search("error|warning", line, re.IGNORECASE)]
        raise LintError("\n".join([f"{name} objects:", *(objections or lines)[:OBJECTIONS_SHOWN]]))
