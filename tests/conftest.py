"""What every test runs under: output as on a plain terminal, the longest tests first."""

import os
from pathlib import Path

import pytest

# Before any import of the project: its consoles look at the terminal when they are made.
for name in ("FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)
os.environ["TERM"] = "xterm"

LONG = (
    "verify/test_system.py",
    "verify/test_tbu_bench.py",
    "verify/test_pea_bench.py",
    "verify/test_host_bench.py",
    "verify/test_router_bench.py",
    "verify/test_control_chip.py",
    "sim",
    "verify",
)
"""Files and folders whose tests build simulators, those with the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: tests of a second are left for whichever process is done sooner."""
    tests = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(tests)
        found = [n for n, part in enumerate(LONG) if path.is_relative_to(part)]
        return min(found, default=len(LONG))

    items.sort(key=place)
