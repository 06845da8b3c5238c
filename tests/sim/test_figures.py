"""The report's figures agree with each other, with the hardware's counters and with the host."""

import numpy as np
import pytest

from octopus.hw.chip import STEP
from octopus.hw.cluster.cluster import MESSAGE_CLASSES, SIDES
from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Stage, WordKind
from octopus.hw.layouts.block import BlockKind
from octopus.sched.job import Job
from octopus.sched.workflow import Role
from octopus.sim.critical_path import critical_path
from octopus.sim.figures import NETWORKS, STEPS
from octopus.sim.flows import predecessors
from octopus.sim.graph_layout import layout
from octopus.sim.operands import task_words
from octopus.sim.page_data import page_data, path_tables
from octopus.sim.processing_elements import issued
from octopus.sim.profile import CAUSES, binned
from octopus.sim.tasks import NEVER, NOBODY


def test_all_tables_of_causes_sum_up_to_the_cycles(tour):
    causes, units = tour.figures["causes"], tour.config.task_block_units
    assert sum(causes["chip"].values()) == units * tour.report.cycles
    for table in (causes["cluster"], causes["tbu"]):
        for cause in CAUSES:
            assert sum(row[cause.name] for row in table) == causes["chip"][cause.name]
    for cause in CAUSES:
        shared = sum(row[cause.name] for row in causes["block"].values())
        assert shared == (0 if cause.name == "IDLE" else causes["chip"][cause.name])


def test_blocks_agree_with_the_counters_of_the_control_block_units(tour):
    for name, counted in tour.report.figures.items():
        block = tour.figures["blocks"][name]
        assert (block["runs"], block["array_cycles"]) == (counted.completions, counted.array_cycles)
        assert block["faults"] == counted.faults == 0
        if block["runs"]:
            assert block["mean_cycles"] == pytest.approx(block["cycles"] / block["runs"])


def test_the_axis_begins_where_the_run_does(tour):
    """The cycles of reading statistics before and after are not in it."""
    assert tour.profile.start == min(outcome.started for outcome in tour.report.outcomes)
    assert tour.profile.recording.end == max(o.finished for o in tour.report.outcomes)
    shown = page_data(tour.profile, tour.figures)
    columns = shown["tasks"]["columns"]
    rows = np.array(shown["tasks"]["rows"])
    names = {name: rows[:, columns.index(name)] for name in columns}
    done = names["completed"] >= 0
    assert names["taken"].min() > 0 and names["completed"].max() <= tour.report.cycles
    assert (names["completed"][done] > names["started"][done]).all()
    ran = np.bincount(names["block"][done], minlength=len(shown["block_names"]))
    assert [tour.figures["blocks"][n]["runs"] for n in shown["block_names"]] == ran.tolist()


def test_every_task_belongs_to_the_instance_that_the_host_started(tour):
    tasks = tour.profile.tasks
    real = ~tasks.dropped
    for outcome in tour.report.outcomes:
        mine = real & (tasks.number == outcome.number)
        assert mine.any()
        assert (tasks.slot[mine] == outcome.slot).all()
        assert (tasks.ready[mine] >= outcome.started).all()
        assert (tasks.at(Stage.COMPLETED)[mine] <= outcome.finished).all()
    assert (tasks.number[real] >= 0).all() and (tasks.ready[real] != NEVER).all()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_critical_path_is_the_whole_latency(tour, place):
    outcome = tour.report.outcomes[place]
    path = critical_path(tour.profile, outcome)
    assert sum(step.cycles for step in path.steps) == outcome.latency
    assert path.steps[0].start == outcome.started
    for step, following in zip(path.steps, path.steps[1:], strict=False):
        assert step.start + step.cycles == following.start
    blocks = {step.block for step in path.steps} - {""}
    assert blocks and blocks <= set(tour.profile.blocks)
    assert len(path_tables(tour.figures)["slowest"]) > 3


def test_a_task_follows_one_of_its_instance_from_which_a_token_can_come(tour):
    tasks, origin = tour.profile.tasks, predecessors(tour.profile)
    led = np.flatnonzero(origin != NOBODY)
    assert len(led) > 10
    assert (tasks.number[led] == tasks.number[origin[led]]).all()
    assert (tasks.at(Stage.COMPLETED)[origin[led]] < tasks.ready[led]).all()
    names = tour.profile.names
    roots = {names[int(b)] for b in tasks.block[(origin == NOBODY) & ~tasks.dropped]}
    assert roots and roots <= _first_tasks(tour.profile.program.workflow)


def _first_tasks(workflow):
    """The task blocks that a token of the source reaches through control blocks."""
    found, ways = set(), [workflow.source.name]
    while ways:
        for flow in workflow.flows_out(ways.pop()):
            if flow.target not in found:
                found.add(flow.target)
                if workflow.block(flow.target).kind is not BlockKind.TASK:
                    ways.append(flow.target)
    return found


def test_operand_words_are_activations_constants_or_in_vain(tour):
    words, moved = tour.figures["words"], tour.profile.recording.words.sum(axis=0)
    assert words["activations"] + words["constants"] + words["dropped"] == moved[WordKind.OPERAND]
    assert 0 <= words["dropped"] < moved[WordKind.OPERAND] / 2
    assert words["descriptors"] == moved[WordKind.DESCRIPTOR]


def test_a_descriptor_tells_constants_from_activations():
    program = Job.prepare("cascade", OctopusConfig.load("default"), count=1).program
    workflow = program.workflow
    for block in workflow.tasks:
        found = task_words(program, block.name)
        for operand, binding in block.bindings.items():
            tensor = workflow.tensors[binding.tensor]
            if operand not in {item.name for item in block.task.inputs}:
                continue
            table = found.constants if tensor.role is Role.CONSTANT else found.activations
            assert table[operand] >= tensor.operand.words, (block.name, operand)


def test_series_over_time_keep_every_cycle(tour):
    time, tasks = tour.figures["time"], tour.profile.tasks
    widths = np.diff(time["edges"])
    assert time["edges"][0] == 0 and time["edges"][-1] == tour.report.cycles
    for name in tour.profile.blocks:
        mine = tour.profile.task_mask(name) & ~tasks.dropped
        waited = (tasks.at(Stage.DISPATCHED) - tasks.ready)[mine].sum()
        assert np.dot(time["waiting"][name], widths) == pytest.approx(waited, abs=1)
        ran = (tasks.left_array - tasks.at(Stage.STARTED))[mine].sum()
        assert np.dot(time["running"][name], widths) == pytest.approx(ran, abs=1)
    flight = sum(outcome.latency for outcome in tour.report.outcomes)
    assert np.dot(time["instances"], widths) == pytest.approx(flight, abs=1)


def test_bins_share_a_stretch_by_its_overlap():
    edges = np.array([0.0, 10.0, 20.0, 30.0])
    shares = binned(np.array([5, 12]), np.array([25, 14]), edges)
    np.testing.assert_allclose(shares, [0.5, 1.2, 0.5])


def test_elements_issue_no_more_than_the_array_advances(tour):
    counts, advances = issued(tour.profile), tour.figures["causes"]["tbu"]
    assert counts.sum() > 0
    for unit, table in enumerate(counts):
        assert table.max() <= advances[unit]["ADVANCE"]
    assert np.array(tour.figures["processing_elements"]).shape == counts.shape


def test_links_are_named_as_the_hardware_orders_them():
    assert list(NETWORKS) == list(MESSAGE_CLASSES)
    assert {side.name.lower(): STEP[side] for side in SIDES} == STEPS
    assert list(STEPS) == [side.name.lower() for side in SIDES]


def test_forecasts_are_right_or_wrong(tour):
    tasks, blocks = tour.profile.tasks, tour.figures["blocks"]
    totals = {key: sum(b["forecasts"][key] for b in blocks.values()) for key in ("right", "wrong")}
    assert totals == {
        "right": int((tasks.prepared & ~tasks.dropped).sum()),
        "wrong": int(tasks.dropped.sum()),
    }
    assert all(
        b["forecasts"]["right"] + b["forecasts"]["none"] == b["runs"] for b in blocks.values()
    )


def test_the_host_is_at_work_or_waits_for_all_of_the_run(tour):
    sums = tour.figures["host"]
    assert sum(entry["cycles"] for entry in sums.values()) == tour.report.cycles
    assert sums["write memory"]["words"] > 0


def test_the_bound_is_a_block_that_the_figures_name(tour):
    bound = tour.figures["bound"]
    assert bound["sentence"].startswith(f"`{bound['block']}` bounds it: its one TBU ")
    most = max(tour.figures["blocks"].values(), key=lambda block: block["cycles"])
    assert tour.figures["blocks"][bound["block"]] == most


def test_flows_lead_from_left_to_right_but_for_loops(tour):
    workflow = tour.profile.program.workflow
    found = layout(workflow)
    back = [f for f in workflow.flows if found.layer[f.target] <= found.layer[f.origin]]
    assert len(back) == 1, "the tour has one loop"
    taken = {(found.layer[name], found.place[name]) for name in found.layer}
    assert len(taken) == len(found.layer)
