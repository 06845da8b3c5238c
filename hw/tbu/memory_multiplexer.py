"""Joins the TBU's requesters to its one memory port."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..interfaces import MemoryPort
from ..layouts.memory import MemoryRequest, MemoryResponse
from ..library import Block, add_block
from ..memory.arbiter import RoundRobinArbiter


class MemoryClient(wiring.Signature):
    """Requests and answers of a client that leaves write data to its own path."""

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(MemoryRequest)),
                "response": In(stream.Signature(MemoryResponse)),
            }
        )


class MemoryMultiplexer(Block):
    """Round-robin by bursts; answers find their way back by the order of the requests.

    Only one of the clients writes, so write data need no arbitration and bypass this block.

    Parameters
    ----------
    clients: number of requesters. outstanding: bursts that may be under way at once.

    Ports
    -----
    clients: array of ``In(MemoryClient)``. request, response: the memory port's streams.

    Timing: a request takes one cycle through a register; answers pass combinationally.
    Errors: answers with ``error`` pass like others.
    Source: own.
    """

    def __init__(self, clients: int, outstanding: int) -> None:
        for name, value in (("clients", clients), ("outstanding", outstanding)):
            if value < 2:
                raise ValueError(f"{name} is {value}; allowed: 2 or more")
        self.count = clients
        self.outstanding = outstanding
        port = MemoryPort()
        super().__init__(
            {
                "clients": In(MemoryClient()).array(clients),
                "request": port.members["request"],
                "response": port.members["response"],
            },
            clients=clients,
            outstanding=outstanding,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_block(m, platform, "arbiter", arbiter := RoundRobinArbiter(self.count))
        m.submodules.owners = owners = SyncFIFO(width=self.count, depth=self.outstanding)

        free = ~self.request.valid | self.request.ready
        accept = Signal()
        chosen = Signal(data.Layout.cast(MemoryRequest).size)
        m.d.comb += [
            accept.eq(free & owners.w_rdy),
            arbiter.requests.eq(Cat(client.request.valid for client in self.clients)),
            arbiter.advance.eq(accept),
            owners.w_en.eq(accept & arbiter.grants.any()),
            owners.w_data.eq(arbiter.grants),
        ]
        for index, client in enumerate(self.clients):
            m.d.comb += client.request.ready.eq(accept & arbiter.grants[index])
            with m.If(arbiter.grants[index]):
                m.d.comb += chosen.eq(client.request.payload.as_value())
        with m.If(free):
            m.d.sync += self.request.valid.eq(owners.w_rdy & arbiter.grants.any())
            with m.If(accept):
                m.d.sync += self.request.payload.eq(chosen)

        readies = Cat(client.response.ready for client in self.clients)
        for index, client in enumerate(self.clients):
            m.d.comb += [
                client.response.payload.eq(self.response.payload),
                client.response.valid.eq(self.response.valid & owners.r_rdy & owners.r_data[index]),
            ]
        m.d.comb += [
            self.response.ready.eq(owners.r_rdy & (readies & owners.r_data).any()),
            owners.r_en.eq(self.response.valid & self.response.ready & self.response.payload.last),
        ]
        return m
