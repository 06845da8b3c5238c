"""The times between which the exact method does each node."""

import networkx as nx

from octopus.hw.config import PeaConfig

from .bounds import ordered_network
from .graph import Graph, Role


class Windows:
    """Times allowed for every node of a lowered graph.

    Operations on nothing but words of streams may wait for their user, all others come as
    early as they can; from then on ``width`` cycles are allowed, and more with every operation
    before, since routes take their time.

    Attributes
    ----------
    edges: (first, second, cycles): ``second`` is done at least ``cycles`` after ``first``.
    """

    def __init__(
        self, graph: Graph, pea: PeaConfig, interval: int, width: int, slope: float = 0.5
    ) -> None:
        network = ordered_network(graph, pea)
        self.edges = [
            (a, b, data["latency"] - interval * data["distance"])
            for a, b, data in network.edges(data=True)
            if a != b
        ]
        group = {
            name: number
            for number, names in enumerate(nx.strongly_connected_components(network))
            for name in names
        }
        early = dict.fromkeys(graph.nodes, 0.0)
        late = dict.fromkeys(graph.nodes, 0.0)
        for _ in graph.nodes:
            changed = False
            for a, b, gap in self.edges:
                extra = slope if group[a] != group[b] else 0.0
                for times, delay in ((early, gap), (late, gap + extra)):
                    if times[a] + delay > times[b] + 1e-9:
                        times[b], changed = times[a] + delay, True
            if not changed:
                break
        free = self._free(graph)
        for name in reversed(graph.order()):
            if name in free:
                users = [(b, gap) for a, b, gap in self.edges if a == name]
                if users:
                    early[name] = max(early[name], min(early[b] - gap for b, gap in users))
                    late[name] = max(late[name], max(late[b] - gap for b, gap in users))
        self._times = {
            name: range(
                max(0, int(early[name]) - (2 if name in free else 0)), int(late[name]) + width + 1
            )
            for name in graph.nodes
        }

    @staticmethod
    def _free(graph: Graph) -> set[str]:
        """What waits for its users."""
        free: set[str] = set()
        for name in graph.order():
            node = graph.nodes[name]
            if node.role is Role.LOAD:
                if node.pair is None:
                    free.add(name)
            elif node.role is Role.COMPUTE and node.uses:
                uses = [*node.uses, *([node.predicate] if node.predicate else [])]
                if all(use.producer in free and not use.distance for use in uses):
                    free.add(name)
        return free

    def times(self, name: str) -> range:
        """When a node may be done."""
        return self._times[name]
