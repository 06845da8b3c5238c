"""Lower bounds of the initiation interval, each with the resource that sets it."""

from dataclasses import dataclass

import networkx as nx

from octopus.hw.config import PeaConfig

from .capabilities import capable
from .graph import Graph, Role
from .latency import node_latency


@dataclass(frozen=True)
class Bound:
    """``interval`` cycles at least, because of ``resource``."""

    interval: int
    resource: str


def resource_bounds(graph: Graph, pea: PeaConfig) -> list[Bound]:
    """What each resource of the array asks of a lowered graph, the largest first."""
    ports = pea.rows + pea.columns
    bounds = _slots(graph, pea)
    for role, what in ((Role.LOAD, "input"), (Role.STORE, "output")):
        bounds.append(_ports(graph, role, ports, what))
    if any(node.predicate for node in graph.nodes.values()):
        bounds.append(Bound(2, "predicates: written and used by two instructions of a PE"))
    return sorted(bounds, key=lambda bound: -bound.interval)


def _slots(graph: Graph, pea: PeaConfig) -> list[Bound]:
    """What operations ask of the PEs that have them, for each group of PEs that can do some."""
    able = [capable(pea, node.operation) for node in graph.of_role(Role.COMPUTE)]
    bounds = []
    for group in {places.tobytes(): places for places in able}.values():
        amount = sum(1 for places in able if not (places & ~group).any())
        count = int(group.sum())
        text = f"compute slots: {amount} operations on {count} PEs"
        bounds.append(Bound(_ceil(amount, max(count, 1)), text))
    return bounds


def stage_bound(graph: Graph, pea: PeaConfig, window: int) -> Bound:
    """What the number of software-pipeline stages asks: some nodes must have one of their own.

    These are the demands for gathered words, and all nodes of a loop in rounds, nested loops or
    a loop with an exit. None of them can be done before its operands are there.
    """
    network = ordered_network(graph, pea)
    early = dict.fromkeys(graph.nodes, 0)
    now = nx.DiGraph(
        (a, b, data) for a, b, data in network.edges(data=True) if data["distance"] == 0
    )
    for name in nx.topological_sort(now):
        for a in now.predecessors(name):
            early[name] = max(early[name], early[a] + now.edges[a, name]["latency"])
    all_bounded = graph.loops > 1 or graph.outer or bool(graph.exits)
    latest, last = 0, ""
    for node in graph.nodes.values():
        gathered = node.role is Role.LOAD and node.pair is not None
        # In rounds the last words must have left before the next one's head.
        bounded = all_bounded and (graph.outer or node.role is not Role.STORE)
        if (gathered or bounded) and early[node.name] > latest:
            latest, last = early[node.name], node.name
    return Bound(
        latest // window + 1, f"{window} stages: {last} is done {latest} cycles after the start"
    )


def _ceil(amount: int, share: int) -> int:
    return -(-amount // share)


def _ports(graph: Graph, role: Role, ports: int, what: str) -> Bound:
    """Ports that nodes of a role need: computed accesses have theirs alone, others share."""
    alone = {node.pair for node in graph.nodes.values() if node.pair is not None}
    words: dict[str, int] = {}
    for node in graph.of_role(role):
        if node.pair is not None:
            words[node.pair] = words.get(node.pair, 0) + 1
    gathers = {node.pair for node in graph.of_role(Role.LOAD) if node.pair is not None}
    taken = len(gathers) if role is Role.LOAD else len(alone)
    kinds: dict[object, int] = {}
    for node in graph.of_role(role):
        if node.pair is None:
            assert node.access is not None
            key = (node.access.strides, node.access.element)
            kinds[key] = kinds.get(key, 0) + 1
    interval = max([1, *words.values()])
    shared = sum(kinds.values())
    # Words of different kinds never share a port, in no interval.
    if shared and ports - taken >= len(kinds):
        while sum(_ceil(count, interval) for count in kinds.values()) > ports - taken:
            interval += 1
    elif shared or taken > ports:
        interval = UNREACHABLE
    reason = f"memory ports: {shared + sum(words.values())} words {what} a trip"
    if interval == UNREACHABLE:
        reason += f", of {len(kinds)} patterns and {taken} computed accesses, on {ports} ports"
    return Bound(interval, reason)


UNREACHABLE = 1 << 20
"""The bound of a graph that no interval can hold."""


def recurrence_bound(graph: Graph, pea: PeaConfig) -> Bound:
    """What values that are carried from iteration to iteration ask."""
    network = ordered_network(graph, pea)
    interval, found = 1, None
    while True:
        weights = [
            (a, b, interval * data["distance"] - data["latency"])
            for a, b, data in network.edges(data=True)
        ]
        # The last cycle found names the recurrence; a larger interval is needed to break it.
        cycle = negative_cycle(list(network), weights)
        if cycle is None:
            break
        found = cycle
        interval += 1
    if found is None:
        return Bound(1, "no recurrence")
    return Bound(interval, f"recurrence through {', '.join(found[:6])}{', …' * (len(found) > 6)}")


def negative_cycle(nodes: list[str], edges: list[tuple[str, str, int]]) -> list[str] | None:
    """A cycle of ``edges`` (from, to, weight) whose weights sum to less than zero, or None.

    The method of Bellman and Ford; networkx's own fails where the node it comes upon last is not
    on the cycle but behind it.
    """
    distance = dict.fromkeys(nodes, 0)
    before: dict[str, str] = {}
    last = None
    for _ in nodes:
        last = None
        for a, b, weight in edges:
            if distance[a] + weight < distance[b]:
                distance[b] = distance[a] + weight
                before[b] = last = a
        if last is None:
            return None
    assert last is not None
    for _ in nodes:  # back from what is behind the cycle, onto it
        last = before[last]
    cycle = [last]
    while before[cycle[-1]] != last:
        cycle.append(before[cycle[-1]])
    return cycle[::-1]


ADDRESS_LATENCY = 1
"""Cycles from an offset on the edge link to the earliest demand for its word."""


def ordered_network(graph: Graph, pea: PeaConfig) -> "nx.MultiDiGraph[str]":
    """The graph with ``latency`` and ``distance`` on its edges, computed accesses included."""
    network: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    network.add_nodes_from(graph.nodes)
    for a, b, use in graph.network().edges(data="use"):
        network.add_edge(a, b, latency=node_latency(pea, graph.nodes[a]), distance=use.distance)
    for node in graph.of_role(Role.LOAD):
        if node.pair is not None:
            for other in graph.of_role(Role.STORE):
                if other.pair == node.pair:
                    network.add_edge(other.name, node.name, latency=ADDRESS_LATENCY, distance=0)
    for order in graph.orders:
        network.add_edge(order.first, order.second, latency=order.cycles, distance=order.distance)
    return network
