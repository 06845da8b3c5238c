"""What the exact method's model speaks of: facts, and the resources that they take.

A fact is a literal: a node is done at a place and time, a value is on a link, is turned, copied or
kept in a register. Everything repeats every interval, so that a resource is at most one of
the facts of a slot.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ortools.sat.python import cp_model

from .exact_windows import Windows
from .fabric import MOVES, NORTH, OPPOSITE, WEST, Fabric, Net, Place
from .graph import Role
from .mapping import Mapping
from .problem import Problem

Literal = cp_model.IntVar


@dataclass(frozen=True)
class Relaxation:
    """Which resources are taken as unlimited, to find out which one is in the way."""

    slots: bool = False
    links: bool = False
    turns: bool = False
    ports: bool = False


class Facts:
    """The facts of a problem.

    Parameters
    ----------
    side: rows and columns of the north-western part of the array that is used.

    Attributes
    ----------
    done: (node, PE, time) of COMPUTE nodes. bound: (node, port, time) of LOAD and STORE nodes.
    result, again, moved: (net, PE, direction, time): a value on a link, from its maker, from a
    PASS, or forwarded. turned: ``route`` takes it from a link, read: from a register. copied: a
    PASS takes it. kept: it can be read from a register. written: (node or net, PE, time of the
    instruction): the result goes to a register. seen: a predicate bit can be used.
    """

    def __init__(
        self,
        problem: Problem,
        windows: Windows,
        side: int,
        relaxed: Relaxation,
    ) -> None:
        self.graph, self.pea = graph, pea = problem.graph, problem.pea
        self.windows, self.relaxed = windows, relaxed
        self.interval, self.latency = problem.interval, problem.latency
        self.copy_latency = problem.copy_latency
        computed = [problem.latency(node.name) for node in graph.of_role(Role.COMPUTE)]
        self.uniform = {*computed, self.copy_latency} == {self.copy_latency}
        self.mapping = Mapping(problem)
        self.fabric: Fabric = self.mapping.fabric
        self.model = cp_model.CpModel()
        self.done: dict[tuple[str, Place, int], Literal] = {}
        self.bound: dict[tuple[str, int, int], Literal] = {}
        self.result: dict[tuple[Net, Place, int, int], Literal] = {}
        self.again: dict[tuple[Net, Place, int, int], Literal] = {}
        self.moved: dict[tuple[Net, Place, int, int], Literal] = {}
        self.turned: dict[tuple[Net, Place, int], Literal] = {}
        self.read: dict[tuple[Net, Place, int], Literal] = {}
        self.copied: dict[tuple[Net, Place, int], Literal] = {}
        self.kept: dict[tuple[Net, Place, int], Literal] = {}
        self.written: dict[tuple[object, Place, int], Literal] = {}
        self.seen: dict[tuple[str, Place, int], Literal] = {}
        rows, columns = min(side, pea.rows), min(side, pea.columns)
        self.places: list[Place] = [(r, c) for r in range(rows) for c in range(columns)]
        self.ports = [*range(rows), *(pea.rows + c for c in range(columns))]
        self.whole = (rows, columns) == (pea.rows, pea.columns)
        self._groups: dict[tuple[object, ...], list[Literal]] = {}
        self._named: dict[tuple[object, ...], Literal] = {}
        self.strict = problem.window > 1 and (graph.loops > 1 or graph.outer or bool(graph.exits))

    @property
    def end(self) -> int:
        """The first time whose stage cannot be told from the one before."""
        return self.fabric.window * self.interval

    def allowed(self, time: int) -> bool:
        """Whether an instruction may be issued."""
        return time >= 0 and not (self.strict and time >= self.end)

    def new(self) -> Literal:
        """A literal."""
        return self.model.new_bool_var("")

    def named(self, *name: object) -> Literal:
        """The literal of a name, made when first asked for."""
        if name not in self._named:
            self._named[name] = self.new()
        return self._named[name]

    def has_name(self, *name: object) -> bool:
        """Whether :meth:`named` has made it."""
        return name in self._named

    def share(self, literal: Literal, *resource: object) -> None:
        """The literal takes a resource that only one may take."""
        self._groups.setdefault(resource, []).append(literal)

    def share_named(self, literal: Literal, resource: tuple[object, ...], choice: object) -> None:
        """All literals that hold agree in their choice."""
        if not self.has_name("choice", resource, choice):
            self.share(self.named("choice", resource, choice), "choice", resource)
        self.model.add_implication(literal, self.named("choice", resource, choice))

    def close(self) -> None:
        """State what resources allow."""
        for literals in self._groups.values():
            if len(literals) > 1:
                self.model.add_at_most_one(literals)

    def needs(self, literal: Literal, supports: Iterable[Literal]) -> None:
        """The literal holds only if one of its supports does."""
        self.model.add_bool_or([literal.negated(), *supports])

    def gate(self, literal: Literal, place: Place, time: int) -> None:
        """The literal is an instruction that acts by its stage: a slot of a PE has one."""
        if self.fabric.window > 1:
            slot = time % self.interval
            self.share_named(literal, ("stage", slot, place), self.fabric.stage(time))

    def issue(self, literal: Literal, place: Place, time: int) -> None:
        """The literal is an instruction of its own."""
        if not self.relaxed.slots:
            self.share(literal, "issue", time % self.interval, place)
        self.gate(literal, place, time)

    def writes(
        self, instruction: Literal, value: object, place: Place, time: int, cycles: int
    ) -> Literal:
        """The result of the instruction of ``time`` is written to a register ``cycles`` later.

        A PE writes one a cycle, which says nothing where all take equally long.
        """
        if self.uniform:
            return instruction
        key = (value, place, time)
        if key not in self.written:
            literal = self.written[key] = self.new()
            self.needs(literal, [instruction])
            self.share(literal, "write", (time + cycles) % self.interval, place)
        return self.written[key]

    # -- where values come in --------------------------------------------------------------

    def port_at(self, place: Place, side: int) -> int | None:
        """The edge port at a side of a PE, if there is one."""
        if side == WEST and place[1] == 0:
            return place[0]
        if side == NORTH and place[0] == 0:
            return self.fabric.rows + place[1]
        return None

    def entering(self, net: Net, place: Place, side: int, time: int) -> list[Literal]:
        """What brings a value into a PE at a side."""
        there = (place[0] + MOVES[side][0], place[1] + MOVES[side][1])
        key = (net, there, OPPOSITE[side], time)
        found = [facts[key] for facts in (self.result, self.again, self.moved) if key in facts]
        port = self.port_at(place, side)
        load = self.graph.nodes[net[0]].role is Role.LOAD
        if load and port is not None and (net[0], port, time) in self.bound:
            found.append(self.bound[net[0], port, time])
        return found

    def arriving(self, net: Net, place: Place, time: int) -> list[Literal]:
        """What brings a value into a PE over a link."""
        return [one for side in range(4) for one in self.entering(net, place, side, time)]

    def present(self, net: Net, place: Place, time: int) -> list[Literal]:
        """What lets an instruction take a value, over a link or from a register."""
        found = self.arriving(net, place, time)
        if (net, place, time) in self.kept:
            found.append(self.kept[net, place, time])
        return found
