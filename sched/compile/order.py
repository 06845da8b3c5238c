"""The order in which the heuristic places nodes, by the earliest times that they can have.

Recurrences come in one piece. Operations on nothing but words of streams are *lazy*: they are
placed with their user. What only passes a value on as a predicate is a *companion*: it comes after
its user.
"""

import itertools

import networkx as nx

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation

from .bounds import ordered_network
from .graph import Role
from .mapping import PREDICATE, Mapping


class PlacingOrder:
    """The order for one mapping.

    Parameters
    ----------
    slack: cycles that routes are given between operations. lazy_depth: operations in a row, from
    words of streams on, that wait for their user.

    Attributes
    ----------
    plan: earliest sensible times. names: the nodes to place, in order. lazy, companions: see above.
    """

    def __init__(self, mapping: Mapping, pea: PeaConfig, slack: int, lazy_depth: int) -> None:
        self.mapping, self.graph, self.interval = mapping, mapping.graph, mapping.interval
        self.pea, self.slack, self.lazy_depth = pea, slack, lazy_depth
        self.lazy: set[str] = set()
        self.names = self._plan()

    def _plan(self) -> list[str]:
        """The order of placing; sets everything else."""
        network = ordered_network(self.graph, self.pea)
        self.plan = dict.fromkeys(self.graph.nodes, 0)
        group = {
            name: number
            for number, names in enumerate(nx.strongly_connected_components(network))
            for name in names
        }
        for _ in range(len(self.graph.nodes) + 1):
            changed = False
            for a, b, data in network.edges(data=True):
                extra = self.slack if group[a] != group[b] and data["latency"] else 0
                early = self.plan[a] + data["latency"] + extra - self.interval * data["distance"]
                if early > self.plan[b]:
                    self.plan[b], changed = early, True
            if not changed:
                break
        now = nx.DiGraph()
        now.add_nodes_from(self.graph.nodes)
        now.add_edges_from(
            (a, b) for a, b, data in network.edges(data=True) if data["distance"] == 0
        )
        for names in self.mapping.pairs.values():
            stores = [n for n in names if self.graph.nodes[n].role is Role.STORE]
            stores.sort(key=lambda n: self.graph.nodes[n].pair == n)
            now.add_edges_from(itertools.pairwise(stores))
        rank = {n: (self.plan[n], i) for i, n in enumerate(self.graph.nodes)}
        order = list(nx.lexicographical_topological_sort(now, key=rank.__getitem__))
        self._choose_lazy(order)
        self.recurrent = any(data["distance"] for _, _, data in network.edges(data=True))
        order = self._recurrences_first(order, network)
        order = self._companions_last(order)
        if not self.recurrent:
            self._prepare(order, network)
        return [
            n for n in order if n not in self.lazy and self.graph.nodes[n].role is not Role.LOAD
        ]

    def _companions_last(self, order: list[str]) -> list[str]:
        """The order with what only passes a value on as predicate after its user."""
        users = self.mapping.users
        self.companions = {
            name
            for name in order
            if self.graph.nodes[name].operation is Operation.PASS
            and len(users[name]) == 1
            and users[name][0][0][1] == PREDICATE
        }
        result = []
        for name in order:
            if name in self.companions:
                continue
            result.append(name)
            node = self.graph.nodes[name]
            if node.predicate is not None and node.predicate.producer in self.companions:
                result.append(node.predicate.producer)
        return result

    def _recurrences_first(self, order: list[str], network: "nx.MultiDiGraph[str]") -> list[str]:
        """The order with every recurrence in one piece, its tightest part first."""
        late: dict[str, int] = {}
        condensed = nx.condensation(nx.DiGraph(network))
        position = {name: i for i, name in enumerate(order)}
        result: list[str] = []
        first = {c: min(position[n] for n in d["members"]) for c, d in condensed.nodes(data=True)}
        for component in nx.lexicographical_topological_sort(condensed, key=first.__getitem__):
            members = sorted(condensed.nodes[component]["members"], key=position.__getitem__)
            if len(members) > 1:
                late = self._latest_in(members, network)
                members.sort(key=lambda n: (late[n] - self.plan[n], position[n]))
            result += members
        return result

    def _latest_in(self, members: list[str], network: "nx.MultiDiGraph[str]") -> dict[str, int]:
        """Latest times of a recurrence's nodes so that it takes no longer than it must."""
        end = max(self.plan[name] for name in members)
        late = dict.fromkeys(members, end)
        edges = [
            (a, b, data["latency"] - self.interval * data["distance"])
            for a, b, data in network.subgraph(members).edges(data=True)
        ]
        for _ in members:
            for a, b, delay in edges:
                late[a] = min(late[a], late[b] - delay)
        return late

    def _choose_lazy(self, order: list[str]) -> None:
        depth: dict[str, int] = {}
        for name in order:
            node = self.graph.nodes[name]
            if node.role is Role.LOAD and node.pair is None:
                depth[name] = 0
            elif (
                node.role is Role.COMPUTE
                and node.predicate is None
                and node.uses
                and all(use.producer in depth and not use.distance for use in node.uses)
            ):
                depth[name] = 1 + max(depth[use.producer] for use in node.uses)
        for name in order:
            node = self.graph.nodes[name]
            if node.role is not Role.COMPUTE or len(node.uses) < 2:
                continue
            uses = sorted(node.uses, key=lambda use: depth.get(use.producer, 1 << 20))
            for use in uses[:-1]:
                maker = use.producer
                single = len(self.mapping.users[maker]) == 1 and not use.distance
                if single and 0 < depth.get(maker, 99) <= self.lazy_depth:
                    self.lazy.add(maker)
                    self._lazy_below(maker, depth)

    def _lazy_below(self, name: str, depth: dict[str, int]) -> None:
        for use in self.graph.nodes[name].uses:
            single = len(self.mapping.users[use.producer]) == 1
            if depth.get(use.producer, 0) > 0 and single:
                self.lazy.add(use.producer)
                self._lazy_below(use.producer, depth)

    def next(self) -> str | None:
        """The node to place now: the first in order, by what the nodes placed allow."""
        waiting = [n for n in self.names if self.mapping.time(n) is None]
        if not waiting or self.recurrent:
            return waiting[0] if waiting else None
        self._replan()
        open_nodes = set(waiting)
        ready = [n for n in waiting if not any(m in open_nodes for m in self._before[n])]
        return min(ready, key=lambda n: (self.plan[n], self._position[n]))

    def _replan(self) -> None:
        """Earliest times again, from the times of placed nodes; what is free to wait, waits."""
        for name in self._order:
            time = self.mapping.time(name)
            if time is not None:
                self.plan[name] = time
                continue
            self.plan[name] = max(
                (self.plan[m] + delay for m, delay in self._delays[name]), default=0
            )
        for name in reversed(self._order):
            if name in self._free and self.mapping.time(name) is None:
                latest = [self.plan[u] - delay for u, delay in self._after[name]]
                self.plan[name] = max(self.plan[name], min(latest, default=0))

    def _prepare(self, order: list[str], network: "nx.MultiDiGraph[str]") -> None:
        """What :meth:`_next` needs."""
        self._order = order
        self._position = {name: i for i, name in enumerate(order)}
        self._before = {
            n: [
                a
                for a in network.predecessors(n)
                if self._is_explicit(a) and a not in self.companions
            ]
            for n in order
        }
        for pair, names in self.mapping.pairs.items():
            for name in names:
                if name != pair and self.graph.nodes[pair].role is Role.STORE:
                    self._before[pair].append(name)
        for name in self.companions:
            (sink, _), *_ = self.mapping.users[name]
            self._before[name].append(sink[0])
        self._delays: dict[str, list[tuple[str, int]]] = {n: [] for n in order}
        self._after: dict[str, list[tuple[str, int]]] = {n: [] for n in order}
        for a, b, data in network.edges(data=True):
            delay = data["latency"] + (self.slack if data["latency"] else 0)
            self._delays[b].append((a, delay))
            self._after[a].append((b, delay))
        self._free: set[str] = set()
        for name in order:
            node = self.graph.nodes[name]
            if node.role is Role.LOAD and node.pair is None:
                self._free.add(name)
            elif node.role is Role.COMPUTE and node.predicate is None and node.uses:
                makers = [use.producer for use in node.uses]
                if all(m in self._free for m in makers):
                    self._free.add(name)

    def _is_explicit(self, name: str) -> bool:
        return name not in self.lazy and self.graph.nodes[name].role is not Role.LOAD
