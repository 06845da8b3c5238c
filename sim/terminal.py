"""A run and a comparison of runs on the terminal: nothing is cut at 80 columns."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from .run import RunResult

SHOWN_COLUMNS = 8
"""Of the blocks' table, those for which 80 characters are enough; the page has them all."""


def show_result(result: "RunResult", console: Console) -> None:
    """The run's figures, its task blocks, and what bounds it."""
    figures = Table("figure", box=SIMPLE_HEAD, title=f"{result.workflow} on {result.config.name}")
    figures.add_column("value", justify="right", no_wrap=True)
    for name, value in result.summary_lines():
        figures.add_row(name, value)
    console.print(figures)
    blocks = Table(box=SIMPLE_HEAD, title="task blocks", padding=(0, 1, 0, 0))
    blocks.add_column("block", overflow="fold")  # a long name goes on in the next line
    for title in result.block_titles()[1:SHOWN_COLUMNS]:
        blocks.add_column(title, justify="right", no_wrap=True)
    for row in result.block_rows():
        blocks.add_row(*row[:SHOWN_COLUMNS])
    console.print(blocks)
    console.print(result.bound, highlight=False, markup=False)


def show_comparison(first: Path, second: Path, rows: list[list[str]], console: Console) -> None:
    """Figures of two runs beside each other."""
    table = Table("figure", box=SIMPLE_HEAD, title=f"{first} against {second}")
    for title in ("A", "B", "B / A"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
