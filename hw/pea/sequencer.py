"""The sequencer: turns a run command into one token an array cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..library import KEEP, Block
from .interfaces import FLUSH_BITS, TRIP_BITS, run_command, sequencer_token, slot_shape
from .plan import prepare, run_plan


class Phase(enum.Enum, shape=3):
    """What a token belongs to. ``END`` follows a run that has no flush; it takes no array cycle."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    TAIL = 3
    FLUSH = 4
    END = 5


def _position(pea: PeaConfig) -> data.StructLayout:
    """Where the run is; a copy goes along with every token on its way to execution."""
    return data.StructLayout(
        {
            "phase": Phase,
            "valid": 1,
            "last": 1,
            "slot": slot_shape(pea),
            "active": pea.stages,
            "exited": 1,
            "outer": TRIP_BITS,
        }
    )


class Sequencer(Block):
    """Counts through head, body, tail and flush of a kernel as the specification says.

    It runs two tokens ahead of the array, which fetches instructions meanwhile. When the array
    raises exit inside a loop, the tokens ahead are cancelled and made anew.

    Parameters
    ----------
    pea: the array's configuration (``context_banks``, ``context_slots``, ``stages`` matter).

    Ports
    -----
    command: stream in of ``run_command``; read ahead while it waits, accepted when the run before
    is done.
    token: out, see ``sequencer_token``. skew: out, 1 bit, stable while a run is executing.
    advance, exit: in, 1 bit each, from the array.
    done: out, 1 bit, pulse in the run's last cycle. running: out, 1 bit. abort: in, 1 bit, drop
    the accepted run.

    Timing: a command accepted when idle gives its first token in the next clock. An exit that
    takes effect costs three clocks in which the array does not advance. A command that waits
    follows without an idle clock if ``flush`` of the run before is at least 3 and its skew is the
    same. Combinational paths: ``advance`` to ``done`` and ``command.ready``, ``advance`` and
    ``exit`` to ``token.cancel``, ``abort`` to ``token.abort`` and ``command.ready``,
    ``command.valid`` to ``command.ready``.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        super().__init__(
            {
                "command": In(stream.Signature(run_command(pea))),
                "token": Out(sequencer_token(pea)),
                "skew": Out(1),
                "advance": In(1),
                "exit": In(1),
                "done": Out(1),
                "running": Out(1),
                "abort": In(1),
            },
            context_banks=pea.context_banks,
            context_slots=pea.context_slots,
            stages=pea.stages,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = _position(self.pea)
        now = Signal(layout)  # the token that is leaving
        fetched = Signal(layout)  # one token ahead of execution
        executing = Signal(layout)
        shift = Signal()
        cancel = Signal()
        m.d.comb += [
            shift.eq(~executing.valid | self.advance),
            cancel.eq(
                self.advance & self.exit & ~executing.exited & _in_loop(executing) & ~self.abort
            ),
            self.done.eq(executing.last & shift),
            self.token.cancel.eq(cancel),
        ]
        start = self._accept_commands(m, now, fetched, executing, shift)
        self._generate(m, now, shift, start)
        with m.If(shift):
            m.d.sync += [fetched.eq(now), executing.eq(fetched)]
        with m.If(cancel):
            # go back to the token in execution; what was made after it did not know of the exit
            m.d.sync += [now.eq(executing), now.valid.eq(0), now.exited.eq(1)]
            m.d.sync += [fetched.eq(layout.const({})), executing.eq(layout.const({}))]
        with m.If(self.abort):
            for position in (now, fetched, executing):
                m.d.sync += position.eq(layout.const({}))
        return m

    def _accept_commands(
        self, m: Module, now: Any, fetched: Any, executing: Any, shift: Signal
    ) -> Signal:
        """The handshake on ``command``; the signal returned is high where a run starts.

        A waiting command may start before the run ahead of it is done, but not while that run
        could still be changed by an exit, nor with another skew while its tokens execute.
        """
        start = Signal()
        prepared = Signal()  # the waiting command has been started already
        free = Signal()
        startable = Signal()
        m.d.comb += [
            free.eq(
                ((now.phase == Phase.IDLE) | now.last)
                & ~_in_loop(fetched)
                & ~_in_loop(executing)
                & (~(now.valid | fetched.valid) | (self.command.payload.skew == self.skew))
            ),
            startable.eq(self.command.valid & free & ~prepared),
            start.eq(startable & shift & ~self.abort),
            # Where nothing runs nothing executes: ``shift`` is known. A command
            # that starts in the very cycle of ``done`` is accepted in the next one.
            self.command.ready.eq(
                Mux(self.running, self.done & prepared, prepared | startable) & ~self.abort
            ),
        ]
        accept = self.command.valid & self.command.ready
        with m.If(self.abort):
            m.d.sync += [self.running.eq(0), prepared.eq(0)]
        with m.Elif(accept):
            m.d.sync += [self.running.eq(1), prepared.eq(0)]
        with m.Else():
            with m.If(self.done):
                m.d.sync += self.running.eq(0)
            with m.If(start):
                m.d.sync += prepared.eq(1)
        return start

    def _generate(self, m: Module, now: Any, shift: Signal, start: Signal) -> None:
        """Drive ``token`` from ``now``, and step ``now`` through the phases of a run."""
        held = Signal(run_plan(self.pea))
        plan = prepare(m, self.pea, self.command.payload)
        first = Signal()
        starts_left = Signal(TRIP_BITS)
        more = Signal()  # starts_left is not zero
        flush_left = Signal(FLUSH_BITS)
        m.d.comb += [
            self.token.bank.eq(held.bank),
            self.token.slot.eq(now.slot),
            self.token.active.eq(now.active),
            self.token.valid.eq(now.valid),
            self.token.last.eq(now.last),
            self.token.clear.eq(first & now.valid),
            self.token.abort.eq(self.abort),
        ]
        with m.If(start):
            m.d.sync += [
                held.eq(plan),
                self.skew.eq(self.command.payload.skew),
                first.eq(1),
            ]
        with m.Elif(shift):
            m.d.sync += first.eq(0)
        turns = self._decide(m, now, held, more)
        with m.If(shift):
            self._step(m, now, held, starts_left, more, flush_left, turns)
        # Beside the step and not through it: the plan and ``start`` come late in the clock.
        with m.If(start):
            m.d.sync += now.outer.eq(plan.outer_trips)
            m.d.sync += [starts_left.eq(plan.later_trips), more.eq(plan.repeats)]
            m.d.sync += flush_left.eq(plan.flush)
            self._enter_round(m, now, plan, ~plan.rounds)

    def _decide(self, m: Module, now: Any, plan: Any, more: Signal) -> "_Turns":
        """What comes after ``now``; it does not depend on whether the array goes on."""
        turns = _Turns(self.pea.stages)
        m.d.comb += [
            turns.wrap.eq(now.slot == plan.last_of_body),
            turns.active.eq(
                Mux(turns.wrap, Cat(more & ~now.exited, now.active), now.active)
                & plan.stage_mask
                & (plan.exit_mask | ~now.exited.replicate(self.pea.stages))
            ),
        ]
        with m.Switch(now.phase):
            with m.Case(Phase.HEAD), m.If(now.slot == plan.last_of_head):
                m.d.comb += [
                    turns.body.eq(plan.has_body & ~now.exited),
                    turns.tail.eq(~turns.body & plan.has_tail),
                    turns.round_done.eq(~turns.body & ~plan.has_tail),
                ]
            with m.Case(Phase.BODY), m.If(turns.wrap & (turns.active == 0)):
                m.d.comb += [turns.tail.eq(plan.has_tail), turns.round_done.eq(~plan.has_tail)]
            with m.Case(Phase.TAIL):
                m.d.comb += turns.round_done.eq(now.slot == plan.last_of_tail)
        return turns

    def _step(
        self,
        m: Module,
        now: Any,
        plan: Any,
        starts_left: Signal,
        more: Signal,
        flush_left: Signal,
        turns: "_Turns",
    ) -> None:
        """The position after ``now``."""
        m.d.sync += [now.valid.eq(1), now.slot.eq(now.slot + 1)]
        with m.Switch(now.phase):
            with m.Case(Phase.HEAD, Phase.TAIL):
                pass
            with m.Case(Phase.BODY):
                m.d.sync += now.active.eq(turns.active)
                with m.If(turns.wrap & (turns.active != 0)):
                    m.d.sync += now.slot.eq(plan.first_of_body)
                    m.d.sync += [
                        starts_left.eq(starts_left - more),
                        more.eq(more & (starts_left != 1)),
                    ]
            with m.Case(Phase.FLUSH):
                m.d.sync += [flush_left.eq(flush_left - 1), now.last.eq(flush_left == 2)]
                with m.If(turns.wrap | ~plan.rotates):
                    m.d.sync += now.slot.eq(Mux(plan.rotates, plan.first_of_body, 0))
                with m.If(flush_left == 1):
                    m.d.sync += [now.phase.eq(Phase.IDLE), now.valid.eq(0), now.last.eq(0)]
            with m.Default():  # idle or between runs: nothing moves
                m.d.sync += [now.phase.eq(Phase.IDLE), now.valid.eq(0), now.last.eq(0)]
                m.d.sync += now.slot.eq(0)

        with m.If(turns.body):
            m.d.sync += [now.phase.eq(Phase.BODY), now.slot.eq(plan.first_of_body)]
            m.d.sync += [starts_left.eq(plan.later_trips), more.eq(plan.repeats)]
            m.d.sync += now.active.eq(1)
        with m.If(turns.tail):
            m.d.sync += [now.phase.eq(Phase.TAIL), now.slot.eq(plan.first_of_tail)]
            m.d.sync += now.active.eq(self._all_stages)
        with m.If(turns.round_done):
            m.d.sync += now.outer.eq(now.outer - 1)
            m.d.sync += [starts_left.eq(plan.later_trips), more.eq(plan.repeats)]
            m.d.sync += flush_left.eq(plan.flush)
            self._enter_round(m, now, plan, now.outer == 1)

    @property
    def _all_stages(self) -> int:
        return (1 << self.pea.stages) - 1

    def _enter_round(self, m: Module, now: Any, plan: Any, finish: Value) -> None:
        """The first position of a round, or of what follows the last one if ``finish``."""
        m.d.sync += [now.exited.eq(0), now.valid.eq(1), now.last.eq(0)]
        with m.If(finish):
            m.d.sync += now.last.eq(plan.flush <= 1)
            m.d.sync += [now.active.eq(0), now.phase.eq(Phase.FLUSH)]
            m.d.sync += now.slot.eq(Mux(plan.rotates, plan.first_of_body, 0))
            with m.If(plan.flush == 0):
                m.d.sync += [now.phase.eq(Phase.END), now.valid.eq(0)]
        with m.Elif(plan.has_head):
            m.d.sync += [now.phase.eq(Phase.HEAD), now.slot.eq(0)]
            m.d.sync += now.active.eq(self._all_stages)
        with m.Elif(plan.has_body):
            m.d.sync += [now.phase.eq(Phase.BODY), now.slot.eq(plan.first_of_body)]
            m.d.sync += now.active.eq(1)
        with m.Else():
            m.d.sync += [now.phase.eq(Phase.TAIL), now.slot.eq(plan.first_of_tail)]
            m.d.sync += now.active.eq(self._all_stages)


class _Turns:
    """Where the run turns after the present token.

    ``wrap``: the body's last slot. ``active``: stages of the next token, if that is of the body.
    ``body``, ``tail``: it begins. ``round_done``: the round is over. The way from the slot to the
    next phase is the longest here; synthesis keeps two points on it, so that it stays short.
    """

    def __init__(self, stages: int) -> None:
        self.wrap = Signal(attrs=KEEP)
        self.active = Signal(stages)
        self.body = Signal()
        self.tail = Signal()
        self.round_done = Signal(attrs=KEEP)


def _in_loop(position: Any) -> Any:
    """Whether an exit seen while ``position`` executes has an effect."""
    return (position.phase == Phase.HEAD) | (position.phase == Phase.BODY)
