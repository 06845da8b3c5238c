"""Closes the loops of a function: every carried cell gets the value of the iteration before."""

import ast
from dataclasses import dataclass, replace
from typing import Any

from octopus.hw.layouts.instruction import Operation

from .arithmetic import LOW_BITS
from .cells import Cell
from .graph import Constant, Graph, Operand, Role, Use
from .loops import Loops, placeholder
from .state import OuterValue, same


@dataclass(frozen=True)
class _Restart:
    """Something that begins anew whenever loop ``level`` begins (0: the outermost)."""

    level: int
    what: str
    where: ast.AST


class Closing:
    """Makes the graph of a function that was followed to its end.

    Parameters
    ----------
    loops: the function. The graph is that of its builder.

    Raises:
        CompileError: what the array cannot carry.
    """

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self._graph: Graph = loops.builder.graph
        self._restarts: list[_Restart] = []
        self._ends: dict[str, Operand] = {}
        self._close()
        self._exits()
        self._rounds()
        self._graph.check()

    # -- carried cells ---------------------------------------------------------------------

    def _close(self) -> None:
        """Resolve the placeholders; a cell that nothing uses costs nothing."""
        innermost = self._loops.nest[-1]
        by_name = {placeholder(cell): cell for cell in innermost.facts.carried}
        for name in self._live(by_name):
            self._ends[name] = self._end_of(by_name[name], name)
        # What an end is made of may be a placeholder again.
        for _ in self._ends:
            self._ends = {name: self._resolved(end) for name, end in self._ends.items()}
        for node in list(self._graph.nodes.values()):
            operands = tuple(self._resolved(operand) for operand in node.operands)
            predicate = node.predicate and self._resolved(node.predicate)
            if isinstance(predicate, Constant):
                raise self._loops.error(
                    innermost.statement, "a condition on a value that never changes"
                )
            self._graph.change(node.name, operands=operands, predicate=predicate)
        self._loops.exits = [self._resolved(operand) for operand in self._loops.exits]

    def _live(self, by_name: dict[str, Cell]) -> list[str]:
        """The placeholders that stores and exits depend on; all other nodes are forgotten."""
        graph, nest = self._graph, self._loops.nest
        waiting = [use.producer for use in self._loops.exits if isinstance(use, Use)]
        waiting += [n.name for n in graph.nodes.values() if n.role in (Role.STORE, Role.SCATTER)]
        needed: dict[str, None] = {}
        while waiting:
            name = waiting.pop()
            if name in needed:
                continue
            needed[name] = None
            if name in by_name:
                cell = by_name[name]
                ends = [nest[-1].end.get(cell), *(loop.starts.get(cell) for loop in nest)]
                waiting += [end.producer for end in ends if isinstance(end, Use)]
                continue
            node = graph.nodes[name]
            waiting += [use.producer for use in node.uses]
            waiting += [node.predicate.producer] if node.predicate else []
        for name in list(graph.nodes):
            if name not in needed:
                del graph.nodes[name]
        self._loops.builder.forget()
        return [name for name in by_name if name in needed]

    def _end_of(self, cell: Cell, name: str) -> Operand:
        """The value of the iteration before: what a placeholder stands for."""
        loops, build = self._loops, self._loops.builder
        nest = loops.nest
        where = nest[-1].statement
        value = nest[-1].end.get(cell)
        level, start = self._start(cell, len(nest) - 1)
        self._restarts.append(_Restart(level, str(cell[0]), where))
        end = loops.word(where, value)
        if isinstance(start, bool | int):
            initial = loops.word(where, start, exact=not self._low_bits_only(name))
            if end == Use(name):
                return initial
        else:
            initial = Constant(0)
        assert isinstance(initial, Constant)
        if isinstance(end, Constant) or end.producer.startswith("@") or end.distance:
            end = build.fresh(Operation.PASS, (end,))
        before = replace(end, distance=1, initial=initial.value)
        if isinstance(start, bool | int):
            return before
        return build.fresh(Operation.SELECT, (loops.word(where, start), before), build.first())

    def _low_bits_only(self, name: str) -> bool:
        """Whether all that uses a placeholder looks at the lowest 32 bits only, so that a start
        outside int32 is its word."""
        use = Use(name)
        for node in self._graph.nodes.values():
            shifted = node.operation is Operation.SHL and node.operands[0] == use
            if node.predicate == use:
                return False
            if use in node.operands and node.operation not in LOW_BITS and not shifted:
                return False
        return True

    def _start(self, cell: Cell, level: int) -> tuple[int, Any]:
        """With what a cell begins, and which loop's begin that is."""
        nest = self._loops.nest
        start = nest[level].starts[cell]
        if not isinstance(start, OuterValue):
            return level, start
        outer = nest[start.level]
        inner = outer.inner.get(start.cell)
        if start.cell != cell or not same(outer.end.get(start.cell), inner):
            raise self._loops.error(
                outer.statement,
                f"{cell[0]} goes on from one iteration of this loop to the next, and is changed "
                "outside of the innermost loop as well",
            )
        return self._start(cell, start.level)

    def _resolved(self, operand: Operand) -> Operand:
        if isinstance(operand, Use):
            return self._ends.get(operand.producer, operand)
        return operand

    # -- the rest --------------------------------------------------------------------------

    def _exits(self) -> None:
        for condition in self._loops.exits:
            node = None
            if isinstance(condition, Use) and not condition.distance:
                node = self._graph.nodes[condition.producer]
            if node is None or node.role is not Role.COMPUTE:
                copy = self._loops.builder.fresh(Operation.PASS, (condition,))
                node = self._graph.nodes[copy.producer]
            self._graph.change(node.name, exit=True)

    def _rounds(self) -> None:
        """How many loops make a round, in which all that is carried begins anew."""
        loops = self._loops
        depth = len(loops.nest)
        innermost = loops.nest[-1].facts.name
        if any(name in self._graph.nodes for name in loops.builder.counters):
            self._restarts.append(_Restart(depth - 1, innermost, loops.nest[-1].statement))
        levels = {restart.level: restart for restart in self._restarts}
        if len(levels) > 1:
            low, high = levels[min(levels)], levels[max(levels)]
            raise loops.error(
                high.where,
                f"{high.what} begins anew in each iteration of an outer loop while {low.what} "
                "goes on: the array carries only one of them",
            )
        level = min(levels, default=0)
        if level:
            self._graph.outer = True
            self._graph.inner_loops = depth - level
