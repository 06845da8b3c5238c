"""Lists what a reset of a chip does not clear, with the reason; writes ``docs/reset.md``.

Usage: ``python scripts/unreset_state.py [CONFIG ...]``. It fails if a state has no reason.
"""

import sys
from pathlib import Path

from octopus.hw.chip import Chip
from octopus.hw.config import PRESETS, OctopusConfig
from octopus.hw.unreset import find_unreset, markdown, reason_of


def main() -> int:
    """Look through the chips of the configurations, by default of all presets."""
    states = set()
    for name in sys.argv[1:] or PRESETS:
        states |= find_unreset(Chip(OctopusConfig.load(name)))
    unknown = [state for state in sorted(states) if reason_of(state) is None]
    for state in sorted(states):
        reason = reason_of(state)
        kind = "memory" if state.memory else "register"
        print(f"{state.block:20} {state.name:20} {kind:8} {reason[0].name if reason else '?'}")
    (Path(__file__).parent.parent / "docs" / "reset.md").write_text(markdown())
    return len(unknown)


if __name__ == "__main__":
    sys.exit(main())
