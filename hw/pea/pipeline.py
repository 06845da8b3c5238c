"""Carries values through pipeline registers, and chooses among them on the way."""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Signal, Value


class Pipeline:
    """Adds registers that move with ``advance`` to a module.

    Choosing costs no logic where there is a register: every candidate gets a register of its own
    that is reset unless it is the chosen one, and what follows takes the OR of them.
    """

    def __init__(self, m: Module, advance: Value) -> None:
        self._m = m
        self._advance = advance

    def carry(self, value: Value, registers: int, keep: Value | None = None) -> Value:
        """``value`` after that many registers, zero where ``keep`` (1 bit, beside it) was low."""
        if registers == 0:
            return value if keep is None else Mux(keep, value, 0)
        for number in range(registers):
            register = Signal.like(value, name="carried", reset_less=True)
            with self._m.If(self._advance):
                self._m.d.sync += register.eq(value)
            if keep is not None and number == 0:
                with self._m.If(self._advance & ~keep):  # apart: a synchronous reset
                    self._m.d.sync += register.eq(0)
            value = register
        return value

    def choose(self, lanes: Iterable[tuple[Value, Value]], registers: int) -> Value:
        """The OR of the lanes (value, keep) after that many registers."""
        return reduce(or_, [self.carry(value, registers, keep) for value, keep in lanes], Const(0))
