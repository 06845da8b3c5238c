"""Follows the loops of the array: what they carry from one iteration to the next.

A loop is followed once, for an iteration that stands for all. What its variables hold when an
iteration begins is not known at first: the function is followed anew whenever the end of an
iteration shows that a cell is not what it was at the begin (:class:`Knowledge`). Such a cell either
moves by a constant, and is a sum of loop variables then, or is *carried*: in the innermost loop as
a value of the iteration before, in loops around it as an :class:`OuterValue` that nothing may look
at.
"""

import ast
from dataclasses import dataclass, field
from typing import Any

from .cells import Cell, cells, put, shapes, step_of
from .graph import Operand, Use
from .language import CountedRange, Index
from .state import EVERYWHERE, OuterValue, Snapshot, same
from .statements import Frame, Statements

MOST_LOOPS = 4


class Again(Exception):
    """The function must be followed anew with what is known now."""


@dataclass
class LoopFacts:
    """What is known of a loop.

    Attributes
    ----------
    carried: cells that an iteration hands to the next. moving: cells with their step an iteration.
    unsteady: cells that do not move by a constant.
    """

    name: str
    carried: set[Cell] = field(default_factory=set)
    moving: dict[Cell, int] = field(default_factory=dict)
    unsteady: set[Cell] = field(default_factory=set)


@dataclass
class Knowledge:
    """What earlier ways through the function have shown.

    ``steady``: cells that move by a constant are taken for sums of loop variables.
    """

    loops: list[LoopFacts] = field(default_factory=list)
    steady: bool = True


@dataclass
class Loop:
    """A loop while it is followed.

    Attributes
    ----------
    starts: what carried cells hold when the loop begins. inner: all cells after the loop within.
    end: all cells at the end of an iteration.
    """

    statement: ast.For
    over: CountedRange
    facts: LoopFacts
    starts: dict[Cell, Any] = field(default_factory=dict)
    inner: dict[Cell, Any] = field(default_factory=dict)
    end: dict[Cell, Any] = field(default_factory=dict)


def placeholder(cell: Cell) -> str:
    """The producer that stands for a carried cell until the loop is closed."""
    return "@" + ".".join(map(str, cell))


class Loops(Statements):
    """Statements, and the loops of the array.

    Attributes
    ----------
    nest: the loops, outermost first. exits: values that end the loop.
    """

    def __init__(self, knowledge: Knowledge, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.knowledge = knowledge
        self.nest: list[Loop] = []
        self.exits: list[Operand] = []
        self._depth = 0

    def counted(self, loop: ast.For, over: CountedRange) -> None:
        """As :class:`Statements`."""
        level = self._depth
        self._check_place(loop, level)
        assert isinstance(loop.target, ast.Name)
        if level == len(self.knowledge.loops):
            self._discover(loop.target.id)
        facts = self.knowledge.loops[level]
        here = Loop(loop, over, facts)
        self.nest.append(here)
        self._depth = level + 1
        self.stores.trips.append(over.known)
        self.stores.region = (level + 1, False)
        begin = self._begin(here, level)
        names = [*self.variables]
        built = shapes(self.variables, names)
        index = Index(((facts.name, over.step),), over.start)
        self.assign(loop.target, over.start if over.trips == 1 else index)
        frame, function = Frame("counted", self.path), self.frames[-1]
        returned = len(function.leaving)
        self.frames.append(frame)
        self.block(loop.body)
        self.join(loop, [*frame.going_on, self.snapshot()])
        self.frames.pop()
        if self.dead:
            raise self.error(loop, "no iteration goes on to the next")
        self._end(here, begin)
        if shapes(self.variables, names) != built:
            raise self.error(loop, "a list changes its length, or becomes another one, in a loop")
        self.stores.region = (level, True)
        self._leave_loop(loop, [*frame.leaving, *function.leaving[returned:]])
        self._after(here)
        if level:
            self.nest[level - 1].inner = dict(cells(self.variables))
        self.block(loop.orelse)
        self.join(loop, [*frame.leaving, self.snapshot()])
        self._depth = level

    def _check_place(self, loop: ast.For, level: int) -> None:
        if not isinstance(loop.target, ast.Name):
            raise self.error(loop, "the target of a loop over a count must be a name")
        if self.path != EVERYWHERE:
            raise self.error(loop, "a loop over a count under a condition")
        if self.frames[-1].kind != "counted" and len(self.frames) > 1:
            raise self.error(loop, "a loop over a count in a function or an unrolled loop")
        if len(self.nest) > level:
            raise self.error(
                loop, "a second loop over a count after the first: make it another kernel"
            )
        if level == MOST_LOOPS:
            raise self.error(loop, f"more than {MOST_LOOPS} nested loops over counts")

    def _discover(self, name: str) -> None:
        names = {facts.name for facts in self.knowledge.loops}
        while name in names:
            name += "'"
        self.knowledge.loops.append(LoopFacts(name))
        raise Again

    # -- begin and end of an iteration -----------------------------------------------------

    def _begin(self, here: Loop, level: int) -> dict[Cell, Any]:
        """Give all cells what they hold when an iteration begins; they and that."""
        facts = here.facts
        innermost = level + 1 == len(self.knowledge.loops)
        for cell, value in list(cells(self.variables)):
            if cell in facts.moving:
                if isinstance(value, bool) or not isinstance(value, int | Index):
                    del facts.moving[cell]
                    facts.unsteady.add(cell)
                    raise Again
                start = value if isinstance(value, Index) else Index((), int(value))
                step = Index(((facts.name, facts.moving[cell]),))
                put(self.variables, cell, start.plus(step))
            elif cell in facts.carried:
                here.starts[cell] = value
                inside = Use(placeholder(cell)) if innermost else OuterValue(cell, level)
                put(self.variables, cell, inside)
        return dict(cells(self.variables))

    def _end(self, here: Loop, begin: dict[Cell, Any]) -> None:
        """See what an iteration changed."""
        facts = here.facts
        here.end = dict(cells(self.variables))
        again = False
        for cell, value in begin.items():
            if cell in facts.carried:
                continue
            if cell not in here.end:
                raise self.error(
                    here.statement, f"{cell[0]} changes its length or kind within the loop"
                )
            after = here.end[cell]
            if cell in facts.moving:
                if not same(after, value.plus(Index((), facts.moving[cell]))):
                    del facts.moving[cell]
                    facts.unsteady.add(cell)
                    again = True
            elif not same(value, after):
                step = step_of(value, after)
                if step is None or cell in facts.unsteady or not self.knowledge.steady:
                    facts.carried.add(cell)
                else:
                    facts.moving[cell] = step
                again = True
        if again:
            raise Again

    def _leave_loop(self, loop: ast.For, left: list[Snapshot | None]) -> None:
        """What ends the loop early."""
        paths = [state.path for state in left if state is not None]
        if not paths:
            return
        if len(self.knowledge.loops) > 1:
            raise self.error(loop, "break or return in nested loops over counts")
        path = paths[0]
        for other in paths[1:]:
            path = self.disjunction(path, other)
        self.exits.append(self.conjunction(path))

    def _after(self, here: Loop) -> None:
        """What moved by a constant has moved as often as the loop was done."""
        trips, facts = here.over.known, here.facts
        if trips is None or (self._depth == 1 and here.over.trips is None):
            # What is left is what holds in the last iteration; the graph is for any count then.
            return
        for cell in facts.moving:
            value = here.end[cell]
            assert isinstance(value, Index)
            put(self.variables, cell, _last(value, facts.name, trips - 1))
        target = here.statement.target
        assert isinstance(target, ast.Name)
        value = self.variables.get(target.id)
        if isinstance(value, Index):
            self.variables[target.id] = _last(value, facts.name, trips - 1)

    # -- loop variables as words -----------------------------------------------------------

    def index_word(self, where: ast.AST, index: Index) -> Operand:
        """As :class:`State`: counted along with the iterations."""
        innermost = self.knowledge.loops[-1].name
        if [name for name, _ in index.strides] == [innermost]:
            return self.builder.counter(index)
        if self.knowledge.steady and any(facts.moving for facts in self.knowledge.loops):
            self.knowledge.steady = False
            for facts in self.knowledge.loops:
                facts.moving.clear()
            raise Again
        names = ", ".join(name for name, _ in index.strides)
        raise self.error(
            where, f"{names} is used as a value; only the innermost loop's variable can be"
        )


def _last(index: Index, loop: str, iteration: int) -> Index | int:
    """An index in a certain iteration of a loop."""
    stride = dict(index.strides).get(loop, 0)
    found = index.plus(Index(((loop, -stride),), stride * iteration))
    return found if found.strides else found.offset
