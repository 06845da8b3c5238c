"""Area and clock of the Control Block Unit and its parts on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_cbu.py                          # the whole unit, preset ulx3s
    python scripts/synthesis_cbu.py --blocks walker dispatcher --path

See ``synthesis.py`` for what the figures mean.
"""

import sys
from collections.abc import Callable

from synthesis import report_blocks

from octopus.hw.cbu.control_block_unit import ControlBlockUnit
from octopus.hw.config import OctopusConfig
from octopus.hw.library import Block

PARTS = ("tables", "store", "statistics", "shards", "walker", "dispatcher", "instances", "events")
"""Parts of the unit, by the names they have in it."""


def _part(name: str) -> Callable[[OctopusConfig], Block]:
    def build(config: OctopusConfig) -> Block:
        part: Block = getattr(ControlBlockUnit(config), name)
        return part

    return build


BLOCKS: dict[str, Callable[[OctopusConfig], Block]] = {
    "unit": ControlBlockUnit,
    **{name: _part(name) for name in PARTS},
}


if __name__ == "__main__":
    sys.exit(report_blocks(__doc__, BLOCKS, default="unit"))
