"""The pictures of a report show the cycles that were recorded."""

import json

import numpy as np
import pytest
from matplotlib import pyplot

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Activity, ActivityState
from octopus.hw.layouts.words import pack
from octopus.sim import pictures
from octopus.sim.chip import ActivityEvent
from octopus.sim.network_picture import network_load
from octopus.sim.trace import Interval, intervals, perfetto, run_cycles

CONFIG = OctopusConfig.load("default")
NAMES = {1: "small", 4: "large"}
RUN, WAITS = (
    ActivityState.RUN,
    next(state for state in ActivityState if state not in (ActivityState.IDLE, ActivityState.RUN)),
)
START, END = 1000, 1900
FOUND = [
    Interval(0, 1000, 1100, WAITS, 1, 3),
    Interval(0, 1100, 1450, RUN, 1, 3),
    Interval(0, 1450, 1900, RUN, 4, 5),
    Interval(15, 900, 1200, RUN, 1, 7),
]


def test_shares_sum_up_to_the_cycles():
    for columns in (1, 7, 90, 900):
        for block, cycles in ((1, {0: 350, 15: 200}), (4, {0: 450}), (None, {0: 100})):
            shares = pictures._shares(FOUND, 16, START, END, columns, block)
            found = shares.sum(axis=1) * (END - START) / columns
            expected = [cycles.get(unit, 0) for unit in range(16)]
            np.testing.assert_allclose(found, expected, atol=1e-6)
            assert shares.max() <= 1 + 1e-9


def test_the_shares_of_columns_are_where_the_work_is():
    shares = pictures._shares(FOUND, 16, START, END, 9, 1)
    np.testing.assert_allclose(shares[0], [0, 1, 1, 1, 0.5, 0, 0, 0, 0], atol=1e-9)


@pytest.mark.parametrize("found", [FOUND, []])
def test_every_picture_can_be_drawn(found, tmp_path):
    window = pictures.detail_window(START, END)
    assert window == (START, END)
    drawn = [
        pictures.overview(found, CONFIG, NAMES, START, END),
        pictures.detail(found, CONFIG, NAMES, START, *window),
        pictures.unit_shares(found, CONFIG, START, END),
        pictures.heat_map(found, CONFIG, START, END),
    ]
    for number, figure in enumerate(drawn):
        figure.savefig(tmp_path / f"{number}.png")
        pyplot.close(figure)


def test_the_heat_map_says_the_share_of_each_cluster():
    figure = pictures.heat_map(FOUND, CONFIG, START, END)
    labels = [text.get_text() for text in figure.axes[0].texts]
    pyplot.close(figure)
    assert labels == [f"{800 / 3600:.0%}", "0%", "0%", f"{200 / 3600:.0%}"]


def test_a_long_run_is_shown_from_its_middle():
    assert pictures.detail_window(0, 100_000) == (48_000, 52_000)


def test_events_become_intervals_and_a_trace():
    def event(cycle, state, block=0, instance=0):
        fields = {"state": state, "block": block, "instance": instance}
        return ActivityEvent(cycle, 0, pack(Activity, fields)[0])

    events = [event(10, WAITS, 1, 2), event(15, RUN, 1, 2), event(40, ActivityState.IDLE)]
    found = intervals(events, 100)
    assert [(item.start, item.end, item.state) for item in found] == [
        (10, 15, WAITS),
        (15, 40, RUN),
    ]
    assert run_cycles(found, 16)[0] == 25
    trace = json.loads(json.dumps(perfetto(found, CONFIG, NAMES)))
    bars = [entry for entry in trace["traceEvents"] if entry["ph"] == "X"]
    assert [(bar["name"], bar["ts"], bar["dur"]) for bar in bars] == [
        (WAITS.name.lower(), 10, 5),
        ("small", 15, 25),
    ]


def test_the_networks_load_is_written_on_every_link():
    flits = [[100 * cluster + link for link in range(8)] for cluster in range(4)]
    figure = network_load(flits, CONFIG, 1000)
    labels = {text.get_text() for axes in figure.axes[:2] for text in axes.texts}
    pyplot.close(figure)
    # Of cluster (1, 1), number 3, only the ways north and west exist.
    assert {"0.300", "0.303", "0.304", "0.307"} <= labels
    assert not {"0.301", "0.302", "0.305", "0.306"} & labels
    assert "host" in labels
