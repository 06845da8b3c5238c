"""Which block bounds a run's throughput, and why, in a sentence."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from octopus.hw.layouts.counters import CycleCounter
from octopus.sched.report import Outcome
from octopus.sched.workflow import Role

from .critical_path import critical_path
from .host_log import HostAction, HostSpan
from .operands import task_words
from .profile import CAUSES, FIRST_CAUSE, IDLE, Profile

SATURATED = 0.8
"""Share of its time from which on a resource is taken to bound the run."""

MOSTLY = 0.5
"""Share from which on a part stands for the whole in the sentence."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


@dataclass(frozen=True)
class Bound:
    """What bounds the run.

    Attributes
    ----------
    block: the task block, "" if none does. load: share of the run in which its units worked.
    cause: the name of the ``CycleCounter`` that most of its cycles went to, share: how many.
    sentence: all of it for a reader.
    """

    block: str
    load: float
    cause: str
    share: float
    sentence: str


def block_loads(profile: Profile) -> dict[str, float]:
    """By block: the share of the run in which the units that it may use had work of any block."""
    config, found = profile.recording.config, {}
    count = config.cluster.task_block_units
    busy = 1 - profile.by_unit[:, IDLE] / max(1, profile.cycles)
    for name in profile.blocks:
        place = profile.program.placement[name]
        first = (place.y * config.mesh.columns + place.x) * count
        mine = [first + i for i in range(count) if not place.units or place.units >> i & 1]
        found[name] = float(np.mean(busy[mine]))
    return found


def find_bound(profile: Profile, host: list[HostSpan]) -> Bound:
    """The block whose units were busiest, if they hardly ever rested; else what held them up.

    Of blocks that share their units, the one that took most of the cycles.
    """
    loads = block_loads(profile)
    cycles = {name: int(causes.sum()) for name, causes in profile.by_block.items()}
    ran = [name for name in profile.blocks if cycles[name]]
    if not ran:
        return Bound("", 0.0, "", 0.0, "No task ran.")
    block = max(ran, key=lambda name: (round(loads[name], 2), cycles[name]))
    causes = profile.by_block[block][:IDLE]
    most = int(np.argmax(causes))
    cause = CycleCounter(most + FIRST_CAUSE)
    share = float(causes[most] / causes.sum())
    started = [outcome for outcome in profile.outcomes if outcome.slot >= 0]
    if len(started) == 1:  # nothing follows it that could be held up
        return Bound("", 0.0, cause.name, share, _alone(profile, started[0]))
    if loads[block] >= SATURATED:
        why = _why(profile, block, cause, share)
        sentence = f"`{block}` bounds it: {why}."
    else:
        sentence = _unbound(profile, host, block, loads[block])
        block = ""
    return Bound(block, loads[block] if block else 0.0, cause.name, share, sentence)


def _alone(profile: Profile, outcome: Outcome) -> str:
    """What the latency of the only instance went to."""
    if outcome.result is None:
        return "There was one instance, which has no throughput to bound; it did not end."
    path = critical_path(profile, outcome)
    sums: Counter[tuple[str, str]] = Counter()
    for step in path.steps:
        sums[step.block, step.what] += step.cycles
    ((block, what), cycles) = sums.most_common(1)[0]
    where = f"`{block}`, {what}" if block else what
    return (
        f"There was one instance, which has no throughput to bound: of its {path.latency:,} "
        f"cycles the largest part, {cycles / path.latency:.0%}, went to {where}."
    )


def unit_noun(profile: Profile) -> str:
    """What an instance brings, by its only input's name; else "instance"."""
    tensors = profile.program.workflow.tensors.values()
    inputs = [tensor.name for tensor in tensors if tensor.role is Role.INPUT]
    return inputs[0] if len(inputs) == 1 else "instance"


def _owners(profile: Profile, block: str) -> tuple[str, bool]:
    """Its TBUs as a subject, and whether they are several."""
    mask = profile.program.placement[block].units
    count = mask.bit_count() or profile.recording.config.cluster.task_block_units
    return f"its {NUMBERS[count]} TBU{'s' * (count > 1)}", count > 1


def _why(profile: Profile, block: str, cause: CycleCounter, share: float) -> str:
    """What its units spend their time with."""
    units, several = _owners(profile, block)
    verb = "" if several else "s"
    often = f"every {unit_noun(profile)}"
    tasks, words = profile.tasks, task_words(profile.program, block)
    mine = profile.task_mask(block)
    if cause is CycleCounter.INPUT:
        constants = sum(words.constants.values())
        if constants > MOSTLY * words.operands:
            name = max(words.constants, key=lambda operand: words.constants[operand])
            again = "load" + verb
            return f"{units} {again} the same {name} again for {often}"
        return f"{units} wait{verb} for activations, {words.operands} words a task"
    if cause is CycleCounter.FETCH:
        return f"{units} fetch{'' if several else 'es'} the same descriptor again for {often}"
    if cause is CycleCounter.CONTEXT:
        count = int(np.count_nonzero(tasks.loads[mine]))
        return f"{units} load{verb} a kernel again for {count:,} of {int(mine.sum()):,} tasks"
    if cause is CycleCounter.ADVANCE:
        return f"{units} compute{verb} in {share:.0%} of {'their' if several else 'its'} cycles"
    what = CAUSE_PHRASES[cause]
    return f"{units} {'are' if several else 'is'} held up by {what} in {share:.0%} of the cycles"


CAUSE_PHRASES = {
    CycleCounter.STALL_IN: "operands that do not reach the array in time",
    CycleCounter.STALL_OUT: "results that do not leave the array in time",
    CycleCounter.GAP: "the beginning and end of runs",
    CycleCounter.SET_UP: "the set-up of streams",
    CycleCounter.SCRATCHPAD: "waiting for a part of the scratchpad",
    CycleCounter.OUTPUT: "results on their way to memory",
}


def _unbound(profile: Profile, host: list[HostSpan], block: str, load: float) -> str:
    """Why no block bounds the run: the host, too few slots, or too few instances."""
    start, end = profile.recording.start, profile.recording.end
    accesses = [span for span in host if span.action is not HostAction.WAIT]
    at_work = sum(max(0, min(s.end, end) - max(s.start, start)) for s in accesses)
    share = at_work / max(1, profile.cycles)
    busiest = f"the busiest units, those of `{block}`, work in {load:.0%} of the cycles"
    if share >= SATURATED:
        return f"The host bounds it: it reads and writes in {share:.0%} of the cycles; {busiest}."
    started = [outcome for outcome in profile.outcomes if outcome.slot >= 0]
    times = [max(0, (outcome.finished or end) - outcome.started) for outcome in started]
    flight = sum(times) / max(1, profile.cycles)
    slots = profile.program.slots
    if flight >= SATURATED * slots:
        return (
            f"The number of instance slots bounds it: {flight:.1f} of {slots} are taken "
            f"at a time; {busiest}."
        )
    if flight < 2:
        return (
            f"No block bounds it: {flight:.1f} instances are under way at a time, each waits for "
            f"its own critical path; {busiest}."
        )
    return f"No block bounds it: {flight:.1f} instances are under way at a time; {busiest}."


def causes_in_words() -> dict[str, str]:
    """What each cause means, for the report's reader."""
    return {cause.name: CAUSE_TEXTS[cause] for cause in CAUSES}


CAUSE_TEXTS = {
    CycleCounter.ADVANCE: "the array advances",
    CycleCounter.STALL_IN: "the array waits for a word to enter",
    CycleCounter.STALL_OUT: "the array waits for room for a word that leaves",
    CycleCounter.GAP: "a run begins or ends, or an exit is carried out",
    CycleCounter.SET_UP: "streams are set up",
    CycleCounter.INPUT: "operands come from memory",
    CycleCounter.SCRATCHPAD: "waits for a part of the scratchpad",
    CycleCounter.CONTEXT: "a kernel is loaded",
    CycleCounter.FETCH: "a descriptor is fetched",
    CycleCounter.OUTPUT: "results go to memory",
    CycleCounter.IDLE: "nothing to do",
}
