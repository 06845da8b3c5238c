"""The run as a trace that ui.perfetto.dev opens, written with the classes of ``perfetto``.

A nanosecond of the trace is a clock cycle of the run. Tracks: a cluster, in it its Control Block
Unit and its TBUs, in each of these a track a stage and one that says what each cycle went to; the
host, and a track an instance slot. Arrows lead along the workflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent

from octopus.hw.layouts.activity import Stage
from octopus.hw.layouts.token import TokenKind
from octopus.sched.workflow import Workflow

from .control import COMPLETION, TOKEN
from .flows import predecessors
from .host_log import HostSpan
from .profile import CAUSES, IDLE, NO_INSTANCE, Profile
from .tasks import NEVER, NOBODY

STAGES = (
    ("descriptor", Stage.TAKEN, Stage.FETCHED),
    ("context", Stage.FETCHED, Stage.LOADED),
    ("operands", Stage.PLACED, Stage.FILLED),
    ("set-up", Stage.FILLED, Stage.CONFIGURED),
    ("array", Stage.STARTED, None),
    ("results", Stage.ENDED, Stage.STORED),
)
"""Tracks of a TBU: a task is on one between two borders (None: until it leaves the array)."""

CAUSE_TRACK = "cycles by cause"
SEQUENCE = 1
BEGIN, END, INSTANT = (
    TrackEvent.TYPE_SLICE_BEGIN,
    TrackEvent.TYPE_SLICE_END,
    TrackEvent.TYPE_INSTANT,
)


def _varint(value: int) -> bytes:
    """An unsigned number as protobuf writes it."""
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _tag(message: type[Any], field: str, wire_type: int) -> bytes:
    """What stands before a field's value."""
    return _varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type)


PACKET, TIMESTAMP = _tag(Trace, "packet", 2), _tag(TracePacket, "timestamp", 0)


@dataclass
class _Writer:
    """Collects packets. ``start``: the cycle that is time 0.

    Most events differ from others only in time. Such are written once by the protobuf classes and
    get the time's field appended, for fields may stand in any order: a fifth of the effort.
    """

    start: int
    packets: list[bytes | TracePacket] = field(default_factory=list)
    alike: dict[tuple[int, int, str], bytes] = field(default_factory=dict)
    tracks: int = 0

    def serialised(self) -> bytes:
        """The whole trace."""
        found: list[bytes] = []
        for packet in self.packets:
            body = packet if isinstance(packet, bytes) else packet.SerializeToString()
            found += (PACKET, _varint(len(body)), body)
        return b"".join(found)

    def track(self, name: str, parent: int = 0) -> int:
        """A new track inside another."""
        self.tracks += 1
        packet = TracePacket()
        packet.track_descriptor.uuid, packet.track_descriptor.name = self.tracks, name
        if parent:
            packet.track_descriptor.parent_uuid = parent
        self.packets.append(packet)
        return self.tracks

    def _packet(self, kind: int, track: int, name: str) -> TracePacket:
        """An event without its time."""
        packet = TracePacket()
        packet.trusted_packet_sequence_id = SEQUENCE
        event = packet.track_event
        event.type, event.track_uuid = kind, track
        if name:
            event.name = name
        return packet

    def event(self, kind: int, track: int, cycle: int, name: str) -> Any:
        """An event, to which flows and annotations may be added."""
        packet = self._packet(kind, track, name)
        packet.timestamp = max(0, cycle - self.start)
        self.packets.append(packet)
        return packet.track_event

    def plain(self, kind: int, track: int, cycle: int, name: str = "") -> None:
        """An event without anything else."""
        key = kind, track, name
        body = self.alike.get(key)
        if body is None:
            body = self.alike[key] = self._packet(kind, track, name).SerializeToString() + TIMESTAMP
        self.packets.append(body + _varint(max(0, cycle - self.start)))

    def slice(self, track: int, start: int, end: int, name: str) -> Any:
        """A stretch on a track; the event of its beginning."""
        begun = self.event(BEGIN, track, start, name)
        self.plain(END, track, end)
        return begun


def _note(event: Any, name: str, value: int) -> None:
    annotation = event.debug_annotations.add()
    annotation.name, annotation.int_value = name, value


def perfetto_trace(profile: Profile, host: Sequence[HostSpan] = ()) -> bytes:
    """The trace of a run, a serialised ``Trace``.

    Parameters
    ----------
    host: the accesses of the host, as ``LoggingTransport`` notes them.
    """
    writer = _Writer(profile.start)
    config = profile.recording.config
    flows = _Flows(predecessors(profile))
    unit_tracks, control_tracks = [], []
    for cluster in range(config.clusters):
        y, x = divmod(cluster, config.mesh.columns)
        place = writer.track(f"cluster ({x}, {y})")
        control_tracks.append(writer.track("Control Block Unit", place))
        for unit in range(config.cluster.task_block_units):
            unit_tracks.append(writer.track(f"TBU {unit}", place))
    for unit, track in enumerate(unit_tracks):
        _causes(writer, profile, unit, writer.track(CAUSE_TRACK, track))
        for stage in STAGES:
            _stage(writer, profile, unit, writer.track(stage[0], track), stage, flows)
    _control(writer, profile, control_tracks, flows)
    _host(writer, profile, host)
    return writer.serialised()


def write_perfetto(profile: Profile, host: Sequence[HostSpan], path: Path) -> None:
    """Write :func:`perfetto_trace` to a file."""
    path.write_bytes(perfetto_trace(profile, host))


class _Flows:
    """Numbers of the arrows. An arrow has the number of the task that it leads to, plus one."""

    def __init__(self, origin: NDArray[np.int64]) -> None:
        self.origin = origin
        self.after: dict[int, list[int]] = {}
        for task, earlier in enumerate(origin.tolist()):
            if earlier != NOBODY:
                self.after.setdefault(earlier, []).append(task + 1)

    def begin(self, event: Any, task: int) -> None:
        """The arrows to the task's successors start here, or pass."""
        event.flow_ids.extend(self.after.get(task, ()))

    def pass_to(self, event: Any, task: int) -> None:
        """The arrow to the task passes here."""
        if self.origin[task] != NOBODY:
            event.flow_ids.append(task + 1)

    def end(self, event: Any, task: int) -> None:
        """The arrow to the task ends here."""
        if self.origin[task] != NOBODY:
            event.terminating_flow_ids.append(task + 1)


def _causes(writer: _Writer, profile: Profile, unit: int, track: int) -> None:
    """What the unit's cycles went to; idle ones are left out."""
    stretches = profile.stretches
    mine = np.flatnonzero((profile.stretch_unit == unit) & (stretches.cause != IDLE))
    names = [cause.name.lower() for cause in CAUSES]
    for start, end, cause in zip(
        stretches.start[mine].tolist(),
        stretches.end[mine].tolist(),
        stretches.cause[mine].tolist(),
        strict=True,
    ):
        writer.plain(BEGIN, track, start, names[cause])
        writer.plain(END, track, end)


def _stage(
    writer: _Writer,
    profile: Profile,
    unit: int,
    track: int,
    stage: tuple[str, Stage, Stage | None],
    flows: _Flows,
) -> None:
    """The tasks in one stage of a unit, one after the other."""
    tasks, (title, enters, leaves) = profile.tasks, stage
    begins = tasks.at(enters)
    ends = tasks.left_array if leaves is None else tasks.at(leaves)
    mine = (tasks.unit == unit) & (begins >= profile.start) & (begins < profile.recording.end)
    if title == "context":
        mine &= tasks.loads > 0
    if title == "array":
        mine &= ~tasks.dropped
    for task in np.flatnonzero(mine).tolist():
        end = int(ends[task])
        end = profile.recording.end if end == NEVER else end
        # The task is there from the cycle after it passed the border.
        name = profile.names.get(int(tasks.block[task]), f"block {tasks.block[task]}")
        event = writer.slice(track, int(begins[task]) + 1, end + 1, name)
        if tasks.number[task] != NO_INSTANCE:
            _note(event, "instance", int(tasks.number[task]))
        if tasks.index[task]:
            _note(event, "index", int(tasks.index[task]))
        if title == "array":
            flows.end(event, task)
        if title == "results":
            flows.begin(event, task)
        if tasks.dropped[task]:
            event.categories.append("dropped")


def _control(writer: _Writer, profile: Profile, tracks: Sequence[int], flows: _Flows) -> None:
    """The events of the Control Block Units: tokens, completions, decisions."""
    events, tasks, workflow = profile.control, profile.tasks, profile.program.workflow
    clusters = tasks.unit // profile.recording.config.cluster.task_block_units
    ready: dict[tuple[int, int], list[int]] = {}
    ended: dict[tuple[int, int], int] = {}
    for task, (cluster, made, end) in enumerate(
        zip(
            clusters.tolist(),
            tasks.ready.tolist(),
            tasks.at(Stage.COMPLETED).tolist(),
            strict=True,
        )
    ):
        ready.setdefault((cluster, made), []).append(task)
        ended[cluster, end] = task
    columns = zip(
        *(
            getattr(events, name).tolist()
            for name in ("cycle", "cluster", "event", "kind", "block", "instance", "arm")
        ),
        events.chooses.tolist(),
        strict=True,
    )
    for cycle, cluster, kind, token, block, slot, arm, chooses in columns:
        name = _event_name(workflow, profile.names.get(block, str(block)), kind, token)
        event = writer.event(INSTANT, tracks[cluster], cycle, name)
        _note(event, "slot", slot)
        if chooses:
            _note(event, "arm", arm)
        if kind == COMPLETION and (cluster, cycle) in ended:
            flows.begin(event, ended[cluster, cycle])
        for task in ready.get((cluster, cycle), ()):
            flows.pass_to(event, task)


def _event_name(workflow: Workflow, block: str, kind: int, token: int) -> str:
    """What a control event is, for a reader."""
    if kind == COMPLETION:
        return f"{block} completed"
    if kind == TOKEN:
        return f"{TokenKind(token).name.lower()} at {block}"
    return f"{block} discarded"


def _host(writer: _Writer, profile: Profile, host: Sequence[HostSpan]) -> None:
    """The host's accesses, and the instances by slot."""
    start, end = profile.start, profile.recording.end
    place = writer.track("host")
    track = writer.track("accesses", place)
    for span in host:
        if span.start >= start and span.end <= end and span.end > span.start:
            event = writer.slice(track, span.start, span.end, span.action.value)
            _note(event, "words", span.words)
    slots: dict[int, int] = {}
    for outcome in sorted(profile.outcomes, key=lambda item: item.started):
        if outcome.slot < 0:
            continue
        if outcome.slot not in slots:
            slots[outcome.slot] = writer.track(f"slot {outcome.slot}", place)
        until = outcome.finished or end
        name = f"instance {outcome.number}"
        writer.plain(BEGIN, slots[outcome.slot], outcome.started, name)
        writer.plain(END, slots[outcome.slot], until)
