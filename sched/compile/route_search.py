"""What it costs to do a node at every time and place, by the routes that bring its operands."""

import numpy as np

from octopus.hw.layouts.instruction import Operation

from .capabilities import capable
from .fabric import Copy, Hold, Place, Step, Turn, Wire
from .flood import HOLD_COST, NEVER, Costs, Flood, History, Prices, Sources
from .graph import Node, Role, Use
from .mapping import PREDICATE, Mapping
from .order import PlacingOrder
from .ports import PortRules
from .problem import Problem


class RouteSearch:
    """Floods over a mapping under construction, at the prices of the moment."""

    prices: Prices
    order: PlacingOrder

    def __init__(self, problem: Problem, random: np.random.Generator) -> None:
        self.graph, self.pea, self.random = problem.graph, problem.pea, random
        self.interval, self.latency = problem.interval, problem.latency
        self.copy_latency = problem.copy_latency
        self.mapping = Mapping(problem)
        self.fabric = self.mapping.fabric
        self.ports = PortRules(self.mapping)
        self.reach = self.pea.rows + self.pea.columns
        self.scale = 0.3
        self.history = History(self.fabric)

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
                if use.producer in self.order.companions
                else cost
            )
        place, made = self.mapping.places[use.producer]
        start = made + self.latency(use.producer) - first
        cost[max(0, start) : max(0, start + self.interval), place[0], place[1]] = 0.0
        return cost

    def _companion(self, name: str, first: int, cost: Costs) -> Costs:
        """The cost of a predicate that is passed on, on the same PE, within an interval before."""
        ready = first - self.latency(name)
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
            slack = time + use.distance * self.interval - times - self.latency(node.name)
            if number == PREDICATE:
                distance = np.where((distance > 0) | (slack >= self.interval), NEVER, 0)
            needed = np.maximum(distance - (0 if use.distance else 1), 0)
            cost += np.where(slack < needed, NEVER, 0.0) + distance
        return cost

    def _known(self, use: Use) -> bool:
        node = self.graph.nodes[use.producer]
        if use.producer in self.mapping.places or use.producer in self.order.lazy:
            return True
        if node.role is not Role.LOAD:
            return False
        return node.pair is None or self.ports.offset_of(node.name) is not None

    def _flood(self, use: Use, first: int, last: int, edges: bool = False) -> Flood:
        """Where the value of a use can be, at least for times ``first`` .. ``last``."""
        name = use.producer
        begin = max(0, first - self.reach)
        if name in self.mapping.places:
            begin = self.mapping.places[name][1] + self.latency(name)
            begin -= use.distance * self.interval
            begin = min(begin, first)
        elif name in self.mapping.ports:
            begin = min(first, self.mapping.ports[name][1])
        return Flood(self.fabric, self.prices, self._sources(use, begin, max(last, begin)))

    def _sources(self, use: Use, first: int, last: int) -> Sources:
        fabric, name = self.fabric, use.producer
        sources = Sources.none(fabric, first, last, self.latency(name))
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
        ready = time + self.latency(use.producer) - use.distance * self.interval
        k = ready - sources.first
        if 0 <= k < len(sources.link):
            hold = Hold(place, ready)
            held = ("value", use.producer) in self.fabric.registers.get(place, {})
            if not sources.links_only:
                room = self.prices.room[(ready % self.interval, *place)]
                sources.landing[k, row, column] = 0.0 if held else room
                sources.trails["landing", place, ready] = (hold,)
            if use.distance == 0:
                self._results(sources, place, time, sources.latency, ())

    def _results(
        self, sources: Sources, place: Place, time: int, cycles: int, trail: tuple[Step, ...]
    ) -> None:
        """Sources for the result links of an instruction that exists."""
        ready = time + cycles
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
        interval, latency = self.interval, sources.latency
        cost = self._execution(node, first, last, False)
        for k in range(len(cost) - latency):
            slot, ready = (first + k) % interval, (first + k + latency) % interval
            hop = self.prices.select[slot] + self.prices.link[ready]
            sources.link[k + latency] = cost[k][..., None] + hop
            sources.landing[k + latency] = cost[k] + self.prices.room[ready]

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
                self._results(sources, step.place, step.time, self.copy_latency, trail)
                ready = step.time + self.copy_latency
                key = (min(ready, last) - first, *step.place)
                free = not sources.links_only and first <= ready <= last
                if free and sources.landing[key] > HOLD_COST:
                    sources.landing[key] = self.prices.room[(ready % self.interval, *step.place)]
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
