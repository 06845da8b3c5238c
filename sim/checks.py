"""Checks of the command line's arguments, before any work begins."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from .command import RefusedError

LAST_CYCLE = 1 << 63
"""What a 64-bit count of cycles has room for, and to spare."""

MAXIMUM_INSTANCES = 1_000_000
MAXIMUM_SEED = (1 << 63) - 1


def whole_number(low: int, high: int) -> Callable[[Any], int]:
    """A parser of numbers from ``low`` to ``high`` for ``typer``, whose refusal names the value."""

    def parse(value: Any) -> int:
        text = str(value)
        short = text if len(text) <= 60 else text[:60] + "…"
        try:
            if len(text) <= 60 and low <= int(text) <= high:
                return int(text)
        except ValueError:
            pass
        raise typer.BadParameter(f"{short!r}; allowed: {low:,} to {high:,}")

    return parse


def given_path(value: Any) -> Path:
    """A parser of paths for ``typer``: an empty one is none, and not the current folder."""
    if not str(value).strip() or "\0" in str(value):
        raise typer.BadParameter(f"{str(value)!r}; allowed: a path")
    return Path(value)


def writable_folder(option: str, path: Path) -> None:
    """Whether a folder is there or can be made, and files can be written in it.

    Raises:
        RefusedError: not so; the message names option, path and reason.
    """
    try:
        if path.exists() and not path.is_dir():
            raise RefusedError(f"{option} is {str(path)!r}, which is not a folder")
        _probe(path)
    except OSError as error:
        raise _refused(option, path, error) from None


def writable_file(option: str, path: Path) -> None:
    """Whether a file can be written; folders above it are not made.

    Raises:
        RefusedError: not so; the message names option, path and reason.
    """
    try:
        if path.is_dir():
            raise RefusedError(f"{option} is {str(path)!r}, which is a folder; allowed: a file")
        if not path.absolute().parent.is_dir():
            raise RefusedError(f"{option} is {str(path)!r}, in a folder that does not exist")
        if path.exists():
            with path.open("ab"):
                return
        _probe(path.absolute().parent)
    except OSError as error:
        raise _refused(option, path, error) from None


def cycle_window(option: str, text: str) -> tuple[int, int]:
    """Two cycles from ``FIRST:END``.

    Raises:
        RefusedError: it has another form, or END is not above FIRST.
    """
    first, _, end = text.partition(":")
    numbers = all(part.isascii() and part.isdecimal() and len(part) < 20 for part in (first, end))
    if not (numbers and int(first) < int(end) < LAST_CYCLE):
        raise RefusedError(f"{option} is {text[:60]!r}; allowed: FIRST:END with FIRST below END")
    return int(first), int(end)


def _probe(folder: Path) -> None:
    """Write where the folder is, or in the lowest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"probe")


def _refused(option: str, path: Path, error: OSError) -> RefusedError:
    return RefusedError(f"{option} is {str(path)[:200]!r}: {error.strerror}")
