"""``octopus`` and ``python -m octopus``: ready for an interrupt before anything is imported."""

import gc
import sys


def main() -> None:
    """The command line."""
    try:
        gc.disable()  # what imports make stays, so that looking for garbage meanwhile finds none
        from octopus.sim.cli import main as command

        gc.enable()
        command()
    except KeyboardInterrupt:
        print("octopus: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
