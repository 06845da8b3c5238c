"""Starts runs on the array and watches them to their end."""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.descriptor import Status
from ..layouts.kernel import KernelHeader
from ..library import Block
from ..pea.interfaces import bank_shape, run_command
from .layouts import task_layout
from .setup import EpochControl


class Runner(Block):
    """Hands run commands to the array so that it goes from one task to the next at once.

    A task passes two places: *running* and *draining*, where the words it pushed reach the
    scratchpad. The command of the next task is offered while its predecessor runs, as soon as
    the drain is free to take that one over.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    task: stream in, tasks whose streams are committed; ended: stream out. Both ``task_layout``.
    ending, ending_valid: out, the task that ``ended`` brings next, once it is known.
    headers: in, the kernel header of every context bank.
    command, done, advance, stop: the array core's command stream, ``done``, ``advance``, ``abort``.
    control: ``Out(EpochControl)`` to every edge port.
    release: out, pulse: a task that held ``release_bank`` has ended.
    cancel: in, end the present run with ABORTED.
    running, draining: out, a task is in that place. run_block, run_instance: out, which one runs.

    Timing: the command is offered the cycle after the task comes; a drain takes two cycles more
    than the words need. ``stop`` is a register: it clears much of the array.
    Errors: ADDRESS_OUT_OF_RANGE or MEMORY_PARITY for a stream's fault, WATCHDOG when a run is
    longer than its limit, ABORTED; the array is stopped at once.
    Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        task = task_layout(pea)
        super().__init__(
            {
                "task": In(stream.Signature(task)),
                "ended": Out(stream.Signature(task)),
                "ending": Out(task),
                "ending_valid": Out(1),
                "headers": In(data.ArrayLayout(KernelHeader, pea.context_banks)),
                "command": Out(stream.Signature(run_command(pea))),
                "done": In(1),
                "advance": In(1),
                "stop": Out(1),
                "control": Out(EpochControl()),
                "release": Out(1),
                "release_bank": Out(bank_shape(pea)),
                "cancel": In(1),
                "running": Out(1),
                "draining": Out(1),
                "run_block": Out(task["block"].shape),
                "run_instance": Out(task["instance"].shape),
            },
            context_banks=pea.context_banks,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = task_layout(self.pea)
        run = Signal(layout)
        drain = Signal(layout)
        run_valid = Signal()
        drain_valid = Signal()
        control = self.control
        incoming = self.task.payload
        healthy = incoming.status == Status.OK

        # Start. An offered command stays offered: its condition can only become false by it.
        start = Signal()  # into running
        move = Signal()  # from running into draining
        skip = Signal()  # a failed task passes when nobody is ahead of it
        header = Array(self.headers[bank] for bank in range(self.pea.context_banks))[incoming.bank]
        m.d.comb += [
            self.command.valid.eq(self.task.valid & healthy & ~(run_valid & drain_valid)),
            *(
                getattr(self.command.payload, name).eq(getattr(header, name))
                for name in (
                    "head_length",
                    "body_length",
                    "tail_length",
                    "stages",
                    "exit_stage",
                    "skew",
                    "flush",
                )
            ),
            self.command.payload.bank.eq(incoming.bank),
            self.command.payload.body_trips.eq(incoming.body_trips),
            self.command.payload.outer_trips.eq(incoming.outer_trips),
            start.eq(self.command.valid & self.command.ready),
            skip.eq(self.task.valid & ~healthy & ~run_valid & ~drain_valid),
            self.task.ready.eq(Mux(healthy, start, skip)),
            # A task that was set up and then dropped has an epoch of its own, without a run.
            control.start.eq(start | (skip & incoming.committed)),
        ]
        m.d.sync += control.epoch.eq(control.epoch + control.start)

        # Run. It is over when the array says so, or when it was stopped.
        cycles = Signal(32)
        advances = Signal(32)
        first = Signal()  # a run's first cycle: the counts are still those of the one before
        over = Signal()
        finishing = Signal()
        status = Signal(Status)
        leave = Signal()  # from draining to the next stage
        m.d.comb += [
            self.running.eq(run_valid & ~over),
            finishing.eq(run_valid & (self.done | self.stop | over)),
            move.eq(finishing & ~drain_valid),
            self.run_block.eq(run.block),
            self.run_instance.eq(run.instance),
        ]
        m.d.comb += status.eq(run.status)
        with m.If(run.status == Status.OK):
            with m.If(control.fault):
                m.d.comb += status.eq(Status.ADDRESS_OUT_OF_RANGE)
            with m.Elif(control.damaged):
                m.d.comb += status.eq(Status.MEMORY_PARITY)
            with m.Elif(self.running & self.cancel):
                m.d.comb += status.eq(Status.ABORTED)
            with m.Elif(
                self.running & ~first & (run.cycle_limit != 0) & (cycles == run.cycle_limit)
            ):
                m.d.comb += status.eq(Status.WATCHDOG)
        counted = ~first.replicate(32)
        array_cycles = (advances & counted) + (self.advance & self.running)
        m.d.sync += [first.eq(start), advances.eq(array_cycles)]
        with m.If(run_valid):  # without a run nothing moves
            m.d.sync += cycles.eq((cycles & counted) + 1)
        with m.If(start):
            m.d.sync += [run.eq(incoming), run_valid.eq(1)]
        with m.Else():
            m.d.sync += [run.status.eq(status), run_valid.eq(run_valid & ~move)]
        # A run that starts finds its predecessor finishing, and the drain free: neither is set.
        m.d.sync += [
            self.stop.eq(run_valid & ~finishing & (status != Status.OK)),
            over.eq(finishing & ~move),
        ]

        # Drain. Faults of words of the present epoch belong here if no newer task runs.
        drain_ran = Signal()
        drain_fault = control.drain_fault | (control.fault & ~run_valid)
        m.d.comb += [
            self.draining.eq(drain_valid),
            self.ended.valid.eq(drain_valid & ~(drain_ran & control.holds)),
            self.ended.payload.eq(drain),
            self.ending.eq(Mux(drain_valid, drain.as_value(), run.as_value())),
            self.ending_valid.eq(drain_valid | run_valid),
            leave.eq(self.ended.valid & self.ended.ready),
            self.release.eq((move & run.holds_bank) | (skip & incoming.holds_bank)),
            self.release_bank.eq(Mux(move, run.bank, incoming.bank)),
        ]
        with m.If(~drain_valid):
            # Kept in any case: whether a task moves, or passes, need not reach its bits.
            m.d.sync += drain.eq(Mux(run_valid, run.as_value(), incoming.as_value()))
            m.d.sync += drain_ran.eq(run_valid)
            with m.If(run_valid):
                m.d.sync += [drain.status.eq(status), drain.array_cycles.eq(array_cycles)]
        with m.Elif(drain_ran & drain_fault & (drain.status == Status.OK)):
            m.d.sync += drain.status.eq(Status.ADDRESS_OUT_OF_RANGE)
        with m.If(move):
            m.d.sync += control.drain_epoch.eq(control.epoch)
        m.d.sync += drain_valid.eq(move | skip | (drain_valid & ~leave))
        return m
