"""The host bridge: AXI on one side, both networks on the other."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cluster.remote_requester import RemoteRequester
from ..config import OctopusConfig
from ..layouts.memory import DATA_FLIT_BITS, RequestChannel
from ..layouts.token import ControlPacket
from ..library import Block, add_block
from ..noc.link import Flit
from .axi import Axi4, AxiLite
from .axi_lite_slave import AxiLiteSlave
from .register_file import RegisterFile
from .registers import ADDRESS_BITS
from .window_read import WindowRead
from .window_write import WindowWrite


class HostBridge(Block):
    """Lets a host send tokens, take completions and reach every memory of the chip.

    Parameters
    ----------
    config: sizes of the chip.

    Ports
    -----
    axil (in): AXI4-Lite, the registers of ``hw.host.registers``.
    axi (in): AXI4, the window: addresses are global byte addresses (``hw.layouts.space``).
    interrupt_line (out): see ``RegisterFile``.
    control_inject (out), control_eject (in): control packets as streams of :class:`Flit`.
    data_inject (out), data_eject (in), ``[RequestChannel]``: streams of :class:`Flit`.
    parity_error, unreachable (in): errors seen by the bridge's network endpoints.

    Timing: see ``AxiLiteSlave``, ``WindowRead`` and ``WindowWrite``; reads and writes of the
    window overlap.

    Errors: every illegal access is answered SLVERR or DECERR; see the blocks inside.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        flits = stream.Signature(Flit(DATA_FLIT_BITS))
        control = stream.Signature(Flit(data.Layout.cast(ControlPacket).size))
        super().__init__(
            {
                "axil": In(AxiLite(ADDRESS_BITS)),
                "axi": In(Axi4()),
                "interrupt_line": Out(1),
                "control_inject": Out(control),
                "control_eject": In(control),
                "data_inject": Out(flits).array(len(RequestChannel)),
                "data_eject": In(flits).array(len(RequestChannel)),
                "parity_error": In(1),
                "unreachable": In(1),
            },
            config=config.model_dump(exclude={"name"}),
        )

    def elaborate(self, platform: Any) -> Module:
        """Join slaves, registers and the requester."""
        m = Module()
        slave = AxiLiteSlave()
        registers = RegisterFile(self.config)
        add_block(m, platform, "axi_lite_slave", slave)
        add_block(m, platform, "registers", registers)
        connect(m, flipped(self.axil), slave.bus)
        connect(m, slave.access, registers.access)
        m.d.comb += [
            self.interrupt_line.eq(registers.interrupt_line),
            registers.parity_error.eq(self.parity_error),
            registers.unreachable.eq(self.unreachable),
            self.control_inject.payload.payload.eq(Value.cast(registers.token_out.payload)),
            self.control_inject.payload.head.eq(1),
            self.control_inject.payload.tail.eq(1),
            self.control_inject.valid.eq(registers.token_out.valid),
            registers.token_out.ready.eq(self.control_inject.ready),
            registers.token_in.payload.eq(self.control_eject.payload.payload),
            registers.token_in.valid.eq(self.control_eject.valid),
            self.control_eject.ready.eq(registers.token_in.ready),
        ]
        self._window(m, platform)
        return m

    def _window(self, m: Module, platform: Any) -> None:
        """The AXI4 window: both halves are clients of one requester."""
        mesh = self.config.mesh
        sizes = (self.config.cluster.burst_words, mesh.columns, mesh.rows)
        read, write = WindowRead(*sizes), WindowWrite(*sizes)
        requester = RemoteRequester(2, mesh.columns, mesh.rows, host=True)
        add_block(m, platform, "window_read", read)
        add_block(m, platform, "window_write", write)
        add_block(m, platform, "requester", requester)
        self._share_bus(m, read, write)
        connect(m, read.memory, requester.clients[0])
        connect(m, write.memory, requester.clients[1])
        request, response = RequestChannel.REQUEST, RequestChannel.RESPONSE
        connect(m, requester.inject, flipped(self.data_inject[request]))
        connect(m, flipped(self.data_eject[response]), requester.eject)
        # Nobody asks the host for memory: a request that comes all the same is taken and dropped.
        m.d.comb += self.data_eject[request].ready.eq(1)

    def _share_bus(self, m: Module, read: WindowRead, write: WindowWrite) -> None:
        """Channels AR and R belong to ``read``; AW, W and B to ``write``."""
        for name, member in self.axi.signature.members.items():
            half = read if name.startswith(("ar", "r")) else write
            outer: Signal = getattr(self.axi, name)
            inner: Signal = getattr(half.bus, name)
            # Seen from the master, Out members are driven by the host.
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
