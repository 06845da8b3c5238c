"""The cluster's interconnect: Task Block Units, shared memory, configuration and network."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import OctopusConfig
from ..interfaces import ConfigurationPort, MemoryPort
from ..layouts.memory import DATA_FLIT_BITS, RequestChannel
from ..layouts.space import COORDINATE_BITS
from ..library import Block, add_block
from ..noc.link import Flit
from .address_splitter import AddressSplitter
from .configuration_bridge import ConfigurationBridge
from .packet_server import PacketServer
from .remote_requester import RemoteRequester


class ClusterInterconnect(Block):
    """Gives every Task Block Unit a path to all memories, and the network a path to this one.

    Requests and answers use separate channels of the data network, and the server's answers wait
    for nothing but the network, so no cycle of waiting can close.

    Parameters
    ----------
    config: sizes of mesh and cluster.

    Ports
    -----
    clients (in, ``[TBU]``): :class:`MemoryPort` of each Task Block Unit.
    memory (out, ``[TBU + 1]``): to ``ClusterMemory``; the last one serves the network.
    configuration (out): to the Control Block Unit; only the network reaches it.
    inject (out), eject (in), ``[RequestChannel]``: streams of :class:`Flit` of the data network.
    x, y (in): the cluster's coordinates.

    Timing: local bursts pass combinationally, remote ones as ``RemoteRequester``.

    Errors: see ``RemoteRequester``, ``PacketServer`` and ``ConfigurationBridge``.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        units = config.cluster.task_block_units
        flits = stream.Signature(Flit(DATA_FLIT_BITS))
        super().__init__(
            {
                "clients": In(MemoryPort()).array(units),
                "memory": Out(MemoryPort()).array(units + 1),
                "configuration": Out(ConfigurationPort()),
                "inject": Out(flits).array(len(RequestChannel)),
                "eject": In(flits).array(len(RequestChannel)),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
            },
            task_block_units=units,
            mesh=config.mesh,
            timeout=config.data_network.timeout,
        )

    def elaborate(self, platform: Any) -> Module:
        """Join splitters, requester and server."""
        m = Module()
        units = len(self.clients)
        requester = RemoteRequester(
            units,
            self.config.mesh.columns,
            self.config.mesh.rows,
            timeout=self.config.data_network.timeout,
        )
        server = PacketServer(self.config.data_network.timeout)
        bridge = ConfigurationBridge()
        add_block(m, platform, "requester", requester)
        add_block(m, platform, "server", server)
        add_block(m, platform, "bridge", bridge)
        placed: list[Any] = [requester, server]
        for index in range(units):
            splitter = AddressSplitter()
            add_block(m, platform, f"splitter_{index}", splitter)
            placed.append(splitter)
            connect(m, flipped(self.clients[index]), splitter.client)
            connect(m, splitter.local, flipped(self.memory[index]))
            connect(m, splitter.remote, requester.clients[index])
        for block in placed:
            m.d.comb += [block.x.eq(self.x), block.y.eq(self.y)]
        connect(m, server.memory, bridge.client)
        connect(m, bridge.memory, flipped(self.memory[units]))
        connect(m, bridge.configuration, flipped(self.configuration))
        request, response = RequestChannel.REQUEST, RequestChannel.RESPONSE
        connect(m, requester.inject, flipped(self.inject[request]))
        connect(m, flipped(self.eject[response]), requester.eject)
        connect(m, flipped(self.eject[request]), server.eject)
        connect(m, server.inject, flipped(self.inject[response]))
        return m
