"""From a block to a folder of Verilog: every distinct module converted once."""

import gc
import multiprocessing
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from .emitted_folder import write_folder
from .library import Block, ModuleLibrary

MINIMUM_YOSYS = (0, 40)
"""The oldest Yosys that reads what this version of Amaranth writes."""

MODULES_A_PROCESS = 16
"""Fewer modules than two processes' worth are converted in this one."""

_MODULE = re.compile(
    r"^(?:\(\*.*?\*\)\n)*module (\\\S+ |\w+).*?^endmodule\n", re.MULTILINE | re.DOTALL
)

_ZEROED = re.compile(
    r"^  initial begin\n(?:    (?P<name>\\\S+ |\w+)\[\d+\] = \d+'[dh]0+;\n){4,}  end\n",
    re.MULTILINE,
)
"""The clearing of a memory, a line a word: as a loop tools read it in a fraction of the time."""

_ZERO_WIDTH = re.compile(
    r"^ *(?:attribute .*\n *)*wire width 0 .*\n|^connect \S+ \{  \}\n", re.MULTILINE
)
"""Signals without a bit, which Verilog does not know (an index into one thing)."""


@dataclass(frozen=True)
class EmittedModule:
    """One Verilog module of the design, with the helper modules that only it uses.

    Attributes
    ----------
    name: the module's name; also the file's.
    text: Verilog source.
    parameters: what distinguishes it from other modules of its class.
    instances: how often the whole design instantiates it.
    """

    name: str
    text: str
    parameters: dict[str, Any]
    instances: int


def emit(top: Block) -> list[EmittedModule]:
    """Convert ``top`` and every distinct block below it; children come before parents.

    Raises:
        amaranth._toolchain.yosys.YosysError: Yosys refused the converted design (a defect of ours).
    """
    library = ModuleLibrary()
    library.blocks[top.module_name] = top
    elaborated: dict[str, _Elaborated] = {}
    children: dict[str, Counter[str]] = {}
    with _without_garbage_collection():
        while waiting := [name for name in library.blocks if name not in elaborated]:
            for name in waiting:
                library.instantiated = Counter()
                elaborated[name] = _elaborate(library.blocks[name], library)
                children[name] = library.instantiated
        sources = _to_rtlil(elaborated)
    order = _children_first(top.module_name, children)
    counts = _count_instances(order, children)
    texts = _to_verilog(sources)
    return [
        EmittedModule(name, texts[name], library.blocks[name].parameters, counts[name])
        for name in order
    ]


def write(modules: list[EmittedModule], folder: Path, configuration: dict[str, Any]) -> None:
    """Write one ``.v`` a module, ``filelist.f`` and ``manifest.json`` into ``folder``.

    The last module is the top. Files of an earlier emission that no longer belong are removed.

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
    texts = {module.name: module.text for module in modules}
    write_folder(texts, described, folder, configuration)


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


_Elaborated = tuple[Fragment, dict[str, Any]]
"""A block's fragment and its ports, as Amaranth's RTLIL backend takes them."""


def _elaborate(block: Block, library: ModuleLibrary) -> _Elaborated:
    """Clock and reset are ports even of blocks that need neither."""
    domain = ClockDomain("sync")
    fragment = Fragment.get(block, library)
    fragment.add_domains(domain)
    ports: dict[str, Any] = {
        "clk": (domain.clk, PortDirection.Input),
        "rst": (domain.rst, PortDirection.Input),
    }
    for path, member, value in block.signature.flatten(block):
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports["__".join(str(part) for part in path)] = (Value.cast(value), direction)
    return fragment, ports


_shared: dict[str, _Elaborated] = {}
"""What the processes of ``_to_rtlil`` inherit: fragments cannot be sent to them."""


def _to_rtlil(elaborated: dict[str, _Elaborated]) -> dict[str, str]:
    """Every block as RTLIL, by name: in several processes where there is much to convert."""
    _shared.update(elaborated)
    try:
        workers = min(os.cpu_count() or 1, len(elaborated) // MODULES_A_PROCESS)
        if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
            return {name: _convert(name) for name in elaborated}
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return dict(zip(elaborated, pool.map(_convert, elaborated, chunksize=1), strict=True))
    finally:
        _shared.clear()


def _convert(name: str) -> str:
    fragment, ports = _shared[name]
    text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False)
    return text


def _to_verilog(sources: dict[str, str]) -> dict[str, str]:
    """All RTLIL through one Yosys run (starting it costs more than converting a module)."""
    joined = _ZERO_WIDTH.sub("", "\n".join(sources.values()))
    script = "\n".join(
        (
            f"read_rtlil <<rtlil\n{joined}\nrtlil",
            "proc -nomux -norom",
            "memory_collect",
            "attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy",
            "attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy",
            "write_verilog -norename",
        )
    )
    yosys = find_yosys(lambda found: found >= MINIMUM_YOSYS)
    verilog = yosys.run(["-q", "-"], script, ignore_warnings=True)
    texts = dict.fromkeys(sources, "")
    for match in _MODULE.finditer(_ZEROED.sub(_clearing_loop, verilog)):
        owner = match.group(1).strip().removeprefix("\\").split(".")[0]
        texts[owner] += match.group(0) + "\n"
    return texts


def _clearing_loop(match: re.Match[str]) -> str:
    """The loop that replaces a line for each word of a memory."""
    name = match["name"]
    index = f"{re.sub(r'[^A-Za-z0-9_]', '_', name).strip('_')}_word"
    count = match[0].count("\n") - 2
    zero = match[0].split(" = ")[1].split(";")[0]
    return (
        f"  integer {index};\n"
        f"  initial for ({index} = 0; {index} < {count}; {index} = {index} + 1)\n"
        f"    {name}[{index}] = {zero};\n"
    )


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
