"""Where everything that is slow to make is kept between runs, whole or not at all."""

import atexit
import fcntl
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import EACCES, EPERM, EROFS
from pathlib import Path

SEAL = "complete.json"
"""In a folder that is whole: the size and checksum of each file that counts."""

PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+,@%=-]+")
"""Paths that make and generated makefiles can work in."""

UNWRITABLE = (EACCES, EPERM, EROFS)

Say = Callable[[str], None]


class CacheError(RuntimeError):
    """The cache cannot be used; the message names the folder and says what to do."""


def cache_folder() -> Path:
    """``$OCTOPUS_CACHE``, else ``octopus`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        CacheError: none of them is set and there is no home folder.
    """
    if folder := os.environ.get("OCTOPUS_CACHE"):
        return Path(folder).absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "octopus"
    try:
        return Path.home() / ".cache" / "octopus"
    except RuntimeError:
        raise CacheError("there is no home folder: set OCTOPUS_CACHE to a folder") from None


@contextmanager
def exclusive(folder: Path, say: Say = lambda text: None) -> Iterator[None]:
    """One maker of a cached folder at a time; others wait and then find it made.

    The folder's parent is made, the folder itself is not. ``say`` is told of a wait.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that makes the same")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(
    folder: Path,
    files: Sequence[str],
    make: Callable[[Path, Path], None],
    say: Say = lambda text: None,
) -> Path:
    """The cached folder with ``files``, made if it is missing or damaged.

    Parameters
    ----------
    make: given an empty folder to work in, whose path is plain (``PLAIN_PATH``), and the path of a
        log. What it leaves there becomes the cached folder, in one step. If it fails, nothing
        stays but the log.
    say: told of what delays, and that the cache cannot be written.

    Returns:
        The folder; one that lasts as long as this process if the cache cannot be written.

    Raises:
        CacheError: the cache's place is no folder, or there is nowhere to work.
        OSError: the disk is full or broken. Whatever ``make`` raises.
    """
    if is_whole(folder, files):
        return folder
    try:
        lock = exclusive(folder, say)
        lock.__enter__()
    except (FileExistsError, NotADirectoryError):
        raise CacheError(
            f"the cache {str(folder.parent)!r} is not a folder: set OCTOPUS_CACHE to one"
        ) from None
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        say(f"the cache {str(folder.parent)!r} cannot be written: building for this run only")
        temporary = Path(tempfile.mkdtemp(prefix="octopus_"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return kept(temporary / folder.name, files, make, say)
    try:
        if not is_whole(folder, files):
            if folder.exists():
                say("what the cache holds is damaged: making it again")
            _make(folder, files, make)
    finally:
        lock.__exit__(None, None, None)
    return folder


def is_whole(folder: Path, files: Sequence[str]) -> bool:
    """Whether a cached folder was completed, and its files are as they were then."""
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return all(sealed[name] == _checksum(folder / name) for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make(folder: Path, files: Sequence[str], make: Callable[[Path, Path], None]) -> None:
    log = folder.with_name(f"{folder.name}.log")
    log.unlink(missing_ok=True)
    work = _work_folder(folder)
    try:
        make(work, log)
        seal = {name: _checksum(work / name) for name in files}
        (work / SEAL).write_text(json.dumps(seal), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        _move(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _move(work: Path, folder: Path) -> None:
    """Give the work its place, also from another file system, in one step."""
    if work.parent != folder.parent:
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(work, partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        work = partial
    work.rename(folder)


def _work_folder(folder: Path) -> Path:
    """An empty folder with a plain path, beside ``folder`` if that has one."""
    if PLAIN_PATH.fullmatch(str(folder)):
        work = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
        work.mkdir()
        return work
    return plain_temporary_folder()


def plain_temporary_folder() -> Path:
    """A new temporary folder with a plain path.

    Raises:
        CacheError: there is none.
    """
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if PLAIN_PATH.fullmatch(place):
            try:
                return Path(tempfile.mkdtemp(prefix="octopus_", dir=place))
            except OSError:
                continue
    raise CacheError(
        "no temporary folder with a plain path (letters, digits, _ . / + , @ % = -): set TMPDIR"
    )


def _checksum(path: Path) -> list[int]:
    """Size and CRC of a file: enough against accidents."""
    content = path.read_bytes()
    return [len(content), zlib.crc32(content)]
