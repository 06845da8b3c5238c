"""The package as it was at the commit against which simulation speed is compared."""

import shutil
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from octopus.cache import cache_folder, exclusive

COMMIT = "6df722c"
"""The last commit whose simulator was Verilator's model of the whole chip, compiled by blocks."""

PARTS = ("hw", "sched", "sim", "verify")
REPOSITORY = Path(__file__).parent.parent


def reference_package(commit: str = COMMIT) -> Path:
    """A folder which as first of ``PYTHONPATH`` makes ``import octopus`` that of the commit.

    It is taken from the repository's history once, and laid out as an installation lays it out.

    Raises:
        RuntimeError: this checkout has no such commit; the message says what to do.
    """
    site = cache_folder() / "reference" / commit
    with exclusive(site):
        if not site.exists():
            site.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=site.parent))
            _extract(commit, partial)
            for part in PARTS:
                (partial / part).rename(partial / "octopus" / part)
            partial.rename(site)
    return site


def _extract(commit: str, folder: Path) -> None:
    command = ["git", "-C", str(REPOSITORY), "archive", commit, "octopus", *PARTS]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        shutil.rmtree(folder)
        raise RuntimeError(
            f"commit {commit} is not in this checkout ({done.stderr.decode().strip()}): "
            "the comparison needs the repository with its history"
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
