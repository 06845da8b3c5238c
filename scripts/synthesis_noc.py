"""Area and clock of the networks' blocks on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_noc.py                    # both routers, against their goals
    python scripts/synthesis_noc.py --blocks data_endpoint --path

The control router has 32-bit flits and one channel of 4 flits, the data router 64-bit flits and
two channels of 4: the sizes of the goals. The control router is ``direct`` as in the chip
(``control_router_linked``: without). The chip's own (``chip_control``) has wider flits, those of a
control packet; ``..._multicast`` are the same two with that option (the chip's with
the wider destination). ``control_mesh`` and ``data_mesh`` are two routers joined, with endpoints:
what the receivers of a link make of the clock. ``link_counts`` is what a cluster has beside its
routers to count flits with wrong parity, and once more to count all flits. The exit code is 1 if
a router misses its goal.
"""

import argparse
import sys
from collections.abc import Callable

from synthesis import TITLES, add_arguments, report_block

from octopus.hw.cluster.cluster import CONTROL_FLIT_BITS
from octopus.hw.cluster.event_counts import EventCounts
from octopus.hw.layouts.counters import LinkCount
from octopus.hw.library import Block
from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.link import NODE_BITS
from octopus.hw.noc.mesh import NetworkMesh
from octopus.hw.noc.multicast import RECTANGLE_BITS
from octopus.hw.noc.router import Router

CONTROL = {"single_flit": True, "direct": True}
"""The options of the chip's control network."""

BLOCKS: dict[str, Callable[[], Block]] = {
    "control_router": lambda: Router(32, 1, 4, **CONTROL),
    "control_router_linked": lambda: Router(32, 1, 4, single_flit=True),
    "data_router": lambda: Router(64, 2, 4),
    "chip_control": lambda: Router(CONTROL_FLIT_BITS, 1, 4, **CONTROL),
    "control_multicast": lambda: Router(32, 1, 4, **CONTROL, multicast=True),
    "chip_multicast": lambda: Router(
        CONTROL_FLIT_BITS + RECTANGLE_BITS - NODE_BITS, 1, 4, **CONTROL, multicast=True
    ),
    "control_endpoint": lambda: NetworkEndpoint(32, 1, 4, 4, 4),
    "control_mesh": lambda: NetworkMesh(2, 1, CONTROL_FLIT_BITS, 1, 4, **CONTROL),
    "data_mesh": lambda: NetworkMesh(2, 1, 64, 2, 4),
    "link_counts": lambda: EventCounts(len(LinkCount)),
    "data_endpoint": lambda: NetworkEndpoint(64, 2, 4, 4, 4),
}
GOALS = {"control_router": 900, "data_router": 2200}
"""LUT4 that a router may take."""

MEGAHERTZ = 100
"""The clock that every block must reach."""


def main() -> int:
    """Print the table; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=list(GOALS))
    add_arguments(parser)
    arguments = parser.parse_args()
    print(f"{'block':21} {TITLES}")
    missed = []
    for name in arguments.blocks:
        figures = report_block(BLOCKS[name](), f"{name:21}", arguments)
        if figures.luts > GOALS.get(name, figures.luts) or figures.megahertz < MEGAHERTZ:
            missed.append(name)
    if missed:
        print(f"missed: {', '.join(missed)} (goals: {GOALS} LUT4, {MEGAHERTZ} MHz)")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
