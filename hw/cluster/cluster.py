"""One cluster: routers, Control Block Unit, shared memory and Task Block Units."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cbu.control_block_unit import ControlBlockUnit
from ..config import NetworkConfig, OctopusConfig
from ..layouts.activity import (
    Activity,
    ControlDetail,
    ControlEvent,
    Progress,
    TakenTask,
    WordKind,
)
from ..layouts.counters import LinkCount
from ..layouts.memory import DATA_FLIT_BITS, RequestChannel
from ..layouts.space import COORDINATE_BITS, ConfigurationRegion
from ..layouts.token import ControlPacket
from ..library import Block, add_block
from ..memory import ClusterMemory
from ..noc.endpoint import NetworkEndpoint
from ..noc.link import NetworkLink, Port
from ..noc.link_watch import LinkWatch
from ..noc.router import Router
from ..tbu import TaskBlockUnit
from .balance_port import BalancePort
from .configuration_splitter import ConfigurationSplitter
from .event_counts import EventCounts
from .interconnect import ClusterInterconnect
from .read_only_region import ReadOnlyRegion
from .region_table import RegionTable

CONTROL_FLIT_BITS = data.Layout.cast(ControlPacket).size
"""A control packet is one flit."""

SIDES = tuple(port for port in Port if port is not Port.LOCAL)
"""The four sides on which a cluster meets its neighbours."""

MESSAGE_CLASSES = {"control": 1, "data": len(RequestChannel)}
"""Message classes of each network."""


def network_link(config: OctopusConfig, network: str) -> NetworkLink:
    """The link signature of ``network`` (``"control"`` or ``"data"``)."""
    section: NetworkConfig = getattr(config, f"{network}_network")
    bits = CONTROL_FLIT_BITS if network == "control" else DATA_FLIT_BITS
    return NetworkLink(bits, section.virtual_channels)


def is_direct(config: OctopusConfig, network: str) -> bool:
    """Whether what is between a cluster and its router takes no cycles: if it is simple."""
    section: NetworkConfig = getattr(config, f"{network}_network")
    simple = section.virtual_channels == 1 and section.routing == "dimension_ordered"
    return network == "control" and simple


def network_endpoint(
    config: OctopusConfig, network: str, host: bool = False, direct: bool = False
) -> NetworkEndpoint:
    """An endpoint of ``network`` that knows the size of the mesh."""
    section: NetworkConfig = getattr(config, f"{network}_network")
    return NetworkEndpoint(
        network_link(config, network).flit_bits,
        section.virtual_channels,
        config.buffer_depth(network),
        config.mesh.columns,
        config.mesh.rows,
        message_classes=MESSAGE_CLASSES[network],
        host=host,
        direct=direct,
    )


def link_watch(config: OctopusConfig, links: int) -> LinkWatch:
    """A watch over as many links of the control network."""
    section, network = config.control_network, "control"
    depth = config.buffer_depth(network)
    return LinkWatch(links, section.virtual_channels, depth, section.timeout)


class Cluster(Block):
    """A tile of the mesh. All clusters of a chip are the same module; position comes by ports.

    Parameters
    ----------
    config: the chip's configuration.

    Ports
    -----
    x, y (in): the cluster's coordinates, constant in operation.
    control_north_in, ... data_west_out: :class:`NetworkLink` of both networks, four sides.
    activity, progress, taken (out, ``[TBU]``): what each Task Block Unit does, for traces.
    control_event, control_detail (out): what the Control Block Unit does.
    word_active (out, ``[TBU]``): which words it moved.
    link_active (out, a bit a network and side): a flit leaves the router there in this cycle.

    Timing: see the blocks inside; all ports but coordinates are registered.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        links: dict[str, Any] = {}
        for network in MESSAGE_CLASSES:
            for side in SIDES:
                name = f"{network}_{side.name.lower()}"
                links[f"{name}_in"] = In(network_link(config, network))
                links[f"{name}_out"] = Out(network_link(config, network))
        super().__init__(
            {
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                **links,
                "activity": Out(Activity).array(config.cluster.task_block_units),
                "progress": Out(Progress).array(config.cluster.task_block_units),
                "taken": Out(TakenTask).array(config.cluster.task_block_units),
                "word_active": Out(len(WordKind)).array(config.cluster.task_block_units),
                "control_event": Out(ControlEvent),
                "control_detail": Out(ControlDetail),
                "link_active": Out(len(MESSAGE_CLASSES) * len(SIDES)),
            },
            config=config.model_dump(exclude={"name"}),
        )

    def elaborate(self, platform: Any) -> Module:
        """Join the blocks of the cluster."""
        m = Module()
        self._parity_errors: Value = Cat()
        self._flits: Value = Cat()
        control = self._network(m, platform, "control")
        network = self._network(m, platform, "data")
        links = [
            f"{network}_{side.name.lower()}_out" for network in MESSAGE_CLASSES for side in SIDES
        ]
        m.d.comb += self.link_active.eq(Cat(getattr(self, link).valid for link in links))
        unit = ControlBlockUnit(self.config)
        add_block(m, platform, "control_block_unit", unit)
        self._place(m, unit)
        self._tokens(m, unit, control)
        self._watch(m, platform, unit)
        m.d.comb += unit.unreachable.eq(Cat(control.unreachable, network.unreachable).any())
        m.d.comb += [
            unit.parity_error.eq(self._parity_errors.any()),
            self.control_event.eq(unit.watched),
            self.control_detail.eq(unit.watched_detail),
        ]
        flits = Signal(len(LinkCount))  # a cycle late: a flit of this cluster's own comes late
        m.d.sync += flits.eq(self._flits)
        regions = ConfigurationRegion
        parity_counts = self._counts(
            m, platform, "parity", regions.PARITY_COUNTS, self._parity_errors
        )
        flit_counts = self._counts(m, platform, "flit", regions.FLIT_COUNTS, flits)
        interconnect = self._memory(m, platform, network)
        splitter = ConfigurationSplitter()
        table = RegionTable(self.config.cluster.regions, self.config.cluster.task_block_units)
        add_block(m, platform, "configuration_splitter", splitter)
        add_block(m, platform, "region_table", table)
        balances = self._balances(m, platform, control)
        connect(m, interconnect.configuration, splitter.configuration)
        connect(m, splitter.control, balances.configuration)
        connect(m, balances.others, parity_counts.configuration)
        connect(m, parity_counts.others, flit_counts.configuration)
        connect(m, flit_counts.others, unit.configuration)
        connect(m, splitter.units, table.configuration)
        for index in range(self.config.cluster.task_block_units):
            self._task_block_unit(m, platform, index, unit, interconnect, table)
        return m

    def _network(self, m: Module, platform: Any, network: str) -> NetworkEndpoint:
        """The router and endpoint of a network."""
        section: NetworkConfig = getattr(self.config, f"{network}_network")
        direct = is_direct(self.config, network)
        router = Router(
            network_link(self.config, network).flit_bits,
            section.virtual_channels,
            self.config.buffer_depth(network),
            routing=section.routing,
            message_classes=MESSAGE_CLASSES[network],
            single_flit=network == "control",
            direct=direct,
        )
        endpoint = network_endpoint(self.config, network, direct=direct)
        add_block(m, platform, f"{network}_router", router)
        add_block(m, platform, f"{network}_endpoint", endpoint)
        self._place(m, router)
        self._place(m, endpoint)
        connect(m, endpoint.link_out, router.local_in)
        connect(m, router.local_out, endpoint.link_in)
        for side in SIDES:
            name = side.name.lower()
            connect(
                m, flipped(getattr(self, f"{network}_{name}_in")), getattr(router, f"{name}_in")
            )
            connect(
                m, getattr(router, f"{name}_out"), flipped(getattr(self, f"{network}_{name}_out"))
            )
        self._parity_errors = Cat(self._parity_errors, router.parity_error, endpoint.parity_error)
        links = [getattr(router, f"{port.name.lower()}_in") for port in Port]
        self._flits = Cat(self._flits, *(link.valid for link in links), endpoint.link_in.valid)
        return endpoint

    def _watch(self, m: Module, platform: Any, unit: ControlBlockUnit) -> None:
        """Tell the Control Block Unit when a link of the control network is dead."""
        watch = link_watch(self.config, len(SIDES))
        add_block(m, platform, "control_watch", watch)
        for i, side in enumerate(SIDES):
            link = getattr(self, f"control_{side.name.lower()}_out")
            m.d.comb += [watch.valid[i].eq(link.valid), watch.credit[i].eq(link.credit)]
        m.d.comb += unit.stuck.eq(watch.stuck.any())

    def _counts(
        self, m: Module, platform: Any, name: str, place: int, happens: Value
    ) -> ReadOnlyRegion:
        """Count for the host, in the region at ``place``, what ``happens`` link by link."""
        counts = EventCounts(len(LinkCount))
        region = ReadOnlyRegion(place, len(LinkCount), counts.latency)
        add_block(m, platform, f"{name}_counts", counts)
        add_block(m, platform, f"{name}_region", region)
        m.d.comb += [
            counts.happens.eq(happens),
            counts.index.eq(region.index),
            region.value.eq(counts.count),
        ]
        return region

    def _tokens(self, m: Module, unit: ControlBlockUnit, control: NetworkEndpoint) -> None:
        """Tokens between the Control Block Unit and the control network."""
        m.d.comb += [
            control.inject[0].payload.payload.eq(unit.token_out.payload),
            control.inject[0].payload.head.eq(1),
            control.inject[0].payload.tail.eq(1),
            control.inject[0].valid.eq(unit.token_out.valid),
            unit.token_out.ready.eq(control.inject[0].ready),
            unit.token_in.payload.eq(control.eject[0].payload.payload),
            unit.token_in.valid.eq(control.eject[0].valid),
            control.eject[0].ready.eq(unit.token_in.ready),
        ]

    def _balances(self, m: Module, platform: Any, control: NetworkEndpoint) -> BalancePort:
        """Counts the tokens that pass. (The Control Block Unit is ready later than the counter.)"""
        mesh = self.config.mesh
        port = BalancePort(self.config.control_block_unit.instances, mesh.columns, mesh.rows)
        add_block(m, platform, "balances", port)
        leaving = data.View(ControlPacket, control.inject[0].payload.payload)
        coming = data.View(ControlPacket, control.eject[0].payload.payload)
        m.d.comb += [
            port.sent.eq(control.inject[0].valid & control.inject[0].ready),
            port.sent_instance.eq(leaving.token.instance),
            port.sent_to.eq(leaving.destination),
            port.taken.eq(control.eject[0].valid & control.eject[0].ready),
            port.taken_instance.eq(coming.token.instance),
        ]
        return port

    def _memory(self, m: Module, platform: Any, network: NetworkEndpoint) -> ClusterInterconnect:
        """The shared memory and the way to it, from here and from other clusters."""
        units = self.config.cluster.task_block_units
        interconnect = ClusterInterconnect(self.config)
        memory = ClusterMemory(
            self.config.cluster.memory_words, self.config.cluster.memory_banks, units + 1
        )
        add_block(m, platform, "interconnect", interconnect)
        add_block(m, platform, "memory", memory)
        self._place(m, interconnect)
        for index in range(units + 1):
            connect(m, interconnect.memory[index], memory.ports[index])
        for channel in range(len(RequestChannel)):
            connect(m, interconnect.inject[channel], network.inject[channel])
            connect(m, network.eject[channel], interconnect.eject[channel])
        return interconnect

    def _task_block_unit(
        self,
        m: Module,
        platform: Any,
        index: int,
        unit: ControlBlockUnit,
        interconnect: ClusterInterconnect,
        table: RegionTable,
    ) -> None:
        """Task Block Unit ``index`` between the Control Block Unit and the interconnect."""
        block = TaskBlockUnit(self.config)
        add_block(m, platform, f"task_block_unit_{index}", block)
        self._place(m, block)
        connect(m, unit.dispatch[index], block.dispatch)
        connect(m, block.completion, unit.completion[index])
        connect(m, block.memory, interconnect.clients[index])
        m.d.comb += [
            block.kernel_table_address.eq(unit.kernel_table_address),
            block.kernel_count.eq(unit.kernel_count),
            block.closed.eq(unit.closed),
            block.announced.eq(unit.announced[index]),
            block.hint.eq(unit.prepare),
            block.hint_valid.eq(unit.prepare_units[index]),
            block.forget.eq(unit.forget),
            block.regions.eq(table.regions),
            block.regions_changed.eq(table.changed),
            block.counter_index.eq(table.counter_index),
            table.counters[index].eq(block.counter),
            self.activity[index].eq(block.activity),
            self.progress[index].eq(block.progress),
            self.taken[index].eq(block.taken),
            self.word_active[index].eq(block.word_active),
        ]

    def _place(self, m: Module, block: Any) -> None:
        """Give a block the cluster's coordinates."""
        m.d.comb += [block.x.eq(self.x), block.y.eq(self.y)]
