"""Builds and runs the soak test of whole meshes (``mesh_soak.cpp``), with and without faults."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octopus.cache import cache_folder, exclusive
from octopus.hw.cluster.cluster import CONTROL_FLIT_BITS
from octopus.hw.emit import emit, write
from octopus.hw.library import Block
from octopus.sim.toolchain import environment, verilator_version

from .mesh_tile import MeshTile, depth_of, endpoint_of

BENCH = Path(__file__).with_name("mesh_soak.cpp")
RECTANGLES = BENCH.with_name("rectangle.h")
LONGEST_PACKET = 9

CONTROL = {
    "flit_bits": CONTROL_FLIT_BITS,
    "virtual_channels": 1,
    "buffer_depth": 4,
    "message_classes": 1,
    "single_flit": True,
}
DATA = {"flit_bits": 64, "virtual_channels": 2, "buffer_depth": 4, "message_classes": 2}
MESHES: dict[str, dict[str, Any]] = {
    "control": CONTROL,
    "control_direct": CONTROL | {"direct": True},
    "control_multicast": CONTROL | {"multicast": True},
    "control_multicast_direct": CONTROL | {"multicast": True, "direct": True},
    "control_multicast_shallow": CONTROL | {"multicast": True, "buffer_depth": 1},
    "control_west_first": CONTROL | {"routing": "west_first"},
    "control_odd_even": CONTROL | {"routing": "odd_even"},
    "control_minimal_adaptive": CONTROL | {"routing": "minimal_adaptive", "virtual_channels": 2},
    "data": DATA,
    "data_west_first": DATA | {"routing": "west_first"},
    "data_odd_even": DATA | {"routing": "odd_even"},
    "data_minimal_adaptive": DATA | {"routing": "minimal_adaptive", "virtual_channels": 4},
    "data_fast": DATA
    | {"virtual_channels": 4, "shared_lane": False, "free_choice": True, "hold_output": True},
    "data_round_robin": DATA | {"arbiter": "round_robin"},
    "data_shallow": DATA | {"buffer_depth": 1},
    "data_long_links": DATA | {"link_latency": 4},
}
"""Both networks' parameters with every routing, and the router's other options."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong, of a million: ``flips`` of link cycles with a flit (a bit of it turns over),
    ``unreachable`` of packets (sent to a node that does not exist)."""

    flips: int = 0
    unreachable: int = 0


NO_FAULTS = Faults()


def keeps_order(options: dict[str, Any]) -> bool:
    """Whether packets of one source, destination and class stay in order (section 10)."""
    routing = options.get("routing", "dimension_ordered")
    return routing == "dimension_ordered" and not options.get("free_choice", False)


def build_soak(options: dict[str, Any], columns: int = 4, rows: int = 4) -> Path:
    """The compiled bench for a mesh, made once for its content; its path.

    Parameters
    ----------
    options: of ``MeshTile``. columns, rows: of the mesh.

    Raises:
        ToolchainError: Verilator or what it needs is missing.
        RuntimeError: a build step failed; the message is the end of its output.
    """
    tops: dict[str, Block] = {
        "tile": MeshTile(columns, rows, options),
        "host": endpoint_of(columns, rows, options, host=True),
    }
    modules = {name: emit(block) for name, block in tops.items()}
    defines = [
        f"-D{name}={value}"
        for name, value in (
            ("FLIT_BITS", options["flit_bits"]),
            ("CHANNELS", options["virtual_channels"]),
            ("CLASSES", options["message_classes"]),
            ("DEPTH", depth_of(columns, rows, options)),
            ("MULTICAST", int(options.get("multicast", False))),
        )
    ]
    text = BENCH.read_text() + RECTANGLES.read_text() + repr(defines)
    text += "".join(module.text for group in modules.values() for module in group)
    folder = cache_folder() / "soak" / hashlib.sha256(text.encode()).hexdigest()[:16]
    program = folder / "soak"
    with exclusive(folder):
        if program.exists():
            return program
        tools = environment()
        root = Path(tools["VERILATOR_ROOT"])
        for name, group in modules.items():
            write(group, folder / name / "verilog", {})
            sources = [str(folder / name / "verilog" / f"{module.name}.v") for module in group]
            _call(
                tools, str(root / "bin" / "verilator"), "--cc", "-O3",
                *("--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal"),
                *("-Wno-WIDTH", "-CFLAGS", "-O2", "--top-module", group[-1].name),
                *("--prefix", f"V{name}", "--Mdir", str(folder / name), *sources),
            )  # fmt: skip
            _make(tools, folder, name, f"libV{name}.a")
        include = [root / "include", root / "include" / "vltstd", folder / "tile", folder / "host"]
        _call(
            tools, "g++", "-std=c++17", "-O2", *defines, *(f"-I{path}" for path in include),
            *("-o", str(program), str(BENCH), str(folder / "tile" / "libVtile.a")),
            *(str(folder / "host" / "libVhost.a"), str(_runtime_library(tools, folder))),
            *("-pthread", "-latomic"),
        )  # fmt: skip
    return program


def run_soak(
    program: Path,
    options: dict[str, Any],
    packets: int,
    seed: int,
    faults: Faults = NO_FAULTS,
    columns: int = 4,
    rows: int = 4,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, int]:
    """Send random packets through a mesh; what was counted.

    Parameters
    ----------
    program: of :func:`build_soak` with the same ``options``, ``columns`` and ``rows``.
    packets: to be created (answers included); with faults a tenth more follows without.
    progress: called with packets ended and packets in all.

    Raises:
        AssertionError: something was lost, doubled, changed, reordered, not reported, or hangs.
    """
    longest = 1 if options.get("single_flit") else LONGEST_PACKET
    numbers = [columns, rows, packets, seed, longest, int(keeps_order(options))]
    numbers += [faults.flips, faults.unreachable]
    process = subprocess.Popen(
        [str(program), *map(str, numbers)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = "no output"
    for line in process.stdout:
        last = line.strip()
        if last.startswith("progress"):
            done, of = last.split()[1:3]
            progress(int(done), int(of))
    if process.wait() or not last.startswith("ok "):
        raise AssertionError(f"seed {seed}: {last} (exit code {process.returncode})")
    pairs = (pair.split("=") for pair in last.split()[1:])
    return {name: int(value) for name, value in pairs}


def _runtime_library(tools: dict[str, str], folder: Path) -> Path:
    """Verilator's own part of every model, compiled once; ``folder`` has makefiles that can."""
    library = cache_folder() / "soak" / f"runtime_{verilator_version()}" / "libverilated.a"
    with exclusive(library.parent):
        if not library.exists():
            _make(tools, folder, "host", "libverilated.a")
            library.parent.mkdir(exist_ok=True)
            (folder / "host" / "libverilated.a").replace(library)
    return library


def _make(tools: dict[str, str], folder: Path, name: str, target: str) -> None:
    _call(tools, "make", "-s", "-C", str(folder / name), "-f", f"V{name}.mk", target)


def _call(tools: dict[str, str], *command: str) -> None:
    done = subprocess.run(command, env=tools, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
