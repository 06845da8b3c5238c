"""Arrays that take seconds to make, kept in the user's cache folder by what they are made of."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from octopus.cache import cache_folder

from ..kernels.task import Array


def cached_arrays(
    name: str, key: Mapping[str, Any], make: Callable[[], dict[str, Array]]
) -> dict[str, Array]:
    """What ``make`` gives, from the cache if it was made with an equal key.

    Parameters
    ----------
    name: start of the file's name. key: everything the arrays depend on; JSON values.

    A cache that cannot be read or written is as good as none.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / f"{name}-{digest}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {field: stored[field] for field in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass
    arrays = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        Path(file.name).replace(path)
    except OSError:
        pass
    return arrays
