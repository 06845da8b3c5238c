"""In which iterations, beside the real ones, each value of a mapping is valid.

An instruction whose software-pipeline stage the sequencer can tell acts in the real iterations
only. One of a later stage is enabled too early, but an operand that comes over links is invalid
until its producer acted, and so its result is too. What remains are a number of iterations *before*
the first in which a value is valid though it means nothing. Streams are moved by as many words,
so that those words come from, and go to, places nobody looks at.
"""

from collections.abc import Mapping as Dictionary
from functools import cached_property

from octopus.hw.layouts.instruction import Operation

from .fabric import REGISTER, Copy, Entry, Hold, Turn
from .graph import Node, Role, Use
from .mapping import PREDICATE, Delivery, Mapping

FOREVER = 1 << 30


def guarded(node: Node) -> bool:
    """Whether a node acts in some iterations only."""
    return node.predicate is not None and node.operation is not Operation.SELECT


class Validity:
    """``before`` of every node: meaningless iterations before the first real one.

    ``after``: likewise after the last real one. ``early`` of the whole mapping: how many trips the
    body takes beyond the real ones.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._fabric = mapping.fabric
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}
        self._shifts: dict[int, int] = {}
        for name, (port, time) in mapping.ports.items():
            if mapping.graph.nodes[name].role is Role.LOAD:
                self._shifts[port] = max(self._shifts.get(port, 0), self.slack(time))
        for name in mapping.graph.order():
            if mapping.time(name) is not None:
                self.before[name] = self._of(name)
                self.after[name] = self._after_of(name)

    def slack(self, time: int) -> int:
        """By how many stages an instruction of ``time`` is enabled too early."""
        return time // self._fabric.interval - self._fabric.stage(time)

    def _of(self, name: str) -> int:
        mapping = self._mapping
        node = mapping.graph.nodes[name]
        time = mapping.time(name)
        assert time is not None
        before = FOREVER if node.role is Role.STORE else self.slack(time)
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
            return self._shifts[mapping.ports[name][0]] - self.slack(time)
        after = FOREVER if node.role is Role.STORE else self.early - self.slack(time)
        for number in range(len(node.operands)):
            delivery = mapping.deliveries.get((name, number))
            if delivery is not None and delivery.source != REGISTER:
                own = self.after.get(delivery.net[0], FOREVER)
                for step in delivery.steps:
                    if isinstance(step, Turn | Copy) and step.source == REGISTER:
                        own = self.early - self.slack(step.time)
                    elif isinstance(step, Copy):
                        own = min(own, self.early - self.slack(step.time))
                after = min(after, own)
        return after

    def _over(self, delivery: Delivery) -> int:
        """Of a value that arrives over a link."""
        before = self.before.get(delivery.net[0], FOREVER)
        for step in delivery.steps:
            if isinstance(step, Entry) or (isinstance(step, Turn) and step.source == REGISTER):
                before = self.slack(step.time)
            elif isinstance(step, Copy):
                own = self.slack(step.time)
                before = own if step.source == REGISTER else min(before, own)
            elif isinstance(step, Hold):
                continue
        return before

    @cached_property
    def early(self) -> int:
        """Trips of the body beyond the real ones."""
        times = [time for _, time in self._mapping.places.values()]
        for tree in self._mapping.trees.values():
            for step in tree.sinks:
                if isinstance(step, Entry | Copy) or (
                    isinstance(step, Turn) and step.source == REGISTER
                ):
                    times.append(step.time)
        return max((self.slack(time) for time in times), default=0)

    def first_pass(self, store: str) -> int:
        """The pass of the body in which a store gets its first word."""
        _, time = self._mapping.ports[store]
        return time // self._fabric.interval - self.before[store]

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
        last = max((time for _, time in mapping.ports.values()), default=0)
        if graph.outer and last >= self._fabric.window * self._fabric.interval:
            return "a round's last words would leave after the stages of the array"
        for name, before in self.before.items():
            node = graph.nodes[name]
            alone = node.pair is not None or node.predicate is not None
            if before and (name in carried or alone):
                return f"{name} would act before the first iteration"
            guarded = alone and node.operation is not Operation.SELECT
            if guarded and self.after[name]:
                return f"{name} would act after the last iteration"
        for pair, names in mapping.pairs.items():
            if any(name not in mapping.ports for name in names):
                continue
            first = [mapping.ports[name] for name in names if name != pair]
            if first and (first[0][0] != mapping.ports[pair][0] or first[0] >= mapping.ports[pair]):
                return f"{pair} has its word before its offset"
        return self._ports(graph.nodes)

    def _ports(self, nodes: Dictionary[str, object]) -> str | None:
        mapping = self._mapping
        by_port: dict[int, list[str]] = {}
        for name, (port, _) in mapping.ports.items():
            node = mapping.graph.nodes[name]
            if node.role is Role.STORE and node.pair is None:
                by_port.setdefault(port, []).append(name)
        for names in by_port.values():
            firsts = {self.first_pass(name) for name in names}
            if len(firsts) > 1 and not self._in_a_window(names):
                return f"{' and '.join(names)} do not start together"
        return None

    def _in_a_window(self, names: list[str]) -> bool:
        times = [self._mapping.ports[name][1] for name in names]
        exact = all(self.before[name] == 0 for name in names)
        return exact and max(times) - min(times) < self._fabric.interval


__all__ = ["FOREVER", "Use", "Validity"]
