"""Puts one node down with all its routes, or changes nothing."""

from functools import partial

import numpy as np

from .fabric import NORTH, WEST, ConflictError, Copy, Entry, Fabric, Net, Place, Turn, Wire
from .flood import NEVER, Arrival, Prices
from .graph import Constant, Node, Role, Use
from .mapping import PREDICATE
from .route_search import RouteSearch

SELF_CONFLICTS = 8
"""Routes tried that take a resource twice."""

CANDIDATES = 12
"""Places tried for a node before it counts as failed."""


class Placement(RouteSearch):
    """Tries the best places of a node, with the routes from and to what is placed."""

    def _settle(self, node: Node) -> bool:
        self.prices = Prices.of(self.fabric, self.random, self.scale, self.history)
        if node.role is Role.STORE:
            return self._settle_store(node)
        return any(self._attempt(node, *option) for option in self._candidates(node))

    def _attempt(self, node: Node, place: Place, time: int) -> bool:
        """Place a node with its routes, or change nothing."""
        return self.mapping.attempt(lambda: self._try(node, place, time))

    def _earliest(self, node: Node) -> int:
        """The first time at which a node can have its placed operands."""
        times = [0]
        for use in [*node.uses, *([node.predicate] if node.predicate else [])]:
            if use.producer in self.mapping.places:
                _, made = self.mapping.places[use.producer]
                times.append(made + self.latency(use.producer) - use.distance * self.interval)
            elif use.producer != node.name:
                early = self.order.plan[node.name]
                times.append(min(early, self.order.plan[use.producer] + self.latency(use.producer)))
        if not any(use.producer in self.mapping.places for use in node.uses):
            times.append(self.order.plan[node.name])
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
            or node.predicate.producer not in self.order.companions
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
            ready = self.mapping.places[name][1] + self.latency(name)
            first = ready - use.distance * self.interval
        elif name in self.mapping.ports:
            first = self.mapping.ports[name][1] + 1
        else:
            first = self.order.plan[node.name] + 1
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

        def store(port: int, time: int) -> None:
            direction = WEST if port < fabric.rows else NORTH
            arrival = flood.departure(fabric.port_place(port), direction, time)
            if arrival is None:
                raise ConflictError
            self.mapping.bind(node.name, port, time)
            self._follow((node.name, 0), use, arrival)
            self.ports.check_start(node.name)

        return any(
            self.mapping.attempt(partial(store, port, time))
            for _, port, time in sorted(found)[:CANDIDATES]
        )


def open_edges(prices: Prices, fabric: Fabric, random: np.random.Generator, scale: float) -> None:
    """Let a store's value leave over the edge: its last link costs as any other."""
    for slot in range(fabric.interval):
        west, north = fabric.link[slot, :, 0, WEST], fabric.link[slot, 0, :, NORTH]
        prices.link[slot, :, 0, WEST] = np.where(west, NEVER, 1.0 + scale * random.random())
        prices.link[slot, 0, :, NORTH] = np.where(north, NEVER, 1.0 + scale * random.random())
