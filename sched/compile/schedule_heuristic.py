"""Places nodes one by one, each with the routes of its operands, and takes out what is in the way.

A node goes where its operands arrive at the same time for the least cost; words of streams and
operations on nothing but such words have no time of their own and come when they are needed.
When a node finds no place, its neighbours are taken out and the search goes on; after enough
failures it begins anew with another draw of the costs.
"""

import time as clock
from dataclasses import dataclass
from typing import cast

import numpy as np

from .fabric import REGISTER, Copy, Entry, Hold, Net, Place, Step, Turn, Wire
from .flood import Prices
from .graph import Node, Role, Use
from .mapping import Mapping, Sink
from .order import PlacingOrder
from .placement import Placement
from .problem import Problem
from .validity import Validity

NODE = 99
"""Stands for a node itself among its operands."""

PATIENCE = 6
"""Failures a node of the graph before an attempt gives up, unless told otherwise."""

TAKEN_COST = 6.0
"""The price of what is taken when a place is forced."""


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
    problem: Problem,
    deadline: float,
    seed: int,
    attempts: int,
    first: int = 0,
    patience: int = PATIENCE,
) -> Tried:
    """A mapping at an interval, if one is found before the process has used ``deadline`` s.

    Parameters
    ----------
    first: number of the first of the attempts, each of which draws anew. patience: failures a
    node of the graph before an attempt gives up.
    """
    failures: dict[str, int] = {}
    hints: dict[str, tuple[Place, int]] = {}
    history: dict[str, float] = {}
    for number in range(first, first + attempts):
        if clock.process_time() > deadline:
            break
        random = np.random.default_rng((seed, number))
        attempt = Attempt(problem, random, number)
        done = attempt.run(deadline, patience)
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


class Attempt(Placement):
    """One search from an empty array.

    Parameters
    ----------
    number: of the attempt; it sets how the search goes.
    """

    def __init__(self, problem: Problem, random: np.random.Generator, number: int) -> None:
        super().__init__(problem, random)
        self.scale = (0.05, 0.1, 0.3, 0.6, 0.8)[number % 5]
        slack = (0, 0, 1, 1, 1, 2, 2)[number % 7]
        lazy_depth = (2, 0, 2, 0, 1, 0)[number % 6]
        self.order = PlacingOrder(self.mapping, self.pea, slack, lazy_depth)
        self.failures: dict[str, int] = {}

    def run(self, deadline: float, patience: int = PATIENCE) -> bool:
        """Place everything; False if that did not work out."""
        budget = patience * len(self.order.names) + 20
        failed = 0
        while True:
            name = self.order.next()
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

        def deliver() -> None:
            self._deliver(sink, use, *self.mapping.places[sink[0]])
            self.mapping.settle_registers(self.graph.nodes[sink[0]])

        return self.mapping.attempt(deliver)

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
        elif isinstance(step, Hold):
            self._writers(step, net, found)
        elif isinstance(step, Entry):
            other = self.ports.holder(step.port, step.time)
            if other is not None and other != net[0]:
                found |= {sink for sink, _ in self.mapping.users[other]}
            self._gate_holders(self.fabric.port_place(step.port), step.time, found)

    def _writers(self, hold: Hold, net: Net, found: set[tuple[str, int]]) -> None:
        """Those for whom another register is written in the cycle of a hold."""
        own, start, _ = self.mapping.register_of(net, hold)
        for value, register in self.fabric.registers.get(hold.place, {}).items():
            if value != own and (register.start - start) % self.interval == 0:
                for other, reader in register.reads:
                    if isinstance(reader, Step):
                        self._sinks_of((other, reader), found)
                    else:
                        found.add(cast(Sink, reader))

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
                if one in self.order.lazy or other.role is Role.STORE or node.role is Role.LOAD:
                    self._evict(sink[0])
            for use in node.uses:
                if use.producer in self.order.lazy:
                    self._evict(use.producer)


__all__ = ["Attempt", "Tried", "schedule"]
