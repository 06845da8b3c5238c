"""Area and clock of the array's blocks on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_pea.py                       # both kinds of PE, and the sequencer
    python scripts/synthesis_pea.py --pipeline-stages 2 3 --operations all --blocks element

See ``synthesis.py`` for what the figures mean.
"""

import argparse
import sys
from collections.abc import Callable

from synthesis import TITLES, add_arguments, report_block

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.library import Block
from octopus.hw.pea import ProcessingElement, ProcessingElementArray, Sequencer

BLOCKS: dict[str, Callable[[PeaConfig], Block]] = {
    "element": lambda pea: ProcessingElement(pea, pea.operation_set(0, 0)),
    "sequencer": Sequencer,
    "array": ProcessingElementArray,
}


def main() -> int:
    """Print the table; the exit code is 0 unless a tool fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=["element", "sequencer"])
    parser.add_argument("--operations", nargs="+", choices=["all", "ai"], default=["all", "ai"])
    parser.add_argument("--pipeline-stages", nargs="+", type=int, choices=range(1, 7))
    add_arguments(parser)
    arguments = parser.parse_args()
    pea = OctopusConfig.load(arguments.config).pea
    print(f"{'block':10} {'operations':10} {'L':>2} {TITLES}")
    for name in arguments.blocks:
        for operations in arguments.operations if name != "sequencer" else [pea.operations]:
            for stages in arguments.pipeline_stages or [pea.pipeline_stages]:
                changes = {"operations": operations, "pipeline_stages": stages}
                block = BLOCKS[name](pea.model_copy(update=changes))
                report_block(block, f"{name:10} {operations:10} {stages:2}", arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
