"""A mapping under construction: places of nodes, routes of values, and the fabric they take."""

from collections.abc import Callable
from dataclasses import dataclass, field

from octopus.hw.layouts.instruction import Operation

from .fabric import (
    REGISTER,
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
from .flood import Arrival
from .graph import COMMUTATIVE, Node, Role, Use
from .problem import Problem

Sink = tuple[str, int]
"""A node and the number of its operand (``PREDICATE`` for the predicate)."""
PREDICATE = -1


@dataclass
class Delivery:
    """How an operand comes to its node."""

    net: Net
    steps: tuple[Step, ...]
    source: int
    hold: int


@dataclass
class Tree:
    """The steps of one net, each with the sinks that need it and how the value comes to it."""

    sinks: dict[Step, set[Sink]] = field(default_factory=dict)
    trails: dict[Step, tuple[Step, ...]] = field(default_factory=dict)


class Mapping:
    """Where and when every node is done, and how values go.

    Attributes
    ----------
    places: (PE, time) of COMPUTE nodes. ports: (port, time) of LOAD and STORE nodes; a store's
    time is that of its word on the edge link. deliveries: by sink. trees: by net.
    latency: cycles of a node, by name.
    """

    def __init__(self, problem: Problem) -> None:
        pea, interval, window = problem.pea, problem.interval, problem.window
        self.graph = graph = problem.graph
        self.latency = problem.latency
        self.fabric = Fabric(pea, interval, window, problem.lenient)
        self.predicates = Fabric(pea.model_copy(update={"registers": 1}), interval, window)
        self.places: dict[str, tuple[Place, int]] = {}
        self.ports: dict[str, tuple[int, int]] = {}
        self.deliveries: dict[Sink, Delivery] = {}
        self.trees: dict[Net, Tree] = {}
        self.users: dict[str, list[tuple[Sink, Use]]] = {name: [] for name in graph.nodes}
        for node in graph.nodes.values():
            for number, operand in enumerate(node.operands):
                if isinstance(operand, Use):
                    self.users[operand.producer].append(((node.name, number), operand))
            if node.predicate is not None:
                self.users[node.predicate.producer].append(((node.name, PREDICATE), node.predicate))
        self.pairs: dict[str, list[str]] = {}
        for node in graph.nodes.values():
            if node.pair is not None:
                self.pairs.setdefault(node.pair, []).append(node.name)
        self._journal: list[Callable[[], None]] | None = None

    @property
    def interval(self) -> int:
        """The initiation interval."""
        return self.fabric.interval

    def time(self, name: str) -> int | None:
        """When a node is done, if it has a place."""
        if name in self.places:
            return self.places[name][1]
        if name in self.ports:
            return self.ports[name][1]
        return None

    # -- transactions ----------------------------------------------------------------------

    def begin(self) -> int:
        """Start recording changes; the mark for :meth:`undo`."""
        if self._journal is None:
            self._journal = []
        return len(self._journal)

    def undo(self, mark: int) -> None:
        """Take back everything since a mark."""
        journal, self._journal = self._journal or [], None
        while len(journal) > mark:
            journal.pop()()
        self._journal = journal

    def commit(self) -> None:
        """Forget how to take back."""
        self._journal = None

    def attempt(self, change: Callable[[], None]) -> bool:
        """Make a change; where something is taken, undo all of it and return False."""
        mark = self.begin()
        try:
            change()
        except ConflictError:
            self.undo(mark)
            return False
        finally:
            self.commit()
        return True

    def _did(self, undo: Callable[[], None]) -> None:
        if self._journal is not None:
            self._journal.append(undo)

    # -- nodes -----------------------------------------------------------------------------

    def place(self, node: Node, place: Place, time: int) -> None:
        """Issue a COMPUTE node.

        Raises:
            ConflictError: the slot is taken.
        """
        key = (time % self.interval, *place)
        fabric = self.fabric
        guarded = node.predicate is not None and node.operation is not Operation.SELECT
        if guarded and fabric.register_turn[key]:
            raise ConflictError
        fabric.take_issue(place, time, node.name)
        fabric.conditional[key] = guarded
        self.places[node.name] = (place, time)
        self._did(lambda: self._displace(node.name))

    def _displace(self, name: str) -> None:
        place, time = self.places.pop(name)
        key = (time % self.interval, *place)
        self.fabric.conditional[key] = False
        self.fabric.free_issue(place, time, name)

    def bind(self, name: str, port: int, time: int) -> None:
        """Give a LOAD or STORE its port and time; whether the port is free is the caller's."""
        self.ports[name] = (port, time)
        self._did(lambda: self._unbind(name))

    def _unbind(self, name: str) -> None:
        del self.ports[name]

    # -- routes ----------------------------------------------------------------------------

    def register_of(self, net: Net, hold: Hold) -> tuple[object, int, bool]:
        """What a hold keeps, since when (in its maker's time), and whether it is carried."""
        name, distance = net
        made = self.places.get(name)
        if made is not None and made[0] == hold.place:
            own = made[1] + self.latency(name)
            if hold.time == own - distance * self.interval:
                return ("value", name), own, distance > 0
        return ("copy", net, hold.time), hold.time, False

    def deliver(self, sink: Sink, net: Net, arrival: Arrival) -> None:
        """Take the steps of a route and remember it.

        Raises:
            ConflictError: a resource is taken; what was taken stays, for :meth:`undo`.
        """
        tree = self.trees.setdefault(net, Tree())
        delivery = Delivery(net, arrival.steps, arrival.source, arrival.hold)
        for number, step in enumerate(arrival.steps):
            if step not in tree.sinks:
                self._take(step, net, arrival.steps[: number + 1])
            tree.sinks[step].add(sink)
            self._did(lambda step=step: tree.sinks[step].discard(sink))  # type: ignore[misc]
        if arrival.source == REGISTER:
            place, time = self.places[sink[0]]
            self._read(net, Hold(place, arrival.hold), sink, time)
        self.deliveries[sink] = delivery
        self._did(lambda: self._forget(sink))

    def _forget(self, sink: Sink) -> None:
        self.deliveries.pop(sink, None)

    def _take(self, step: Step, net: Net, trail: tuple[Step, ...]) -> None:
        self.fabric.take(step, net)
        self._did(lambda: self.fabric.free(step, net))
        if isinstance(step, Turn | Copy) and step.source == REGISTER:
            self._read(net, Hold(step.place, step.hold), step, step.time)
        tree = self.trees[net]
        tree.sinks[step] = set()
        tree.trails[step] = trail
        self._did(lambda: self._drop(tree, step))

    @staticmethod
    def _drop(tree: Tree, step: Step) -> None:
        del tree.sinks[step], tree.trails[step]

    def _read(self, net: Net, hold: Hold, reader: object, time: int) -> None:
        value, start, carried = self.register_of(net, hold)
        own_time = time + (net[1] * self.interval if value == ("value", net[0]) else 0)
        key = (net, reader)
        place = hold.place
        self.fabric.read_register(place, value, start, key, own_time, carried)
        self._did(lambda: self.fabric.forget_read(place, value, key, carried))

    def withdraw(self, sink: Sink) -> None:
        """Give back the route to a sink."""
        delivery = self.deliveries.pop(sink)
        net = delivery.net
        if sink[1] == PREDICATE:
            place, _ = self.places[sink[0]]
            self.predicates.forget_read(place, net[0], sink)
            return
        if delivery.source == REGISTER:
            place, _ = self.places[sink[0]]
            self._unread(net, Hold(place, delivery.hold), sink)
        tree = self.trees[net]
        for step in reversed(delivery.steps):
            tree.sinks[step].discard(sink)
            if not tree.sinks[step]:
                if isinstance(step, Turn | Copy) and step.source == REGISTER:
                    self._unread(net, Hold(step.place, step.hold), step)
                self.fabric.free(step, net)
                self._drop(tree, step)

    def _unread(self, net: Net, hold: Hold, reader: object) -> None:
        value, _, carried = self.register_of(net, hold)
        self.fabric.forget_read(hold.place, value, (net, reader), carried)

    def see_predicate(self, node: Node) -> None:
        """Let a node see the predicate bit that its predicate's maker writes.

        Raises:
            ConflictError: another PE, not the time, or the bit is needed for another.
        """
        use = node.predicate
        assert use is not None
        place, time = self.places[node.name]
        if use.producer not in self.places:
            raise ConflictError
        there, made = self.places[use.producer]
        start = made + self.latency(use.producer)
        if there != place or not start <= time < start + self.interval:
            raise ConflictError
        sink = (node.name, PREDICATE)
        self.predicates.read_register(place, use.producer, start, sink, time)
        self._did(lambda: self.predicates.forget_read(place, use.producer, sink))
        self.deliveries[sink] = Delivery((use.producer, 0), (), REGISTER, start)
        self._did(lambda: self._forget(sink))

    def settle_registers(self, node: Node) -> None:
        """Note whether a node needs the second register port.

        Raises:
            ConflictError: a route of the same slot needs it for another value.
        """
        place, time = self.places[node.name]
        key = (time % self.interval, *place)
        before = bool(self.fabric.second_register[key])
        needed = self._needs_second(node)
        if needed and self.fabric.register_turn[key]:
            raise ConflictError
        self.fabric.second_register[key] = needed
        fabric = self.fabric
        self._did(lambda: fabric.second_register.__setitem__(key, before))

    def _needs_second(self, node: Node) -> bool:
        sources = [
            self.deliveries[node.name, n].source if (node.name, n) in self.deliveries else None
            for n in range(len(node.operands))
        ]
        if len(sources) < 2 or sources[1] != REGISTER:
            return False
        return sources[0] == REGISTER or node.operation not in COMMUTATIVE

    # -- taking out ------------------------------------------------------------------------

    def remove(self, name: str) -> set[str]:
        """Take a node out; the stream nodes that lost their last use with it go too.

        Returns:
            All that were taken out.
        """
        gone = {name}
        node = self.graph.nodes[name]
        for sink, _ in self.users[name]:
            if sink in self.deliveries:
                self.withdraw(sink)
        for number in range(PREDICATE, len(node.operands)):
            if (name, number) in self.deliveries:
                self.withdraw((name, number))
        if name in self.places:
            place, time = self.places[name]
            self.fabric.second_register[(time % self.interval, *place)] = False
            self._displace(name)
        if name in self.ports:
            self._unbind(name)
        if node.pair is not None and node.role is Role.STORE:
            for other in self.pairs[node.pair]:
                if other != name and self.time(other) is not None:
                    gone |= self.remove(other)
        for use in node.uses:
            producer = self.graph.nodes[use.producer]
            idle = not any(sink in self.deliveries for sink, _ in self.users[producer.name])
            if producer.role is Role.LOAD and idle and producer.name in self.ports:
                gone |= self.remove(producer.name)
        return gone


__all__ = ["PREDICATE", "Delivery", "Entry", "Mapping", "Sink", "Tree", "Wire"]
