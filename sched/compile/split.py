"""Brings a word that many use in through several ports: a stream may read an array twice."""

from dataclasses import replace

import networkx as nx

from octopus.hw.config import PeaConfig

from .graph import Graph, Operand, Role, Use

MOST_USERS = 2
"""Users of a word that one port can well serve."""


def split_words(graph: Graph, pea: PeaConfig, interval: int) -> Graph | None:
    """A lowered graph whose most used words come in more than once.

    Users that work together keep a word together. Only turns of ports that are free are taken.

    Returns:
        None if there is nothing to split, or no turn is free.
    """
    words = [node for node in graph.of_role(Role.LOAD) if node.pair is None]
    free = (pea.rows + pea.columns) * interval - sum(1 for _ in graph.of_role(Role.LOAD))
    users = {
        word.name: [n.name for n in graph.nodes.values() if word.name in _makers(graph, n.name)]
        for word in words
    }
    result = replace(graph, nodes=dict(graph.nodes))
    for word in sorted(words, key=lambda word: -len(users[word.name])):
        count = min(-(-len(users[word.name]) // MOST_USERS), free + 1)
        if count < 2 or len(users[word.name]) <= MOST_USERS:
            break
        free -= count - 1
        groups = _groups(graph, word.name, users[word.name], count)
        for number, group in enumerate(groups[1:], start=1):
            name = result.fresh(f"{word.name}_again{number}")
            result.add(replace(word, name=name))
            for user in group:
                _rename(result, user, word.name, name)
    return result if len(result.nodes) > len(graph.nodes) else None


def _makers(graph: Graph, name: str) -> set[str]:
    node = graph.nodes[name]
    uses = [*node.uses, *([node.predicate] if node.predicate else [])]
    return {use.producer for use in uses}


def _groups(graph: Graph, word: str, users: list[str], count: int) -> list[list[str]]:
    """The users in ``count`` groups; what hangs together without the word stays together."""
    network = nx.Graph(graph.network().to_undirected())
    network.remove_node(word)
    near = {user: nx.single_source_shortest_path_length(network, user, cutoff=6) for user in users}
    groups: list[list[str]] = []
    left = list(users)
    while left:
        first = left[0]
        left.sort(key=lambda user: near[first].get(user, 1 << 20))
        share = -(-len(left) // max(count - len(groups), 1))
        groups.append(left[:share])
        left = left[share:]
    return groups


def _rename(graph: Graph, user: str, old: str, new: str) -> None:
    node = graph.nodes[user]

    def renamed(operand: Operand) -> Operand:
        if isinstance(operand, Use) and operand.producer == old:
            return replace(operand, producer=new)
        return operand

    predicate = node.predicate
    if predicate is not None and predicate.producer == old:
        predicate = replace(predicate, producer=new)
    operands = tuple(renamed(operand) for operand in node.operands)
    graph.change(user, operands=operands, predicate=predicate)
