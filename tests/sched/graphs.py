"""Small workflows that together use every kind of block."""

from octopus.hw.layouts.block import Combine, Comparison
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.workflow import Workflow, WorkflowBuilder


def branching() -> Workflow:
    """Task, branch, merge, result tensor."""
    w = WorkflowBuilder("branching")
    x = w.input("x", (6,), "int32")
    y = w.tensor("y", (6,), "int32", result=True)
    first = w.source().task("find", ArgMax(6, "int32"), values=x)
    early, late = first.branch("is_early", Comparison.LTU, 3)
    double = early.task("double", Scale(6, 2), values=x, scaled=y)
    triple = late.task("triple", Scale(6, 3), values=x, scaled=y)
    double.merge("either", triple).sink("end")
    return w.build()


def looping(rounds: int = 3) -> Workflow:
    """A counting loop whose body rewrites a tensor."""
    w = WorkflowBuilder("looping")
    x = w.input("x", (6,), "int32", result=True)
    begin = w.source().merge("begin")
    body = begin.task("body", Scale(6, 3, 1), values=x, scaled=x)
    loop = body.loop("rounds", Comparison.COUNT, rounds)
    loop.again.to("begin")
    loop.leave.sink("end")
    return w.build()


def fanning() -> Workflow:
    """Map over slices by a run-time count, gather, multicast, second gather, switch, join."""
    w = WorkflowBuilder("fanning")
    rows = w.input("rows", (4, 6), "int32", result=True)
    fan = w.source().map("each_row")
    scaled = fan.each.task("scale", Scale(6, 5), values=rows.by_index(), scaled=rows.by_index())
    best = scaled.task("best", ArgMax(6, "int32"), values=rows.by_index())
    total = fan.expect.gather("all_rows", best, combine=Combine.OR)
    some = total.multicast("some", 3)
    v = w.input("v", (6,), "int32")
    arms = [arm.task(f"arm_{i}", Scale(6, i + 2), values=v) for i, arm in enumerate(some.arms)]
    back = some.expect.gather("arms", *arms, combine=Combine.MAXIMUM)
    ways = back.switch("way", 2)
    left = ways[0].task("left", VectorAdd(6), left=v, right=v)
    right = ways[0].task("right", Scale(6, 7), values=v)
    left.join("both", right, combine=Combine.MINIMUM).sink("joined")
    ways[1].sink("direct")
    return w.build()


def nesting() -> Workflow:
    """A map inside of a map, and in the inner one a join and a counting loop.

    The matrix has rows of three, so that an index of two bits leaves gaps between them.
    """
    w = WorkflowBuilder("nesting")
    matrix = w.input("matrix", (2, 3, 2), "int32", result=True)
    sums = w.input("sums", (2, 2), "int32", result=True)
    item, row = matrix.by_index(), sums.by_index()
    rows = w.input("rows", (3,), "int32")
    outer = w.source().task("count", ArgMax(3, "int32"), values=rows).map("outer", 2)
    size = outer.each.task("size", ArgMax(2, "int32"), values=row)
    inner = size.map("inner", 3)
    begin = inner.each.merge("begin")
    body = begin.task("body", Scale(2, 2), values=item, scaled=item)
    loop = body.loop("rounds", Comparison.COUNT, 1)
    loop.again.to("begin")
    left = loop.leave.task("left", ArgMax(2, "int32"), values=item)
    right = loop.leave.merge("right")
    both = left.join("both", right, combine=Combine.SUM)
    row_end = inner.expect.gather("row_end", both, combine=Combine.SUM)
    done = row_end.task("done", Scale(2, 10), values=row, scaled=row)
    outer.expect.gather("all", done, combine=Combine.MAXIMUM).sink("end")
    return w.build()
