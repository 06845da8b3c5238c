"""In which iterations, beside the real ones, each value of a mapping is valid.

An instruction whose software-pipeline stage the sequencer can tell acts in the real iterations
only. One of a later stage is enabled too early, but an operand that comes over links is invalid
until its producer acted, and so its result is too. What remains are a number of iterations *before*
the first in which a value is valid though it means nothing. Streams are moved by as many words,
so that those words come from, and go to, places nobody looks at.

Accesses of one port take turns, a word each in every *round*. So all must have their first turn
within one interval, and none may run out of words before the last round, or the words of the
others would come into wrong places. Where one would, body and streams in are made longer.
"""

from functools import cached_property
from itertools import chain
from math import gcd

from octopus.hw.layouts.instruction import Operation

from .fabric import REGISTER, Copy, Entry, Hold, Place, Turn
from .graph import Graph, Node, Role, Use
from .mapping import PREDICATE, Delivery, Mapping

FOREVER = 1 << 30


def guarded(node: Node) -> bool:
    """Whether a node acts in some iterations only."""
    return node.predicate is not None and node.operation is not Operation.SELECT


def exposed_stores(graph: Graph) -> set[str]:
    """Stores to parts of one array whose words that mean nothing could hit another part, which
    another store or nobody writes.

    Steps of all of them are multiples of one number: elements that differ modulo it never meet.
    """
    by_array: dict[str, list[Node]] = {}
    for node in graph.of_role(Role.STORE):
        if node.access is not None and node.pair is None:
            by_array.setdefault(node.access.array, []).append(node)
    exposed: set[str] = set()
    for array, nodes in by_array.items():
        accesses = [node.access for node in nodes if node.access is not None]
        step = gcd(*chain.from_iterable(access.strides for access in accesses))
        parts = {access.offset % step if step else access.offset for access in accesses}
        if len(parts) < len(nodes) or array in graph.partial:
            exposed.update(node.name for node in nodes)
    return exposed


class Validity:
    """``before`` of every node: meaningless iterations before the first real one.

    ``after``: likewise after the last real one. ``early`` of the whole mapping: how many trips the
    body takes beyond the real ones. ``longer``: of these, and of the rounds of streams in, those
    that are there only so that no store ends before others of its port.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._fabric = mapping.fabric
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}
        self._shifts: dict[int, int] = {}
        for name, (port, _) in mapping.ports.items():
            if mapping.graph.nodes[name].role is Role.LOAD:
                self._shifts[port] = max(self._shifts.get(port, 0), self.entry_slack(name))
        order = [name for name in mapping.graph.order() if mapping.time(name) is not None]
        for name in order:
            self.before[name] = self._of(name)
        self.longer = 0
        self._afters(order)
        self.longer = max((self._deficit(names) for names in self._sharing()), default=0)
        if self.longer:
            self._afters(order)

    def _afters(self, order: list[str]) -> None:
        for name in order:
            self.after[name] = self._after_of(name)

    def slack(self, place: Place, time: int) -> int:
        """By how many stages the instruction of a PE and time is enabled too early."""
        return time // self._fabric.interval - self._fabric.stage_at(place, time)

    def entry_slack(self, name: str) -> int:
        """The same of the word of a LOAD."""
        port, time = self._mapping.ports[name]
        return self.slack(self._fabric.port_place(port), time)

    def _step_slack(self, step: Entry | Turn | Copy) -> int:
        """The same of a step of a route."""
        if isinstance(step, Entry):
            return self.slack(self._fabric.port_place(step.port), step.time)
        return self.slack(step.place, step.time)

    def _own_slack(self, name: str) -> int:
        """The same of a node."""
        if name in self._mapping.ports:
            return self.entry_slack(name)
        return self.slack(*self._mapping.places[name])

    def _of(self, name: str) -> int:
        mapping = self._mapping
        node = mapping.graph.nodes[name]
        time = mapping.time(name)
        assert time is not None
        before = FOREVER if node.role is Role.STORE else self._own_slack(name)
        for number in range(PREDICATE + 1, len(node.operands)):
            delivery = mapping.deliveries.get((name, number))
            if delivery is not None and delivery.source != REGISTER:
                before = min(before, self._over(delivery))
        return before

    def _after_of(self, name: str) -> int:
        mapping = self._mapping
        node = mapping.graph.nodes[name]
        time = mapping.time(name)
        assert time is not None
        if node.role is Role.LOAD:
            # The stream of a computed access is empty when no offset comes any more.
            if node.pair is not None:
                return 0
            return self._shifts[mapping.ports[name][0]] + self.longer - self._own_slack(name)
        after = FOREVER if node.role is Role.STORE else self.early - self._own_slack(name)
        for number in range(len(node.operands)):
            delivery = mapping.deliveries.get((name, number))
            if delivery is not None and delivery.source != REGISTER:
                own = self.after.get(delivery.net[0], FOREVER)
                for step in delivery.steps:
                    if isinstance(step, Turn | Copy) and step.source == REGISTER:
                        own = self.early - self._step_slack(step)
                    elif isinstance(step, Copy):
                        own = min(own, self.early - self._step_slack(step))
                after = min(after, own)
        return after

    def _over(self, delivery: Delivery) -> int:
        """Of a value that arrives over a link."""
        before = self.before.get(delivery.net[0], FOREVER)
        for step in delivery.steps:
            if isinstance(step, Entry) or (isinstance(step, Turn) and step.source == REGISTER):
                before = self._step_slack(step)
            elif isinstance(step, Copy):
                own = self._step_slack(step)
                before = own if step.source == REGISTER else min(before, own)
            elif isinstance(step, Hold):
                continue
        return before

    @property
    def early(self) -> int:
        """Trips of the body beyond the real ones."""
        return self._enabled_early + self.longer

    @cached_property
    def _enabled_early(self) -> int:
        slacks = [self.slack(*place) for place in self._mapping.places.values()]
        for tree in self._mapping.trees.values():
            for step in tree.sinks:
                if isinstance(step, Entry | Copy) or (
                    isinstance(step, Turn) and step.source == REGISTER
                ):
                    slacks.append(self._step_slack(step))
        return max(slacks, default=0)

    def first_turn(self, name: str) -> int:
        """The time of a stream node's first word."""
        _, time = self._mapping.ports[name]
        store = self._mapping.graph.nodes[name].role is Role.STORE
        early = self.before[name] if store else self.entry_slack(name)
        return time - early * self._fabric.interval

    def _sharing(self, role: Role = Role.STORE) -> list[list[str]]:
        """The nodes of each port that more than one shares, in one direction."""
        nodes = self._mapping.graph.nodes
        by_port: dict[int, list[str]] = {}
        for name, (port, _) in self._mapping.ports.items():
            if nodes[name].role is role and nodes[name].pair is None:
                by_port.setdefault(port, []).append(name)
        return [names for names in by_port.values() if len(names) > 1]

    def _deficit(self, names: list[str]) -> int:
        """Rounds of a port that the store which ends first has no word for."""
        most = max(self.before[name] for name in names)
        return max(most - self.before[name] - self.after[name] for name in names)

    def _spoil(self, names: list[str]) -> bool:
        """Whether a word after a store's last would take the place of something: of that one,
        where the stride is 0, or of what stays in an array that goes on there."""
        access = self._mapping.graph.nodes[names[0]].access
        again = access is not None and not any(access.strides[:1])
        stays = again or not exposed_stores(self._mapping.graph).isdisjoint(names)
        return stays and len({self.before[name] for name in names}) > 1

    def complaint(self) -> str | None:
        """What of the mapping cannot work, if anything."""
        mapping = self._mapping
        graph = mapping.graph
        carried = {
            use.producer for users in mapping.users.values() for _, use in users if use.distance
        }
        exact = graph.loops > 1 or graph.outer or bool(graph.exits)
        if exact and self.early:
            return "the schedule is longer than the stages of the array"
        exposed = exposed_stores(graph)
        last = max((time for _, time in mapping.ports.values()), default=0)
        if graph.outer and last >= self._fabric.window * self._fabric.interval:
            return "a round's last words would leave after the stages of the array"
        for name, before in self.before.items():
            node = graph.nodes[name]
            alone = node.pair is not None or guarded(node)
            if before and (name in carried or alone or name in exposed):
                return f"{name} would act before the first iteration"
            if alone and self.after[name]:
                return f"{name} would act after the last iteration"
        for pair, names in mapping.pairs.items():
            if any(name not in mapping.ports for name in names):
                continue
            first = [mapping.ports[name] for name in names if name != pair]
            if first and (first[0][0] != mapping.ports[pair][0] or first[0] >= mapping.ports[pair]):
                return f"{pair} has its word before its offset"
        names, how = self.at_odds()
        return f"{' and '.join(names)} do not {how} together" if names else None

    def at_odds(self) -> tuple[list[str], str]:
        """Nodes that share a port and do not go together, and why; none if all do."""
        nodes = self._mapping.graph.nodes
        for role in (Role.LOAD, Role.STORE):
            for names in self._sharing(role):
                turns = [self.first_turn(name) for name in names]
                slots = {turn % self._fabric.interval for turn in turns}
                if max(turns) - min(turns) >= self._fabric.interval or len(slots) < len(names):
                    return names, "start"
                if role is Role.STORE and (self._deficit(names) > 0 or self._spoil(names)):
                    return names, "end"
                patterns = {
                    (access.strides, access.element)
                    for name in names
                    if (access := nodes[name].access) is not None
                }
                if len(patterns) > 1:
                    return names, "step"
        return [], ""


__all__ = ["FOREVER", "Use", "Validity"]
