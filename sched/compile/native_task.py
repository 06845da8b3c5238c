"""A problem as the native search takes it, and the mapping that it gives back."""

from collections.abc import Iterator
from dataclasses import replace

from octopus.hw.config import PeaConfig

from .capabilities import capable
from .fabric import REGISTER, Copy, Entry, Hold, Place, Step, Turn, Wire
from .flood import Arrival
from .graph import COMMUTATIVE, Graph, Node, Operand, Role, Use
from .mapping import PREDICATE, Mapping, Sink
from .problem import Problem
from .validity import guarded

ROLES = (Role.COMPUTE, Role.LOAD, Role.STORE)
HOWS = ("result", "straight", "route")
WIRE, TURN, COPY, HOLD, ENTRY = range(5)


class NativeTask:
    """Encodes a problem, and decodes what was found.

    Parameters
    ----------
    split: whether a word of a stream may come in through several ports. strict: see ``Manner``.

    Attributes
    ----------
    data: the task, as ``problem.hpp`` reads it.
    """

    def __init__(self, problem: Problem, split: bool, strict: bool = False) -> None:
        self.problem = problem
        graph, pea = problem.graph, problem.pea
        self._names = list(graph.nodes)
        self._index = {name: number for number, name in enumerate(self._names)}
        self._sinks: list[tuple[Sink, Use]] = []
        for node in graph.nodes.values():
            self._sinks += [
                ((node.name, number), operand)
                for number, operand in enumerate(node.operands)
                if isinstance(operand, Use)
            ]
            if node.predicate is not None:
                self._sinks.append(((node.name, PREDICATE), node.predicate))
        picky = any(guarded(node) or node.pair is not None for node in graph.nodes.values())
        strict = problem.bounded or (problem.window > 1 and strict and picky)
        self.data = [pea.rows, pea.columns, problem.interval, problem.window]
        self.data += [pea.registers, problem.copy_latency]
        self.data += [strict, strict and graph.outer, problem.lenient, split]
        self.data += self._nodes(graph, pea)
        self.data.append(len(self._sinks))
        for (name, number), use in self._sinks:
            self.data += [self._index[use.producer], self._index[name], number, use.distance]
        self.data.append(len(graph.orders))
        for order in graph.orders:
            self.data += [self._index[order.first], self._index[order.second]]
            self.data += [order.cycles, order.distance]
        self.data.append(len(self._groups))
        for group in self._groups:
            self.data += list(group)

    def _nodes(self, graph: Graph, pea: PeaConfig) -> Iterator[int]:
        stores = [n.access.array for n in graph.of_role(Role.STORE) if n.access and not n.pair]
        parts = {array for array in stores if stores.count(array) > 1}
        carried = {use.producer for _, use in self._sinks if use.distance}
        kinds: dict[object, int] = {}
        pairs: dict[str, int] = {}
        self._groups: list[bytes] = []
        yield len(graph.nodes)
        for node in graph.nodes.values():
            group = capable(pea, node.operation).tobytes()
            if group not in self._groups:
                self._groups.append(group)
            exact = node.name in carried or node.pair is not None or guarded(node)
            kind = kinds.setdefault(self._kind(node, parts), len(kinds))
            pair = -1 if node.pair is None else pairs.setdefault(node.pair, len(pairs))
            yield from (ROLES.index(node.role), self.problem.latency(node.name))
            yield from (len(node.operands), node.operation in COMMUTATIVE, guarded(node), exact)
            yield from (kind, pair, node.pair == node.name, self._groups.index(group))

    @staticmethod
    def _kind(node: Node, parts: set[str]) -> object:
        """Words of equal kind may share a port."""
        if node.pair is not None:
            return node.pair
        if node.access is None:
            return None
        if node.role is Role.STORE and node.access.array in parts:
            return (node.name, "alone")
        return (node.access.strides, node.access.element)

    # -- what was found --------------------------------------------------------------------

    def mapping(self, found: list[int]) -> Mapping:
        """The mapping that the search describes, every resource taken anew.

        Raises:
            ConflictError: a resource is taken twice.
        """
        numbers = iter(found)
        spots = {name: (next(numbers), next(numbers)) for name in self._names}
        arrivals = [self._arrival(numbers) for _ in self._sinks]
        shift = self._shift(spots, arrivals)
        entries: dict[str, list[Entry]] = {}
        names: dict[Sink, str] = {}
        for (sink, use), arrival in zip(self._sinks, arrivals, strict=True):
            names[sink] = use.producer
            if arrival.steps and isinstance(arrival.steps[0], Entry):
                ways = entries.setdefault(use.producer, [])
                if arrival.steps[0] not in ways:
                    ways.append(arrival.steps[0])
                number = ways.index(arrival.steps[0])
                names[sink] += f"_again{number}" if number else ""
        graph = self._split(entries, names)
        mapping = Mapping(replace(self.problem, graph=graph))
        for name, (spot, time) in spots.items():
            node = graph.nodes[name]
            if node.role is Role.COMPUTE:
                mapping.place(node, divmod(spot, self.problem.pea.columns), time - shift)
            elif node.role is Role.STORE:
                mapping.bind(name, spot, time - shift)
        for name, ways in entries.items():
            for number, entry in enumerate(ways):
                mapping.bind(
                    f"{name}_again{number}" if number else name, entry.port, entry.time - shift
                )
        for (sink, use), arrival in zip(self._sinks, arrivals, strict=True):
            if sink[1] == PREDICATE:
                mapping.see_predicate(graph.nodes[sink[0]])
            else:
                net = (names[sink], use.distance)
                mapping.deliver(sink, net, _earlier(arrival, shift))
        for name in spots:
            if graph.nodes[name].role is Role.COMPUTE:
                mapping.settle_registers(graph.nodes[name])
        return mapping

    def _split(self, entries: dict[str, list[Entry]], names: dict[Sink, str]) -> Graph:
        """The graph with a node for every port through which a word comes in."""
        graph = self.problem.graph
        if all(len(ways) == 1 for ways in entries.values()):
            return graph
        graph = replace(graph, nodes=dict(graph.nodes))
        for name, ways in entries.items():
            for number in range(1, len(ways)):
                graph.add(replace(graph.nodes[name], name=f"{name}_again{number}"))
        for node in list(graph.nodes.values()):

            def renamed(number: int, operand: Operand, name: str = node.name) -> Operand:
                if isinstance(operand, Use):
                    return replace(operand, producer=names[name, number])
                return operand

            operands = tuple(renamed(n, operand) for n, operand in enumerate(node.operands))
            graph.change(node.name, operands=operands)
        return graph

    def _shift(self, spots: dict[str, tuple[int, int]], arrivals: list[Arrival]) -> int:
        """Whole intervals before the first thing that happens."""
        times = [time for name, (_, time) in spots.items() if self._role(name) is not Role.LOAD]
        for arrival in arrivals:
            for step in arrival.steps:
                times.append(step.slot_time if isinstance(step, Wire) else step.time)
        first = min((time for time in times if time >= 0), default=0)
        return max(0, first // self.problem.interval * self.problem.interval)

    def _role(self, name: str) -> Role:
        return self.problem.graph.nodes[name].role

    def _arrival(self, numbers: Iterator[int]) -> Arrival:
        count, source, hold = next(numbers), next(numbers), next(numbers)
        return Arrival(tuple(self._step(numbers) for _ in range(count)), source, hold)

    def _step(self, numbers: Iterator[int]) -> Step:
        kind, spot, time, source, issued, how, hold = (next(numbers) for _ in range(7))
        place: Place = divmod(spot, self.problem.pea.columns)
        if kind == WIRE:
            return Wire(place, source, time, HOWS[how], issued)
        if kind == TURN:
            return Turn(place, time, source, hold)
        if kind == COPY:
            return Copy(place, time, source, hold)
        return Hold(place, time) if kind == HOLD else Entry(source, time)


def _earlier(arrival: Arrival, shift: int) -> Arrival:
    """The same some cycles earlier."""

    def moved(step: Step) -> Step:
        if isinstance(step, Wire):
            return replace(step, time=step.time - shift, slot_time=step.slot_time - shift)
        if isinstance(step, Turn | Copy) and step.source == REGISTER:
            return replace(step, time=step.time - shift, hold=step.hold - shift)
        return replace(step, time=step.time - shift)

    steps = tuple(moved(step) for step in arrival.steps)
    hold = arrival.hold - shift if arrival.source == REGISTER else 0
    return Arrival(steps, arrival.source, hold)
