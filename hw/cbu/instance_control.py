"""Which instances are closed, and whether anything of them is left."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..layouts.command import ClusterCommand, CommandOperation
from ..layouts.token import INSTANCE_BITS
from ..library import Block, add_block
from .population import InstancePopulation

LARGEST = (1 << INSTANCE_BITS) - 1
"""The largest number of an instance."""


class InstanceControl(Block):
    """Carries out the host's commands about instances.

    ABORT closes instances at once: every part of the unit discards what it meets of a closed
    instance. Then their token store entries are cleared, and then the instances are looked at
    one by one until nothing of them is left. Of a closed instance nothing comes anew, so each has
    to be found empty only once.

    Parameters
    ----------
    instances: instance slots, a power of two.

    Ports
    -----
    command, command_valid: In, a command of the host. accepted: Out, it is carried out
        (combinational): no command is under way, and it is known.
    busy: Out, a command is under way.
    closed: Out, a bit an instance.
    sweep: Out, pulse: clear the store's entries of ``first`` to ``last``; swept: In, that is done.
    leaving: In, a token of a closed instance waits to leave the unit.
    ready, evaluated_*, made, ended, walked*: In, see ``InstancePopulation``.

    Timing: ``closed`` changes in the cycle after the command.

    Source: docs/specification.md, section 7 (Commands).
    """

    def __init__(self, instances: int) -> None:
        self.instances = instances
        self.population = InstancePopulation(instances)
        super().__init__(
            {
                "command": In(ClusterCommand),
                "command_valid": In(1),
                "accepted": Out(1),
                "busy": Out(1),
                "closed": Out(instances),
                "sweep": Out(1),
                "first": Out(INSTANCE_BITS),
                "last": Out(INSTANCE_BITS),
                "swept": In(1),
                "leaving": In(1),
                "ready": In(1),
                "evaluated_instance": In(INSTANCE_BITS),
                "made": In(1),
                "ended": In(1),
                "walked": In(1),
                "walked_instance": In(INSTANCE_BITS),
            },
            instances=instances,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        population = self.population
        add_block(m, platform, "population", population)
        for name in (
            "ready", "evaluated_instance", "made", "ended", "walked", "walked_instance",
        ):  # fmt: skip
            m.d.comb += getattr(population, name).eq(getattr(self, name))

        command = self.command
        chosen = Signal(self.instances)
        abort = command.operation == CommandOperation.ABORT
        opens = command.operation == CommandOperation.OPEN
        m.d.comb += [
            chosen.eq(
                # Tools object to a comparison that always holds.
                Cat(
                    (command.first <= i if i < LARGEST else 1) & (command.last >= i if i else 1)
                    for i in range(self.instances)
                )
            ),
            self.accepted.eq(~self.busy & (abort | opens)),
        ]
        given = self.command_valid & self.accepted
        with m.If(given):
            m.d.sync += [
                self.closed.eq(Mux(abort, self.closed | chosen, self.closed & ~chosen)),
                self.first.eq(command.first),
                self.last.eq(command.last),
            ]

        wanted = Signal(range(self.instances))
        looks = Signal(2)
        m.d.comb += population.instance.eq(wanted)
        with m.FSM() as stages:
            with m.State("IDLE"):
                m.d.sync += [wanted.eq(0), looks.eq(0)]
                with m.If(given & abort):
                    m.next = "SWEEP"
            with m.State("SWEEP"):
                m.d.comb += self.sweep.eq(1)
                m.next = "SWEEPS"
            with m.State("SWEEPS"), m.If(self.swept):
                m.next = "LOOK"
            with m.State("LOOK"):  # long enough for the population's tables
                m.d.sync += looks.eq(looks + 1)
                empty = ~self.closed.bit_select(wanted, 1) | ~population.present
                with m.If((looks == 3) & empty):
                    m.d.sync += wanted.eq(wanted + 1)
                    with m.If(wanted == self.instances - 1):
                        m.next = "LEAVE"
            with m.State("LEAVE"), m.If(~self.leaving):
                m.next = "IDLE"
        m.d.comb += self.busy.eq(~stages.ongoing("IDLE"))
        return m
