"""Soak test of whole meshes: random packets, back-pressure storms, a scoreboard; and faults.

    python scripts/noc_soak.py                            # 10^6 packets through every 4 x 4 mesh
    python scripts/noc_soak.py data --packets 100000 --seed 7
    python scripts/noc_soak.py --faults --packets 200000  # flipped bits, unreachable addresses

See ``verify/bench/mesh_soak.cpp`` for what is checked. The seed is printed; with the same seed the
same happens again. The exit code is 1 if a mesh fails.
"""

import argparse
import os
import random
import sys
import time

from rich.progress import Progress

from octopus.verify.bench.mesh_soak import MESHES, NO_FAULTS, Faults, build_soak, run_soak

FAULTS = Faults(flips=500, unreachable=5000)


def main() -> int:
    """Run the chosen meshes one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", nargs="*", metavar="MESH", help=f"of: {', '.join(MESHES)}")
    parser.add_argument("--packets", type=int, default=1_000_000, help="a mesh")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--seed", type=int, default=os.environ.get("OCTOPUS_SEED"))
    parser.add_argument("--faults", action="store_true", help="inject faults")
    arguments = parser.parse_args()
    if unknown := set(arguments.meshes) - set(MESHES):
        parser.error(f"no such mesh: {', '.join(sorted(unknown))}; allowed: {', '.join(MESHES)}")
    seed = (
        arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 31)
    )
    print(f"seed {seed}, replay with --seed {seed}", flush=True)
    failed = []
    with Progress() as bar:
        for name in arguments.meshes or MESHES:
            options = MESHES[name]
            task = bar.add_task(name, total=arguments.packets)
            program = build_soak(options, arguments.columns, arguments.rows)
            begin = time.monotonic()
            try:
                counts = run_soak(
                    program,
                    options,
                    arguments.packets,
                    seed,
                    FAULTS if arguments.faults else NO_FAULTS,
                    arguments.columns,
                    arguments.rows,
                    lambda done, of, task=task: bar.update(task, completed=done, total=of),
                )
            except AssertionError as error:
                failed.append(name)
                bar.console.print(f"FAIL {name}: {error}")
                continue
            bar.update(task, completed=counts["packets"], total=counts["packets"])
            text = " ".join(f"{key} {value}" for key, value in counts.items())
            bar.console.print(f"ok   {name}: {text} ({time.monotonic() - begin:.0f} s)")
    if failed:
        print(f"failed: {', '.join(failed)}; seed {seed}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
