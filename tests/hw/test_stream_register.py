"""The register of a stream: a FIFO of two places whose outputs are all registers."""

from collections import deque
from random import Random

import pytest
from amaranth.sim import Simulator

from octopus.hw.stream_register import StreamRegister

CYCLES = 500


@pytest.mark.parametrize("seed", range(3))
def test_items_pass_once_in_order_and_unchanged(seed):
    dut = StreamRegister(8)
    random = Random(seed)
    inside: deque[int] = deque()
    most = 0

    async def play(ctx):
        nonlocal most
        for _ in range(CYCLES):
            valid, ready, item = random.random() < 0.7, random.random() < 0.6, random.getrandbits(8)
            ctx.set(dut.incoming.valid, valid)
            ctx.set(dut.incoming.payload, item)
            ctx.set(dut.outgoing.ready, ready)
            assert ctx.get(dut.outgoing.valid) == bool(inside)
            assert ctx.get(dut.incoming.ready) == (len(inside) < 2)
            if inside:
                assert ctx.get(dut.outgoing.payload) == inside[0]
            taken = [item] if valid and len(inside) < 2 else []
            if inside and ready:
                inside.popleft()
            inside.extend(taken)
            most = max(most, len(inside))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
    assert most == 2
