"""Properties of the way of a task through a TBU: its scratchpad, its context bank, its run."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.hw.tbu.context_tags import ContextTags
from octopus.hw.tbu.layouts import DESCRIPTOR_SLOTS
from octopus.hw.tbu.runner import Runner
from octopus.hw.tbu.window_allocator import WindowAllocator

from .handshake import offered_until_taken
from .property import Property

PEA = OctopusConfig.load("tiny").pea


def narrow_task(item: Property, m: Module, task: Any, **bits: int) -> None:
    """Drive a task with free values where it matters; its status is OK or one that is not."""
    item.narrow(m, task, "task", status=1, **bits)


class WindowsDisjoint(Property):
    """Which halves of the scratchpad are owned, counted beside the allocator."""

    claim = (
        "window allocator: no two tasks own the same part of the scratchpad; a failed task owns "
        "none; tasks pass in order, none lost; nothing is kept back when nothing is owned"
    )
    depth = 10

    def build(self, m: Module) -> None:
        dut = WindowAllocator(PEA)
        self.place(m, dut, driven=("task__payload",))
        names = {"half_scratchpad": 1, "block": 2}
        narrow_task(self, m, dut.task.payload, **names)
        offered_until_taken(self, m, dut.task)
        taken = dut.task.valid & dut.task.ready
        healthy = dut.task.payload.status == Status.OK
        new, sound, block = Signal(), Signal(), Signal(2)
        placed, window = dut.placed, dut.placed.payload.window
        m.d.sync += [new.eq(taken), sound.eq(healthy), block.eq(dut.task.payload.block)]
        owned = [Signal(name=f"owned_{name}") for name in ("lower", "upper", "whole")]
        kinds = [window.half & ~window.upper, window.half & window.upper, ~window.half]
        released = dut.release_window
        frees = [released.half & ~released.upper, released.half & released.upper, ~released.half]
        for have, kind, free in zip(owned, kinds, frees, strict=True):
            with m.If(new & sound & kind):
                m.d.sync += have.eq(1)
            with m.Elif(dut.release & free):
                m.d.sync += have.eq(0)
            self.assume(~(dut.release & free) | have)
        lower, upper, whole = owned
        for name, kind, others in zip(
            ("lower half", "upper half", "whole"),
            kinds,
            (lower | whole, upper | whole, lower | upper | whole),
            strict=True,
        ):
            self.require(f"{name} is nobody's when given", ~(new & sound & kind) | ~others)
        self.require("a task taken is offered next", ~new | placed.valid)
        self.require("the same task", ~new | (placed.payload.block == block))
        self.require("a failed task owns nothing", ~new | (placed.payload.holds_window == sound))
        waits = Signal()
        m.d.sync += waits.eq(placed.valid & ~placed.ready)
        self.require("offered until taken", ~waits | (placed.valid & ~new))
        idle = ~Cat(owned).any() & ~(new & sound) & (~placed.valid | placed.ready)
        fit = ~dut.waiting if hasattr(dut, "waiting") else 1  # it may be zeroed first
        asks = idle & dut.task.valid & fit
        asked = Signal()  # in the cycle before, in which it was decided
        m.d.sync += asked.eq(asks & ~taken & ~dut.forget)
        self.require("given the cycle after if nothing is owned", ~(asked & asks) | taken)
        self.cover("both halves owned", lower & upper)
        self.cover("a whole one is waited for", lower & dut.task.valid & ~dut.task.ready)
        self.cover("whole", whole)


class TagsTruthful(Property):
    """One context bank, whichever, and one other."""

    claim = (
        "context tags: a hit names a bank that holds that kernel and was not evicted since; the "
        "victim is the least recently used bank; use counts are exact, so that no bank in use is "
        "given up"
    )
    depth = 10

    def __init__(self, banks: int) -> None:
        super().__init__(banks=banks)

    def build(self, m: Module) -> None:
        banks = self.parameters["banks"]
        dut = ContextTags(banks)
        self.place(m, dut, driven=("kernel",))
        m.d.comb += dut.kernel.eq(self.free(2, "kernel"))
        bank, other = (self.constant(m, range(banks), name) for name in ("bank", "other"))
        self.assume((bank < banks) & (other < banks) & (bank != other))
        self.assume(dut.release_bank < banks)
        self.assume(~(dut.use & dut.fill))
        self.assume(~dut.use | dut.hit)
        loading = Signal()  # between eviction and fill no other kernel is asked for
        kernel = Signal(2)
        self.assume(~dut.evict | (dut.victim_free & ~dut.hit & ~loading))
        self.assume(~dut.fill | (loading & (dut.kernel == kernel)))
        self.assume(~loading | ~dut.use)
        with m.If(dut.evict):
            m.d.sync += [loading.eq(1), kernel.eq(dut.kernel)]
        with m.Elif(dut.fill):
            m.d.sync += loading.eq(0)
        holds, content, stale, again = Signal(), Signal(2), Signal(), Signal()
        mine = dut.victim == bank
        m.d.sync += stale.eq(dut.forget | (stale & ~dut.evict))
        with m.If(dut.forget):
            m.d.sync += holds.eq(0)
        with m.Elif(dut.fill & mine):
            m.d.sync += [holds.eq(~stale), content.eq(dut.kernel), again.eq(1)]
        with m.Elif(dut.evict & mine):
            m.d.sync += holds.eq(0)
        hits = dut.hit & (dut.bank == bank)
        uses = Signal(range(DESCRIPTOR_SLOTS + 2))
        total = Signal(range(DESCRIPTOR_SLOTS + 2))
        gains = (dut.use & hits) | (dut.fill & mine)
        ends = dut.release & (dut.release_bank == bank)
        m.d.sync += [
            uses.eq(uses + gains - ends),
            total.eq(total + (dut.use | dut.fill) - dut.release),
        ]
        self.assume(~ends | (uses != 0))
        self.assume(~dut.release | (total != 0))
        self.assume(~(dut.use | dut.fill) | (total < DESCRIPTOR_SLOTS))
        newer = Signal()  # this bank was used after the other
        others = (dut.use & dut.hit & (dut.bank == other)) | (dut.fill & (dut.victim == other))
        known = Signal()
        with m.If(gains | others):
            m.d.sync += [newer.eq(gains), known.eq(1)]
        self.require("a hit holds the kernel", ~hits | (holds & (content == dut.kernel)))
        self.require("a kernel held is hit", ~(holds & (content == dut.kernel)) | dut.hit)
        self.require("a bank in use is not free", ~(dut.victim_free & mine) | (uses == 0))
        self.require("a bank not in use is free", ~(mine & (uses == 0)) | dut.victim_free)
        self.require("the victim was used before any other", ~(known & mine) | ~newer)
        self.cover("all uses on one bank", uses == DESCRIPTOR_SLOTS)
        self.cover("filled twice", dut.fill & mine & again)


class RunEnds(Property):
    """One task, whichever, among those before and after it; the array does what it likes."""

    claim = (
        "runner: a started run is over at most two cycles after its limit, whatever the array "
        "does; tasks end in order, each once, with the status of what happened; each context "
        "bank is released once"
    )
    depth = 12

    def build(self, m: Module) -> None:
        dut = Runner(PEA)
        # Without ``advance`` the count of array cycles, of which nothing is claimed, stays zero.
        self.place(m, dut, driven=("task__payload", "headers", "advance"))
        names = {"block": 1, "bank": 1, "holds_bank": 1, "cycle_limit": 3, "committed": 1}
        narrow_task(self, m, dut.task.payload, **names)
        offered_until_taken(self, m, dut.task)
        task, ended = dut.task.payload, dut.ended
        colour, taken = task.block[0], dut.task.valid & dut.task.ready
        starts = dut.command.valid & dut.command.ready
        leaves = ended.valid & ended.ready
        self._array(m, dut, starts)
        inside, ahead = Signal(range(4)), Signal(range(4))
        present, failed, limit = Signal(), Signal(), Signal(3)
        self.assume(~(dut.task.valid & colour & present))
        m.d.sync += inside.eq(inside + taken - leaves)
        with m.If(taken & colour):
            m.d.sync += [present.eq(1), ahead.eq(inside - leaves), limit.eq(task.cycle_limit)]
            m.d.sync += failed.eq(task.status != Status.OK)
        with m.Elif(leaves & present):
            m.d.sync += [present.eq(ahead != 0), ahead.eq(ahead - 1)]
        due = present & (ahead == 0)
        self.require("at most two inside", inside <= 2)
        self.require("none ends that did not come", ~ended.valid | (inside != 0))
        self.require("ends in order, once", ~ended.valid | (ended.payload.block[0] == due))
        status = self._time(m, dut, starts & colour, starts, limit, due & leaves)
        for name, condition in status.items():
            self.require(name, condition)
        self.require(
            "a failed task passes with its status",
            ~(due & leaves & failed) | (ended.payload.status == Status.DESCRIPTOR_INVALID),
        )
        holding = Signal(range(4))
        m.d.sync += holding.eq(holding + (taken & task.holds_bank) - dut.release)
        self.require(
            "banks released once", (holding <= 2) & ~(dut.release & (holding == 0) & ~taken)
        )
        self.require("banks released all", (inside != 0) | (holding == 0))
        calm, waits = Signal(2), due & ~dut.running & ~dut.control.holds & ~ended.valid
        m.d.sync += calm.eq(Mux(waits, calm + 1, 0))
        self.require("ends once its words are stored", calm < 3)
        self.cover("a watchdog barks", due & leaves & (ended.payload.status == Status.WATCHDOG))
        self.cover("a task waits behind two", dut.task.valid & (inside == 2))
        self.cover("two runs without a gap", starts & dut.done)

    def _array(self, m: Module, dut: Runner, starts: Value) -> None:
        """An array that takes a run when it has none, or as one ends, and may never end it."""
        busy = Signal()
        with m.If(starts):
            m.d.sync += busy.eq(1)
        with m.Elif(dut.done | dut.stop):
            m.d.sync += busy.eq(0)
        self.assume(~dut.done | busy)
        self.assume(~dut.command.ready | ~busy | dut.done)
        self.assume(~(dut.command.ready & dut.stop))

    def _time(
        self, m: Module, dut: Runner, start: Value, starts: Value, limit: Value, ends: Value
    ) -> dict[str, Value]:
        """What the time of the watched task's run and its faults imply."""
        mine, age, in_time = Signal(), Signal(5), Signal()
        disturbed, done = Signal(), Signal()
        with m.If(start):
            m.d.sync += [mine.eq(1), age.eq(0), in_time.eq(0), disturbed.eq(0), done.eq(0)]
        with m.Elif(starts):
            m.d.sync += mine.eq(0)
        with m.If(~start & mine):
            m.d.sync += age.eq(Mux(age.all(), age, age + 1))
            m.d.sync += done.eq(done | dut.done)
            with m.If(dut.done & dut.running & ((limit == 0) | (age < limit))):
                m.d.sync += in_time.eq(1)
        with m.If(ends & ~start):
            m.d.sync += [mine.eq(0), in_time.eq(0)]
        control = dut.control
        trouble = control.fault | control.drain_fault | dut.cancel
        if hasattr(control, "damaged"):
            trouble = trouble | control.damaged
        with m.If(trouble & ~start):
            m.d.sync += disturbed.eq(1)
        status = dut.ended.payload.status
        return {
            "over soon after the limit": ~(mine & dut.running) | (limit == 0) | (age <= limit + 1),
            "a run in time is no failure": ~(ends & in_time & ~disturbed & ~trouble)
            | (status == Status.OK),
            "stopped for a cause only": ~(mine & dut.stop)
            | disturbed
            | ((limit != 0) & (age >= limit)),
            "ends well only if the array said so": ~(ends & (status == Status.OK)) | done,
            "the watchdog has a limit": ~(ends & (status == Status.WATCHDOG)) | (limit != 0),
        }
