"""Proves the formal properties of the blocks; the exit code is 0 if every one of them holds.

    python scripts/prove.py                    # all of them
    python scripts/prove.py noc CreditsExact   # an area, a property
    python scripts/prove.py --quick            # what the test suite proves
    python scripts/prove.py --defects 40 noc   # how many defects of the block would be noticed

A property holds if it is proven (or, where the table says *bounded*, checked for that many
cycles), every cover is reached, and of the defects put into the block some break it. Results are
kept in the cache by content. A counterexample is played in Amaranth's simulator and its waveform
kept in ``--traces``.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from octopus.verify.formal.catalogue import CLAIMS, Claim, select
from octopus.verify.formal.prover import Result, check


def run(index: int, defects: int, seconds: int, traces: Path) -> Result:
    """Check one property of the catalogue (in a process of its own)."""
    return check(CLAIMS[index].make(), defects, seconds, traces)


def table(results: dict[int, Result]) -> Table:
    """A row a property, in the order of the catalogue."""
    out = Table(box=None)
    for column in ("area", "property", "status", "cycles", "clauses", "covers", "defects", "s"):
        out.add_column(column, justify="left" if column in ("area", "property") else "right")
    for index in sorted(results):
        r = results[index]
        reached = sum(cycle is not None for cycle in r.covers.values())
        out.add_row(
            CLAIMS[index].area,
            r.name,
            f"[{'green' if r.holds else 'red'}]{r.status}",
            "all" if r.status == "proven" else str(r.depth),
            str(r.clauses),
            f"{reached}/{len(r.covers)}",
            f"{r.caught}/{r.defects}",
            f"{r.seconds:.1f}",
        )
    return out


def explain(result: Result, console: Console) -> None:
    """Say why a property does not hold."""
    if result.status == "refuted":
        console.print(f"[red]{result.name}[/]: {result.claim}")
        console.print(f"  fails in cycle {result.depth}: {'; '.join(result.failed)}")
        console.print(f"  waveform: {result.trace}")
        console.print(f"  replay: python scripts/prove.py '{result.name}'")
    for name, cycle in result.covers.items():
        if cycle is None:
            console.print(f"[red]{result.name}[/]: never reached: {name}")
    if result.defects and not result.caught:
        console.print(f"[red]{result.name}[/]: no defect breaks it")


def main() -> int:
    """Parse, prove, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="areas, classes or whole names; default: all")
    parser.add_argument("--quick", action="store_true", help="only those of the test suite")
    parser.add_argument("--defects", type=int, default=10, help="defects to put into each block")
    parser.add_argument("--seconds", type=int, default=600, help="limit for each proof")
    parser.add_argument("--jobs", type=int, default=1, help="proofs at a time")
    parser.add_argument("--traces", type=Path, default=Path("build/formal"))
    arguments = parser.parse_args()
    try:
        chosen: list[Claim] = select(arguments.names, arguments.quick)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    begin = time.monotonic()
    results: dict[int, Result] = {}
    limits = (arguments.defects, arguments.seconds, arguments.traces.absolute())
    with ProcessPoolExecutor(arguments.jobs) as pool:
        jobs = {pool.submit(run, CLAIMS.index(c), *limits): CLAIMS.index(c) for c in chosen}
        for number, job in enumerate(as_completed(jobs), 1):
            result = results[jobs[job]] = job.result()
            console.print(
                f"{number}/{len(jobs)} {result.name}: {result.status}, {result.seconds:.1f} s",
                highlight=False,
            )
    console.print(table(results))
    for result in results.values():
        explain(result, console)
    held = sum(result.holds for result in results.values())
    console.print(f"{held} of {len(results)} hold ({time.monotonic() - begin:.0f} s)")
    return 0 if held == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
