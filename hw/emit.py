"""From a block to a folder of Verilog: every distinct module converted once."""

import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .convert import Elaborated, elaborate, to_verilog
from .emitted_folder import write_folder
from .file_header import file_header
from .library import Block, ModuleLibrary, mark_used
from .module_cache import KeptModule, ModuleCache, key_of, plain
from .targets import TARGETS, Target
from .verilog_text import wrap_file
from .wiring import Wiring


@dataclass(frozen=True)
class EmittedModule:
    """One Verilog module of the design, with the helper modules that only it uses.

    Attributes
    ----------
    name: the module's name; also the file's.
    text: Verilog source.
    parameters: what distinguishes it from other modules of its class.
    instances: how often the whole design instantiates it.
    block: name of its class.
    wiring: what its borders connect, if that was asked for.
    """

    name: str
    text: str
    parameters: dict[str, Any]
    instances: int
    block: str = ""
    wiring: Wiring | None = None


def emit(
    top: Block, cache: ModuleCache | None = None, wirings: bool = False
) -> list[EmittedModule]:
    """Convert ``top`` and every distinct block below it; children come before parents.

    Parameters
    ----------
    cache: where modules converted before are found and new ones are kept; default: the user's
        cache. What emissions give does not depend on it.
    wirings: find out what the borders of each module connect, too.

    Raises:
        amaranth._toolchain.yosys.YosysError: Yosys refused the converted design (a defect of ours).
    """
    modules: dict[str, KeptModule] = {}
    with _without_garbage_collection():
        _make(top, ModuleCache() if cache is None else cache, modules, wirings)
    children = {
        name: Counter({child: times for child, (_, times) in module.children.items()})
        for name, module in modules.items()
    }
    order = _children_first(top.module_name, children)
    counts = _count_instances(order, children)
    return [_emitted(modules[name], counts[name]) for name in order]


def _emitted(kept: KeptModule, instances: int) -> EmittedModule:
    wiring = None if kept.wiring is None else Wiring.from_plain(kept.wiring)
    return EmittedModule(kept.name, kept.text, kept.parameters, instances, kept.block, wiring)


def write(
    modules: list[EmittedModule],
    folder: Path,
    configuration: dict[str, Any],
    target: Target = TARGETS["generic"],
    others: Mapping[str, str] | None = None,
) -> None:
    """Write one ``.v`` a module, file lists and ``manifest.json`` into ``folder``.

    The last module is the top. Files of an earlier emission that no longer belong are removed.

    Parameters
    ----------
    configuration: what the design was made of. target: whose tools are to read the Verilog.
    others: further files by name (``hw.package_files``).

    Raises:
        OSError: the folder cannot be written.
    """
    described = [
        {
            "name": module.name,
            "instances": module.instances,
            "lines": module.text.count("\n"),
            "parameters": module.parameters,
        }
        for module in modules
    ]
    texts = {module.name: target.mark(module.text) for module in modules}
    write_folder(texts, described, folder, configuration, others)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Millions of objects live until the end: to look for dead ones costs half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _make(top: Block, cache: ModuleCache, modules: dict[str, KeptModule], wirings: bool) -> None:
    """Put the modules of ``top`` and of all blocks below it into ``modules``, by name."""
    library = ModuleLibrary()
    library.blocks[top.module_name] = top
    mark_used(top)
    keys: dict[str, str | None] = {}
    elaborated: dict[str, Elaborated] = {}
    children: dict[str, Counter[str]] = {}
    while waiting := [name for name in library.blocks if name not in keys]:
        for name in waiting:
            key = key_of(library.blocks[name])
            keys[name] = key = f"{key}_wired" if key and wirings else key
            if key and (kept := cache.find(key)):
                _take(kept, cache, modules)
                continue
            library.instantiated = Counter()
            elaborated[name] = elaborate(library.blocks[name], library)
            children[name] = library.instantiated
    texts, borders = to_verilog(elaborated, wirings)
    new: dict[str, KeptModule] = {}
    for name in elaborated:
        below = {child: (keys[child] or "", times) for child, times in children[name].items()}
        parameters = plain(library.blocks[name].parameters)
        text = wrap_file(file_header(library.blocks[name]), texts[name])
        block = type(library.blocks[name]).__name__
        border = borders[name].to_plain() if wirings else None
        modules[name] = KeptModule(name, text, parameters, below, block, border)
        key = keys[name]
        if key and all(child for child, _ in below.values()):
            new[key] = modules[name]
    if new:
        cache.keep(new)


def _take(kept: KeptModule, cache: ModuleCache, modules: dict[str, KeptModule]) -> None:
    """Put a kept module and all below it into ``modules``."""
    if kept.name not in modules:
        modules[kept.name] = kept
        for key, _ in kept.children.values():
            below = cache.find(key)
            assert below, "a kept module without those below it is not found"
            _take(below, cache, modules)


def _children_first(top: str, children: dict[str, Counter[str]]) -> list[str]:
    """Module names in an order in which every module follows the ones it instantiates."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for child in children[name]:
                visit(child)
            order[name] = None

    visit(top)
    return list(order)


def _count_instances(order: list[str], children: dict[str, Counter[str]]) -> Counter[str]:
    """Instances of each module in the whole design (the last in ``order`` is the top)."""
    counts: Counter[str] = Counter({order[-1]: 1})
    for name in reversed(order):
        for child, times in children[name].items():
            counts[child] += times * counts[name]
    return counts
