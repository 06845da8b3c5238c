"""Joins the TBU's requesters to its one memory port, past the region checker."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..interfaces import MemoryPort
from ..layouts.descriptor import Status
from ..layouts.memory import LENGTH_BITS, MemoryRequest
from ..layouts.region import DOMAIN_BITS, RegionEntry
from ..library import Block, add_block
from ..stream_register import StreamRegister
from .region_checker import RegionChecker
from .write_gate import WriteGate


class Answer(data.Struct):
    """A word read, or the single acknowledgement of a write; ``status`` is OK or what failed."""

    data: 32
    last: 1
    status: Status


class MemoryClient(wiring.Signature):
    """Requests and answers of a client that leaves write data to its own path.

    ``domain``: on whose behalf; stable while a request is offered.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(MemoryRequest)),
                "domain": Out(DOMAIN_BITS),
                "response": In(stream.Signature(Answer)),
            }
        )


class MemoryMultiplexer(Block):
    """Serves clients by bursts, least recently served first; answers go by the order of requests.

    Every burst passes the region checker. One that it refuses never reaches the memory: it is
    answered here, its write data are swallowed. Only one of the clients writes, so write data
    need no arbitration.

    Parameters
    ----------
    clients: number of requesters. outstanding: bursts that may be under way at once.
    regions: entries of the region table.

    Ports
    -----
    regions: in, the table. clients: array of ``In(MemoryClient)``.
    write: stream in, the words of write bursts. memory: ``Out(MemoryPort)``.

    Timing: four cycles for a request, one a cycle; ``request.ready`` is a register; answers and
    write data pass combinationally.
    Errors: REGION_VIOLATION for a burst refused, ADDRESS_OUT_OF_RANGE, MEMORY_PARITY or
    NETWORK_ERROR for an error that the memory port answers, in the answer's status.
    Source: own.
    """

    def __init__(self, clients: int, outstanding: int, regions: int) -> None:
        for name, value in (("clients", clients), ("outstanding", outstanding)):
            if value < 2:
                raise ValueError(f"{name} is {value}; allowed: 2 or more")
        self.count = clients
        self.outstanding = outstanding
        self.regions_count = regions
        super().__init__(
            {
                "regions": In(data.ArrayLayout(RegionEntry, regions)),
                "clients": In(MemoryClient()).array(clients),
                "write": In(stream.Signature(32)),
                "memory": Out(MemoryPort()),
            },
            clients=clients,
            outstanding=outstanding,
            regions=regions,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        checker = RegionChecker(self.regions_count, self.count)
        add_block(m, platform, "checker", checker)
        m.d.comb += checker.regions.eq(self.regions)
        self._arbitrate(m, platform, checker)
        owners, owner_layout = self._issue(m, platform, checker)
        self._answer(m, owners, owner_layout)
        return m

    def _arbitrate(self, m: Module, platform: Any, checker: RegionChecker) -> None:
        """A request a cycle from the clients' registers into those in front of the checker."""
        add_block(
            m, platform, "granted", granted := StreamRegister(checker.request.payload.shape())
        )
        wiring.connect(m, granted.outgoing, checker.request)
        chosen, free = granted.incoming.payload, granted.incoming.ready
        layout = data.StructLayout({"request": MemoryRequest, "domain": DOMAIN_BITS})
        asked = []
        for index, client in enumerate(self.clients):
            add_block(m, platform, f"asked{index}", register := StreamRegister(layout))
            asked.append(register.outgoing)
            m.d.comb += [
                register.incoming.valid.eq(client.request.valid),
                register.incoming.payload.request.eq(client.request.payload),
                register.incoming.payload.domain.eq(client.domain),
                client.request.ready.eq(register.incoming.ready),
            ]
        requests = Cat(client.valid for client in asked)
        grant = arbitrate(m, platform, "arbiter", requests, free)
        m.d.comb += [
            granted.incoming.valid.eq(grant.any()),
            chosen.client.eq(grant),
        ]
        for index, client in enumerate(asked):
            m.d.comb += client.ready.eq(free & grant[index])
            with m.If(grant[index]):
                m.d.comb += [
                    chosen.request.eq(client.payload.request),
                    chosen.domain.eq(client.payload.domain),
                ]

    def _issue(
        self, m: Module, platform: Any, checker: RegionChecker
    ) -> tuple[SyncFIFO, data.StructLayout]:
        """Allowed bursts to the memory; every burst into the queue of answers owed."""
        layout = data.StructLayout(
            {"client": self.count, "refused": 1, "write": 1, "length": LENGTH_BITS}
        )
        m.submodules.owners = owners = SyncFIFO(width=layout.size, depth=self.outstanding)
        add_block(m, platform, "gate", gate := WriteGate(self.outstanding))
        checked, memory = checker.checked, self.memory
        request, owner = checked.payload.request, layout(owners.w_data)
        room = owners.w_rdy & (~request.write | gate.verdict.ready)
        m.d.comb += [
            memory.request.payload.eq(request),
            memory.request.valid.eq(checked.valid & checker.allowed & room),
            checked.ready.eq(room & (~checker.allowed | memory.request.ready)),
            owners.w_en.eq(checked.valid & checked.ready),
            owner.client.eq(checked.payload.client),
            owner.refused.eq(~checker.allowed),
            owner.write.eq(request.write),
            owner.length.eq(request.length),
            gate.verdict.valid.eq(owners.w_en & request.write),
            gate.verdict.payload.length.eq(request.length),
            gate.verdict.payload.refused.eq(~checker.allowed),
        ]
        wiring.connect(m, wiring.flipped(self.write), gate.words)
        wiring.connect(m, gate.out, wiring.flipped(memory.write))
        return owners, layout

    def _answer(self, m: Module, owners: SyncFIFO, layout: data.StructLayout) -> None:
        """The memory's answer, or one made here, to the client whose turn it is."""
        owner, response = layout(owners.r_data), self.memory.response
        given = Signal(LENGTH_BITS)  # words of a refused burst answered so far
        answer = Signal(Answer)
        valid = Signal()
        taken = Signal()
        made = owners.r_rdy & owner.refused
        failure = Mux(
            response.payload.parity,
            Status.MEMORY_PARITY,
            Mux(response.payload.network, Status.NETWORK_ERROR, Status.ADDRESS_OUT_OF_RANGE),
        )
        m.d.comb += [
            valid.eq(owners.r_rdy & (owner.refused | response.valid)),
            answer.data.eq(Mux(made, 0, response.payload.data)),
            answer.last.eq(Mux(made, owner.write | (given == owner.length), response.payload.last)),
        ]
        with m.If(made):
            m.d.comb += answer.status.eq(Status.REGION_VIOLATION)
        with m.Elif(response.payload.error):
            m.d.comb += answer.status.eq(failure)
        for index, client in enumerate(self.clients):
            m.d.comb += [
                client.response.payload.eq(answer),
                client.response.valid.eq(valid & owner.client[index]),
            ]
        readies = Cat(client.response.ready for client in self.clients)
        m.d.comb += [
            taken.eq(owners.r_rdy & (readies & owner.client).any()),
            response.ready.eq(taken & ~owner.refused),
            owners.r_en.eq(valid & taken & answer.last),
        ]
        with m.If(made & taken):
            m.d.sync += given.eq(Mux(answer.last, 0, given + 1))
