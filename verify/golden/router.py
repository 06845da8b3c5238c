"""What routers and meshes must do: a model of delivery, written from the specification.

It says where a packet may go, that each flit accepted leaves once and unchanged, in which order,
and how long that takes in an empty network. It knows nothing of buffers and arbiters.
"""

import enum
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

HOP_CYCLES = 2
"""Cycles from an input link to the output link of an idle router: router and link register."""


class Side(enum.IntEnum):
    """The sides of a router."""

    NORTH = 0
    EAST = 1
    SOUTH = 2
    WEST = 3
    LOCAL = 4


STEPS = {Side.NORTH: (0, -1), Side.EAST: (1, 0), Side.SOUTH: (0, 1), Side.WEST: (-1, 0)}
"""What a hop to a side adds to (x, y)."""


@dataclass(frozen=True, order=True)
class NodeModel:
    """A cluster, or the host (x and y are then 0)."""

    x: int
    y: int
    host: bool = False


def route(at: NodeModel, destination: NodeModel) -> Side:
    """The side by which a packet leaves cluster ``at``: along x, then along y, then to the host."""
    if destination.x != at.x:
        return Side.EAST if destination.x > at.x else Side.WEST
    if destination.y != at.y:
        return Side.SOUTH if destination.y > at.y else Side.NORTH
    return Side.WEST if destination.host else Side.LOCAL


def path(source: NodeModel, destination: NodeModel) -> list[tuple[NodeModel, Side]]:
    """Every router on the way with the side the packet leaves it by."""
    at = NodeModel(source.x, source.y)
    result = []
    while True:
        side = route(at, destination)
        result.append((at, side))
        if side == Side.LOCAL or (destination.host and at == NodeModel(0, 0)):
            return result
        step_x, step_y = STEPS[side]
        at = NodeModel(at.x + step_x, at.y + step_y)


@dataclass(frozen=True)
class LinkModel:
    """Cycles on the links between routers: ``link`` inside of a chiplet of ``columns`` x ``rows``
    clusters, ``crossing`` between chiplets."""

    link: int = 1
    crossing: int = 1
    columns: int = 32
    rows: int = 32

    def cycles(self, one: NodeModel, other: NodeModel) -> int:
        """The latency of the link between two neighbours."""
        same_column = one.x // self.columns == other.x // self.columns
        same_row = one.y // self.rows == other.y // self.rows
        return self.link if same_column and same_row else self.crossing


ONE_CYCLE = LinkModel()
INTERFACE_CYCLES = 2
"""Cycles that the two endpoints of a packet take."""


def zero_load_cycles(
    source: NodeModel, destination: NodeModel, links: LinkModel = ONE_CYCLE
) -> int:
    """Cycles from the link into the first router to the link out of the last one."""
    places = [at for at, _ in path(source, destination)]
    between = sum(links.cycles(one, other) for one, other in pairwise(places))
    return len(places) * (HOP_CYCLES - 1) + between + 1


def may_enter(at: NodeModel, side: Side, destination: NodeModel) -> bool:
    """Whether a packet for ``destination`` can be on the input link of ``side`` of ``at``.

    The neighbour must have sent it this way, and it must not have come from where it goes.
    (The host sends in by the west side of cluster (0, 0).)
    """
    if route(at, destination) == side:
        return False
    if side == Side.LOCAL:
        return True
    if side == Side.WEST and (at.x, at.y) == (0, 0):
        return not destination.host
    step_x, step_y = STEPS[side]
    neighbour = NodeModel(at.x + step_x, at.y + step_y)
    opposite = Side((side + 2) % 4)
    return neighbour.x >= 0 and neighbour.y >= 0 and route(neighbour, destination) == opposite


class DeliveryError(AssertionError):
    """A router lost, duplicated, changed, misrouted or reordered something."""


@dataclass(frozen=True)
class FlitModel:
    """A flit: payload bits, and whether it is its packet's first and last."""

    payload: int
    head: bool
    tail: bool


@dataclass
class PacketModel:
    """A packet on its way through one router."""

    entered_by: Side
    channel: int
    destination: NodeModel
    since: int
    flits: list[FlitModel] = field(default_factory=list)
    left: int = 0

    @property
    def complete(self) -> bool:
        """The tail has come in."""
        return self.flits[-1].tail


@dataclass
class RouterModel:
    """A scoreboard of one router.

    Parameters
    ----------
    at: the router's place.
    virtual_channels, message_classes: channel c belongs to class
        ``c // (virtual_channels // message_classes)``.

    The payload of every head flit must be unique among those under way. A flow, whose packets
    stay in order, is what enters by one side and channel for one destination.
    """

    at: NodeModel
    virtual_channels: int
    message_classes: int
    _entering: dict[tuple[Side, int], PacketModel] = field(default_factory=dict)
    _leaving: dict[tuple[Side, int], PacketModel] = field(default_factory=dict)
    _flows: dict[tuple[Side, int, NodeModel], deque[PacketModel]] = field(default_factory=dict)

    def message_class(self, channel: int) -> int:
        """The class of a channel."""
        return channel // (self.virtual_channels // self.message_classes)

    def accept(
        self, side: Side, channel: int, flit: FlitModel, destination: NodeModel, now: int
    ) -> None:
        """A flit was given to the router; ``destination`` counts for heads only."""
        if flit.head:
            packet = PacketModel(side, channel, destination, now)
            self._entering[side, channel] = packet
            flow = side, channel, destination
            self._flows.setdefault(flow, deque()).append(packet)
        self._entering[side, channel].flits.append(flit)

    def deliver(self, side: Side, channel: int, flit: FlitModel) -> PacketModel:
        """A flit left the router by ``side``; the packet it belongs to.

        Raises:
            DeliveryError: it should not have, here or now.
        """
        if flit.head:
            packet = self._find_head(side, channel, flit)
            if self._leaving.get((side, channel)):
                raise DeliveryError(f"{side.name} channel {channel}: a head inside a packet")
            self._leaving[side, channel] = packet
        elif not self._leaving.get((side, channel)):
            raise DeliveryError(f"{side.name} channel {channel}: {flit} without a head")
        packet = self._leaving[side, channel]
        if packet.left >= len(packet.flits) or packet.flits[packet.left] != flit:
            raise DeliveryError(
                f"{side.name} channel {channel}: {flit} is not the next of {packet}"
            )
        packet.left += 1
        if flit.tail:
            del self._leaving[side, channel]
        return packet

    def _find_head(self, side: Side, channel: int, flit: FlitModel) -> PacketModel:
        """The packet that ``flit`` starts, if it is the oldest of its flow."""
        for (_, entered_by, destination), packets in self._flows.items():
            if not packets or packets[0].flits[0] != flit:
                continue
            if self.message_class(entered_by) != self.message_class(channel):
                raise DeliveryError(f"{flit} left its message class for channel {channel}")
            if route(self.at, destination) != side:
                raise DeliveryError(f"{flit} for {destination} left by {side.name}")
            return packets.popleft()
        if any(flit == packet.flits[0] for flow in self._flows.values() for packet in flow):
            raise DeliveryError(f"{flit} overtook an older packet of its flow")
        raise DeliveryError(f"{side.name} channel {channel}: {flit} never came in, or left before")

    @property
    def empty(self) -> bool:
        """Nothing is under way."""
        return not any(self._flows.values()) and not self._leaving
