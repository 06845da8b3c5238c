"""What the sequencer derives from a run command once, so that each step is a few comparisons."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, ValueLike
from amaranth.lib import data

from ..config import PeaConfig
from .interfaces import FLUSH_BITS, TRIP_BITS, bank_shape, slot_shape


def run_plan(pea: PeaConfig) -> data.StructLayout:
    """A prepared run: which phases exist, their first and last slots, masks and counts.

    ``rounds``: there is at least one cycle before the flush. ``stage_mask``: the stages that the
    kernel has. ``exit_mask``: the stages that go on after an exit. ``later_trips``: iterations
    after the first; ``repeats``: there are any (both with ``has_body``).
    """
    return data.StructLayout(
        {
            "bank": bank_shape(pea),
            "has_head": 1,
            "has_body": 1,
            "has_tail": 1,
            "rounds": 1,
            "last_of_head": slot_shape(pea),
            "first_of_body": slot_shape(pea),
            "last_of_body": slot_shape(pea),
            "first_of_tail": slot_shape(pea),
            "last_of_tail": slot_shape(pea),
            "rotates": 1,
            "stage_mask": pea.stages,
            "exit_mask": pea.stages,
            "flush": FLUSH_BITS,
            "later_trips": TRIP_BITS,
            "repeats": 1,
            "outer_trips": TRIP_BITS,
        }
    )


def _goes_on(exit_stage: Any, stage: int) -> ValueLike:
    """Whether a stage goes on after an exit; a comparison with the largest number says nothing."""
    return Const(1) if stage == (1 << len(exit_stage)) - 1 else exit_stage <= stage


def prepare(m: Module, pea: PeaConfig, command: Any) -> Any:
    """The plan of ``command`` (a view of ``run_command``), combinational."""
    plan = Signal(run_plan(pea))
    head, body, tail = command.head_length, command.body_length, command.tail_length
    has_body = (body != 0) & (command.body_trips != 0) & (command.stages != 0)
    m.d.comb += [
        plan.bank.eq(command.bank),
        plan.has_head.eq(head != 0),
        plan.has_body.eq(has_body),
        plan.has_tail.eq(tail != 0),
        plan.rounds.eq((command.outer_trips != 0) & ((head != 0) | has_body | (tail != 0))),
        plan.last_of_head.eq(head - 1),
        plan.first_of_body.eq(head),
        plan.last_of_body.eq(head + body - 1),
        plan.first_of_tail.eq(head + body),
        plan.last_of_tail.eq(head + body + tail - 1),
        plan.rotates.eq(body != 0),
        plan.stage_mask.eq(Cat(command.stages > stage for stage in range(pea.stages))),
        plan.exit_mask.eq(Cat(_goes_on(command.exit_stage, stage) for stage in range(pea.stages))),
        plan.flush.eq(command.flush),
        plan.later_trips.eq(command.body_trips - 1),
        plan.repeats.eq(command.body_trips != 1),
        plan.outer_trips.eq(command.outer_trips),
    ]
    return plan
