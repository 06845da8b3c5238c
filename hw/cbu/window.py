"""The window of ready tasks that are searched for one that can go."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..library import Block
from .records import ReadyTask


class TaskWindow(Block):
    """Tasks by age. What is searched is in registers, the rest in a small memory.

    ``slots`` is a permutation of the memory's places: those of the waiting tasks, oldest
    first, then the free ones.

    Parameters
    ----------
    depth: places (2 to 64). task_block_units: number of TBUs.

    Ports
    -----
    enter, enter_mask, enter_valid: In, a task that enters, with the TBUs that it may use (only if
        not ``full``).
    open_units: In, TBUs that may be given a task. single: In, only tasks without shards are sought.
    found: Out, a task of the window can go to one of them. search: In, note which is the oldest
        such task; oldest: In, note the oldest of all instead.
    chosen: Out, the task noted. remove: In, it leaves.
    level: Out, number of tasks. full: Out.

    Timing: ``found`` is combinational; ``chosen`` is there in the cycle after ``search``, as long
    as nothing is removed.

    Source: own.
    """

    def __init__(self, depth: int, task_block_units: int) -> None:
        if not 2 <= depth <= 64:
            raise ValueError(f"window is {depth}; allowed: 2 to 64")
        self.depth = depth
        super().__init__(
            {
                "enter": In(ReadyTask),
                "enter_mask": In(task_block_units),
                "enter_valid": In(1),
                "open_units": In(task_block_units),
                "single": In(1),
                "found": Out(1),
                "search": In(1),
                "oldest": In(1),
                "chosen": Out(ReadyTask),
                "remove": In(1),
                "level": Out(range(depth + 1)),
                "full": Out(1),
            },
            depth=depth,
            task_block_units=task_block_units,
        )

    def elaborate(self, platform: Any) -> Module:
        m, depth = Module(), self.depth
        m.submodules.tasks = memory = Memory(shape=ReadyTask, depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        slots = [Signal(range(depth), init=i, name=f"slot{i}") for i in range(depth)]
        masks = [Signal(len(self.enter_mask), name=f"mask{i}") for i in range(depth)]
        single = Signal(depth)
        present = Signal(depth)
        hits = Signal(depth)
        leaves = Signal(depth)  # the task noted; below it others may be set
        m.d.comb += [
            self.full.eq(present[-1]),
            self.chosen.eq(read.data),
            write.data.eq(self.enter),
            write.en.eq(self.enter_valid),
            self.found.eq(hits.any()),
        ]
        for i, mask in enumerate(masks):
            m.d.comb += hits[i].eq(
                present[i] & (mask & self.open_units).any() & (single[i] | ~self.single)
            )
        with m.If(self.search):
            m.d.sync += leaves.eq(Mux(self.oldest, 1, hits & -hits))
        for i, slot in enumerate(slots):
            with m.If(leaves[i]):
                m.d.comb += read.addr.eq(slot)
            with m.If(present[i - 1] & ~present[i] if i else ~present[0]):
                m.d.comb += write.addr.eq(slot)

        # Close the gap of the task that leaves; the task that enters goes behind the last.
        at_or_after = [self.remove & leaves[: i + 1].any() for i in range(depth)]
        m.d.sync += [
            self.level.eq(self.level + self.enter_valid - self.remove),
            present.eq(
                Mux(
                    self.enter_valid == self.remove,
                    present,
                    Mux(self.remove, present >> 1, (present << 1) | 1),
                )
            ),
        ]
        for i in range(depth):
            last = i + 1 == depth
            with m.If(at_or_after[i]):
                m.d.sync += slots[i].eq(read.addr if last else slots[i + 1])
                if not last:
                    m.d.sync += [masks[i].eq(masks[i + 1]), single[i].eq(single[i + 1])]
            behind = present[i - 1] & ~present[i] if i else ~present[0]
            follows = present[i] & ~present[i + 1] if not last else present[i]
            with m.If(self.enter_valid & Mux(self.remove, follows, behind)):
                m.d.sync += [
                    masks[i].eq(self.enter_mask),
                    single[i].eq(self.enter.shards == 1),
                ]
        return m
