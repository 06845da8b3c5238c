"""From elaborated blocks to the text of Verilog modules, through Amaranth's RTLIL and Yosys."""

import copy
import multiprocessing
import os
import re
from types import SimpleNamespace
from typing import Any

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Value
from amaranth.hdl._ir import PortDirection, build_netlist
from amaranth.hdl._mem import MemoryInstance
from amaranth.lib import wiring

from . import verilog_text
from .library import Block, ModuleLibrary
from .wiring import Wiring, wiring_of

MINIMUM_YOSYS = (0, 40)
"""The oldest Yosys that reads what this version of Amaranth writes."""

MODULES_A_PROCESS = 16
"""Fewer modules than two processes' worth are converted in this one."""

_ZERO_WIDTH = re.compile(
    r"^ *(?:attribute .*\n *)*wire width 0 .*\n|^connect \S+ \{  \}\n", re.MULTILINE
)
"""Signals without a bit, which Verilog does not know (an index into one thing)."""

_NO_CONTENT = re.compile(
    r"^ *(?:attribute .*\n *)*cell \$meminit_v2 .*\n(?: *(?:parameter|connect) .*\n)*"
    r" *connect \\DATA \{  \}\n(?: *(?:parameter|connect) .*\n)* *end\n",
    re.MULTILINE,
)
"""The initial content of a memory that :func:`_without_zeros` has made empty."""

_SCRIPT = (
    "proc -nomux -norom",
    "memory_collect",
    "attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy",
    "attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy",
    "write_verilog -norename",
)

Elaborated = tuple[Fragment, dict[str, Any]]
"""A block's fragment and its ports, as Amaranth's RTLIL backend takes them."""


def elaborate(block: Block, library: ModuleLibrary) -> Elaborated:
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


def to_verilog(
    elaborated: dict[str, Elaborated], wirings: bool = False
) -> tuple[dict[str, str], dict[str, Wiring]]:
    """The Verilog of every block, by name; with ``wirings`` also what its borders connect.

    All RTLIL goes through one Yosys run: starting it costs more than converting a module.

    Raises:
        amaranth._toolchain.yosys.YosysError: Yosys refused the converted design (a defect of ours).
    """
    if not elaborated:
        return {}, {}
    converted = _to_rtlil(elaborated, wirings)
    borders = {name: wiring for name, (_, wiring) in converted.items() if wiring is not None}
    joined = "\n".join(text for text, _ in converted.values())
    script = "\n".join((f"read_rtlil <<rtlil\n{joined}\nrtlil", *_SCRIPT))
    yosys = find_yosys(lambda found: found >= MINIMUM_YOSYS)
    verilog = yosys.run(["-q", "-"], script, ignore_warnings=True)
    return verilog_text.split(verilog), borders


_shared: dict[str, Elaborated] = {}
"""What the processes of ``_to_rtlil`` inherit: fragments cannot be sent to them."""


_Converted = tuple[str, Wiring | None]
"""A block's RTLIL, and what its borders connect."""


def _to_rtlil(elaborated: dict[str, Elaborated], wirings: bool) -> dict[str, _Converted]:
    """Every block as RTLIL, by name: in several processes where there is much to convert."""
    convert = _convert_with_wiring if wirings else _convert
    _shared.update(elaborated)
    try:
        workers = min(os.cpu_count() or 1, len(elaborated) // MODULES_A_PROCESS)
        if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
            return {name: convert(name) for name in elaborated}
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return dict(zip(elaborated, pool.map(convert, elaborated, chunksize=1), strict=True))
    finally:
        _shared.clear()


def _convert(name: str) -> _Converted:
    fragment, ports = _shared[name]
    _without_zeros(fragment)
    text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False)
    return _ZERO_WIDTH.sub("", _NO_CONTENT.sub("", text)), None


def _convert_with_wiring(name: str) -> _Converted:
    """As ``_convert``; both are made of one design, but each of a netlist of its own."""
    fragment, ports = _shared[name]
    _without_zeros(fragment)
    design = fragment.prepare(ports=ports, hierarchy=(name,))
    text, _ = rtlil.convert_fragment(design, name=name, emit_src=False)
    return _ZERO_WIDTH.sub("", _NO_CONTENT.sub("", text)), wiring_of(build_netlist(design))


def _without_zeros(fragment: Fragment) -> None:
    """Tell the backend of no content where memories begin as zero: it would look at each bit.

    ``verilog_text`` writes the zeros.
    """
    if isinstance(fragment, MemoryInstance):
        data = fragment._data
        if not any(data._init._raw):
            fragment._data = copy.copy(data)
            fragment._data._init = SimpleNamespace(_raw=())
    for below, *_ in fragment.subfragments:
        _without_zeros(below)
