"""Area and clock of the array's blocks on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_pea.py                       # both kinds of PE, and the sequencer
    python scripts/synthesis_pea.py --pipeline-stages 2 3 --kinds all/full --blocks element
    python scripts/synthesis_pea.py --kinds all/full --blocks element --simple-latency 1 2 3 6
    python scripts/synthesis_pea.py --blocks array --rows 4 --columns 4 --kinds mac/systolic

A kind of PE is an operation set and a feature set: ``all/full`` has everything, ``mac/systolic`` is
for inference only. L is ``pipeline_stages``, S ``simple_latency``. See ``synthesis.py`` for what
the figures mean.
"""

import argparse
import itertools
import sys
from collections.abc import Callable

from synthesis import TITLES, add_arguments, report_block

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.features import features_of
from octopus.hw.layouts.operations import canonical
from octopus.hw.library import Block
from octopus.hw.pea import ProcessingElement, ProcessingElementArray, Sequencer

BLOCKS: dict[str, Callable[[PeaConfig], Block]] = {
    "element": lambda pea: ProcessingElement(pea, *pea.kinds[0]),
    "sequencer": Sequencer,
    "array": ProcessingElementArray,
}


def kind(text: str) -> dict[str, str]:
    """What ``operations/features`` changes of a configuration.

    Raises:
        argparse.ArgumentTypeError: no such set.
    """
    operations, _, features = text.partition("/")
    try:
        canonical(operations)
        features_of(features)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: {error}") from None
    return {"operations": operations, "features": features}


def main() -> int:
    """Print the table; the exit code is 0 unless a tool fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=["element", "sequencer"])
    both = [kind("all/full"), kind("mac/systolic")]
    parser.add_argument("--kinds", nargs="+", type=kind, default=both, help="of PE")
    parser.add_argument("--pipeline-stages", nargs="+", type=int, choices=range(1, 7))
    parser.add_argument("--simple-latency", nargs="+", type=int, choices=range(1, 7))
    parser.add_argument("--rows", type=int, help="of the array")
    parser.add_argument("--columns", type=int, help="of the array")
    add_arguments(parser)
    arguments = parser.parse_args()
    pea = OctopusConfig.load(arguments.config).pea
    sizes = {name: getattr(arguments, name) for name in ("rows", "columns")}
    pea = pea.model_copy(update={name: size for name, size in sizes.items() if size})
    print(f"{'block':10} {'kind':14} {'L':>2} {'S':>2} {TITLES}")
    for name in arguments.blocks:
        for changes in arguments.kinds if name != "sequencer" else [{}]:
            for stages, simple in itertools.product(
                arguments.pipeline_stages or [pea.pipeline_stages],
                arguments.simple_latency or [pea.simple_latency],
            ):
                latencies = {"pipeline_stages": stages, "simple_latency": min(simple, stages)}
                block = BLOCKS[name](pea.model_copy(update=changes | latencies))
                title = "/".join(changes.values())
                report_block(block, f"{name:10} {title:14} {stages:2} {simple:2}", arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
