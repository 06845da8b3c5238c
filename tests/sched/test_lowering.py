"""Lowering: the memory map, and what does not fit."""

from itertools import pairwise

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import OFFSET_BITS, WORD_BYTES
from octopus.sched.kernels.elementwise import Scale
from octopus.sched.kernels.max_pool import MaxPool
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.lowering import lower
from octopus.sched.policies import Place, Placement, PlacementError, find_policy
from octopus.sched.policies.placement import clusters_of
from octopus.sched.program import LoweringError
from octopus.sched.workflow import WorkflowBuilder, WorkflowError

from . import graphs

TINY, DEFAULT = OctopusConfig.load("tiny"), OctopusConfig.load("default")


def changed(config: OctopusConfig, section: str, **fields: int) -> OctopusConfig:
    content = config.model_dump()
    content[section] |= fields
    return OctopusConfig.model_validate(content)


def place(workflow, config=TINY):
    return find_policy("indiscriminate").place(workflow, config)


def test_regions_follow_each_other_and_stay_inside():
    workflow = graphs.fanning()
    program = lower(workflow, place(workflow, DEFAULT), DEFAULT)
    assert len(program.regions) == 4
    for cluster, regions in program.regions.items():
        offset = 0
        for region in regions:
            assert region.offset == offset
            offset += region.words * WORD_BYTES
        assert program.words_used(cluster) * WORD_BYTES == offset


def test_only_kernels_used_in_a_cluster_lie_there():
    workflow = graphs.fanning()
    program = lower(workflow, place(workflow, DEFAULT), DEFAULT)
    for cluster, regions in program.regions.items():
        images = sorted(r.label for r in regions if r.label.startswith("image"))
        used = {
            f"image {block.task.kernel.name}"
            for block in workflow.tasks
            if program.placement[block.name].cluster == cluster
        }
        assert images == sorted(used)


def test_tensors_lie_where_they_are_written_and_inputs_at_the_source():
    workflow = graphs.branching()
    places = dict(place(workflow, DEFAULT).places)
    places |= {"double": Place(1, 0), "triple": Place(1, 0), "source": Place(0, 1)}
    program = lower(workflow, Placement(places), DEFAULT)
    assert program.tensors["x"].address(0) >> OFFSET_BITS == 1 << 5
    assert program.tensors["y"].address(0) >> OFFSET_BITS == 1
    stride = program.tensors["x"].address(1) - program.tensors["x"].address(0)
    assert stride == 6 * WORD_BYTES


def test_writers_in_two_clusters_share_the_first_one_s_buffer():
    workflow = graphs.branching()
    places = dict(place(workflow, DEFAULT).places)
    places |= {"double": Place(1, 0), "triple": Place(1, 1)}
    program = lower(workflow, Placement(places), DEFAULT)
    assert program.tensors["y"].address(0) >> OFFSET_BITS == 1


def test_as_many_slots_as_fit():
    workflow = graphs.looping()
    assert lower(workflow, place(workflow), TINY).slots == 8
    used = lower(workflow, place(workflow), TINY, slots=1).words_used((0, 0))
    w = WorkflowBuilder("large")
    x = w.input("x", (500,), "int32")
    w.source().task("a", ArgMax(500, "int32"), values=x).sink("end")
    large = w.build()
    program = lower(large, place(large), TINY)
    assert 1 < program.slots < 8
    assert used < program.words_used((0, 0)) <= 4096
    assert program.words_used((0, 0)) + 500 > 4096


def test_memory_too_small_for_the_slots_asked_for():
    w = WorkflowBuilder("large")
    x = w.input("x", (500,), "int32")
    w.source().task("a", ArgMax(500, "int32"), values=x).sink("end")
    workflow = w.build()
    with pytest.raises(LoweringError, match=r"cluster \(0, 0\): workflow large needs \d+ words"):
        lower(workflow, place(workflow), TINY, slots=8)


def test_memory_too_small_at_all():
    w = WorkflowBuilder("large")
    x = w.input("x", (900,), "int32")
    y = w.input("y", (900,), "int32")
    z = w.input("z", (900,), "int32")
    port = w.source()
    for number, tensor in enumerate((x, y, z)):
        port = port.task(f"a{number}", ArgMax(900, "int32"), values=tensor)
    port.sink("end")
    workflow = w.build()
    config = changed(TINY, "cluster", memory_words=2048)
    with pytest.raises(LoweringError, match=r"for 1 instance slots \(.*image argmax .*are 2048"):
        lower(workflow, place(workflow), config)


@pytest.mark.parametrize("slots", [0, 9, -1])
def test_slots_out_of_range(slots):
    workflow = graphs.looping()
    with pytest.raises(LoweringError, match=f"slots is {slots}; allowed: 1 to 8"):
        lower(workflow, place(workflow), TINY, slots=slots)


def test_a_task_too_large_for_the_scratchpad_names_its_block():
    w = WorkflowBuilder("large")
    x = w.input("x", (600,), "int32")
    w.source().task("wide", Scale(600, 2), values=x).sink("end")
    workflow = w.build()
    with pytest.raises(LoweringError, match=r"block wide: scale: scaled needs 600 words"):
        lower(workflow, place(workflow), TINY)


def test_a_kernel_that_the_array_cannot_hold_is_named():
    workflow = graphs.looping()
    config = changed(TINY, "pea", operations="ai")
    with pytest.raises(LoweringError, match="kernel scale_3_1: "):
        lower(workflow, place(workflow), config)


def test_too_many_successors():
    w = WorkflowBuilder("wide")
    x = w.input("x", (2,), "int32")
    source = w.source()
    tasks = [source.task(f"a{i}", ArgMax(2, "int32"), values=x) for i in range(5)]
    tasks[0].join("all", *tasks[1:]).sink("end")
    workflow = w.build()
    config = changed(TINY, "control_block_unit", successors=8)
    with pytest.raises(LoweringError, match=r"cluster \(0, 0\) needs 9 or more .* allowed: 8"):
        lower(workflow, place(workflow), config)


def test_too_many_blocks():
    workflow = graphs.fanning()
    config = changed(TINY, "control_block_unit", blocks=8)
    with pytest.raises(WorkflowError, match="too large for the tables"):
        lower(workflow, place(workflow), config)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (Place(1, 0), r"block body: placed in cluster \(1, 0\); allowed: x below 1"),
        (Place(0, -1), r"block body: placed in cluster \(0, -1\)"),
        (Place(0, 0, 2), "block body: TBU mask is 0x2; a cluster has 1 TBUs"),
        (None, "block body: the placement has no place for it"),
    ],
)
def test_bad_placements(where, reason):
    workflow = graphs.looping()
    places = dict(place(workflow).places)
    if where is None:
        del places["body"]
    else:
        places["body"] = where
    with pytest.raises(PlacementError, match=reason):
        lower(workflow, Placement(places), TINY)


def test_shares_are_equal_and_cover_the_cluster():
    workflow = graphs.fanning()
    placement = place(workflow, DEFAULT)
    for cluster in clusters_of(DEFAULT):
        masks = [
            placement[block.name].units
            for block in workflow.tasks
            if placement[block.name].cluster == cluster
        ]
        assert len(masks) in (1, 2)
        assert sum(masks) == 0b1111
        assert {mask.bit_count() for mask in masks} == {4 // len(masks)}


def test_more_blocks_than_units_share_them():
    workflow = graphs.fanning()
    placement = place(workflow, TINY)
    assert {placement[block.name].units for block in workflow.tasks} == {1}


def test_control_blocks_follow_the_block_before():
    workflow = graphs.fanning()
    placement = place(workflow, DEFAULT)
    assert placement["some"].cluster == placement["all_rows"].cluster
    assert placement["direct"].cluster == placement["way"].cluster


def test_unknown_policies_are_refused():
    with pytest.raises(PlacementError, match="policy is 'best'; allowed: indiscriminate"):
        find_policy("best")


def test_neighbours_in_the_snake_are_adjacent():
    snake = clusters_of(OctopusConfig.load("scale"))
    assert len(set(snake)) == 16
    for (x, y), (other_x, other_y) in pairwise(snake):
        assert abs(x - other_x) + abs(y - other_y) == 1


def test_numbers_are_unique_over_the_chip():
    workflow = graphs.fanning()
    program = lower(workflow, place(workflow, DEFAULT), DEFAULT)
    assert sorted(program.numbers.values()) == list(range(len(workflow.blocks)))
    assert program.name_of(program.numbers["best"]) == "best"
    assert program.name_of(63) is None


def test_rows_of_nested_fan_outs_have_gaps():
    workflow = graphs.nesting()
    program = lower(workflow, place(workflow), TINY)
    matrix, sums = program.tensors["matrix"], program.tensors["sums"]
    assert (matrix.words, sums.words) == (2 * 4 * 2, 2 * 2)
    words = list(range(1, 13))
    assert matrix.to_memory(words) == [1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0]
    assert matrix.from_memory(matrix.to_memory(words)) == words
    assert program.slots == TINY.control_block_unit.instances >> 3


def whole_tensor():
    w = WorkflowBuilder("w")
    rows = w.input("rows", (4, 3, 4))
    pool = MaxPool(4, 3, 4, window=2, stride=1)
    outer = w.source().task("whole", pool, image=rows).map("outer", 2)
    inner = outer.each.map("inner", 3)
    body = inner.each.task("body", ArgMax(4), values=rows.by_index())
    outer.expect.gather("all", inner.expect.gather("row", body)).sink("end")
    return w.build()


def wide_maps(outer_limit, inner_limit):
    w = WorkflowBuilder("w")
    x = w.input("x", (2,), "int32")
    outer = w.source().map("outer", outer_limit)
    inner = outer.each.map("inner", inner_limit)
    body = inner.each.task("body", ArgMax(2, "int32"), values=x)
    outer.expect.gather("all", inner.expect.gather("row", body)).sink("end")
    return w.build()


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        (lambda: wide_maps(16, 1), r"block row: tells 16 indices apart; allowed: 8 \("),
        (lambda: wide_maps(2, 4096), "block outer: a limit of 2 outside of maps of up to 4096"),
        (whole_tensor, "block whole: takes tensor rows as a whole, .* is 3; allowed then: 4"),
    ],
)
def test_fan_outs_that_do_not_fit(workflow, message):
    made = workflow()
    with pytest.raises(LoweringError, match=message):
        lower(made, place(made), TINY)
