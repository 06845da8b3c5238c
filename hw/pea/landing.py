"""Results that leave the datapaths in a cycle, and which of them the PE's ports take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Mux, Value


@dataclass(frozen=True)
class Landing:
    """A result, and what becomes of it (a view of ``EFFECTS``). ``valid``: there is one."""

    valid: Value
    result: Value
    not_zero: Value
    effects: Any


class Landings:
    """All results of a cycle; where two want one port, the first in order has it."""

    def __init__(self, *order: Landing) -> None:
        self.order = order

    def wants(self, effect: str) -> Value:
        """1 bit: some result has the effect."""
        wanted, *others = (one.valid & one.effects[effect] for one in self.order)
        for other in others:
            wanted |= other
        return wanted

    def gets(self, effect: str) -> list[Value]:
        """1 bit for each result: it has the effect and none before it has."""
        got: list[Value] = []
        for number, one in enumerate(self.order):
            bit = one.valid & one.effects[effect]
            for before in self.order[:number]:
                bit &= ~(before.valid & before.effects[effect])
            got.append(bit)
        return got

    def chosen(self, effect: str, field: Callable[[Landing], Value]) -> Value:
        """A field of the result that gets the effect; undefined if none does."""
        *first, last = self.order
        value = field(last)
        for one in reversed(first):
            value = Mux(one.valid & one.effects[effect], field(one), value)
        return value
