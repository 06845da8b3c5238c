"""Which stream nodes may share an edge port, and when."""

import numpy as np

from .fabric import NORTH, WEST, ConflictError
from .flood import NEVER, Costs
from .graph import Node, Role
from .mapping import Mapping
from .validity import Validity

ANSWER_CYCLES = 6
"""Cycles from an offset on the edge link to its word without a stall, as good as always."""

SHARE_COST = 2.0
LATE_ANSWER_COST = 0.5


class PortRules:
    """Ports of a mapping.

    A port is for one computed access alone, or shared by accesses of one pattern: its stream brings
    a word for each in turn.

    Attributes
    ----------
    bounded: every instruction must have a stage of its own, so that time is limited.
    """

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.fabric = mapping.fabric
        graph = mapping.graph
        arrays = [
            node.access.array
            for node in graph.of_role(Role.STORE)
            if node.access is not None and node.pair is None
        ]
        self._in_parts = {array for array in arrays if arrays.count(array) > 1}
        self.bounded = graph.loops > 1 or graph.outer or bool(graph.exits)

    @property
    def _end(self) -> int:
        """The first time whose stage cannot be told from the one before."""
        return self.fabric.window * self.fabric.interval

    def _at(self, port: int) -> list[Node]:
        nodes = self.mapping.graph.nodes
        return [nodes[name] for name, (there, _) in self.mapping.ports.items() if there == port]

    def offset_of(self, load: str) -> tuple[int, int] | None:
        """Port and time of the offset of a gather, if it has them."""
        pair = self.mapping.graph.nodes[load].pair
        for name in self.mapping.pairs.get(pair or "", []):
            if self.mapping.graph.nodes[name].role is Role.STORE:
                return self.mapping.ports.get(name)
        return None

    def entries(
        self, node: Node, first: int, last: int, interval: int, price_taken: float = NEVER
    ) -> Costs:
        """The cost of taking the word of a LOAD at every time, PE and side.

        ``price_taken``: of a turn that another word has.
        """
        fabric = self.fabric
        cost = np.full((last - first + 1, fabric.rows, fabric.columns, 4), NEVER)
        if node.name in self.mapping.ports:
            port, time = self.mapping.ports[node.name]
            if first <= time <= last:
                cost[(time - first, *self._side(port))] = 0.0
            return cost
        for port in range(fabric.ports):
            place = fabric.port_place(port)
            for time in range(max(first, 0), last + 1):
                price = self._entry(node, port, time, price_taken)
                gate = fabric.gate[(time % interval, *place)]
                if price < NEVER and gate in (-1, fabric.stage(time)):
                    cost[(time - first, *self._side(port))] = price
        return cost

    def _side(self, port: int) -> tuple[int, int, int]:
        place = self.fabric.port_place(port)
        return (*place, WEST if port < self.fabric.rows else NORTH)

    def holder(self, port: int, time: int) -> str | None:
        """The LOAD that has a port's turn."""
        for other in self._at(port):
            if other.role is Role.LOAD:
                _, taken = self.mapping.ports[other.name]
                if (taken - time) % self.fabric.interval == 0:
                    return other.name
        return None

    def _entry(self, node: Node, port: int, time: int, price_taken: float) -> float:
        interval = self.fabric.interval
        if (self.bounded or node.pair is not None) and time >= self._end:
            return NEVER
        if node.pair is not None:
            offset = self.offset_of(node.name)
            if offset is None or offset[0] != port or time <= offset[1]:
                return NEVER
            return LATE_ANSWER_COST * max(0, offset[1] + ANSWER_CYCLES - time)
        price = 0.0
        for other in self._at(port):
            if other.pair is not None and self._has_load(other.pair):
                return NEVER
            if other.role is Role.LOAD:
                _, taken = self.mapping.ports[other.name]
                if (taken - time) % interval == 0:
                    price = price_taken
                elif not self._together(node, other, time, taken):
                    return NEVER
        return price

    def _has_load(self, pair: str) -> bool:
        nodes = self.mapping.graph.nodes
        return any(nodes[name].role is Role.LOAD for name in self.mapping.pairs[pair])

    def _together(self, node: Node, other: Node, time: int, taken: int) -> bool:
        """Whether two accesses of one port keep their turns."""
        assert node.access is not None and other.access is not None
        same = (node.access.strides, node.access.element) == (
            other.access.strides,
            other.access.element,
        )
        fabric = self.fabric
        window = abs(time - taken) < fabric.interval and max(time, taken) < self._end
        return same and (fabric.stage(time) == fabric.stage(taken) or window)

    def earliest_store(self, node: Node, time: int) -> int:
        """The first time for a STORE: the data of a scatter follow its offset."""
        first = self._partner(node)
        return time if first is None else max(time, first[1] + 1)

    def _partner(self, node: Node) -> tuple[int, int] | None:
        """Port and time of the offset that comes before the data of a scatter."""
        for name in self.mapping.pairs.get(node.pair or "", []):
            other = self.mapping.graph.nodes[name]
            if name != node.name and other.role is Role.STORE and name in self.mapping.ports:
                return self.mapping.ports[name]
        return None

    def exits(self, node: Node, first: int, last: int) -> list[tuple[int, int, float]]:
        """(port, time, extra cost) of all edge links that could take a STORE."""
        options = []
        partner = self._partner(node)
        for port in range(self.fabric.ports):
            if partner is not None and port != partner[0]:
                continue
            for time in range(first, last + 1):
                if partner is not None and time >= partner[1] + self.fabric.interval:
                    break
                price = self._exit(node, port, time)
                if price < NEVER:
                    options.append((port, time, price))
        return options

    def _exit(self, node: Node, port: int, time: int) -> float:
        price = 0.0
        for other in self._at(port):
            if other.role is Role.STORE:
                _, taken = self.mapping.ports[other.name]
                if (taken - time) % self.fabric.interval == 0:
                    return NEVER
            if node.pair is not None:
                alone = other.pair != node.pair
                if alone and (other.role is Role.STORE or self._has_load(node.pair)):
                    return NEVER
                continue
            if other.pair is not None and (other.role is Role.STORE or self._has_load(other.pair)):
                return NEVER
            if other.role is Role.STORE:
                _, taken = self.mapping.ports[other.name]
                if not self._alike(node, other) or not self._near(time, taken):
                    return NEVER
                price = SHARE_COST
        return price

    def _alike(self, node: Node, other: Node) -> bool:
        """Whether two stores may share a port: to parts of one array they may not, since each has
        a place of its own."""
        assert node.access is not None and other.access is not None
        if {node.access.array, other.access.array} & self._in_parts:
            return False
        return (node.access.strides, node.access.element) == (
            other.access.strides,
            other.access.element,
        )

    def _near(self, time: int, taken: int) -> bool:
        return self.fabric.window == 1 or abs(time - taken) < self.fabric.interval

    def check_start(self, name: str) -> None:
        """Stores of one port begin in the same pass.

        Raises:
            ConflictError: this one does not.
        """
        node = self.mapping.graph.nodes[name]
        if node.pair is not None:
            return
        port, _ = self.mapping.ports[name]
        if sum(other.role is Role.STORE for other in self._at(port)) > 1:
            complaint = Validity(self.mapping).complaint()
            if complaint is not None and "together" in complaint:
                raise ConflictError


__all__ = ["NORTH", "PortRules"]
