"""The Perfetto trace, read back: nesting, arrows, and sums."""

from collections import defaultdict

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from octopus.sim.flows import predecessors
from octopus.sim.perfetto_trace import CAUSE_TRACK, write_perfetto
from octopus.sim.tasks import NOBODY
from octopus.sim.trace import unit_name


@pytest.fixture(scope="module")
def trace(tour, tmp_path_factory):
    """The file as its reader sees it."""
    path = tmp_path_factory.mktemp("trace") / "trace"
    write_perfetto(tour.profile, tour.host, path)
    found = Trace()
    found.ParseFromString(path.read_bytes())
    return found


@pytest.fixture(scope="module")
def tracks(trace):
    """Track names from the outermost on, by number."""
    descriptors = {
        p.track_descriptor.uuid: p.track_descriptor
        for p in trace.packet
        if p.HasField("track_descriptor")
    }

    def path(number):
        descriptor = descriptors[number]
        above = path(descriptor.parent_uuid) if descriptor.parent_uuid else ()
        return (*above, descriptor.name)

    return {number: path(number) for number in descriptors}


@pytest.fixture(scope="module")
def slices(trace, tracks):
    """(start, end, event) of the slices of each track."""
    found, open_events = defaultdict(list), {}
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        assert event.track_uuid in tracks
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            assert event.track_uuid not in open_events, "slices of a track do not overlap"
            open_events[event.track_uuid] = packet.timestamp, event
        elif event.type == TrackEvent.TYPE_SLICE_END:
            start, begun = open_events.pop(event.track_uuid)
            assert packet.timestamp >= start
            earlier = found[event.track_uuid]
            assert not earlier or earlier[-1][1] <= start
            earlier.append((start, packet.timestamp, begun))
    assert not open_events
    return found


def test_cycles_by_cause_are_those_of_the_figures(tour, tracks, slices):
    sums = defaultdict(lambda: defaultdict(int))
    for number, path in tracks.items():
        if path[-1] == CAUSE_TRACK:
            unit = f"{path[0].removeprefix('cluster ')} {path[1]}"
            for start, end, event in slices[number]:
                sums[unit][event.name] += end - start
    for unit, table in enumerate(tour.figures["causes"]["tbu"]):
        busy = {name.lower(): n for name, n in table.items() if n and name != "IDLE"}
        assert sums[unit_name(unit, tour.config)] == busy


def test_every_run_of_an_array_is_a_slice_of_its_block(tour, tracks, slices):
    runs = defaultdict(int)
    for number, path in tracks.items():
        if path[-1] == "array":
            for _, _, event in slices[number]:
                runs[event.name] += 1
    expected = {name: b["runs"] for name, b in tour.figures["blocks"].items() if b["runs"]}
    assert runs == expected


def test_operands_are_the_right_tasks(tour, tracks, slices):
    """An operand transfer lies before the run of the same block and instance."""

    def of(title):
        return [s for n, path in tracks.items() if path[-1] == title for s in slices[n]]

    def key(event):
        return event.name, tuple((a.name, a.int_value) for a in event.debug_annotations)

    runs = defaultdict(list)
    for start, _, event in of("array"):
        runs[key(event)].append(start)
    transfers = [s for s in of("operands") if "dropped" not in s[2].categories]
    assert len(transfers) == sum(map(len, runs.values()))
    for key_of, starts in runs.items():
        mine = [end for _, end, event in transfers if key(event) == key_of]
        assert len(mine) == len(starts)
        assert all(end <= start for end, start in zip(sorted(mine), sorted(starts), strict=True))


def test_arrows_lead_along_the_workflow(tour, trace):
    begins, passes, ends = {}, defaultdict(int), {}
    for packet in trace.packet:
        event = packet.track_event
        for flow in event.flow_ids:
            if event.type == TrackEvent.TYPE_SLICE_BEGIN:
                begins[flow] = packet.timestamp, event.name
            else:
                passes[flow] += 1
        for flow in event.terminating_flow_ids:
            assert flow not in ends
            ends[flow] = packet.timestamp, event.name
    origin = predecessors(tour.profile)
    assert set(ends) == {int(task) + 1 for task in (origin != NOBODY).nonzero()[0]}
    assert set(begins) == set(ends)
    names, blocks = tour.profile.names, tour.profile.tasks.block
    for flow, (end, name) in ends.items():
        begin, earlier = begins[flow]
        assert begin < end
        assert passes[flow] == 2, "its completion and the event that made it ready"
        assert name == names[int(blocks[flow - 1])]
        assert earlier == names[int(blocks[origin[flow - 1]])]


def test_control_events_and_host_are_there(tour, trace, tracks, slices):
    instants = [
        p.track_event for p in trace.packet if p.track_event.type == TrackEvent.TYPE_INSTANT
    ]
    assert len(instants) == len(tour.profile.control)
    arms = [a for event in instants for a in event.debug_annotations if a.name == "arm"]
    assert len(arms) == int(tour.profile.control.chooses.sum())
    accesses = next(n for n, path in tracks.items() if path == ("host", "accesses"))
    assert sum(end - start for start, end, _ in slices[accesses]) == tour.report.cycles
    instances = [
        (start, end)
        for n, path in tracks.items()
        if path[0] == "host" and path[-1].startswith("slot")
        for start, end, _ in slices[n]
    ]
    expected = [
        (o.started - tour.profile.start, o.finished - tour.profile.start)
        for o in tour.report.outcomes
    ]
    assert sorted(instances) == sorted(expected)
