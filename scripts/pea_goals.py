"""The array's goals, each with the figure measured here, met or missed.

    python scripts/pea_goals.py graphs

MAC utilisation of matrix products and convolution on the simulated RTL (``kernel_benchmark.py``);
initiation intervals of the DOT graphs of a folder and of the project's own kernels on 4x4 and 8x8,
each mapping run on the golden model and compared with its meaning (``compiler_benchmark.py``).
Area and clock are in ``synthesis_pea.py``, since they take another toolchain.

Exit code 1 if a goal is missed.
"""

import argparse
from pathlib import Path

from compiler_benchmark import GOAL_SECONDS, GOAL_SHARE, HEADER, Options, Score, benchmark
from kernel_benchmark import chip, console, measure
from rich.table import Table

SIZES = (4, 8)
SEED = 1


def main() -> int:
    """Measure everything, then print the table; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of DOT files")
    folder = parser.parse_args().folder
    if folder is not None and not folder.is_dir():
        parser.error(f"{folder} is not a folder")
    table = Table("figure", "goal", "measured", "")
    missed = 0

    def add(figure: str, goal: str, measured: str, met: bool) -> None:
        nonlocal missed
        missed += not met
        table.add_row(figure, goal, measured, "met" if met else "MISSED")

    for one in measure(chip(None), SEED):
        add(
            f"MAC utilisation, {one.case.title}",
            f"≥ {one.case.goal:.0%}",
            f"{one.utilisation:.2%}" + ", WRONG" * bool(one.result.differences),
            one.met,
        )
    print(HEADER)
    for size in SIZES:
        score = Score()
        benchmark(folder, size, Options(check=True), score)
        add(
            f"II = max(ResMII, RecMII), {size} × {size}",
            f"≥ {GOAL_SHARE:.0%} of kernels, each in {GOAL_SECONDS} s, all right",
            f"{score.at_both} of {score.total}; {score.slow} slower, {score.failed} not mapped, "
            f"{score.wrong} wrong",
            score.met,
        )
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
