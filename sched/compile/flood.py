"""Finds the cheapest route of a value by going forward in time, cycle by cycle.

Every hop takes one cycle, so that all places the value can be at in a cycle follow from those of
the cycle before: no queue of open nodes is needed, and a cycle is a few array operations over all
PEs. The time of arrival is exact, as the array needs it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.instruction import Operation

from .capabilities import capable
from .fabric import (
    EAST,
    NORTH,
    OPPOSITE,
    REGISTER,
    SOUTH,
    WEST,
    Copy,
    Entry,
    Fabric,
    Hold,
    Place,
    Step,
    Turn,
    Wire,
)

NEVER = 1e9
"""The cost of what cannot be."""

LINK_COST, TURN_COST, COPY_COST, HOLD_COST = 1.0, 0.3, 4.0, 0.2
Costs = NDArray[np.float64]


@dataclass
class Prices:
    """What each free resource costs, by slot; ``NEVER`` where it is taken."""

    link: Costs
    select: Costs
    turn: Costs
    register_turn: Costs
    issue: Costs
    room: Costs
    taken: float

    @classmethod
    def of(
        cls,
        fabric: Fabric,
        noise: np.random.Generator,
        scale: float,
        history: "History",
        taken: float = NEVER,
    ) -> "Prices":
        """Prices of a fabric as it is.

        Parameters
        ----------
        scale: how much chance there is in them. history: what was wanted by several before.
        taken: the price of what is taken.
        """

        def price(used: NDArray[np.bool_], cost: float, wanted: Costs) -> Costs:
            free = cost + scale * noise.random(used.shape) + wanted
            return np.where(used, taken + wanted, free)

        link = price(fabric.link, LINK_COST, history.link)
        link[:, :, 0, WEST] = link[:, :, -1, EAST] = NEVER
        link[:, 0, :, NORTH] = link[:, -1, :, SOUTH] = NEVER
        turn = price(fabric.turn, TURN_COST, history.turn)
        blocked = fabric.turn | fabric.second_register | fabric.conditional
        return cls(
            link=link,
            select=np.where(fabric.select, taken, 0.0),
            turn=turn,
            register_turn=np.where(blocked, taken + history.turn, turn),
            issue=np.where(
                capable(fabric.pea, Operation.PASS),
                price(fabric.issue, COPY_COST, history.issue),
                NEVER,
            ),
            room=np.where(fabric.register_room() & ~fabric.written, HOLD_COST, taken),
            taken=taken,
        )

    def closed(self, fabric: Fabric, time: int) -> Costs:
        """What it costs each PE to issue at ``time`` because of the stage of its slot."""
        if time < 0:
            return np.full(fabric.gate.shape[1:], NEVER)
        gate = fabric.gate[time % fabric.interval]
        return np.where((gate == -1) | (gate == fabric.stage(time)), 0.0, self.taken)


class History:
    """How often resources were wanted by several: what is wanted often gets dearer."""

    def __init__(self, fabric: Fabric) -> None:
        self.link = np.zeros(fabric.link.shape)
        self.turn = np.zeros(fabric.turn.shape)
        self.issue = np.zeros(fabric.issue.shape)
        self.wanted: dict[str, float] = {}

    def more(self, prices: Costs, key: tuple[int, ...]) -> None:
        """A resource was wanted by several once more."""
        prices[key] += 0.5
        names = (
            (self.link, "links"),
            (self.turn, "the route of an instruction"),
            (self.issue, "operation slots"),
        )
        name = next(name for array, name in names if array is prices)
        self.wanted[name] = self.wanted.get(name, 0) + 1


def entering(link: Costs) -> Costs:
    """The values that enter each PE, by side, given those on all output links."""
    inside = np.full_like(link, NEVER)
    inside[1:, :, NORTH] = link[:-1, :, SOUTH]
    inside[:-1, :, SOUTH] = link[1:, :, NORTH]
    inside[:, 1:, WEST] = link[:, :-1, EAST]
    inside[:, :-1, EAST] = link[:, 1:, WEST]
    return inside


@dataclass
class Sources:
    """Where a value comes from, from time ``first`` on; all arrays are by time, row, column.

    ``link`` and ``landing`` (a register becomes readable) hold costs. ``latency``: of the
    operation that makes the value. ``trails`` says how the
    value comes to a source that exists already; one without a trail is made by an operation that
    has no place yet. ``links_only``: the value must not be kept in a register, since it is not made
    in every iteration and the register would give an old one.
    """

    first: int
    link: Costs
    landing: Costs
    latency: int
    entry: Costs | None = None
    links_only: bool = False
    trails: dict[tuple[object, ...], tuple[Step, ...]] = field(default_factory=dict)

    @classmethod
    def none(cls, fabric: Fabric, first: int, last: int, latency: int) -> "Sources":
        """No source at all, for times ``first`` .. ``last``."""
        shape = (last - first + 1, fabric.rows, fabric.columns)
        return cls(first, np.full((*shape, 4), NEVER), np.full(shape, NEVER), latency)


@dataclass
class Arrival:
    """How a value is taken: from a link (0 .. 3) or REGISTER, and the steps to there.

    ``hold``: when the register became readable. ``made``: place and time of the operation that
    makes the value, if it has none yet.
    """

    steps: tuple[Step, ...]
    source: int
    hold: int = 0
    made: tuple[Place, int] | None = None


class Flood:
    """All cheapest routes from some sources.

    Attributes
    ----------
    link, inside, register: cost of the value on every output link, entering every PE by side, and
    readable in a register, by time. cost: of taking the value at every PE, by time.
    """

    def __init__(self, fabric: Fabric, prices: Prices, sources: Sources) -> None:
        self.fabric, self.prices, self.sources = fabric, prices, sources
        self.first = sources.first
        self.link = sources.link.copy()
        self.landing = sources.landing.copy()
        self.inside = np.empty_like(self.link)
        self.register = np.empty_like(self.landing)
        self.cost = np.empty_like(self.landing)
        for k in range(len(self.link)):
            self._advance(k)

    def _advance(self, k: int) -> None:
        fabric, prices = self.fabric, self.prices
        interval, latency = fabric.interval, fabric.copy_latency
        time = self.first + k
        slot, last = time % interval, len(self.link)
        inside = entering(self.link[k])
        if self.sources.entry is not None:
            inside = np.minimum(inside, self.sources.entry[k])
        self.inside[k] = inside
        nearest = inside.min(axis=-1)
        register = self.landing[max(0, k - interval + 1) : k + 1].min(axis=0)
        self.register[k] = register
        cost = np.minimum(nearest, register)
        self.cost[k] = cost
        closed = prices.closed(fabric, time)
        if k + 1 < last:
            turned = np.minimum(
                nearest + prices.turn[slot], register + prices.register_turn[slot] + closed
            )
            hop = prices.select[slot] + prices.link[(slot + 1) % interval]
            moved = np.minimum(inside[..., OPPOSITE], turned[..., None]) + hop
            np.minimum(self.link[k + 1], moved, out=self.link[k + 1])
        if k + latency < last:
            copied = cost + prices.issue[slot] + closed
            hop = prices.select[slot] + prices.link[(slot + latency) % interval]
            target = self.link[k + latency]
            np.minimum(target, copied[..., None] + hop, out=target)
            landing = self.landing[k + latency]
            if self.sources.links_only:
                return
            ready = (slot + latency) % interval
            np.minimum(landing, copied + prices.room[ready], out=landing)

    def arrival(self, place: Place, time: int) -> Arrival | None:
        """The cheapest way to take the value at a PE and time; None if there is none."""
        k = time - self.first
        if not 0 <= k < len(self.cost) or self.cost[(k, *place)] >= NEVER:
            return None
        steps: list[Step] = []
        source, hold, made = self._take(k, place, steps)
        return Arrival(tuple(reversed(steps)), source, hold, made)

    def departure(self, place: Place, direction: int, time: int) -> Arrival | None:
        """The cheapest way to bring the value on an output link at a time."""
        k = time - self.first
        if not 0 <= k < len(self.link) or self.link[(k, *place, direction)] >= NEVER:
            return None
        steps: list[Step] = []
        made = self._wire(k, place, direction, steps)
        return Arrival(tuple(reversed(steps)), direction, 0, made)

    # -- going back ------------------------------------------------------------------------

    def _take(
        self, k: int, place: Place, steps: list[Step]
    ) -> tuple[int, int, tuple[Place, int] | None]:
        inside = self.inside[(k, *place)]
        side = int(inside.argmin())
        if inside[side] <= self.register[(k, *place)]:
            return side, 0, self._enter(k, place, side, steps)
        hold, made = self._read(k, place, steps)
        return REGISTER, hold, made

    def _read(
        self, k: int, place: Place, steps: list[Step]
    ) -> tuple[int, tuple[Place, int] | None]:
        """Go back through a register; the time from which it could be read."""
        window = range(max(0, k - self.fabric.interval + 1), k + 1)
        landed = min(window, key=lambda j: self.landing[(j, *place)])
        time = self.first + landed
        hold = Hold(place, time)
        trail = self.sources.trails.get(("landing", place, time))
        if self.landing[(landed, *place)] >= self.sources.landing[(landed, *place)]:
            if trail is None:
                steps.append(hold)
                return time, (place, time - self.sources.latency)
            steps.extend(reversed(trail))
            return time, None
        steps.append(hold)
        return time, self._copy(landed - self.fabric.copy_latency, place, steps)

    def _copy(self, k: int, place: Place, steps: list[Step]) -> tuple[Place, int] | None:
        before: list[Step] = []
        source, hold, made = self._take(k, place, before)
        steps.append(Copy(place, self.first + k, source, hold))
        steps.extend(before)
        return made

    def _enter(
        self, k: int, place: Place, side: int, steps: list[Step]
    ) -> tuple[Place, int] | None:
        """Go back over the link that enters at a side."""
        fabric, entry = self.fabric, self.sources.entry
        time = self.first + k
        if entry is not None and entry[(k, *place, side)] <= self.inside[(k, *place, side)]:
            port = place[0] if side == WEST else fabric.rows + place[1]
            steps.append(Entry(port, time))
            return None
        down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[side]
        return self._wire(k, (place[0] + down, place[1] + right), OPPOSITE[side], steps)

    def _wire(
        self, k: int, place: Place, direction: int, steps: list[Step]
    ) -> tuple[Place, int] | None:
        """Go back from an output link."""
        fabric, prices = self.fabric, self.prices
        interval, latency = fabric.interval, fabric.copy_latency
        time = self.first + k
        cost = self.link[(k, *place, direction)]
        if cost >= self.sources.link[(k, *place, direction)]:
            trail = self.sources.trails.get(("link", place, direction, time))
            if trail is not None:
                steps.extend(reversed(trail))
                return None
            issued = time - self.sources.latency
            steps.append(Wire(place, direction, time, "result", issued))
            return place, issued
        slot = (time - 1) % interval
        hop = (
            prices.select[(slot, *place, direction)]
            + prices.link[(time % interval, *place, direction)]
        )
        if k >= 1:
            side = OPPOSITE[direction]
            straight = self.inside[(k - 1, *place, side)]
            if _same(straight + hop, cost):
                steps.append(Wire(place, direction, time, "straight", time - 1))
                return self._enter(k - 1, place, side, steps)
            nearest = self.inside[(k - 1, *place)]
            side = int(nearest.argmin())
            if _same(nearest[side] + prices.turn[(slot, *place)] + hop, cost):
                steps.append(Wire(place, direction, time, "route", time - 1))
                steps.append(Turn(place, time - 1, side))
                return self._enter(k - 1, place, side, steps)
            register = self.register[(k - 1, *place)]
            register += prices.closed(fabric, time - 1)[place]
            if _same(register + prices.register_turn[(slot, *place)] + hop, cost):
                before: list[Step] = []
                hold, made = self._read(k - 1, place, before)
                steps.append(Wire(place, direction, time, "route", time - 1))
                steps.append(Turn(place, time - 1, REGISTER, hold))
                steps.extend(before)
                return made
        steps.append(Wire(place, direction, time, "result", time - latency))
        return self._copy(k - latency, place, steps)


def _same(a: float, b: float) -> bool:
    return abs(a - b) < 1e-6
