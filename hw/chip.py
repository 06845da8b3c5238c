"""The whole chip: a mesh of clusters and the host bridge at its north-west corner."""

from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from .cluster.cluster import MESSAGE_CLASSES, SIDES, Cluster, link_watch, network_endpoint
from .config import OctopusConfig
from .host.bridge import HostBridge
from .layouts.activity import ActivityMap
from .library import Block, add_block
from .noc.link import Port
from .noc.link_pipeline import join_link

STEP = {Port.NORTH: (0, -1), Port.EAST: (1, 0), Port.SOUTH: (0, 1), Port.WEST: (-1, 0)}
"""Change of (x, y) when leaving a cluster by a side."""


class Chip(Block):
    """``rows`` x ``columns`` clusters, reached by the host through AXI.

    Parameters
    ----------
    config: sizes everything.

    Ports
    -----
    The host bridge's AXI4-Lite and AXI4 slave ports and ``interrupt_line`` (see ``HostBridge``).
    activity (out): for traces: the words of :mod:`octopus.hw.layouts.activity`.
    link_activity (out): a word a cluster, row by row, with its ``link_active`` in the low bits.
    word_activity (out): a word a cluster, row by row: four bits a Task Block Unit, a
        :class:`~.layouts.activity.WordKind` each.

    Timing and errors: see ``HostBridge``.
    Source: arXiv 2405.17221, the architecture's overview.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        self._map = ActivityMap(config.task_block_units, config.clusters)
        self._bridge = host = HostBridge(config)
        self._host_ports = [
            name for name in host.signature.members if name in ("axil", "axi", "interrupt_line")
        ]
        super().__init__(
            {
                **{name: host.signature.members[name] for name in self._host_ports},
                "activity": Out(data.ArrayLayout(32, self._map.words)),
                "link_activity": Out(data.ArrayLayout(32, config.clusters)),
                "word_activity": Out(data.ArrayLayout(32, config.clusters)),
            },
            config=config,
        )

    @property
    def module_name(self) -> str:
        """The top module carries the configuration's name."""
        return f"octopus_chip_{self.config.name}"

    def elaborate(self, platform: Any) -> Module:
        """Place the clusters, join neighbours, and hang the host bridge on the west of (0, 0)."""
        m = Module()
        columns = self.config.mesh.columns
        clusters: dict[tuple[int, int], Cluster] = {}
        for y in range(self.config.mesh.rows):
            for x in range(columns):
                cluster = clusters[x, y] = Cluster(self.config)
                add_block(m, platform, f"cluster_{x}_{y}", cluster)
                m.d.comb += [cluster.x.eq(x), cluster.y.eq(y)]
                self._watch(m, x + y * columns, cluster)
        for place in clusters:
            for side in SIDES:
                if _next_to(place, side) in clusters:
                    for network in MESSAGE_CLASSES:
                        self._join(m, platform, network, clusters, place, side)
        self._host(m, platform, clusters)
        return m

    def _watch(self, m: Module, number: int, cluster: Cluster) -> None:
        """Show what a cluster does."""
        places, units = self._map, len(cluster.activity)
        m.d.comb += [
            self.link_activity[number].eq(cluster.link_active),
            self.word_activity[number].eq(Cat(cluster.word_active)),
            self.activity[places.event(number)].eq(Value.cast(cluster.control_event)),
            self.activity[places.detail(number)].eq(Value.cast(cluster.control_detail)),
        ]
        for index in range(units):
            unit = number * units + index
            m.d.comb += [
                self.activity[unit].eq(Value.cast(cluster.activity[index])),
                self.activity[places.progress(unit)].eq(Value.cast(cluster.progress[index])),
                self.activity[places.taken(unit)].eq(Value.cast(cluster.taken[index])),
            ]

    def _host(self, m: Module, platform: Any, clusters: dict[tuple[int, int], Cluster]) -> None:
        """The host bridge and its network endpoints."""
        bridge = self._bridge
        add_block(m, platform, "host_bridge", bridge)
        for name in self._host_ports:
            inner, outer = getattr(bridge, name), getattr(self, name)
            if bridge.signature.members[name].is_signature:
                connect(m, flipped(outer), inner)
            elif bridge.signature.members[name].flow is In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        corner = clusters[0, 0]
        parity_errors, unreachable = [], []
        for network, classes in MESSAGE_CLASSES.items():
            endpoint = network_endpoint(self.config, network, host=True)
            add_block(m, platform, f"{network}_endpoint", endpoint)
            connect(m, endpoint.link_out, getattr(corner, f"{network}_west_in"))
            connect(m, getattr(corner, f"{network}_west_out"), endpoint.link_in)
            parity_errors.append(endpoint.parity_error)
            unreachable.append(endpoint.unreachable)
            if network == "control":
                watch = link_watch(self.config, 1)
                add_block(m, platform, "control_watch", watch)
                m.d.comb += [
                    watch.valid.eq(endpoint.link_out.valid),
                    watch.credit[0].eq(endpoint.link_out.credit),
                    bridge.stuck.eq(watch.stuck),
                ]
                connect(m, bridge.control_inject, endpoint.inject[0])
                connect(m, endpoint.eject[0], bridge.control_eject)
                continue
            for channel in range(classes):
                connect(m, bridge.data_inject[channel], endpoint.inject[channel])
                connect(m, endpoint.eject[channel], bridge.data_eject[channel])
        m.d.comb += [
            bridge.parity_error.eq(Cat(parity_errors)),
            bridge.unreachable.eq(Cat(unreachable).any()),
        ]

    def _join(
        self,
        m: Module,
        platform: Any,
        network: str,
        clusters: dict[tuple[int, int], Cluster],
        place: tuple[int, int],
        side: Port,
    ) -> None:
        """A network's link from the cluster at ``place`` to its neighbour on ``side``."""
        there = _next_to(place, side)
        leaving = getattr(clusters[place], f"{network}_{side.name.lower()}_out")
        entering = getattr(clusters[there], f"{network}_{side.opposite.name.lower()}_in")
        name = f"{network}_link_{place[0]}_{place[1]}_{side.name.lower()}"
        cycles = self.config.link_latency(network).between(place, there)
        join_link(m, platform, name, leaving, entering, cycles)


def _next_to(place: tuple[int, int], side: Port) -> tuple[int, int]:
    """The place on the other side of a link, whether there is a cluster or not."""
    (x, y), (step_x, step_y) = place, STEP[side]
    return x + step_x, y + step_y
