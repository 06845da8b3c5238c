"""The search's inner loops, in C++: compiled when first used, and kept by content.

Where there is no C++ compiler, the searches in Python have to do.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from octopus.cache import cache_folder, exclusive

FOLDER = Path(__file__).with_name("native")
COMPILER = "g++"
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-ffp-contract=off")
LIBRARY = "libsearch.so"


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The library, or None if there is no C++ compiler.

    Raises:
        RuntimeError: the compiler does not take the sources; the message has what it says.
    """
    if shutil.which(COMPILER) is None:
        return None
    digest = hashlib.sha256(repr((COMPILER, FLAGS)).encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    folder = cache_folder() / "search" / digest.hexdigest()[:16]
    with exclusive(folder):
        if not (folder / LIBRARY).exists():
            _build(folder)
    loaded = ctypes.CDLL(str(folder / LIBRARY))
    loaded.octopus_search.restype = ctypes.c_long
    loaded.octopus_search.argtypes = [
        ctypes.POINTER(ctypes.c_int32),
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_uint64,
        ctypes.c_long,
        ctypes.c_double,
        ctypes.POINTER(ctypes.c_int32),
        ctypes.c_long,
        ctypes.POINTER(ctypes.c_long),
    ]
    return loaded


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        target = Path(made) / LIBRARY
        command = [COMPILER, *FLAGS, "-o", str(target), str(FOLDER / "search.cpp")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(target, folder / LIBRARY)
