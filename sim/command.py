"""What every command of ``octopus`` runs under: exit codes, consoles, signals, plain terminals."""

import codecs
import os
import signal
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer
from rich.console import Console

from .toolchain import stop_tools

FAILURE = 1
"""Exit code if results differ from the reference, or Verilog does not pass. Nothing else has it."""

MISUSE = 2
"""Exit code of an error that one line explains."""

DEFECT = 70
"""Exit code of an error that nobody foresaw, after its traceback."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
CLOSED = 128 + signal.SIGPIPE
"""Exit code if whoever reads the output went away."""

LEGACY = {"…": "...", "×": "x", "→": "->", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "µ": "u"}
"""What characters become where the terminal's encoding lacks them."""

UsageError: type[Any] = typer.BadParameter.__mro__[2]
"""Of all wrong arguments; where it is defined changed between versions of typer."""

console = Console()
errors = Console(stderr=True, highlight=False)


class RefusedError(ValueError):
    """What the command line was asked for cannot be done; the message says why."""


def say_error(text: str) -> None:
    """One line on the error output."""
    errors.print(f"octopus: {' '.join(text.split())}", markup=False, soft_wrap=True)


Explained = Callable[[], tuple[type[Exception], ...]]
"""Gives the errors that one line explains to the user, when one has come."""


def run_command(app: Callable[..., Any], explained: Explained) -> NoReturn:
    """Run the command of ``sys.argv`` and end the process.

    Parameters
    ----------
    app: the commands. explained: the errors that the user can mend.
    """
    plain_output()
    with signals():
        code = _code(app, explained)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_gone()
    sys.exit(code)


def _code(app: Callable[..., Any], explained: Explained) -> int:
    """What the command ends with."""
    try:
        code = int(app(standalone_mode=False) or 0)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            say_error(error.format_message())
        return MISUSE
    except BrokenPipeError:
        return _reader_gone()
    except MemoryError:
        say_error("there is not enough memory for this")
        return MISUSE
    except Exception as error:
        if _is_explained(error, explained):
            say_error(_words(error))
            return MISUSE
        traceback.print_exc()
        say_error("this is a defect of octopus itself, not of what it was asked for")
        return DEFECT
    if code == INTERRUPTED:
        say_error("interrupted")
    return code


def _is_explained(error: Exception, explained: Explained) -> bool:
    """Whether one line says enough; not if a broken installation lacks what is asked for."""
    try:
        return isinstance(error, explained())
    except ImportError:
        return False


def _words(error: Exception) -> str:
    """An error in words, those of the system without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename!r}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _reader_gone() -> int:
    """Say nothing more; not even Python's own complaint when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED


@contextmanager
def signals() -> Iterator[None]:
    """An interrupt or a request to end reaches the tools that run, too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        stop_tools()
        raise KeyboardInterrupt

    def terminate(number: int, frame: FrameType | None) -> None:
        stop_tools()
        raise SystemExit(TERMINATED)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def plain_output() -> None:
    """Let no character that the terminal's encoding lacks end a command."""
    codecs.register_error("octopus", _substitute)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not while a test looks at it
            stream.reconfigure(errors="octopus")


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """The closest that there is in ASCII for what cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_closest(c) for c in error.object[error.start : error.end]), error.end


def _closest(character: str) -> str:
    if character in LEGACY:
        return LEGACY[character]
    if "\u2500" <= character <= "\u257f":  # frames of tables
        return "-" if character in "─━╌╍═" else "|" if character in "│┃║" else "+"
    decomposed = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return decomposed or "?"
