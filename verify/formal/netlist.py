"""From a property to and-inverter graphs, through Yosys; with a defect put in on request."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.hdl._ir import PortDirection

from .property import DUT, Property

TOP = "top"
INPUT_PREFIX = "in_"

CHOICE_SECONDS = 5
"""For the choice of defects, which takes a tenth of a second or does not end."""

_ZERO_WIDTH = re.compile(
    r"^ *(?:attribute .*\n *)*wire width 0 .*\n|^connect \S+ \{  \}\n", re.MULTILINE
)
"""Signals without a bit (an index into one thing), which make no difference."""

_UNFIT = re.compile(r"-port (CLK|Q) ")
"""Places for a defect that are none: a clock, and what a register's initial value belongs to (its
input serves as well)."""

_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in open(sys.argv[1]):
    libyosys.run_pass(line.strip(), design)
"""

_LOWER = (
    "flatten",
    "opt -full",
    "memory_map",
    "opt -full",
    "async2sync",
    "dffunmap",
    "techmap",
    "opt -fast",
    "dffunmap",
    "aigmap",
    "opt_clean -purge",
    "setundef -undriven -anyseq",  # what nothing defines may be anything
    "opt_clean -purge",
    "design -save low",
)


@dataclass(frozen=True)
class Netlist:
    """A property as RTLIL.

    Attributes
    ----------
    text: RTLIL, top module ``top`` with the outputs ``bad`` and ``reached``.
    requirements, covers: their names, in the order of the bits.
    """

    text: str
    requirements: tuple[str, ...]
    covers: tuple[str, ...]


def netlist_of(item: Property) -> Netlist:
    """Elaborate ``item`` and convert it to RTLIL."""
    fragment = item.circuit()
    ports = {
        f"{INPUT_PREFIX}{name}": (Value.cast(signal), PortDirection.Input)
        for name, signal in item.inputs.items()
    }
    ports["clk"] = (fragment.domains["sync"].clk, PortDirection.Input)
    ports["bad"] = (item.bad, PortDirection.Output)
    for i in range(len(item.covers)):
        ports[f"reached{i}"] = (item.reached[i], PortDirection.Output)
    text, _ = rtlil.convert_fragment(fragment, ports, TOP, emit_src=False)
    return Netlist(
        _ZERO_WIDTH.sub("", text),
        tuple(requirement.name for requirement in item.requirements),
        tuple(cover.name for cover in item.covers),
    )


def write_graphs(netlist: Netlist, folder: Path) -> None:
    """Write ``bad.aig`` and, for each cover, ``reached0.aig`` and so on, each with one output.

    Beside each is its map (``.map``): which input has which number.

    Parameters
    ----------
    folder: an existing folder, for all files.

    Raises:
        RuntimeError: Yosys failed; the message is the end of its output.
    """
    outputs = ["bad", *(f"reached{i}" for i in range(len(netlist.covers)))]
    script = [f"hierarchy -top {TOP}", "proc", *_LOWER]
    for kept in outputs:
        script += ["design -load low", *_only_output(kept, outputs), _write(kept)]
    _run_yosys(netlist, script, folder)


def write_defects(netlist: Netlist, folder: Path, count: int, seed: int) -> list[str]:
    """Put ``count`` defects, one at a time, into the block under test.

    Writes ``defect0.aig`` and so on as :func:`write_graphs` writes ``bad.aig``. Yosys spreads the
    defects over what of the block the requirements look at: a wire inverted, stuck at a value, or
    inverted while another has some value.

    Returns:
        Yosys's description of each defect.
    """
    outputs = ["bad", *(f"reached{i}" for i in range(len(netlist.covers)))]
    start = [f"hierarchy -top {TOP}", "proc", "flatten", *_only_output("bad", outputs)]
    start += ["opt -full", "memory_map", "opt -full", "opt_clean -purge", "design -save start"]
    defects = _choose_defects(netlist, start, folder, 3 * count + 10, seed)
    defects = [d for d in defects if not _UNFIT.search(d)][:count]
    script = list(start)
    for number, defect in enumerate(defects):
        script += ["design -load start", defect, *_LOWER]
        script.append(_write(f"defect{number}"))
    _run_yosys(netlist, script, folder)
    return [defect.removeprefix("mutate ") for defect in defects]


def _choose_defects(
    netlist: Netlist, start: list[str], folder: Path, count: int, seed: int
) -> list[str]:
    """Yosys's list of ``count`` defects, or of fewer: it never ends if there are too few."""
    choose = f"mutate -list {{}} -seed {seed} -o defects.txt {TOP}/c:*.\\{DUT}*"
    while count:
        try:
            _run_yosys(netlist, [*start, choose.format(count)], folder, CHOICE_SECONDS)
            return (folder / "defects.txt").read_text().splitlines()
        except subprocess.TimeoutExpired:
            count //= 2
    return []


def read_map(path: Path) -> dict[int, tuple[str, int]]:
    """For each input of a graph its number, the property's input that it is a bit of, which bit."""
    inputs = {}
    for line in path.read_text().splitlines():
        kind, number, bit, name = line.split(maxsplit=3)
        if kind == "input" and name.startswith(INPUT_PREFIX):
            inputs[int(number)] = (name.removeprefix(INPUT_PREFIX), int(bit))
    return inputs


def _only_output(kept: str, outputs: Sequence[str]) -> list[str]:
    others = " ".join(f"w:{name}" for name in outputs if name != kept)
    return [f"delete -output {others}" if others else "", "opt_clean -purge"]


def _write(name: str) -> str:
    return f"write_aiger -zinit -map {name}.map {name}.aig"


def _run_yosys(
    netlist: Netlist, script: list[str], folder: Path, seconds: int | None = None
) -> None:
    (folder / "property.il").write_text(netlist.text)
    lines = ["read_rtlil property.il", *script]
    (folder / "script.ys").write_text("\n".join(line for line in lines if line) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "script.ys"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if done.returncode:
        raise RuntimeError(f"Yosys failed:\n{(done.stdout + done.stderr)[-2000:]}")
