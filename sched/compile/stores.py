"""What a kernel function writes: stores and appends in their order, and the nodes they become.

The array keeps no order between two streams. So what is written in one iteration to one place is
made one store, and stores that may meet at a place otherwise are refused: here where a place is
computed, by the task (``kernels/accesses.py``) where it moves regularly.
"""

import ast
from dataclasses import dataclass, replace
from typing import Any

from octopus.hw.layouts.instruction import PredicateMode

from .graph import Access, Constant, Operand, Role
from .language import ArrayName, Index
from .state import EVERYWHERE, Path, State

Region = tuple[int, bool]
"""How many loops are around a statement, and whether it comes after a loop of theirs."""


@dataclass(frozen=True)
class _Store:
    array: ArrayName
    index: Index | Operand
    value: Operand
    path: Path
    region: Region
    where: ast.AST


@dataclass(frozen=True)
class _Append:
    array: ArrayName
    value: Operand
    path: Path
    region: Region
    where: ast.AST


class Stores:
    """The stores of a function, in order.

    Parameters
    ----------
    state: of the function. trips: iterations of every loop, outermost first; None: not known.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._stores: list[_Store] = []
        self._appends: list[_Append] = []
        self.region: Region = (0, False)
        self.trips: list[int | None] = []

    def store(
        self, where: ast.AST, array: ArrayName, index: Index | Operand, value: Operand
    ) -> None:
        """Note ``array[index] = value``."""
        if any(one.array == array for one in self._appends):
            raise self._state.error(where, f"{array.name} is both appended to and assigned to")
        self._stores.append(_Store(array, index, value, self._state.path, self.region, where))

    def append(self, where: ast.AST, array: ArrayName, value: Operand) -> None:
        """Note ``array.append(value)``."""
        if any(one.array == array for one in self._stores):
            raise self._state.error(where, f"{array.name} is both appended to and assigned to")
        self._appends.append(_Append(array, value, self._state.path, self.region, where))

    def finish(self) -> None:
        """Make the nodes.

        Raises:
            CompileError: an order that the array does not keep.
        """
        arrays = dict.fromkeys(one.array for one in self._stores)
        arrays |= dict.fromkeys(one.array for one in self._appends)
        for array in arrays:
            appends = [one for one in self._appends if one.array == array]
            stores = [one for one in self._stores if one.array == array]
            if appends:
                stores = self._appended(appends)
            merged = self._merged(stores)
            computed = [one for one in merged if not self._regular(one)]
            if computed and len(merged) > 1:
                other = next(one for one in merged if one is not computed[-1])
                raise self._state.error(
                    computed[-1].where,
                    f"{array.name} is written here at a computed place, or under a condition, and "
                    f"in line {_line(other.where)}: the array does not keep their order",
                )
            for store in merged:
                self._emit(store)

    # -- merging ---------------------------------------------------------------------------

    def _merged(self, stores: list[_Store]) -> list[_Store]:
        """One store for all that go to one place in one iteration."""
        groups: dict[Index | Operand, list[_Store]] = {}
        for store in stores:
            groups[store.index] = [*groups.pop(store.index, []), store]
        found: list[_Store] = []
        for group in groups.values():
            *others, last = group
            for before in reversed(others):
                if last.path == EVERYWHERE and self._covers(last, before):
                    continue
                if before.region == last.region:
                    last = self._together(before, last)
                else:
                    found.append(last)
                    last = before
            found.append(last)
        return found

    @staticmethod
    def _covers(store: _Store, before: _Store) -> bool:
        """Whether the later store is done after the earlier one whenever that is."""
        (depth, after), (depth_before, after_before) = store.region, before.region
        if depth_before > depth:
            return after
        return depth_before == depth or not after_before

    def _together(self, before: _Store, store: _Store) -> _Store:
        state = self._state
        literal = state.apart(store.path, before.path)
        operand, holds = literal or (state.conjunction(store.path - before.path), True)
        values = (store.value, before.value) if holds else (before.value, store.value)
        value = state.builder.select(operand, *values)
        return replace(store, value=value, path=state.disjunction(store.path, before.path))

    # -- appends ---------------------------------------------------------------------------

    def _appended(self, appends: list[_Append]) -> list[_Store]:
        """Appends as stores: at moving places if they are done always, else one after the other."""
        state = self._state
        found: list[_Append] = []
        for one in reversed(appends):
            if found and state.apart(found[0].path, one.path) is not None:
                parts = self._as_store(one), self._as_store(found.pop(0))
                merged = self._together(*parts)
                one = replace(one, value=merged.value, path=merged.path)
            found.insert(0, one)
        if len({one.region for one in found}) > 1:
            name = found[-1].array.name
            raise state.error(found[-1].where, f"{name} is appended to in two loops")
        if any(one.path != EVERYWHERE for one in found):
            return self._conditional(found)
        depth, _ = found[0].region
        index = self._flat(found, depth)
        return [
            replace(self._as_store(one), index=index.plus(Index((), number)))
            for number, one in enumerate(found)
        ]

    def _flat(self, appends: list[_Append], depth: int) -> Index:
        """Where the first append of an iteration goes: all iterations counted along."""
        index, step = Index(), len(appends)
        for level in reversed(range(depth)):
            index = index.plus(Index(((self._state.builder.loops[level], step),)))
            trips = self.trips[level]
            if level and trips is None:
                raise self._state.error(
                    appends[0].where, "append in two loops: the inner count must be known"
                )
            step *= trips or 1
        return index

    def _conditional(self, appends: list[_Append]) -> list[_Store]:
        state = self._state
        *others, last = appends
        if others:
            raise state.error(
                last.where,
                f"{last.array.name} is appended to under a condition, and in line "
                f"{_line(others[-1].where)} in the same iteration; allowed: one of them each time",
            )
        if last.region[0] != len(state.builder.loops):
            raise state.error(last.where, "append under a condition outside of the innermost loop")
        return [replace(self._as_store(last), index=_NEXT)]

    def _as_store(self, one: _Append) -> _Store:
        return _Store(one.array, Index(), one.value, one.path, one.region, one.where)

    # -- nodes -----------------------------------------------------------------------------

    @staticmethod
    def _regular(store: _Store) -> bool:
        return isinstance(store.index, Index) and store.path == EVERYWHERE

    def _emit(self, store: _Store) -> None:
        state, build = self._state, self._state.builder
        depth = store.region[0]
        if depth < len(build.loops):
            self._check_repeated(store, depth)
        line = _line(store.where)
        guard = self._guard(store.path)
        array = store.array
        if store.index is _NEXT:
            strides = tuple(1 if n == 0 else 0 for n in range(len(build.loops)))
            access = Access(array.name, 0, strides, array.element)
            build.store(Role.STORE, array, line, operands=(store.value,), access=access, **guard)
        elif isinstance(store.index, Index) and not guard:
            access = build.access(array, store.index)
            build.store(Role.STORE, array, line, operands=(store.value,), access=access)
        else:
            index = store.index
            if isinstance(index, Index):
                index = state.word(store.where, index)
            operands = (build.offset(array, index), store.value)
            access = Access(array.name, 0, (), array.element)
            build.store(Role.SCATTER, array, line, operands=operands, access=access, **guard)

    def _check_repeated(self, store: _Store, depth: int) -> None:
        """A store outside of the innermost loop is done in all iterations of what it is around:
        the last one stays, so place and condition must not change meanwhile."""
        build = self._state.builder
        index = store.index
        level = build.index_level(index) if isinstance(index, Index) else build.level_of(index)
        levels = [level, *(build.level_of(operand) for operand, _ in store.path)]
        if max(levels) > depth:
            what = "place" if level > depth else "condition"
            raise self._state.error(
                store.where, f"the {what} of this store depends on an inner loop that is over"
            )

    def _guard(self, path: Path) -> dict[str, Any]:
        """Under what condition a store acts."""
        if path == EVERYWHERE:
            return {}
        if len(path) == 1:
            ((operand, holds),) = path
        else:
            operand, holds = self._state.conjunction(path), True
        if isinstance(operand, Constant):
            raise AssertionError("a known condition of a store")
        when = PredicateMode.IF_TRUE if holds else PredicateMode.IF_FALSE
        return {"predicate": operand, "when": when}


_NEXT = Index((), -1)
"""The place after what was appended last."""


def _line(where: ast.AST) -> int:
    return getattr(where, "lineno", 0)


__all__ = ["Region", "Stores"]
