"""The host bridge: AXI on one side, both networks on the other."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cluster.remote_requester import RemoteRequester
from ..cluster.token_counter import TokenCounter
from ..config import OctopusConfig
from ..layouts.memory import DATA_FLIT_BITS, RequestChannel
from ..layouts.token import ControlPacket
from ..library import Block, add_block
from ..noc.link import Flit
from .address_check import AddressCheck
from .axi import Axi4, AxiLite
from .axi_lite_slave import AxiLiteSlave
from .commander import InstanceCommander
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
    parity_error (in, a bit a network: control, data), unreachable, stuck (in): errors seen by the
        bridge's network endpoints.

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
                "parity_error": In(2),
                "unreachable": In(1),
                "stuck": In(1),
            },
            config=config.model_dump(exclude={"name"}),
        )

    def elaborate(self, platform: Any) -> Module:
        """Join slaves, registers, commander and the requester."""
        m = Module()
        mesh, instances = self.config.mesh, self.config.control_block_unit.instances
        slave = AxiLiteSlave()
        self._registers = registers = RegisterFile(self.config)
        self._commander = commander = InstanceCommander(mesh.columns, mesh.rows, instances)
        add_block(m, platform, "axi_lite_slave", slave)
        add_block(m, platform, "registers", registers)
        add_block(m, platform, "commander", commander)
        connect(m, flipped(self.axil), slave.bus)
        connect(m, slave.access, registers.access)
        m.d.comb += [
            self.interrupt_line.eq(registers.interrupt_line),
            registers.parity_error.eq(self.parity_error),
            registers.unreachable.eq(self.unreachable),
            registers.stuck.eq(self.stuck),
        ]
        self._commands(m)
        self._tokens(m, platform)
        self._window(m, platform)
        return m

    def _commands(self, m: Module) -> None:
        """Between registers and commander."""
        registers, commander = self._registers, self._commander
        m.d.comb += [
            commander.begin.eq(registers.command_begin),
            commander.operation.eq(registers.command_operation),
            commander.first.eq(registers.command_first),
            commander.last.eq(registers.command_last),
            commander.limit.eq(registers.command_limit),
            registers.command_refused.eq(commander.refused),
            registers.command_status.eq(Cat(commander.busy, commander.failed, commander.timed_out)),
            registers.command_ended.eq(commander.ended),
            registers.aborted.eq(commander.aborted),
            registers.draining.eq(commander.draining),
            commander.clean.eq(registers.queues_clean),
            registers.instance.eq(commander.instance),
            registers.instance_clear.eq(commander.clear),
            commander.active.eq(registers.instance_active),
        ]

    def _tokens(self, m: Module, platform: Any) -> None:
        """Tokens between registers and the control network, counted as they pass."""
        registers, mesh = self._registers, self.config.mesh
        counter = TokenCounter(self.config.control_block_unit.instances)
        add_block(m, platform, "token_counter", counter)
        leaving, coming = registers.token_out, registers.token_in
        to = leaving.payload.destination
        inject, eject = self.control_inject, self.control_eject
        m.d.comb += [
            inject.payload.payload.eq(Value.cast(leaving.payload)),
            inject.payload.head.eq(1),
            inject.payload.tail.eq(1),
            inject.valid.eq(leaving.valid & counter.ready),
            leaving.ready.eq(inject.ready & counter.ready),
            coming.payload.eq(eject.payload.payload),
            coming.valid.eq(eject.valid & counter.ready),
            eject.ready.eq(coming.ready & counter.ready),
            counter.sent.eq(
                inject.valid & inject.ready & (to.x < mesh.columns) & (to.y < mesh.rows)
            ),
            counter.sent_instance.eq(leaving.payload.token.instance),
            counter.taken.eq(eject.valid & eject.ready),
            counter.taken_instance.eq(coming.payload.token.instance),
            counter.instance.eq(self._commander.instance),
            self._commander.balance.eq(counter.balance),
        ]

    def _window(self, m: Module, platform: Any) -> None:
        """The AXI4 window: both halves and the commander are clients of one requester."""
        mesh, cluster = self.config.mesh, self.config.cluster
        read, write = WindowRead(cluster.burst_words), WindowWrite(cluster.burst_words)
        requester = RemoteRequester(
            3, mesh.columns, mesh.rows, host=True, timeout=self.config.data_network.timeout
        )
        add_block(m, platform, "window_read", read)
        add_block(m, platform, "window_write", write)
        add_block(m, platform, "requester", requester)
        self._share_bus(m, read, write)
        violations = []
        for half, letter, name in ((read, "r", "read"), (write, "w", "write")):
            check = AddressCheck(
                cluster.memory_words, mesh.columns, mesh.rows, write=name == "write"
            )
            add_block(m, platform, f"{name}_check", check)
            self._addresses(m, check, f"a{letter}")
            connect(m, check.checked, half.address)
            violations.append(check.violation)
        bus = self.axi
        answered_badly = (bus.rvalid & bus.rready & bus.rresp[1]) | (
            bus.bvalid & bus.bready & bus.bresp[1]
        )
        m.d.comb += [
            self._registers.window_violation.eq(Cat(violations).any()),
            self._registers.window_error.eq(answered_badly),
        ]
        connect(m, read.memory, requester.clients[0])
        connect(m, write.memory, requester.clients[1])
        connect(m, self._commander.memory, requester.clients[2])
        request, response = RequestChannel.REQUEST, RequestChannel.RESPONSE
        connect(m, requester.inject, flipped(self.data_inject[request]))
        connect(m, flipped(self.data_eject[response]), requester.eject)
        # Nobody asks the host for memory: a request that comes all the same is taken and dropped.
        m.d.comb += self.data_eject[request].ready.eq(1)

    def _addresses(self, m: Module, check: AddressCheck, channel: str) -> None:
        """An address channel of the bus goes to its check."""
        names = ("id", "addr", "len", "size", "burst", "lock", "prot")
        m.d.comb += [
            *(
                getattr(check.address.payload, name).eq(getattr(self.axi, f"{channel}{name}"))
                for name in names
            ),
            check.address.valid.eq(getattr(self.axi, f"{channel}valid")),
            getattr(self.axi, f"{channel}ready").eq(check.address.ready),
            check.enforce.eq(self._registers.enforce),
            check.regions.eq(self._registers.regions),
        ]

    def _share_bus(self, m: Module, read: WindowRead, write: WindowWrite) -> None:
        """Channel R belongs to ``read``; W and B to ``write``."""
        for name, member in self.axi.signature.members.items():
            if name.startswith("a"):
                continue
            half = read if name.startswith("r") else write
            outer: Signal = getattr(self.axi, name)
            inner: Signal = getattr(half.bus, name)
            # Seen from the master, Out members are driven by the host.
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
