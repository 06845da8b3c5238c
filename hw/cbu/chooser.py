"""Chooses the TBU of a task."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..library import Block
from .records import KERNEL_BITS, ShardGroup


class UnitChooser(Block):
    """Knows what each TBU was given, and names the best of several candidates for a task.

    An idle TBU comes first; among equals one that has prepared the task; then one that has prepared
    no other; then one where the kernel is resident; then the one with the fewest tasks outstanding;
    then the lowest number. For a hint (a TBU is to prepare the task) a TBU with at most one task
    outstanding is chosen in the same way.

    Parameters
    ----------
    task_block_units: number of TBUs (1 to 8).
    outstanding_limit: tasks a TBU is given at a time (from 1).
    resident_kernels: kernels a TBU keeps, the least recently used leaves first (1 to 8).

    Ports
    -----
    open: Out, one bit a TBU: it may be given another task.
    hintable: Out, one bit a TBU: it may be told to prepare a task.
    task, kernel: In, which task it is, and its kernel: from the cycle before ``candidates`` on.
    candidates: In, one bit a TBU.
    chosen: Out, one-hot, the best candidate (none if there is none).
    announced: Out, one bit a TBU: the task was its last hint.
    give: In, one-hot, this TBU is given the task now. hint: In, likewise, it prepares the task.
    arriving: In, a task that has just come. expected: Out, one-hot, an idle TBU that has prepared
        it.
    arrive, arriving_kernel: In, one-hot, this TBU is given the arriving task now.
    forget: In, all hints are out of date.
    finished: In, one bit a TBU: it ended a task.

    At most one of ``give``, ``hint`` and ``arrive`` is not zero.

    Timing: ``chosen`` is combinational from ``candidates``; what it knows of the task is of the
    cycle before. ``expected`` is combinational. The books change at the clock edge, those of
    resident kernels a cycle later.

    Source: docs/specification.md, section 7.
    """

    def __init__(
        self, task_block_units: int, outstanding_limit: int, resident_kernels: int
    ) -> None:
        for name, value, low, high in (
            ("task_block_units", task_block_units, 1, 8),
            ("outstanding_limit", outstanding_limit, 1, 64),
            ("resident_kernels", resident_kernels, 1, 8),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
        self.task_block_units = task_block_units
        self.outstanding_limit = outstanding_limit
        self.resident_kernels = resident_kernels
        super().__init__(
            {
                "open": Out(task_block_units),
                "hintable": Out(task_block_units),
                "task": In(ShardGroup),
                "kernel": In(KERNEL_BITS),
                "candidates": In(task_block_units),
                "chosen": Out(task_block_units),
                "announced": Out(task_block_units),
                "give": In(task_block_units),
                "hint": In(task_block_units),
                "arriving": In(ShardGroup),
                "expected": Out(task_block_units),
                "arrive": In(task_block_units),
                "arriving_kernel": In(KERNEL_BITS),
                "forget": In(1),
                "finished": In(task_block_units),
            },
            task_block_units=task_block_units,
            outstanding_limit=outstanding_limit,
            resident_kernels=resident_kernels,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        used = Signal(self.task_block_units)  # a TBU loads this kernel, if it has not got it
        used_kernel = Signal(KERNEL_BITS)
        own = self.give | self.hint
        m.d.sync += [
            used.eq(own | self.arrive),
            used_kernel.eq(Mux(own.any(), self.kernel, self.arriving_kernel)),
        ]
        costs: list[tuple[Value, Value]] = []
        waited = Signal(self.task_block_units)
        for unit in range(self.task_block_units):
            given = self.give[unit] | self.arrive[unit]
            outstanding = Signal(range(self.outstanding_limit + 1), name=f"outstanding{unit}")
            m.d.sync += outstanding.eq(outstanding + given - self.finished[unit])
            busy, off = outstanding != 0, ~self.candidates[unit]
            m.d.comb += [
                self.open[unit].eq(outstanding < self.outstanding_limit),
                self.hintable[unit].eq(outstanding <= 1),
            ]
            resident = self._residency(m, unit, used[unit], used_kernel)
            this, other, awaited = self._prepared(m, unit)
            m.d.comb += waited[unit].eq(awaited & ~busy)
            cost = Signal(len(outstanding) + 5, name=f"cost{unit}")
            m.d.comb += cost.eq(Cat(outstanding, ~resident, other, ~this, busy, off))
            costs.append((cost, Const(1 << unit, self.task_block_units)))
        while len(costs) > 1:
            costs = [_cheaper(*costs[i : i + 2]) for i in range(0, len(costs), 2)]
        best, unit_bit = costs[0]
        m.d.comb += [self.chosen.eq(Mux(best[-1], 0, unit_bit)), self.expected.eq(waited & -waited)]
        return m

    def _prepared(self, m: Module, unit: int) -> tuple[Signal, Signal, Value]:
        """Whether the TBU has prepared the task; another one; the one that arrives."""
        valid, told = Signal(name=f"unit{unit}_prepared"), Signal(name=f"unit{unit}_told")
        task = Signal(ShardGroup, name=f"unit{unit}_task")  # of the last hint
        this, other = Signal(name=f"unit{unit}_this"), Signal(name=f"unit{unit}_other")
        same, arrives = Signal(name=f"unit{unit}_same"), Signal(name=f"unit{unit}_arrives")
        m.d.comb += [
            same.eq(task.as_value() == self.task.as_value()),
            arrives.eq(valid & (task.as_value() == self.arriving.as_value())),
        ]
        m.d.sync += [
            this.eq(valid & same),
            other.eq(valid & ~same),
            self.announced[unit].eq(told & same),
        ]
        with m.If(self.forget):
            m.d.sync += [valid.eq(0), told.eq(0)]
        with m.Elif(self.hint[unit]):
            m.d.sync += [valid.eq(1), told.eq(1), task.eq(self.task)]
        with m.Else():
            with m.If(self.give[unit] | (self.give.any() & same)):
                m.d.sync += valid.eq(0)
            with m.If(self.give[unit] & same):
                m.d.sync += told.eq(0)
            with m.If(self.arrive.any() & arrives):
                m.d.sync += valid.eq(0)
            with m.If(self.arrive[unit]):
                m.d.sync += told.eq(0)
        return this, other, arrives

    def _residency(self, m: Module, unit: int, used: Value, used_kernel: Signal) -> Signal:
        """Whether the kernel is resident; the kernels are kept most recently used first."""
        depth = self.resident_kernels
        kernels = [Signal(KERNEL_BITS, name=f"unit{unit}_kernel{i}") for i in range(depth)]
        valid = Signal(depth, name=f"unit{unit}_kernels_valid")
        hits = Signal(depth, name=f"unit{unit}_kernel_hits")
        wanted = Signal(depth, name=f"unit{unit}_kernel_wanted")
        for i, kernel in enumerate(kernels):
            m.d.comb += [
                hits[i].eq(valid[i] & (kernel == used_kernel)),
                wanted[i].eq(valid[i] & (kernel == self.kernel)),
            ]
        with m.If(used):
            m.d.sync += [kernels[0].eq(used_kernel), valid[0].eq(1)]
            for i in range(1, depth):
                with m.If(~hits[:i].any()):
                    m.d.sync += [kernels[i].eq(kernels[i - 1]), valid[i].eq(valid[i - 1])]
        resident = Signal(name=f"unit{unit}_resident")
        m.d.sync += resident.eq(wanted.any())
        return resident


def _cheaper(
    first: tuple[Value, Value], second: tuple[Value, Value] | None = None
) -> tuple[Value, Value]:
    """The candidate of lower cost; the first of two equals."""
    if second is None:
        return first
    keep = first[0] <= second[0]
    return Mux(keep, first[0], second[0]), Mux(keep, first[1], second[1])
