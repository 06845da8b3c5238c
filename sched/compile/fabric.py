"""What the array offers to a mapping, and what of it is taken: a modulo resource table.

Everything repeats every ``interval`` cycles, so that a resource is one of a PE (or port) and a
slot. A *step* is what a route does at one place and time; each takes its resources:

- ``Wire``: a value is on an output link. Takes the link in that slot and the output select of
  the instruction that puts it there.
- ``Turn``: an instruction's ``route`` chooses a value for output links.
- ``Copy``: a PASS takes a value in and gives it again as many cycles later as a PASS takes.
- ``Hold``: a value is written to a register. A PE writes one register a cycle: this is all that
  results of different latency which land together, each on links of its own, must share.
- ``Entry``: a word enters from a stream.

Times are those of the iteration that uses the value, counted from the iteration's first cycle.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation

from .latency import latency

NORTH, EAST, SOUTH, WEST = range(4)
OPPOSITE = (SOUTH, WEST, NORTH, EAST)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
REGISTER = 4
"""A source that is no link: the register that holds the value."""

Place = tuple[int, int]
Net = tuple[str, int]
"""A value and how many iterations after its making it is used."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The value is on the output link at ``time``; it was put there by the instruction of
    ``slot_time`` as RESULT (``how`` "result"), STRAIGHT or ROUTE."""

    place: Place
    direction: int
    time: int
    how: str
    slot_time: int


@dataclass(frozen=True, slots=True)
class Turn:
    """``route`` takes the value from a link (0 .. 3) or REGISTER."""

    place: Place
    time: int
    source: int
    hold: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A PASS at ``time`` reads the value from a link or REGISTER."""

    place: Place
    time: int
    source: int
    hold: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """The value can be read from a register from ``time`` on."""

    place: Place
    time: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The word of an input port is taken at ``time``."""

    port: int
    time: int


Step = Wire | Turn | Copy | Hold | Entry


class ConflictError(Exception):
    """A resource is taken."""


@dataclass
class Register:
    """A value in a register: readable from ``start``, ``carried`` into the next iteration."""

    start: int
    reads: dict[tuple[object, ...], int] = field(default_factory=dict)
    carried: int = 0

    def span(self, interval: int) -> int:
        """Cycles for which the register cannot take another value."""
        if self.carried:
            return interval
        return max(self.reads.values(), default=self.start) - self.start + 1


class Fabric:
    """Resources of an array at one initiation interval.

    Parameters
    ----------
    window: number of software-pipeline stages that instructions can be told apart by.
    lenient: what shares a slot of a PE acts from the earliest stage of all of it on; otherwise
    only instructions of one stage share it.
    """

    def __init__(self, pea: PeaConfig, interval: int, window: int, lenient: bool = False) -> None:
        self.pea = pea
        self.interval = interval
        self.window = window
        self.lenient = lenient
        self.copy_latency = latency(pea, Operation.PASS)
        self.rows, self.columns = pea.rows, pea.columns
        shape = (interval, self.rows, self.columns)
        self.issue = np.zeros(shape, bool)
        self.turn = np.zeros(shape, bool)
        self.link = np.zeros((*shape, 4), bool)
        self.select = np.zeros((*shape, 4), bool)
        self.gate = np.full(shape, -1, np.int16)
        self.conditional = np.zeros(shape, bool)
        self.second_register = np.zeros(shape, bool)
        self.register_turn = np.zeros(shape, bool)
        self.written = np.zeros(shape, bool)
        self.registers: dict[Place, dict[object, Register]] = {}
        self._gates: dict[tuple[int, int, int], dict[object, tuple[int, int]]] = {}
        self.owners: dict[tuple[object, ...], object] = {}

    def port_place(self, port: int) -> Place:
        """The PE at an edge port: rows' west ports first, then columns' north ports."""
        return (port, 0) if port < self.rows else (0, port - self.rows)

    @property
    def ports(self) -> int:
        """Number of edge ports in each direction."""
        return self.rows + self.columns

    def stage(self, time: int) -> int:
        """The stage of an instruction of ``time`` that has its slot for itself."""
        return min(time // self.interval, self.window - 1)

    def stage_at(self, place: Place, time: int) -> int:
        """The stage from which on the instruction of a slot acts."""
        gate = int(self.gate[(time % self.interval, *place)])
        return self.stage(time) if gate < 0 else gate

    # -- taking and giving back ------------------------------------------------------------

    def _take(self, array: NDArray[np.bool_], index: tuple[int, ...]) -> None:
        if array[index]:
            raise ConflictError
        array[index] = True

    def take_gate(self, place: Place, time: int, owner: object) -> None:
        """Fix the stage of a PE's slot.

        Raises:
            ConflictError: the slot has another stage.
        """
        key = (time % self.interval, *place)
        stage = self.stage(time)
        if not self.lenient and self.gate[key] not in (-1, stage):
            raise ConflictError
        owners = self._gates.setdefault(key, {})
        count, _ = owners.get(owner, (0, stage))
        owners[owner] = (count + 1, stage)
        self.gate[key] = min(one for _, one in owners.values())

    def gate_owners(self, key: tuple[int, int, int]) -> list[object]:
        """What fixes the stage of a PE's slot."""
        return list(self._gates.get(key, ()))

    def free_gate(self, place: Place, time: int, owner: object) -> None:
        """Undo :meth:`take_gate`."""
        key = (time % self.interval, *place)
        owners = self._gates[key]
        count, stage = owners[owner]
        if count > 1:
            owners[owner] = (count - 1, stage)
        else:
            del owners[owner]
        self.gate[key] = min((one for _, one in owners.values()), default=-1)

    def take_issue(self, place: Place, time: int, owner: object) -> None:
        """Issue an instruction.

        Raises:
            ConflictError: the slot is taken or has another stage.
        """
        key = (time % self.interval, *place)
        if self.issue[key]:
            raise ConflictError
        self.take_gate(place, time, owner)
        self.issue[key] = True
        self.owners[("issue", *key)] = owner

    def free_issue(self, place: Place, time: int, owner: object) -> None:
        """Undo :meth:`take_issue`."""
        key = (time % self.interval, *place)
        self.issue[key] = False
        del self.owners[("issue", *key)]
        self.free_gate(place, time, owner)

    def take(self, step: Step, net: Net) -> None:
        """Take the resources of a step.

        Raises:
            ConflictError: one is taken; nothing has been changed.
        """
        interval = self.interval
        if isinstance(step, Wire):
            link = (step.time % interval, *step.place, step.direction)
            select = (step.slot_time % interval, *step.place, step.direction)
            if self.link[link] or self.select[select]:
                raise ConflictError
            self.link[link] = self.select[select] = True
            self.owners[("link", *link)] = self.owners[("select", *select)] = (net, step)
        elif isinstance(step, Turn):
            key = (step.time % interval, *step.place)
            register = step.source == REGISTER
            if self.turn[key] or (
                register and (self.second_register[key] or self.conditional[key])
            ):
                raise ConflictError
            if register:
                self.take_gate(step.place, step.time, (net, step))
                self.register_turn[key] = True
            self.turn[key] = True
            self.owners[("turn", *key)] = (net, step)
        elif isinstance(step, Copy):
            self.take_issue(step.place, step.time, (net, step))
        elif isinstance(step, Entry):
            self.take_gate(self.port_place(step.port), step.time, (net, step))

    def free(self, step: Step, net: Net) -> None:
        """Undo :meth:`take`."""
        interval = self.interval
        if isinstance(step, Wire):
            link = (step.time % interval, *step.place, step.direction)
            select = (step.slot_time % interval, *step.place, step.direction)
            self.link[link] = self.select[select] = False
            del self.owners[("link", *link)], self.owners[("select", *select)]
        elif isinstance(step, Turn):
            key = (step.time % interval, *step.place)
            if step.source == REGISTER:
                self.register_turn[key] = False
                self.free_gate(step.place, step.time, (net, step))
            self.turn[key] = False
            del self.owners[("turn", *key)]
        elif isinstance(step, Copy):
            self.free_issue(step.place, step.time, (net, step))
        elif isinstance(step, Entry):
            self.free_gate(self.port_place(step.port), step.time, (net, step))

    # -- registers -------------------------------------------------------------------------

    def read_register(
        self,
        place: Place,
        value: object,
        start: int,
        reader: tuple[object, ...],
        time: int,
        carried: bool = False,
    ) -> None:
        """Keep ``value``, readable from ``start`` on, in a register until it is read at ``time``.

        Raises:
            ConflictError: the PE has too few registers, or writes another in the same cycle.
        """
        held = self.registers.setdefault(place, {})
        slot = (start % self.interval, *place)
        if value not in held and self.written[slot]:
            raise ConflictError
        register = held.setdefault(value, Register(start))
        self.written[slot] = True
        register.reads[reader] = time
        register.carried += carried
        if time - start >= self.interval or colour(held, self.interval, self.pea.registers) is None:
            self.forget_read(place, value, reader, carried)
            raise ConflictError

    def forget_read(
        self, place: Place, value: object, reader: tuple[object, ...], carried: bool = False
    ) -> None:
        """Undo :meth:`read_register`."""
        held = self.registers[place]
        register = held[value]
        register.reads.pop(reader, None)
        register.carried -= carried
        if not register.reads:
            del held[value]
            self.written[(register.start % self.interval, *place)] = False

    def register_room(self) -> NDArray[np.bool_]:
        """For each PE, whether a register is surely free."""
        room = np.ones((self.rows, self.columns), bool)
        for place, held in self.registers.items():
            if len(held) >= self.pea.registers:
                spans = sum(r.span(self.interval) for r in held.values())
                room[place] = spans + 1 < self.pea.registers * self.interval
        return room


def colour(held: dict[object, Register], interval: int, registers: int) -> dict[object, int] | None:
    """Register numbers for values so that none overwrites another; None if too few registers."""
    chosen: dict[object, int] = {}
    order = sorted(held, key=lambda value: -held[value].span(interval))
    for value in order:
        taken = {chosen[other] for other in chosen if _overlap(held[value], held[other], interval)}
        number = next((n for n in range(registers) if n not in taken), None)
        if number is None:
            return None
        chosen[value] = number
    return chosen


def _overlap(a: Register, b: Register, interval: int) -> bool:
    """Whether two values cannot share a register: one is written while the other is needed."""
    ahead = (b.start - a.start) % interval
    behind = (a.start - b.start) % interval
    return ahead < a.span(interval) or behind < b.span(interval)
