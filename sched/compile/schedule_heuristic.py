"""Places nodes one by one, each with the routes of its operands, and takes out what is in the way.

A node goes where its operands arrive at the same time for the least cost; words of streams and
operations on nothing but such words have no time of their own and come when they are needed.
When a node finds no place, its neighbours are taken out and the search goes on; after enough
failures it begins anew with another draw of the costs.
"""

import itertools
import time as clock
from dataclasses import dataclass

import networkx as nx
import numpy as np

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation

from .bounds import ordered_network
from .capabilities import capable
from .fabric import (
    EAST,
    NORTH,
    REGISTER,
    SOUTH,
    WEST,
    ConflictError,
    Copy,
    Entry,
    Fabric,
    Hold,
    Net,
    Place,
    Step,
    Turn,
    Wire,
)
from .flood import HOLD_COST, NEVER, Arrival, Costs, Flood, History, Prices, Sources
from .graph import Constant, Graph, Node, Role, Use
from .mapping import PREDICATE, Mapping
from .ports import PortRules
from .validity import Validity

NODE = 99
"""Stands for a node itself among its operands."""

TAKEN_COST = 6.0
"""The price of what is taken when a place is forced."""

SELF_CONFLICTS = 8
"""Routes tried that take a resource twice."""

CANDIDATES = 12
"""Places tried for a node before it counts as failed."""


@dataclass(frozen=True)
class Tried:
    """What the search found.

    ``failures``: how often each node found no place. ``hints``: the places of the attempt that
    came farthest. ``wanted``: what was taken when it was needed, and how often.
    """

    mapping: Mapping | None
    failures: dict[str, int]
    hints: dict[str, tuple[Place, int]]
    wanted: dict[str, float]


def schedule(
    graph: Graph,
    pea: PeaConfig,
    interval: int,
    window: int,
    deadline: float,
    seed: int,
    attempts: int,
    first: int = 0,
) -> Tried:
    """A mapping at an interval, if one is found before the process has used ``deadline`` s.

    ``first``: number of the first of the attempts, each of which draws anew.
    """
    failures: dict[str, int] = {}
    hints: dict[str, tuple[Place, int]] = {}
    history: dict[str, float] = {}
    for number in range(first, first + attempts):
        if clock.process_time() > deadline:
            break
        attempt = Attempt(graph, pea, interval, window, np.random.default_rng((seed, number)))
        attempt.lazy_depth = (2, 0, 2, 0, 1, 0)[number % 6]
        attempt.scale = (0.05, 0.1, 0.3, 0.6, 0.8)[number % 5]
        attempt.slack = (0, 0, 1, 1, 1, 2, 2)[number % 7]
        done = attempt.run(deadline)
        for name, count in attempt.failures.items():
            failures[name] = failures.get(name, 0) + count
        for resource, wanted in attempt.history.wanted.items():
            history[resource] = history.get(resource, 0) + wanted
        if done:
            complaint = Validity(attempt.mapping).complaint()
            if complaint is None:
                return Tried(attempt.mapping, failures, hints, history)
            failures[complaint] = failures.get(complaint, 0) + 1
        if len(attempt.mapping.places) > len(hints):
            hints = dict(attempt.mapping.places)
    return Tried(None, failures, hints, history)


class Attempt:
    """One search from an empty array."""

    def __init__(
        self,
        graph: Graph,
        pea: PeaConfig,
        interval: int,
        window: int,
        random: np.random.Generator,
    ) -> None:
        self.graph, self.pea, self.random = graph, pea, random
        self.interval, self.latency = interval, pea.pipeline_stages
        self.mapping = Mapping(graph, pea, interval, window)
        self.fabric = self.mapping.fabric
        self.ports = PortRules(self.mapping)
        self.reach = pea.rows + pea.columns
        self.scale = 0.3
        self.slack = 1
        self.lazy_depth = 2
        self.history = History(self.fabric)
        self.failures: dict[str, int] = {}
        self.lazy: set[str] = set()
        self._floods: dict[object, Flood] = {}

    # -- order -----------------------------------------------------------------------------

    def _plan(self) -> list[str]:
        """The order of placing; sets ``plan`` (earliest sensible times) and ``lazy``."""
        network = ordered_network(self.graph, self.latency)
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

    # -- the search ------------------------------------------------------------------------

    def run(self, deadline: float) -> bool:
        """Place everything; False if that did not work out."""
        order = self._plan()
        budget = 6 * len(order) + 20
        failed = 0
        while True:
            name = self._next(order)
            if name is None:
                return self._complete()
            if clock.process_time() > deadline:
                return False
            if self._settle(self.graph.nodes[name]):
                continue
            failed += 1
            self.failures[name] = self.failures.get(name, 0) + 1
            if failed > budget or self.failures[name] > 25:
                return False
            node = self.graph.nodes[name]
            if node.role is Role.STORE or not self._force(node):
                self._make_room(name)

    def _next(self, order: list[str]) -> str | None:
        """The node to place now: the first in order, by what the nodes placed allow."""
        waiting = [n for n in order if self.mapping.time(n) is None]
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

    def _complete(self) -> bool:
        """Whether every operand of every node has its route."""
        for name, users in self.mapping.users.items():
            for sink, _ in users:
                if sink not in self.mapping.deliveries:
                    self.failures[name] = self.failures.get(name, 0) + 1
                    return False
        return True

    def _force(self, node: Node) -> bool:
        """Put a node where the least is in its way, and take that out."""
        mapping = self.mapping
        self.prices = Prices.of(self.fabric, self.random, self.scale, self.history, TAKEN_COST)
        options = self._candidates(node)
        if not options:
            return False
        place, time = options[int(self.random.integers(min(3, len(options))))]
        blockers = self._blockers(node, place, time)
        sinks = {sink for sink in blockers if sink in mapping.deliveries}
        for name, _ in sorted(blockers - sinks):
            self._evict(name)
        waiting = [sink for sink in sorted(sinks) if sink in mapping.deliveries]
        for sink in waiting:
            mapping.withdraw(sink)
            self._drop_idle(sink)
        done = self._attempt(node, place, time)
        for sink in waiting:
            if sink[0] in mapping.places and sink not in mapping.deliveries:
                if not self._again(sink):
                    self._evict(sink[0])
            elif sink[0] in mapping.ports:
                self._evict(sink[0])
        return done

    def _drop_idle(self, sink: tuple[str, int]) -> None:
        """Let a stream word that nothing uses any more choose its port anew."""
        use = self.graph.nodes[sink[0]].operands[sink[1]]
        assert isinstance(use, Use)
        users = self.mapping.users[use.producer]
        idle = not any(other in self.mapping.deliveries for other, _ in users)
        if idle and use.producer in self.mapping.ports:
            self.mapping.remove(use.producer)

    def _again(self, sink: tuple[str, int]) -> bool:
        """Find another route to a node that stays where it is."""
        use = self.graph.nodes[sink[0]].operands[sink[1]]
        assert isinstance(use, Use)
        mark = self.mapping.begin()
        try:
            self._deliver(sink, use, *self.mapping.places[sink[0]])
            self.mapping.settle_registers(self.graph.nodes[sink[0]])
        except ConflictError:
            self.mapping.undo(mark)
            return False
        finally:
            self.mapping.commit()
        return True

    def _blockers(self, node: Node, place: Place, time: int) -> set[tuple[str, int]]:
        """The sinks (operand 99: the node itself) that hold what a node at a place needs."""
        found: set[tuple[str, int]] = set()
        fabric = self.fabric
        key = (time % self.interval, *place)
        self.history.more(self.history.issue, key)
        self._holders(("issue", *key), found)
        self._gate_holders(place, time, found)
        for use in dict.fromkeys(node.uses):
            if use.producer == node.name or not self._known(use):
                continue
            arrival = self._flood(use, time, time).arrival(place, time)
            if arrival is None:
                continue
            for step in arrival.steps:
                self._step_holders(step, (use.producer, use.distance), found)
        assert fabric is self.mapping.fabric
        return {sink for sink in found if sink[0] != node.name}

    def _step_holders(self, step: Step, net: Net, found: set[tuple[str, int]]) -> None:
        tree = self.mapping.trees.get(net)
        if tree is not None and step in tree.sinks:
            return
        interval = self.interval
        if isinstance(step, Wire):
            link = (step.time % interval, *step.place, step.direction)
            if self._holders(("link", *link), found):
                self.history.more(self.history.link, link)
            select = (step.slot_time % interval, *step.place, step.direction)
            self._holders(("select", *select), found)
        elif isinstance(step, Turn):
            if self._holders(("turn", step.time % interval, *step.place), found):
                self.history.more(self.history.turn, (step.time % interval, *step.place))
            if step.source == REGISTER:
                self._gate_holders(step.place, step.time, found)
        elif isinstance(step, Copy):
            if self._holders(("issue", step.time % interval, *step.place), found):
                self.history.more(self.history.issue, (step.time % interval, *step.place))
            self._gate_holders(step.place, step.time, found)
        elif isinstance(step, Entry):
            other = self.ports.holder(step.port, step.time)
            if other is not None and other != net[0]:
                found |= {sink for sink, _ in self.mapping.users[other]}
            self._gate_holders(self.fabric.port_place(step.port), step.time, found)

    def _holders(self, resource: tuple[object, ...], found: set[tuple[str, int]]) -> bool:
        owner = self.fabric.owners.get(resource)
        if owner is None:
            return False
        self._sinks_of(owner, found)
        return True

    def _sinks_of(self, owner: object, found: set[tuple[str, int]]) -> None:
        if isinstance(owner, str):
            found.add((owner, NODE))
        elif isinstance(owner, tuple):
            net, step = owner
            found |= self.mapping.trees[net].sinks[step]

    def _gate_holders(self, place: Place, time: int, found: set[tuple[str, int]]) -> None:
        key = (time % self.interval, *place)
        if self.fabric.gate[key] in (-1, self.fabric.stage(time)):
            return
        for owner in self.fabric.gate_owners(key):
            self._sinks_of(owner, found)

    def _make_room(self, name: str) -> None:
        """Take out neighbours of a node that found no place, and a few others by chance."""
        mapping, node = self.mapping, self.graph.nodes[name]
        victims = {sink[0] for sink, _ in mapping.users[name]}
        uses = [use.producer for use in node.uses]
        uses += [node.predicate.producer] if node.predicate else []
        victims |= {producer for producer in uses if self.random.random() < 0.7}
        for producer in uses:
            if self.random.random() < 0.4:
                victims |= {use.producer for use in self.graph.nodes[producer].uses}
        placed = list(mapping.places)
        if placed and self.failures[name] > 2:
            victims |= {str(n) for n in self.random.choice(placed, min(3, len(placed)))}
        for victim in sorted(victims):
            self._evict(victim)

    def _evict(self, name: str) -> None:
        mapping = self.mapping
        if mapping.time(name) is None:
            return
        gone = mapping.remove(name)
        for one in sorted(gone):
            node = self.graph.nodes[one]
            for sink, _ in mapping.users[one]:
                other = self.graph.nodes[sink[0]]
                if one in self.lazy or other.role is Role.STORE or node.role is Role.LOAD:
                    self._evict(sink[0])
            for use in node.uses:
                if use.producer in self.lazy:
                    self._evict(use.producer)

    # -- one node --------------------------------------------------------------------------

    def _settle(self, node: Node) -> bool:
        self.prices = Prices.of(self.fabric, self.random, self.scale, self.history)
        if node.role is Role.STORE:
            return self._settle_store(node)
        return any(self._attempt(node, *option) for option in self._candidates(node))

    def _attempt(self, node: Node, place: Place, time: int) -> bool:
        """Place a node with its routes, or change nothing."""
        mark = self.mapping.begin()
        try:
            self._try(node, place, time)
        except ConflictError:
            self.mapping.undo(mark)
            return False
        finally:
            self.mapping.commit()
        return True

    def _earliest(self, node: Node) -> int:
        """The first time at which a node can have its placed operands."""
        times = [0]
        for use in [*node.uses, *([node.predicate] if node.predicate else [])]:
            if use.producer in self.mapping.places:
                _, made = self.mapping.places[use.producer]
                times.append(made + self.latency - use.distance * self.interval)
            elif use.producer != node.name:
                early = self.plan[node.name]
                times.append(min(early, self.plan[use.producer] + self.latency))
        if not any(use.producer in self.mapping.places for use in node.uses):
            times.append(self.plan[node.name])
        for order in self.graph.orders:
            before = self.mapping.time(order.first)
            if order.second == node.name and before is not None:
                times.append(before + order.cycles - order.distance * self.interval)
        return max(times)

    def _latest(self, node: Node) -> int:
        """The last time at which a node may be done for the sake of what must come later."""
        times = [1 << 30]
        for order in self.graph.orders:
            after = self.mapping.time(order.second)
            if order.first == node.name and after is not None:
                times.append(after - order.cycles + order.distance * self.interval)
        return min(times)

    def _candidates(self, node: Node) -> list[tuple[Place, int]]:
        first = self._earliest(node)
        last = min(first + self.interval + self.reach + 2, self._latest(node))
        if self.ports.bounded:
            last = min(last, self.fabric.window * self.interval - 1)
        if last < first:
            return []
        total = self._execution(node, first, last, True)
        total += 0.15 * np.arange(len(total))[:, None, None]
        total += self._pull(node, first, last)
        flat = total.ravel()
        count = min(CANDIDATES, flat.size)
        best = np.argpartition(flat, count - 1)[:count]
        best = best[np.argsort(flat[best])]
        found = []
        for index in best:
            if flat[index] >= NEVER:
                break
            k, row, column = (int(n) for n in np.unravel_index(index, total.shape))
            found.append(((row, column), first + k))
        return found

    def _execution(self, node: Node, first: int, last: int, placed: bool) -> Costs:
        """What it costs to do a node at every time and PE, operands included."""
        fabric = self.fabric
        total = np.empty((last - first + 1, fabric.rows, fabric.columns))
        unable = ~capable(self.pea, node.operation)
        for k in range(len(total)):
            time = first + k
            slot = time % self.interval
            blocked = fabric.issue[slot]
            if node.predicate is not None and node.operation is not Operation.SELECT:
                blocked = blocked | fabric.register_turn[slot]
            total[k] = np.where(blocked, self.prices.taken, 0.0) + self.history.issue[slot]
            total[k] += self.prices.closed(fabric, time) + np.where(unable, NEVER, 0.0)
        for use in dict.fromkeys(node.uses):
            if use.producer == node.name or not self._known(use):
                continue
            flood = self._flood(use, first, last)
            total += flood.cost[first - flood.first :][: len(total)]
        if node.predicate is not None:
            total += self._predicate(node.predicate, first, len(total))
        return total

    def _predicate(self, use: Use, first: int, count: int) -> Costs:
        cost = np.full((count, self.fabric.rows, self.fabric.columns), NEVER)
        if use.producer not in self.mapping.places:
            return (
                self._companion(use.producer, first, cost)
                if use.producer in self.companions
                else cost
            )
        place, made = self.mapping.places[use.producer]
        start = made + self.latency - first
        cost[max(0, start) : max(0, start + self.interval), place[0], place[1]] = 0.0
        return cost

    def _companion(self, name: str, first: int, cost: Costs) -> Costs:
        """The cost of a predicate that is passed on, on the same PE, within an interval before."""
        ready = first - self.latency
        begin = max(0, ready - self.interval + 1)
        last = ready + len(cost) - 1
        if last < begin:
            return cost
        own = self._execution(self.graph.nodes[name], begin, last, True)
        for k in range(len(cost)):
            to = ready + k - begin + 1
            if to > 0:
                cost[k] = own[max(0, to - self.interval) : to].min(axis=0)
        return cost

    def _pull(self, node: Node, first: int, last: int) -> Costs:
        """Keeps a node where its placed users can be reached, and near the edge for a store."""
        fabric = self.fabric
        rows = np.arange(fabric.rows)[:, None]
        columns = np.arange(fabric.columns)[None, :]
        cost = np.zeros((last - first + 1, fabric.rows, fabric.columns))
        times = np.arange(first, last + 1)[:, None, None]
        for (user, number), use in self.mapping.users[node.name]:
            other = self.graph.nodes[user]
            if other.role is Role.STORE:
                cost += 0.4 * np.minimum(rows, columns)
            if user == node.name or user not in self.mapping.places:
                continue
            place, time = self.mapping.places[user]
            distance = abs(rows - place[0]) + abs(columns - place[1])
            slack = time + use.distance * self.interval - times - self.latency
            if number == PREDICATE:
                distance = np.where((distance > 0) | (slack >= self.interval), NEVER, 0)
            needed = np.maximum(distance - (0 if use.distance else 1), 0)
            cost += np.where(slack < needed, NEVER, 0.0) + distance
        return cost

    def _known(self, use: Use) -> bool:
        node = self.graph.nodes[use.producer]
        if use.producer in self.mapping.places or use.producer in self.lazy:
            return True
        if node.role is not Role.LOAD:
            return False
        return node.pair is None or self.ports.offset_of(node.name) is not None

    def _flood(self, use: Use, first: int, last: int, edges: bool = False) -> Flood:
        """Where the value of a use can be, at least for times ``first`` .. ``last``."""
        name = use.producer
        begin = max(0, first - self.reach)
        if name in self.mapping.places:
            begin = self.mapping.places[name][1] + self.latency - use.distance * self.interval
            begin = min(begin, first)
        elif name in self.mapping.ports:
            begin = min(first, self.mapping.ports[name][1])
        return Flood(self.fabric, self.prices, self._sources(use, begin, max(last, begin)))

    def _sources(self, use: Use, first: int, last: int) -> Sources:
        fabric, name = self.fabric, use.producer
        sources = Sources.none(fabric, first, last)
        node = self.graph.nodes[name]
        sources.links_only = node.predicate is not None and node.operation is not Operation.SELECT
        if name in self.mapping.places:
            self._made(sources, use, last)
        elif node.role is Role.LOAD:
            sources.entry = self.ports.entries(node, first, last, self.interval, self.prices.taken)
        else:
            self._unmade(sources, node, first, last)
        self._existing(sources, (name, use.distance), last)
        return sources

    def _made(self, sources: Sources, use: Use, last: int) -> None:
        (row, column), time = self.mapping.places[use.producer]
        place = (row, column)
        ready = time + self.latency - use.distance * self.interval
        k = ready - sources.first
        if 0 <= k < len(sources.link):
            hold = Hold(place, ready)
            held = ("value", use.producer) in self.fabric.registers.get(place, {})
            if not sources.links_only:
                sources.landing[k, row, column] = 0.0 if held else self.prices.room[place]
                sources.trails["landing", place, ready] = (hold,)
            if use.distance == 0:
                self._results(sources, place, time, ())

    def _results(self, sources: Sources, place: Place, time: int, trail: tuple[Step, ...]) -> None:
        """Sources for the result links of an instruction that exists."""
        ready = time + self.latency
        k = ready - sources.first
        if not 0 <= k < len(sources.link):
            return
        for direction in range(4):
            cost = (
                self.prices.select[(time % self.interval, *place, direction)]
                + self.prices.link[(ready % self.interval, *place, direction)]
            )
            wire = Wire(place, direction, ready, "result", time)
            key = (k, *place, direction)
            if cost < sources.link[key]:
                sources.link[key] = cost
                sources.trails["link", place, direction, ready] = (*trail, wire)

    def _unmade(self, sources: Sources, node: Node, first: int, last: int) -> None:
        """Sources wherever an operation that waits for its use could be done."""
        interval, latency = self.interval, self.latency
        cost = self._execution(node, first, last, False)
        for k in range(len(cost) - latency):
            slot, ready = (first + k) % interval, (first + k + latency) % interval
            hop = self.prices.select[slot] + self.prices.link[ready]
            sources.link[k + latency] = cost[k][..., None] + hop
            sources.landing[k + latency] = cost[k] + self.prices.room

    def _existing(self, sources: Sources, net: tuple[str, int], last: int) -> None:
        """Sources along the routes that the value has already."""
        tree = self.mapping.trees.get(net)
        if tree is None:
            return
        first = sources.first
        for step, trail in tree.trails.items():
            if isinstance(step, Wire):
                if first <= step.time <= last:
                    sources.link[(step.time - first, *step.place, step.direction)] = 0.0
                    sources.trails["link", step.place, step.direction, step.time] = trail
            elif isinstance(step, Hold):
                if first <= step.time <= last:
                    sources.landing[(step.time - first, *step.place)] = 0.0
                    sources.trails["landing", step.place, step.time] = trail
            elif isinstance(step, Copy):
                self._results(sources, step.place, step.time, trail)
                ready = step.time + self.latency
                key = (min(ready, last) - first, *step.place)
                free = not sources.links_only and first <= ready <= last
                if free and sources.landing[key] > HOLD_COST:
                    sources.landing[key] = self.prices.room[step.place]
                    sources.trails["landing", step.place, ready] = (*trail, Hold(step.place, ready))
            elif isinstance(step, Turn):
                self._turned(sources, step, trail, last)

    def _turned(self, sources: Sources, step: Turn, trail: tuple[Step, ...], last: int) -> None:
        """More outputs of a route that exists."""
        time = step.time + 1
        if not sources.first <= time <= last:
            return
        for direction in range(4):
            cost = (
                self.prices.select[(step.time % self.interval, *step.place, direction)]
                + self.prices.link[(time % self.interval, *step.place, direction)]
            )
            key = (time - sources.first, *step.place, direction)
            if cost < sources.link[key]:
                sources.link[key] = cost
                wire = Wire(step.place, direction, time, "route", step.time)
                sources.trails["link", step.place, direction, time] = (*trail, wire)

    # -- putting a node down ---------------------------------------------------------------

    def _try(
        self, node: Node, place: Place, time: int, waiting: tuple[str, int] | None = None
    ) -> None:
        """Place a node with all its routes but that to the sink for which it is placed.

        Raises:
            ConflictError: it does not fit there.
        """
        mapping = self.mapping
        mapping.place(node, place, time)
        for number, operand in enumerate(node.operands):
            if isinstance(operand, Constant) or operand.producer == node.name:
                continue
            if self._known(operand):
                self._deliver((node.name, number), operand, place, time)
        if node.predicate is not None and (
            node.predicate.producer in mapping.places
            or node.predicate.producer not in self.companions
        ):
            mapping.see_predicate(node)
        mapping.settle_registers(node)
        for sink, use in mapping.users[node.name]:
            if sink in mapping.deliveries or sink[0] not in mapping.places or sink == waiting:
                continue
            user = self.graph.nodes[sink[0]]
            if sink[1] == PREDICATE:
                mapping.see_predicate(user)
            else:
                self._deliver(sink, use, *mapping.places[sink[0]])
                mapping.settle_registers(user)

    def _deliver(self, sink: tuple[str, int], use: Use, place: Place, time: int) -> None:
        self.prices = Prices.of(self.fabric, self.random, self.scale, self.history)
        for _ in range(SELF_CONFLICTS):
            arrival = self._flood(use, time, time).arrival(place, time)
            if arrival is None:
                raise ConflictError
            if not self._crosses_itself(arrival, (use.producer, use.distance)):
                self._follow(sink, use, arrival)
                return
        raise ConflictError

    def _crosses_itself(self, arrival: Arrival, net: Net) -> bool:
        """Whether a route takes a resource twice; if so, that gets dearer."""
        tree = self.mapping.trees.get(net)
        seen: set[tuple[object, ...]] = set()
        twice = False
        interval, prices = self.interval, self.prices
        for step in arrival.steps:
            if tree is not None and step in tree.sinks:
                continue
            if isinstance(step, Wire):
                key = (step.time % interval, *step.place, step.direction)
                slot = (step.slot_time % interval, *step.place, step.direction)
                if ("link", *key) in seen or ("select", *slot) in seen:
                    prices.link[key] += 2.0
                    twice = True
                seen |= {("link", *key), ("select", *slot)}
            elif isinstance(step, Turn | Copy):
                kind = type(step).__name__
                at = (step.time % interval, *step.place)
                if (kind, *at) in seen:
                    price = prices.turn if isinstance(step, Turn) else prices.issue
                    price[at] += 2.0
                    prices.register_turn[at] += 2.0
                    twice = True
                seen.add((kind, *at))
        return twice

    def _follow(self, sink: tuple[str, int], use: Use, arrival: Arrival) -> None:
        """Place what the route starts at, if it has no place yet, and take the route."""
        mapping = self.mapping
        node = self.graph.nodes[use.producer]
        if node.role is Role.LOAD and node.name not in mapping.ports:
            entry = arrival.steps[0]
            assert isinstance(entry, Entry)
            mapping.bind(node.name, entry.port, entry.time)
        elif arrival.made is not None and node.name not in mapping.places:
            self._try(node, *arrival.made, waiting=sink)
        mapping.deliver(sink, (use.producer, use.distance), arrival)

    def _settle_store(self, node: Node) -> bool:
        (use,) = node.uses
        name = use.producer
        if name in self.mapping.places:
            first = self.mapping.places[name][1] + self.latency - use.distance * self.interval
        elif name in self.mapping.ports:
            first = self.mapping.ports[name][1] + 1
        else:
            first = self.plan[node.name] + 1
        first = self.ports.earliest_store(node, max(first, 0))
        last = first + self.reach + self.interval + 4
        options = self.ports.exits(node, first, last)
        fabric = self.fabric
        open_edges(self.prices, fabric, self.random, self.scale)
        flood = self._flood(use, first, last, edges=True)
        found = []
        for port, time, penalty in options:
            direction = WEST if port < fabric.rows else NORTH
            place = fabric.port_place(port)
            cost = flood.link[(time - flood.first, *place, direction)]
            if cost < NEVER:
                found.append((float(cost) + penalty + 0.1 * (time - first), port, time))
        for _, port, time in sorted(found)[:CANDIDATES]:
            mark = self.mapping.begin()
            try:
                direction = WEST if port < fabric.rows else NORTH
                arrival = flood.departure(fabric.port_place(port), direction, time)
                if arrival is None:
                    raise ConflictError
                self.mapping.bind(node.name, port, time)
                self._follow((node.name, 0), use, arrival)
                self.ports.check_start(node.name)
                self.mapping.commit()
                return True
            except ConflictError:
                self.mapping.undo(mark)
                self.mapping.commit()
        return False


def open_edges(prices: Prices, fabric: Fabric, random: np.random.Generator, scale: float) -> None:
    """Let a store's value leave over the edge: its last link costs as any other."""
    for slot in range(fabric.interval):
        west, north = fabric.link[slot, :, 0, WEST], fabric.link[slot, 0, :, NORTH]
        prices.link[slot, :, 0, WEST] = np.where(west, NEVER, 1.0 + scale * random.random())
        prices.link[slot, 0, :, NORTH] = np.where(north, NEVER, 1.0 + scale * random.random())


__all__ = ["EAST", "SOUTH", "Attempt", "Tried", "schedule"]
