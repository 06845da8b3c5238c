"""A chip without processing: host bridge, networks, interconnects and memories only.

It puts the host bridge and the clusters' interconnects under test with everything real between
them. Configuration accesses are answered from a few registers; control packets are sent back.
"""

from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from octopus.hw.cluster.balance_port import BalancePort
from octopus.hw.cluster.interconnect import ClusterInterconnect
from octopus.hw.config import OctopusConfig
from octopus.hw.host.axi import Axi4, AxiLite
from octopus.hw.host.bridge import HostBridge
from octopus.hw.host.registers import ADDRESS_BITS
from octopus.hw.layouts.memory import DATA_FLIT_BITS, RequestChannel
from octopus.hw.layouts.token import ControlPacket
from octopus.hw.library import Block, add_block
from octopus.hw.memory import ClusterMemory
from octopus.hw.noc.mesh import NetworkMesh

CONFIGURATION_REGISTERS = 4
"""Words of configuration space that exist in each cluster of the testbed (beside balances). Two of
them stand where COMMAND and COMMAND_STATUS are."""

HOLD_REGISTER = 1
"""While this word of cluster (0, 0) is not zero, tokens are held on their way."""

HELD_TOKENS = 64


class HostTestbed(Block):
    """Ports as the chip's: ``axil``, ``axi``, ``interrupt_line``.

    Parameters
    ----------
    config: sizes; Task Block Units are left out, their memory ports stay idle.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        super().__init__(
            {"axil": In(AxiLite(ADDRESS_BITS)), "axi": In(Axi4()), "interrupt_line": Out(1)},
            config=config,
        )

    def elaborate(self, platform: Any) -> Module:
        """Join the bridge and a memory a cluster over the data network."""
        m = Module()
        mesh, network = self.config.mesh, self.config.data_network
        bridge = HostBridge(self.config)
        self._hold = Signal()
        fabric = NetworkMesh(
            mesh.columns,
            mesh.rows,
            DATA_FLIT_BITS,
            network.virtual_channels,
            network.buffer_depth,
            message_classes=len(RequestChannel),
        )
        add_block(m, platform, "bridge", bridge)
        add_block(m, platform, "fabric", fabric)
        connect(m, flipped(self.axil), bridge.axil)
        connect(m, flipped(self.axi), bridge.axi)
        m.d.comb += self.interrupt_line.eq(bridge.interrupt_line)
        host = self.config.clusters
        for channel in RequestChannel:
            connect(m, bridge.data_inject[channel], fabric.inject[host][channel])
            connect(m, fabric.eject[host][channel], bridge.data_eject[channel])
        for y in range(mesh.rows):
            for x in range(mesh.columns):
                self._cluster(m, platform, fabric, x, y)
        self._reflect_tokens(m, bridge)
        return m

    def _reflect_tokens(self, m: Module, bridge: HostBridge) -> None:
        """Every token that the host sends to a cluster comes back to it, unless tokens are held.

        Its value is inverted; the value's low bits say kind (2 bits) and status (4 bits) of the
        answer. Notices (any kind but COMPLETE and FAULT) keep block and index.
        """
        width = data.Layout.cast(ControlPacket).size
        m.submodules.held = held = SyncFIFOBuffered(width=width, depth=HELD_TOKENS)
        sent = data.View(data.Layout.cast(ControlPacket), held.r_data)
        packet = Signal(ControlPacket)
        answer, mesh = packet.token, self.config.mesh
        to = data.View(ControlPacket, bridge.control_inject.payload.payload).destination
        exists = Signal()
        m.d.sync += bridge.unreachable.eq(bridge.control_inject.valid & ~exists)
        m.d.comb += [
            exists.eq((to.x < mesh.columns) & (to.y < mesh.rows)),
            held.w_data.eq(bridge.control_inject.payload.payload),
            held.w_en.eq(bridge.control_inject.valid & exists),
            bridge.control_inject.ready.eq(held.w_rdy | ~exists),
            answer.eq(sent.token),
            answer.kind.eq(sent.token.value[:2]),
            answer.status.eq(sent.token.value[2:6]),
            answer.value.eq(~sent.token.value),
            bridge.control_eject.valid.eq(held.r_rdy & ~self._hold),
            held.r_en.eq(bridge.control_eject.ready & ~self._hold),
            bridge.control_eject.payload.payload.eq(packet),
        ]

    def _cluster(self, m: Module, platform: Any, fabric: NetworkMesh, x: int, y: int) -> None:
        """Interconnect, memory and a few configuration registers of one cluster."""
        cluster = self.config.cluster
        interconnect = ClusterInterconnect(self.config)
        memory = ClusterMemory(
            cluster.memory_words, cluster.memory_banks, cluster.task_block_units + 1
        )
        add_block(m, platform, f"interconnect_{x}_{y}", interconnect)
        add_block(m, platform, f"memory_{x}_{y}", memory)
        mesh = self.config.mesh
        balances = BalancePort(self.config.control_block_unit.instances, mesh.columns, mesh.rows)
        add_block(m, platform, f"balances_{x}_{y}", balances)
        connect(m, interconnect.configuration, balances.configuration)
        m.d.comb += [interconnect.x.eq(x), interconnect.y.eq(y)]
        for index in range(cluster.task_block_units + 1):
            connect(m, interconnect.memory[index], memory.ports[index])
        node = x + y * self.config.mesh.columns
        for channel in RequestChannel:
            connect(m, interconnect.inject[channel], fabric.inject[node][channel])
            connect(m, fabric.eject[node][channel], interconnect.eject[channel])
        request, response = balances.others.request, balances.others.response
        registers = Array(
            Signal(32, name=f"register_{x}_{y}_{i}") for i in range(CONFIGURATION_REGISTERS)
        )
        if (x, y) == (0, 0):
            m.d.comb += self._hold.eq(registers[HOLD_REGISTER] != 0)
        index = request.payload.offset[2:]
        m.d.comb += request.ready.eq(~response.valid)
        with m.If(request.valid & request.ready):
            m.d.sync += [
                response.valid.eq(1),
                response.payload.error.eq(index >= CONFIGURATION_REGISTERS),
                response.payload.data.eq(registers[index[:2]]),
            ]
            with m.If(request.payload.write & (index < CONFIGURATION_REGISTERS)):
                m.d.sync += registers[index[:2]].eq(request.payload.data)
        with m.Elif(response.ready):
            m.d.sync += response.valid.eq(0)
