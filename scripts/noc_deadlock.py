"""Is there a circle of waiting in any mesh, under any routing? Checks them one by one.

    python scripts/noc_deadlock.py                     # every mesh up to 8 x 8, and larger samples

Builds the channel dependency graph of every mesh and routing from the specification's routing
functions (``verify/golden/routing.py``; the tests compare those with the RTL exhaustively) and
looks for a cycle. Prints a line for each routing; the exit code is 1 if a circle was found.
"""

import argparse
import sys
import time
from functools import partial

from octopus.verify.golden import multicast
from octopus.verify.golden.routing import ROUTINGS, find_circle

CHECKS = (*ROUTINGS, "multicast")
"""Multicast's routing is dimension-ordered, with several destinations at a time."""

LARGER = ((1, 32), (32, 1), (2, 16), (12, 9), (16, 16))
"""Columns and rows of the samples beyond the sweep."""

MOST_MULTICAST = 64
"""Clusters of the largest mesh of which all rectangles are gone through."""


def main() -> int:
    """Check all meshes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=8, help="sweep up to this size")
    parser.add_argument("--routings", nargs="+", choices=CHECKS, default=CHECKS)
    parser.add_argument("--no-samples", action="store_true", help="leave the larger meshes out")
    arguments = parser.parse_args()
    sizes = [
        (x, y) for x in range(1, arguments.largest + 1) for y in range(1, arguments.largest + 1)
    ]
    sizes += [] if arguments.no_samples else LARGER
    bad = 0
    for routing in arguments.routings:
        begin = time.monotonic()
        many = routing == "multicast"
        chosen = [(x, y) for x, y in sizes if not many or x * y <= MOST_MULTICAST]
        for number, (columns, rows) in enumerate(chosen, 1):
            find = multicast.find_circle if many else partial(find_circle, routing)
            circle = find(columns, rows)
            if circle:
                bad += 1
                print(f"\n{routing} {columns} x {rows}: {' -> '.join(map(str, circle))}")
            if sys.stdout.isatty():
                print(f"\r{routing}: {number}/{len(chosen)}", end="", flush=True)
        seconds = time.monotonic() - begin
        print(f"\r{routing}: {len(chosen)} meshes checked, {seconds:.0f} s", flush=True)
    print(f"{bad} circles of waiting" if bad else "no circle of waiting")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
