"""A broadcast by multicast against one packet for each cluster: exact cycles, by simulation.

    python scripts/noc_multicast.py                    # 8 x 8, direct as the control network
    python scripts/noc_multicast.py --columns 4 --rows 4

One node sends to all clusters of an idle mesh that take everything. A line for each source and
way: cycles from that in which the first flit is offered to that in which the last copy is taken
(both counted), those in which the source's stream is occupied, and flits that went over links
between routers.
"""

import argparse
from typing import Any

from amaranth.hdl import Value
from amaranth.sim import Simulator

from octopus.hw.cluster.cluster import CONTROL_FLIT_BITS
from octopus.hw.layouts.space import Rectangle
from octopus.hw.noc.mesh import NetworkMesh
from octopus.verify.golden.multicast import RectangleModel, tree
from octopus.verify.golden.router import NodeModel, Side, zero_load_cycles
from octopus.verify.golden.routing import HOST, nodes_of


def code(to: RectangleModel) -> int:
    """A destination as it stands in a flit."""
    first = {"x": to.x, "y": to.y, "host": to.host}
    fields = {"first": first, "x_last": to.x_last, "y_last": to.y_last}
    return Value.cast(Rectangle.const(fields)).value


def measure(mesh: NetworkMesh, source: int, flits: list[RectangleModel]) -> tuple[int, int]:
    """Cycles until the last copy was taken, and until the last flit was injected."""
    owed = sum(len(to.nodes()) for to in flits)
    result: list[int] = []

    async def bench(ctx: Any) -> None:
        port = mesh.inject[source][0]
        for eject in mesh.eject:
            ctx.set(eject[0].ready, 1)
        waiting, taken, cycle = list(flits), 0, 0
        while taken < owed:
            if waiting:
                ctx.set(port.payload, {"payload": code(waiting[0]), "head": 1, "tail": 1})
            ctx.set(port.valid, bool(waiting))
            if waiting and ctx.get(port.ready):
                waiting.pop(0)
                if not waiting:
                    result.append(cycle + 1)
            taken += sum(ctx.get(eject[0].valid) for eject in mesh.eject)
            cycle += 1
            await ctx.tick()
        result.insert(0, cycle)

    simulator = Simulator(mesh)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return result[0], result[1]


def hops(source: NodeModel, flits: list[RectangleModel]) -> int:
    """Flits on links between routers."""
    return sum(channel.side is not Side.LOCAL for to in flits for channel in tree(source, to))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--linked", action="store_true", help="endpoints behind link registers")
    arguments = parser.parse_args()
    size = columns, rows = arguments.columns, arguments.rows
    nodes = nodes_of(columns, rows)
    centre = NodeModel(columns // 2, rows // 2)
    for name, source in (("host", HOST), ("corner", nodes[0]), ("centre", centre)):
        place = len(nodes) if source.host else nodes.index(source)
        near = sorted(nodes, key=lambda node, s=source: zero_load_cycles(s, node))
        for way, flits in (
            ("multicast", [RectangleModel(0, 0, columns - 1, rows - 1)]),
            ("packets, nearest first", [RectangleModel.of(node) for node in near]),
            ("packets, farthest first", [RectangleModel.of(node) for node in reversed(near)]),
        ):
            mesh = NetworkMesh(
                *size, CONTROL_FLIT_BITS, 1, 4, single_flit=True, multicast=True,
                direct=not arguments.linked,
            )  # fmt: skip
            last, injected = measure(mesh, place, flits)
            print(
                f"{name:7} {way:24} last copy after {last:4} cycles, source occupied {injected:3}, "
                f"{hops(source, flits):4} flits on links",
                flush=True,
            )


if __name__ == "__main__":
    main()
