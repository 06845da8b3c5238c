"""A damaged word of another cluster is reported to who reads it, wherever it is in the burst."""

from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from octopus.hw.cluster.packet_server import PacketServer
from octopus.hw.cluster.remote_requester import RemoteRequester
from octopus.hw.layouts.space import address_of


class Rig(Elaboratable):
    """A requester and a server with nothing but wires between them."""

    def __init__(self) -> None:
        self.requester = RemoteRequester(1, 2, 1)
        self.server = PacketServer()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.requester, m.submodules.server = self.requester, self.server
        connect(m, self.requester.inject, self.server.eject)
        connect(m, self.server.inject, self.requester.eject)
        return m


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_the_last_word_tells(length: int) -> None:
    """For every damaged word, and for none: the burst's answers; the next burst is sound."""
    rig = Rig()
    client, memory = rig.requester.clients[0], rig.server.memory
    damaged: list[int | None] = [None]

    async def serve(ctx: Any) -> None:
        while True:
            ctx.set(memory.request.ready, 1)
            await ctx.tick().until(memory.request.valid)
            ctx.set(memory.request.ready, 0)
            for index in range(length):
                wrong = index == damaged[0]
                answer = {"data": 100 + index, "last": index == length - 1}
                answer |= {"error": wrong, "parity": wrong}
                ctx.set(memory.response.payload, answer)
                ctx.set(memory.response.valid, 1)
                await ctx.tick().until(memory.response.ready)
                ctx.set(memory.response.valid, 0)

    async def testbench(ctx: Any) -> None:
        ctx.set(client.response.ready, 1)
        for place in [None, *range(length), None]:
            damaged[0] = place
            ctx.set(client.request.payload, {"address": address_of(1, 0, 64), "length": length - 1})
            ctx.set(client.request.valid, 1)
            await ctx.tick().until(client.request.ready)
            ctx.set(client.request.valid, 0)
            answers = []
            for _ in range(length):
                (answer,) = (
                    await ctx.tick().sample(client.response.payload).until(client.response.valid)
                )
                answers.append(answer)
            assert [answer.last for answer in answers] == [0] * (length - 1) + [1]
            assert any(answer.error for answer in answers) == (place is not None)
            assert any(answer.parity for answer in answers) == (place is not None)
            assert answers[-1].error == (place is not None)
            if place is None:
                assert [answer.data for answer in answers] == list(range(100, 100 + length))

    simulator = Simulator(rig)
    simulator.add_clock(1e-6)
    simulator.add_testbench(serve, background=True)
    simulator.add_testbench(testbench)
    simulator.run()
