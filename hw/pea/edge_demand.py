"""Which array cycles demand a word of one edge input, known a cycle ahead."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.instruction import STAGE_BITS
from ..library import Block
from .interfaces import bank_shape, sequencer_token, slot_shape

DEMAND = data.StructLayout({"uses": 1, "stage": STAGE_BITS})
"""Of an instruction: whether it uses the input, and the stage that must be active for it."""


class EdgeDemand(Block):
    """Tells whether the array's next cycle demands a word of an edge input.

    The PE at the edge reads its instruction from block RAM, too late to decide before the next
    clock whether the array can go on. So the few bits that say what it demands are kept here once
    more, in distributed RAM, and go along with the token.

    Parameters
    ----------
    pea: the array's configuration. delay: array cycles by which a wave reaches the PE later.

    Ports
    -----
    token, skew: in, as the array has them. shift, advance: in, 1 bit, a token goes on, the array
    does its cycle. restart: in, 1 bit, the tokens of a wave are void from the next clock on.
    write: in, 1 bit, the PE's context is written at ``write_bank``, ``write_slot`` (in);
    write_demand: in, :data:`DEMAND`.
    demand: out, 1 bit, register, the array cycle in execution demands a word. following: out,
    1 bit, ``demand`` of the next clock.

    Timing: ``following`` is combinational from ``shift``, ``advance`` and ``restart``.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig, delay: int) -> None:
        self.delay = delay
        self.depth = pea.context_banks * pea.context_slots
        super().__init__(
            {
                "token": In(sequencer_token(pea)),
                "skew": In(1),
                "shift": In(1),
                "advance": In(1),
                "restart": In(1),
                "write": In(1),
                "write_bank": In(bank_shape(pea)),
                "write_slot": In(slot_shape(pea)),
                "write_demand": In(DEMAND),
                "demand": Out(1),
                "following": Out(1),
            },
            delay=delay,
            context_slots=pea.context_slots,
            context_banks=pea.context_banks,
            stages=pea.stages,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        with_token = self._read(m)
        # Beside token 1, 2, ...: what the PE demands when the wave brings it that token.
        waiting: list[Value] = [with_token]
        for position in range(1, self.delay + 2):
            register = Signal(name=f"waiting_{position}")
            with m.If(self.shift if position <= 2 else self.advance):
                m.d.sync += register.eq(waiting[-1])
            if position > 2:
                with m.If(self.restart):
                    m.d.sync += register.eq(0)
            waiting.append(register)

        m.d.comb += self.following.eq(Mux(self.shift, waiting[1], self.demand))
        if self.delay:
            with m.If(self.skew):
                m.d.comb += self.following.eq(
                    Mux(self.advance, waiting[-1], self.demand) & ~self.restart
                )
        m.d.sync += self.demand.eq(self.following)
        return m

    def _read(self, m: Module) -> Value:
        """1 bit: the token that comes makes the PE demand a word."""
        m.submodules.storage = storage = memory.Memory(
            shape=DEMAND, depth=self.depth, init=[], attrs={"ram_style": "distributed"}
        )
        reader = storage.read_port(domain="comb")
        writer = storage.write_port()
        m.d.comb += [
            reader.addr.eq(Cat(self.token.slot, self.token.bank)),
            writer.en.eq(self.write),
            writer.addr.eq(Cat(self.write_slot, self.write_bank)),
            writer.data.eq(self.write_demand),
        ]
        entry: Any = reader.data
        return entry.uses & self.token.active.bit_select(entry.stage, 1)
