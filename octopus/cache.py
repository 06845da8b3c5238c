"""Where everything that is slow to make is kept between runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """``$OCTOPUS_CACHE``, else ``octopus`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    if folder := os.environ.get("OCTOPUS_CACHE"):
        return Path(folder).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "octopus"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """One maker of a cached folder at a time; others wait and then find it made.

    The folder's parent is made, the folder itself is not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
