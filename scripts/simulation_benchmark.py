"""How fast simulation is, with each goal, beside the simulator of an earlier commit.

    python scripts/simulation_benchmark.py [--only cascade,idle] [--json FILE] [--config default]

Ratios are taken in one run on one machine: both simulators run in turn and the best of each
counts, in CPU time except where threads or builds are measured. The reference is taken from the
repository's history, built once and cached. Returns 1 if a goal is missed, 2 for bad arguments.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from simulation_lines import LINES, Bench, Figure

from octopus.hw.config import ConfigurationError, OctopusConfig


def arguments_of(command: list[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(LINES), help=f"of {','.join(LINES)}")
    parser.add_argument("--skip", default="", help="lines left out")
    parser.add_argument("--config", default="default", help="preset or TOML file (default)")
    parser.add_argument("--images", type=int, default=300, help="of the cascade (300)")
    parser.add_argument("--repetitions", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--scale-reference", action="store_true", help="build scale as it was, too")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(command)
    for name in ("images", "repetitions"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} is {getattr(arguments, name)}; allowed: at least 1")
    skipped = [name for name in arguments.skip.split(",") if name]
    arguments.only = [name for name in arguments.only.split(",") if name and name not in skipped]
    for name in [*arguments.only, *skipped]:
        if name not in LINES:
            parser.error(f"no line {name!r}; allowed: {', '.join(LINES)}")
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        parser.error(f"--json is {str(arguments.json)!r}, in a folder that does not exist")
    try:
        OctopusConfig.load(arguments.config)
    except ConfigurationError as error:
        parser.error(str(error))
    return arguments


def shown(figure: Figure) -> str:
    """A figure as a line."""
    verdict = "" if figure.goal is None else "met   " if figure.met else "MISSED"
    goal = "" if figure.goal is None else f"{'<=' if figure.at_most else '>='} {figure.goal:g}"
    value = f"{figure.value:,.2f} {figure.unit}"
    return f"{verdict:6} {figure.name:48} {value:26} {goal:9} {figure.note}"


def main() -> int:
    """Measure, print, and write the file."""
    arguments = arguments_of(None)
    console = Console(stderr=True)
    results: list[dict[str, object]] = []
    failed = False
    with console.status("starting") as status:
        bench = Bench(
            arguments.config, arguments.images, arguments.repetitions, arguments.scale_reference
        )
        with bench.stack:
            for name in arguments.only:
                bench.say = lambda text, name=name: status.update(f"{name}: {text}")
                bench.say("starting")
                try:
                    for figure in LINES[name](bench):
                        print(shown(figure), flush=True)
                        results.append({"line": name, **asdict(figure), "met": figure.met})
                        failed |= not figure.met
                except (RuntimeError, AssertionError, OSError) as error:
                    print(f"MISSED {name}: cannot be measured: {error}", flush=True)
                    results.append({"line": name, "met": False, "error": str(error)})
                    failed = True
    machine = {"processor": platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()}
    if arguments.json:
        content = {"machine": machine, "figures": results}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
