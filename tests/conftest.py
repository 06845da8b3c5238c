"""What every test runs under: output as on a plain terminal, whatever the caller's is."""

import os

# Before any import of the project: its consoles look at the terminal when they are made.
for name in ("FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)
os.environ["TERM"] = "xterm"
