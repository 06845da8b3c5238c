"""Reads the routes out of a solution of the exact method's model."""

from collections.abc import Callable

from .exact_facts import Facts, Literal
from .fabric import (
    MOVES,
    NORTH,
    OPPOSITE,
    REGISTER,
    WEST,
    Copy,
    Entry,
    Hold,
    Net,
    Place,
    Step,
    Turn,
    Wire,
)
from .flood import Arrival
from .graph import Role
from .mapping import PREDICATE, Mapping


class Solution:
    """The mapping that a solution describes.

    Parameters
    ----------
    holds: whether a literal of the model is true.

    Raises:
        ConflictError: from :meth:`mapping`, if the solution takes a resource twice.
    """

    def __init__(self, facts: Facts, holds: Callable[[Literal], bool]) -> None:
        self.facts, self.latency = facts, facts.latency
        self._again = {key for key, literal in facts.again.items() if holds(literal)}
        self._result = {key for key, literal in facts.result.items() if holds(literal)}
        self._moved = {key for key, literal in facts.moved.items() if holds(literal)}
        self._turned = {key for key, literal in facts.turned.items() if holds(literal)}
        self._copied = {key for key, literal in facts.copied.items() if holds(literal)}
        self._written = {key for key, literal in facts.written.items() if holds(literal)}
        self._kept = {key for key, literal in facts.kept.items() if holds(literal)}
        self._done = [key for key, literal in facts.done.items() if holds(literal)]
        self._bound = [key for key, literal in facts.bound.items() if holds(literal)]
        self._places = {name: (place, time) for name, place, time in self._done}
        self._ports = {name: (port, time) for name, port, time in self._bound}

    def mapping(self) -> Mapping:
        """Everything placed and routed, every resource taken as the heuristic takes it."""
        mapping = self.facts.mapping
        graph = self.facts.graph
        for name, place, time in self._done:
            mapping.place(graph.nodes[name], place, time)
        for name, port, time in self._bound:
            mapping.bind(name, port, time)
        for name, users in mapping.users.items():
            for sink, use in users:
                if sink[1] == PREDICATE:
                    mapping.see_predicate(graph.nodes[sink[0]])
                    continue
                net = (name, use.distance)
                if graph.nodes[sink[0]].role is Role.STORE:
                    port, time = self._ports[sink[0]]
                    arrival = self._departure(net, port, time)
                else:
                    place, time = self._places[sink[0]]
                    steps: list[Step] = []
                    source, hold = self._take(net, place, time, steps)
                    arrival = Arrival(tuple(steps), source, hold)
                mapping.deliver(sink, net, arrival)
        for node in graph.of_role(Role.COMPUTE):
            mapping.settle_registers(node)
        return mapping

    def _departure(self, net: Net, port: int, time: int) -> Arrival:
        direction = WEST if port < self.facts.fabric.rows else NORTH
        steps: list[Step] = []
        self._wire(net, self.facts.fabric.port_place(port), direction, time, steps)
        return Arrival(tuple(steps), direction)

    def _take(self, net: Net, place: Place, time: int, steps: list[Step]) -> tuple[int, int]:
        """How a value comes to a PE: the side or REGISTER, and since when it is held."""
        for side in range(4):
            if self._enters(net, place, side, time):
                self._enter(net, place, side, time, steps)
                return side, 0
        return REGISTER, self._hold(net, place, time, steps)

    def _enters(self, net: Net, place: Place, side: int, time: int) -> bool:
        there = (place[0] + MOVES[side][0], place[1] + MOVES[side][1])
        key = (net, there, OPPOSITE[side], time)
        linked = any(key in index for index in (self._result, self._again, self._moved))
        return linked or self._word(net, place, side, time)

    def _word(self, net: Net, place: Place, side: int, time: int) -> bool:
        port = self.facts.port_at(place, side)
        load = self.facts.graph.nodes[net[0]].role is Role.LOAD
        return load and port is not None and self._ports[net[0]] == (port, time)

    def _enter(self, net: Net, place: Place, side: int, time: int, steps: list[Step]) -> None:
        if self._word(net, place, side, time):
            port = self.facts.port_at(place, side)
            assert port is not None
            steps.append(Entry(port, time))
            return
        there = (place[0] + MOVES[side][0], place[1] + MOVES[side][1])
        self._wire(net, there, OPPOSITE[side], time, steps)

    def _wire(self, net: Net, place: Place, direction: int, time: int, steps: list[Step]) -> None:
        key = (net, place, direction, time)
        if key in self._result or key in self._again:
            issued = time - self.latency(net[0])
            if key in self._again:
                issued = time - self.facts.copy_latency
                self._copy(net, place, issued, steps)
            steps.append(Wire(place, direction, time, "result", issued))
            return
        side = OPPOSITE[direction]
        if self._enters(net, place, side, time - 1):
            self._enter(net, place, side, time - 1, steps)
            steps.append(Wire(place, direction, time, "straight", time - 1))
            return
        source, hold = REGISTER, 0
        if (net, place, time - 1) in self._turned:
            source, hold = self._take(net, place, time - 1, steps)
        else:
            hold = self._hold(net, place, time - 1, steps)
        steps.append(Turn(place, time - 1, source, hold))
        steps.append(Wire(place, direction, time, "route", time - 1))

    def _hold(self, net: Net, place: Place, time: int, steps: list[Step]) -> int:
        """Back to the cycle from which a register can be read."""
        assert (net, place, time) in self._kept
        while True:
            made = time - self.latency(net[0]) + net[1] * self.facts.interval
            if self._places.get(net[0]) == (place, made) and self._writes(net[0], place, made):
                steps.append(Hold(place, time))
                return time
            copied = time - self.facts.copy_latency
            if (net, place, copied) in self._copied and self._writes(net, place, copied):
                self._copy(net, place, copied, steps)
                steps.append(Hold(place, time))
                return time
            time -= 1

    def _writes(self, value: object, place: Place, time: int) -> bool:
        """Whether the result of an instruction goes to a register."""
        return self.facts.uniform or (value, place, time) in self._written

    def _copy(self, net: Net, place: Place, time: int, steps: list[Step]) -> None:
        source, hold = self._take(net, place, time, steps)
        steps.append(Copy(place, time, source, hold))
