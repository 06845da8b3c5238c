"""Every fault a workflow can have is refused with the block's name and the reason."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, Combine, Comparison
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.workflow import (
    Binding,
    Block,
    Distribution,
    Flow,
    Role,
    Tensor,
    Workflow,
    WorkflowBuilder,
    WorkflowError,
    validate,
)
from octopus.sched.workflow.explore import Explorer

from .. import graphs


def start(name="w"):
    """A builder with an input and its source."""
    builder = WorkflowBuilder(name)
    return builder, builder.input("x", (6,), "int32"), builder.source()


def argmax(port, name, x):
    return port.task(name, ArgMax(6, "int32"), values=x)


def two_sinks():
    w, x, source = start()
    argmax(source, "a", x).sink("one")
    argmax(source, "b", x).sink("two")
    return w


def no_sink():
    w, x, source = start()
    argmax(source, "a", x)
    return w


def no_source():
    w = WorkflowBuilder("w")
    w.workflow.add_block(Block("end", BlockKind.SINK))
    return w


def join_after_branch():
    w, x, source = start()
    yes, no = argmax(source, "a", x).branch("b", Comparison.EQ, 0)
    argmax(yes, "c", x).join("both", argmax(no, "d", x)).sink("end")
    return w


def join_sometimes():
    w, x, source = start()
    some, other = argmax(source, "a", x), argmax(source, "b", x)
    yes, no = some.branch("which", Comparison.EQ, 0)
    other.join("both", yes).sink("end")
    no.sink("gone")
    return w


def join_too_many():
    w, x, source = start()
    w.workflow.add_block(Block("both", BlockKind.JOIN, join_count=3))
    argmax(source, "a", x).to("both")
    argmax(source, "b", x).to("both")
    w.workflow.add_block(Block("end", BlockKind.SINK))
    w.workflow.add_flow(Flow("both", "end"))
    return w


def cycle_without_loop():
    w, x, source = start()
    again = source.merge("again")
    yes, no = argmax(again, "a", x).branch("b", Comparison.EQ, 0)
    yes.to("again")
    no.sink("end")
    return w


def map_without_gather():
    w, x, source = start()
    argmax(source.map("fan").each, "a", x).sink("end")
    return w


def map_past_gather():
    w, x, source = start()
    fan = source.map("fan")
    body = argmax(fan.each, "a", x)
    yes, no = body.branch("b", Comparison.EQ, 0)
    fan.expect.gather("all", yes).sink("end")
    no.sink("escaped")
    return w


def gather_sometimes():
    w, x, source = start()
    fan = source.map("fan")
    ways = argmax(fan.each, "a", x).multicast("m", 2)
    fan.expect.gather("all", ways.arms[0], ways.arms[1]).sink("end")
    return w


def map_in_map():
    w, x, source = start()
    outer = source.map("outer")
    inner = outer.each.map("inner")
    once = inner.expect.gather("inner_all", argmax(inner.each, "a", x))
    outer.expect.gather("outer_all", once).sink("end")
    return w


def join_in_map():
    w, x, source = start()
    fan = source.map("fan")
    both = argmax(fan.each, "a", x).join("both", argmax(fan.each, "b", x))
    fan.expect.gather("all", both).sink("end")
    return w


def three_maps():
    w, x, source = start()
    outer = source.map("outer", 2)
    middle = outer.each.map("middle", 2)
    inner = middle.each.map("inner", 2)
    ends = inner.expect.gather("inner_all", argmax(inner.each, "a", x))
    ends = middle.expect.gather("middle_all", ends)
    outer.expect.gather("outer_all", ends).sink("end")
    return w


def merge_of_scopes():
    w, x, source = start()
    fan = source.map("fan")
    mixed = argmax(fan.each, "a", x).merge("mixed", source)
    fan.expect.gather("all", mixed).sink("end")
    return w


def gather_of_another_map():
    w, x, source = start()
    one, two = source.map("one"), source.map("two")
    first = one.expect.gather("first", argmax(two.each, "a", x))
    second = two.expect.gather("second", argmax(one.each, "b", x))
    first.join("both", second).sink("end")
    return w


def index_outside():
    w, _, source = start()
    rows = w.input("rows", (3, 2), "int32")
    argmax(source, "a", rows.by_index()).sink("end")
    return w


def negative_limit():
    w, x, source = start()
    fan = source.map("fan", -1)
    fan.expect.gather("all", argmax(fan.each, "a", x)).sink("end")
    return w


def counting_loop_in_map():
    w, x, source = start()
    fan = source.map("fan")
    loop = argmax(fan.each.merge("begin"), "a", x).loop("rounds", Comparison.COUNT, 2)
    loop.again.to("begin")
    fan.expect.gather("all", loop.leave).sink("end")
    return w


def gathered_multicast_in_map():
    w, x, source = start()
    fan = source.map("fan")
    some = argmax(fan.each, "a", x).multicast("some", 2)
    back = some.expect.gather("back", *some.arms)
    fan.expect.gather("all", back).sink("end")
    return w


def endless_loop():
    w, x, source = start()
    loop = argmax(source.merge("begin"), "a", x).loop("l", Comparison.ALWAYS, 0)
    loop.again.to("begin")
    loop.leave.sink("end")
    return w


def counting_branch():
    w, x, source = start()
    yes, no = argmax(source, "a", x).branch("b", Comparison.COUNT, 2)
    yes.merge("m", no).sink("end")
    return w


def type_mismatch():
    w, x, source = start()
    source.task("a", ArgMax(7, "int32"), values=x).sink("end")
    return w


def dtype_mismatch():
    w, x, source = start()
    source.task("a", ArgMax(6, "int8"), values=x).sink("end")
    return w


def unbound_operand():
    w, x, source = start()
    source.task("a", VectorAdd(6), left=x).sink("end")
    return w


def unknown_operand():
    w, x, source = start()
    source.task("a", ArgMax(6, "int32"), values=x, more=x).sink("end")
    return w


def unknown_tensor():
    w, _, source = start()
    source.task("a", ArgMax(6, "int32"), values=Binding("z")).sink("end")
    return w


def unused_tensor():
    w, x, source = start()
    w.input("y", (6,))
    argmax(source, "a", x).sink("end")
    return w


def written_constant():
    w, x, source = start()
    k = w.constant("k", np.zeros(6, np.int32))
    source.task("a", Scale(6, 2), values=x, scaled=k).sink("end")
    return w


def result_unwritten():
    w, x, source = start()
    y = w.tensor("y", (6,), "int32", result=True)
    source.task("a", VectorAdd(6), left=x, right=y).sink("end")
    return w


def read_before_written():
    w, x, source = start()
    y = w.tensor("y", (6,), "int32")
    first = source.task("reader", VectorAdd(6), left=x, right=y)
    first.task("writer", Scale(6, 2), values=x, scaled=y).sink("end")
    return w


def read_if_written():
    w, x, source = start()
    y = w.tensor("y", (6,), "int32")
    yes, no = argmax(source, "a", x).branch("b", Comparison.EQ, 0)
    written = yes.task("writer", Scale(6, 2), values=x, scaled=y)
    written.merge("m", no).task("reader", VectorAdd(6), left=x, right=y).sink("end")
    return w


def racing_writers():
    w, x, source = start()
    y = w.tensor("y", (6,), "int32")
    one = source.task("one", Scale(6, 2), values=x, scaled=y)
    two = source.task("two", Scale(6, 3), values=x, scaled=y)
    one.join("both", two).sink("end")
    return w


def racing_reader():
    w, x, source = start()
    one = source.task("writer", Scale(6, 2), values=x, scaled=x)
    two = source.task("reader", Scale(6, 3), values=x)
    one.join("both", two).sink("end")
    return w


def racing_slices():
    w, x, source = start()
    fan = source.map("fan")
    body = fan.each.task("body", Scale(6, 2), values=x, scaled=x)
    fan.expect.gather("all", body).sink("end")
    return w


def unaligned_slices():
    w, _, source = start()
    rows = w.input("rows", (3,), "int8")
    fan = source.map("fan")
    body = fan.each.task("body", ArgMax(1), values=rows.by_index())
    fan.expect.gather("all", body).sink("end")
    return w


def no_arms():
    w, x, source = start()
    w.workflow.add_block(Block("s", BlockKind.SWITCH))
    argmax(source, "a", x).to("s")
    return with_sink(w, Flow("s", "end"))


def too_many_arms():
    w, x, source = start()
    for port in argmax(source, "a", x).switch("s", 33):
        port.sink(f"end_{port.arm}")
    return w


def missing_arm():
    w, x, source = start()
    argmax(source, "a", x).branch("b", Comparison.EQ, 0).taken.sink("end")
    return w


def wrong_arm():
    w, x, source = start()
    argmax(source, "a", x)
    return with_sink(w, Flow("a", "end", arm=1))


def unreachable():
    w, x, source = start()
    argmax(source, "a", x).sink("end")
    w.workflow.add_block(Block("m", BlockKind.MERGE))
    w.workflow.add_block(Block("n", BlockKind.MERGE))
    for flow in (Flow("m", "n"), Flow("n", "m")):
        w.workflow.add_flow(flow)
    return w


def no_flow_in():
    w, x, source = start()
    argmax(source, "a", x).sink("end")
    w.workflow.add_block(Block("m", BlockKind.MERGE))
    w.workflow.add_flow(Flow("m", "end"))
    return w


def leaving_sink():
    w, x, source = start()
    argmax(source, "a", x).sink("end").sink("beyond")
    return w


def expecting_task():
    w, x, source = start()
    fan = source.map("fan")
    fan.expect.gather("all", argmax(fan.each, "a", x)).sink("end")
    w.workflow.add_flow(Flow("a", "all", expect=True))
    return w


def expecting_merge():
    w, x, source = start()
    fan = source.map("fan")
    fan.expect.merge("all", argmax(fan.each, "a", x)).sink("end")
    return w


def gather_without_expect():
    w, x, source = start()
    w.workflow.add_block(Block("all", BlockKind.GATHER))
    argmax(source, "a", x).to("all")
    return with_sink(w, Flow("all", "end"))


def no_task():
    w = WorkflowBuilder("w")
    w.source()
    w.workflow.add_block(Block("t", BlockKind.TASK))
    w.workflow.add_flow(Flow("source", "t"))
    return with_sink(w, Flow("t", "end"))


def task_in_merge():
    w, x, source = start()
    argmax(source, "a", x)
    w.workflow.add_block(Block("m", BlockKind.MERGE, task=ArgMax(6)))
    w.workflow.add_flow(Flow("a", "m"))
    return with_sink(w, Flow("m", "end"))


def comparing_merge():
    w, x, source = start()
    argmax(source, "a", x)
    w.workflow.add_block(Block("m", BlockKind.MERGE, comparison=Comparison.EQ))
    w.workflow.add_flow(Flow("a", "m"))
    return with_sink(w, Flow("m", "end"))


def large_operand():
    w, x, source = start()
    yes, no = argmax(source, "a", x).branch("b", Comparison.EQ, 1 << 32)
    yes.merge("m", no).sink("end")
    return w


def counted_merge():
    w, x, source = start()
    argmax(source, "a", x)
    w.workflow.add_block(Block("m", BlockKind.MERGE, join_count=2))
    w.workflow.add_flow(Flow("a", "m"))
    return with_sink(w, Flow("m", "end"))


def no_kind():
    w, x, source = start()
    argmax(source, "a", x)
    w.workflow.add_block(Block("m", BlockKind.INVALID))
    w.workflow.add_flow(Flow("a", "m"))
    return with_sink(w, Flow("m", "end"))


def with_sink(w, flow):
    w.workflow.add_block(Block("end", BlockKind.SINK))
    w.workflow.add_flow(flow)
    return w


FAULTS = {
    two_sinks: "one token in one sink; sinks reached: one, two",
    no_sink: "has 0 blocks of kind sink; allowed: at least one",
    no_source: "has 0 blocks of kind source; allowed: exactly one",
    join_after_branch: r"block both: join can never fire: 1 of 2 tokens arrive \(b takes 0\)",
    join_sometimes: r"block both: join can never fire: 1 of 2 tokens arrive \(which takes 0\)",
    join_too_many: r"block both: join can never fire: 2 of 3 tokens arrive \(always\)",
    cycle_without_loop: "a cycle without a loop block: again -> a -> b -> again",
    map_without_gather: "block fan: the fan-out has no gather",
    map_past_gather: "block escaped: a sink inside the fan-out of fan is not possible",
    gather_sometimes: "block all: gather waits for ever: 2 of . tokens",
    map_in_map: "block outer: needs a limit to its fan-out, for inner inside the fan-out of outer",
    three_maps: "block inner: a map inside the fan-out of middle of outer; allowed: 2 maps",
    join_in_map: "block fan: needs a limit to its fan-out, for both inside the fan-out of fan",
    counting_loop_in_map: "block fan: needs a limit to its fan-out, for rounds inside",
    gathered_multicast_in_map: "block fan: needs a limit to its fan-out, for back inside",
    merge_of_scopes: "block mixed: tokens from a are inside the fan-out of fan, but those that it",
    gather_of_another_map: "block first: tokens from a are inside the fan-out of two, but those",
    index_outside: "block a: operand values is bound by index outside of every fan-out",
    negative_limit: "block fan: limit is -1; allowed: 0 to 4096",
    endless_loop: "block l: the loop never leaves",
    counting_branch: "block b: comparison count is for loops only",
    type_mismatch: r"block a: type mismatch: operand values takes int32 \(7,\), tensor x gives",
    dtype_mismatch: "block a: type mismatch: operand values takes int8",
    unbound_operand: "block a: operand right is bound to no tensor",
    unknown_operand: "block a: has no operand more; it has values",
    unknown_tensor: "block a: operand values: tensor z does not exist",
    unused_tensor: "tensor y: no task uses it",
    written_constant: "block a: operand scaled would write a constant",
    result_unwritten: "tensor y: is a result but no task writes it",
    read_before_written: "block reader: tensor y is read before any task has written it",
    read_if_written: "block reader: tensor y is read before any task has written it",
    racing_writers: "block two: tensor y is touched by one too and nothing orders the two",
    racing_reader: "block reader: tensor x is touched by writer too and nothing orders",
    racing_slices: "block body: tensor x is touched by body too and nothing orders",
    unaligned_slices: "tensor rows: slices of 1 bytes do not start on words",
    no_arms: "block s: has 0 arms; allowed: 1 to 32",
    too_many_arms: "block s: has 33 arms; allowed: 1 to 32",
    missing_arm: "block b: no flow leaves by arm 0",
    wrong_arm: "block a: a flow leaves by arm 1; allowed: 0 to 0",
    unreachable: "block m: no path leads to it from the source",
    no_flow_in: "block m: a source has no flow in, every other block at least one",
    leaving_sink: "block end: a sink has no flow out, every other block at least one",
    expecting_task: "block a: only map and multicast tell a gather",
    expecting_merge: "block fan: tells all how many to expect, which is no gather",
    gather_without_expect: "block all: a gather needs exactly one flow that tells",
    no_task: "block t: a task block needs a task",
    task_in_merge: "block m: a merge cannot have a task",
    comparing_merge: "block m: a merge compares nothing",
    large_operand: "block b: operand is 4294967296; allowed: 32 bits",
    counted_merge: "block m: only a join has a join_count",
    no_kind: "block m: has no kind",
}


@pytest.mark.parametrize("make", FAULTS, ids=lambda make: make.__name__)
def test_faults_are_refused_by_name(make):
    with pytest.raises(WorkflowError, match=FAULTS[make]):
        make().build()


@pytest.mark.parametrize("make", [graphs.branching, graphs.looping, graphs.fanning])
def test_sound_workflows_pass(make):
    validate(make(), OctopusConfig.load("tiny"))


def test_names_are_unique_and_exist():
    workflow = Workflow("w")
    workflow.add_block(Block("a", BlockKind.SOURCE))
    workflow.add_tensor(Tensor("t", (1,)))
    with pytest.raises(WorkflowError, match="block a: there are two"):
        workflow.add_block(Block("a", BlockKind.SINK))
    with pytest.raises(WorkflowError, match="tensor t: there are two"):
        workflow.add_tensor(Tensor("t", (2,)))
    with pytest.raises(WorkflowError, match=r"block b: .* does not exist"):
        workflow.add_flow(Flow("a", "b"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"shape": (0,)}, "t.shape is"),
        ({"shape": (2,), "dtype": "int9"}, "t.dtype is 'int9'"),
        ({"shape": (2,), "role": Role.CONSTANT}, "a constant, and only that, has a value"),
        ({"shape": (2,), "value": np.zeros(2, int)}, "a constant, and only that, has a value"),
        ({"shape": (2,), "role": Role.CONSTANT, "value": np.array([1, 200])}, "values from 1 to"),
        ({"shape": (2,), "role": Role.CONSTANT, "value": np.zeros(3, int)}, "has shape"),
    ],
)
def test_bad_tensors_are_refused(fields, reason):
    with pytest.raises(WorkflowError, match=f"tensor t.*{reason}|tensor {reason}"):
        Tensor("t", **fields)


def test_bad_distributions_are_refused():
    with pytest.raises(WorkflowError, match="mean 5, minimum 6"):
        Distribution(5, minimum=6)


def test_too_large_for_the_block_table():
    w, x, port = start()
    for number in range(15):
        port = port.merge(f"m{number}")
    argmax(port, "a", x).sink("end")
    config = OctopusConfig.load("tiny")
    with pytest.raises(WorkflowError, match=r"block a: .* 18 blocks; allowed: 16"):
        validate(w.workflow, config)
    validate(w.workflow, OctopusConfig.load("default"))


def test_too_many_slices_for_an_index():
    w, _, source = start()
    w.workflow.tensors.clear()
    rows = w.input("rows", (5000, 1), "int32")
    fan = source.map("fan")
    body = fan.each.task("body", ArgMax(1, "int32"), values=rows.by_index())
    fan.expect.gather("all", body).sink("end")
    with pytest.raises(WorkflowError, match="rows: has 5000 slices; an index has 12 bits"):
        validate(w.workflow, OctopusConfig.load("default"))


def test_exploration_counts_activations():
    explorer = Explorer(graphs.fanning())
    explorer.run()
    assert explorer.complete
    assert explorer.activations["scale"] == (0, 2)
    assert explorer.activations["both"] == (0, 1)
    assert explorer.activations["all_rows"] == (1, 1)


def test_exploration_stops_at_its_limit():
    explorer = Explorer(graphs.fanning(), limit=3)
    explorer.run()
    assert not explorer.complete


def test_join_counts_may_be_less_than_flows():
    w, x, source = start()
    yes, no = argmax(source, "a", x).branch("b", Comparison.EQ, 0)
    w.workflow.add_block(Block("both", BlockKind.JOIN, join_count=2, combine=Combine.SUM))
    argmax(source, "c", x).to("both")
    yes.to("both")
    no.to("both")
    workflow = with_sink(w, Flow("both", "end")).build()
    assert workflow.join_count(workflow.block("both")) == 2
