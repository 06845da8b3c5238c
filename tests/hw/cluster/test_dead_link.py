"""A link of a mesh dies: every access is still answered, and after a reset all is well."""

import os
import random
from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from octopus.hw.cluster.packet_server import PacketServer
from octopus.hw.cluster.remote_requester import RemoteRequester
from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.router import Router

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
NODES = 3
TIMEOUT = 40
LIMIT = 2 * TIMEOUT + 60
"""Cycles within which every access must be answered: a flit's wait for room, then the answer."""
LINK = (64, 2, 4)
LONGEST = 8


class Row:
    """Three clusters' network interfaces in a row; the link between the last two can be cut."""

    def __init__(self) -> None:
        self.cut, self.reset = Signal(), Signal()
        self.requesters = [RemoteRequester(1, NODES, 1, timeout=TIMEOUT) for _ in range(NODES)]
        self.servers = [PacketServer(TIMEOUT) for _ in range(NODES)]
        self.random = random.Random(SEED)
        self.answers: list[tuple[int, int, bool]] = []
        """Source, destination, whether the answer was an error."""

    def build(self) -> Any:
        """The circuit; ``reset`` clears all of it."""
        m = Module()
        routers = [Router(*LINK) for _ in range(NODES)]
        for x, router in enumerate(routers):
            endpoint = NetworkEndpoint(*LINK, NODES, 1)
            requester, server = self.requesters[x], self.servers[x]
            m.submodules += [router, endpoint, requester, server]
            m.d.comb += [block.x.eq(x) for block in (router, endpoint, requester, server)]
            connect(m, endpoint.link_out, router.local_in)
            connect(m, router.local_out, endpoint.link_in)
            connect(m, requester.inject, endpoint.inject[0])
            connect(m, endpoint.eject[0], server.eject)
            connect(m, server.inject, endpoint.inject[1])
            connect(m, endpoint.eject[1], requester.eject)
        for x in range(NODES - 1):
            alive = ~self.cut if x == NODES - 2 else 1
            for out, into in (
                (routers[x].east_out, routers[x + 1].west_in),
                (routers[x + 1].west_out, routers[x].east_in),
            ):
                m.d.comb += [
                    into.valid.eq(out.valid & alive),
                    into.flit.eq(out.flit),
                    into.parity.eq(out.parity),
                    into.channel.eq(out.channel),
                    out.credit.eq(
                        into.credit & alive.replicate(2) if x == NODES - 2 else into.credit
                    ),
                ]
        return ResetInserter(self.reset)(m)

    async def memory(self, ctx: Any, node: int) -> None:
        """A memory whose words are their own global addresses; cycle by cycle, for resets."""
        port = self.servers[node].memory
        words = answers = address = 0  # words to take of a write, answers owed
        while True:
            idle = not words and not answers
            response = {"data": address, "last": int(answers == 1)}
            ctx.set(port.request.ready, int(idle))
            ctx.set(port.write.ready, int(words > 0))
            ctx.set(port.response.valid, int(answers > 0 and not words))
            ctx.set(port.response.payload, response)
            _, _, reset, asked, request, written, taken = await ctx.tick().sample(
                self.reset,
                port.request.valid,
                port.request.payload,
                port.write.valid,
                port.response.ready,
            )
            if reset:
                words = answers = 0
            elif idle and asked:
                address = request.address
                words = request.length + 1 if request.write else 0
                answers = 1 if request.write else request.length + 1
            elif words:
                words -= written
            elif not idle and taken:
                answers -= 1
                address += 4

    async def access(self, ctx: Any, source: int, destination: int) -> None:
        """One random access; it must be answered, rightly or with an error on what is missing."""
        client = self.requesters[source].clients[0]
        words, write = self.random.randint(1, LONGEST), self.random.randrange(2)
        address = destination << 22 | 64
        fields = {"address": address, "length": words - 1, "write": write, "mask": 15}
        ctx.set(client.request.payload, fields)
        ctx.set(client.request.valid, 1)
        cycles, sent, received, wrong = 0, 0, 0, False
        ctx.set(client.response.ready, 1)
        done = False
        while not done:
            ctx.set(client.write.valid, int(bool(write) and sent < words))
            ctx.set(client.write.payload, sent)
            _, _, taken, word_taken, valid, answer = await ctx.tick().sample(
                client.request.ready,
                client.write.ready,
                client.response.valid,
                client.response.payload,
            )
            if taken and ctx.get(client.request.valid):
                ctx.set(client.request.valid, 0)
            sent += int(bool(word_taken) and bool(write) and sent < words)
            if valid:
                wrong |= bool(answer.error)
                if not (answer.error or write):
                    assert answer.data == address + 4 * received, (source, destination)
                received += 1
                done = bool(answer.last)
            cycles += 1
            assert cycles < LIMIT, f"node {source} to {destination}: no answer"
        ctx.set(client.write.valid, 0)
        assert received == (1 if write else words)
        self.answers.append((source, destination, wrong))

    async def accesses(self, ctx: Any, source: int, count: int) -> None:
        """Random accesses of a node to the others."""
        for _ in range(count):
            others = [node for node in range(NODES) if node != source]
            await self.access(ctx, source, self.random.choice(others))


def test_a_dead_link_is_answered_with_errors_and_nothing_hangs() -> None:
    row = Row()
    print(f"OCTOPUS_SEED={SEED}")
    simulator = Simulator(row.build())
    simulator.add_clock(1e-8)
    phase = Signal(2)
    done = [Signal(2) for _ in range(NODES)]
    accesses = 8

    def node(source: int) -> Any:
        async def bench(ctx: Any) -> None:
            for number in range(3):
                while ctx.get(phase) != number:
                    await ctx.tick()
                await row.accesses(ctx, source, accesses)
                ctx.set(done[source], number + 1)

        return bench

    async def conduct(ctx: Any) -> None:
        results: list[list[tuple[int, int, bool]]] = []
        for number in range(3):
            if number == 2:  # repaired
                ctx.set(row.cut, 0)
                ctx.set(row.reset, 1)
                await ctx.tick()
                ctx.set(row.reset, 0)
            row.answers = []
            ctx.set(phase, number)
            if number == 1:
                await ctx.tick().repeat(7)
                ctx.set(row.cut, 1)
            while any(ctx.get(signal) != number + 1 for signal in done):
                await ctx.tick()
            results.append(row.answers)
        healthy, dead, repaired = results
        for answers in (healthy, repaired):
            assert len(answers) == NODES * accesses
            assert not any(wrong for _, _, wrong in answers)
        assert len(dead) == NODES * accesses
        crossing = [wrong for one, other, wrong in dead if NODES - 1 in (one, other)]
        assert sum(crossing) >= len(crossing) - NODES, "only what was under way can have passed"

    def memory(number: int) -> Any:
        async def bench(ctx: Any) -> None:
            await row.memory(ctx, number)

        return bench

    for number in range(NODES):
        simulator.add_testbench(node(number), background=True)
        simulator.add_testbench(memory(number), background=True)
    simulator.add_testbench(conduct)
    simulator.run()
