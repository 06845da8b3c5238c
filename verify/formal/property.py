"""What is to be proven: a block, the world around it, and what must hold whatever that does."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import (
    ClockDomain,
    Const,
    Fragment,
    Module,
    Mux,
    ResetInserter,
    Shape,
    Signal,
    Value,
)
from amaranth.lib import data, wiring

DUT = "dut"
"""Name of the submodule that holds the block under test: where defects are put."""


@dataclass(frozen=True)
class Named:
    """A condition with the name it is reported by."""

    name: str
    value: Value


class Property:
    """One claim about one block, as a circuit around the block.

    A subclass writes ``build``: it places the block with :meth:`place`, whose inputs are then
    free (any value in any cycle) unless named in ``driven``; says what the block may rely on with
    :meth:`assume`, what must hold with :meth:`require`, and what must be possible with
    :meth:`cover`. Covers guard against assumptions that leave nothing to prove.

    Class attributes
    ----------------
    claim: the property in a sentence.
    depth: cycles within which every cover is reached, and in which defects are looked for.
    resets: the reset input is free as well, so that the claim holds after a reset at any time,
        whatever is then left in memories. Else the block starts from its power-up state.
    bounded: None, or the number of cycles for which alone the claim is checked.

    Attributes
    ----------
    inputs: the free inputs. requirements, covers: what was named, in order. bad: some
        requirement fails in this cycle although every assumption held so far. reached: a bit a
        cover, with the assumptions held so far.
    """

    claim = ""
    depth = 12
    resets = False
    bounded: int | None = None

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self.inputs: dict[str, Signal] = {}
        self.requirements: list[Named] = []
        self.covers: list[Named] = []
        self._assumptions: list[Value] = []
        self._first: Signal | None = None
        self._outer: Any = None
        self.reset = Signal(name="reset")
        self.bad = Signal()
        self.failing = Signal()
        self.reached: list[Signal] = []

    @property
    def name(self) -> str:
        """Class and parameters, as reported and selected by."""
        words = [type(self).__name__, *(f"{key}={value}" for key, value in self.parameters.items())]
        return ",".join(words)

    def build(self, m: Module) -> None:
        """Place the block and name assumptions, requirements and covers.

        Raises:
            NotImplementedError: a subclass must write it.
        """
        raise NotImplementedError

    def place(self, m: Module, block: Any, driven: tuple[str, ...] = (), name: str = DUT) -> Any:
        """Add the block under test; its inputs become free, except those that begin with a
        name in ``driven``, which the property connects. Returns the block."""
        m.submodules[name] = block
        for path, member, value in block.signature.flatten(block):
            port = "__".join(str(part) for part in path)
            if member.flow == wiring.In and not any(
                port == item or port.startswith(f"{item}__") for item in driven
            ):
                self._add_input(f"{name}__{port}", Value.cast(value))
        return block

    def free(self, shape: Any, name: str) -> Any:
        """A value that may be anything in any cycle."""
        signal = Signal(shape, name=name)
        self._add_input(name, Value.cast(signal))
        return signal

    def narrow(self, m: Module, target: Any, prefix: str, **bits: int) -> None:
        """Drive ``target``, a structure, with values that are free in the named fields' lowest
        bits and zero elsewhere: what a block only passes on need not be wide to be proven."""
        parts = {name: self.free(width, f"{prefix}_{name}") for name, width in bits.items()}
        for name, _ in data.Layout.cast(target.shape()):
            field = Value.cast(target[name])
            m.d.comb += field.eq(parts.get(name, 0))

    def constant(self, m: Module, shape: Any, name: str) -> Value:
        """A value that may be anything but never changes."""
        chosen = self.free(Shape.cast(shape), f"{name}_chosen")
        kept = Signal.like(chosen, name=f"{name}_kept")
        held = Signal.like(chosen, name=name)
        first = self._first_cycle()
        m.d.comb += held.eq(Mux(first, chosen, kept))
        self._outer.d.sync += kept.eq(held)
        return held

    def assume(self, condition: Any) -> None:
        """The world around the block sees to ``condition`` in every cycle."""
        self._assumptions.append(Value.cast(condition).bool())

    def require(self, name: str, condition: Any) -> None:
        """``condition`` must hold in every cycle."""
        self.requirements.append(Named(name, Value.cast(condition).bool()))

    def cover(self, name: str, condition: Any) -> None:
        """``condition`` must be possible within ``depth`` cycles."""
        self.covers.append(Named(name, Value.cast(condition).bool()))

    def circuit(self) -> Fragment:
        """The whole circuit: the block, what surrounds it and the outputs that are proven.

        Raises:
            ValueError: it requires nothing.
        """
        m = Module()
        self._outer = Module()
        self.build(m)
        if self.resets:
            self.inputs["reset"] = self.reset
        held, kept = Signal(name="assumptions_held"), Signal(init=1, name="assumptions_kept")
        m.d.comb += held.eq(_all(self._assumptions) & kept)
        self._outer.d.sync += kept.eq(held)
        self.failing = Signal(len(self.requirements), name="failing")
        self.reached = [Signal(name=f"reached{i}") for i in range(len(self.covers))]
        for bit, requirement in zip(self.failing, self.requirements, strict=True):
            m.d.comb += bit.eq(held & ~requirement.value)
        for bit, cover in zip(self.reached, self.covers, strict=True):
            m.d.comb += bit.eq(held & cover.value)
        m.d.comb += self.bad.eq(self.failing.any())
        self._outer.domains.sync = ClockDomain("sync", reset_less=True)
        inner = ResetInserter(self.reset)(m) if self.resets else m
        self._outer.submodules.property = inner
        fragment = Fragment.get(self._outer, None)
        if not self.requirements:
            raise ValueError(f"{self.name} requires nothing")
        return fragment

    def _first_cycle(self) -> Signal:
        """High in the first cycle of all; a reset does not bring it back."""
        if self._first is None:
            self._first = Signal(init=1, name="first_cycle")
            self._outer.d.sync += self._first.eq(0)
        return self._first

    def _add_input(self, name: str, value: Value) -> None:
        if not isinstance(value, Signal):
            raise TypeError(f"input {name} of {self.name} is no signal but {value!r}")
        self.inputs[name] = value


def _all(conditions: list[Value]) -> Value:
    result: Value = Const(1)
    for condition in conditions:
        result = result & condition
    return result
