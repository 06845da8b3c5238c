"""The simplest policy: every task block gets an equal, fixed share of the TBUs."""

from collections.abc import Sequence

from octopus.hw.config import OctopusConfig

from ..workflow import Workflow
from .placement import Place, Placement, clusters_of, follow_tasks


class Indiscriminate:
    """Equal static shares, whatever the demand.

    Task blocks are dealt to the clusters in the order in which the workflow lists them, equally
    many to each, neighbours in the graph to the same or adjacent clusters. In a cluster its TBUs
    are dealt out equally; where there are more blocks than TBUs, blocks share them in turn.
    """

    name = "indiscriminate"

    def place(self, workflow: Workflow, config: OctopusConfig) -> Placement:
        """As :class:`Policy`."""
        clusters = clusters_of(config)
        tasks = [block.name for block in workflow.tasks]
        members: dict[tuple[int, int], list[str]] = {}
        for number, name in enumerate(tasks):
            cluster = clusters[number * len(clusters) // max(len(tasks), len(clusters))]
            members.setdefault(cluster, []).append(name)
        places = {
            name: Place(*cluster, units)
            for cluster, names in members.items()
            for name, units in zip(names, _shares(names, config), strict=True)
        }
        return follow_tasks(workflow, places, next(iter(members), clusters[0]))


def _shares(names: Sequence[str], config: OctopusConfig) -> list[int]:
    """The TBU masks of the blocks of one cluster."""
    units = config.cluster.task_block_units
    masks = [0] * len(names)
    for number in range(max(units, len(names))):
        masks[number % len(names)] |= 1 << number % units
    return masks
