"""Links that owe credits too long are reported, and no others."""

import os
from random import Random
from typing import Any

from amaranth.sim import Simulator

from octopus.hw.noc.link_watch import LinkWatch

SEED = int(os.environ.get("OCTOPUS_SEED", "1"))
LINKS, CHANNELS, DEPTH, TIMEOUT = 3, 2, 4, 20
CYCLES = 2000
DEAD, DIES = 1, 700
"""A link, and the cycle from which nothing comes back from it."""
REPAIRED = 1400
SLOWEST = TIMEOUT - 2
"""Cycles that a receiver keeps a flit at most."""


def test_a_dead_link_is_reported_in_time_and_no_other() -> None:
    print(f"OCTOPUS_SEED={SEED}")
    dut, random = LinkWatch(LINKS, CHANNELS, DEPTH, TIMEOUT), Random(SEED)
    stored: list[list[tuple[int, int]]] = [[] for _ in range(LINKS)]
    """Of each link: the flits owed, with the cycle in which the credit comes and the channel."""
    starved = [0] * LINKS
    """Since when a link owes and gave nothing."""
    reported: list[int] = []

    async def bench(ctx: Any) -> None:
        for cycle in range(CYCLES):
            dead = DIES <= cycle < REPAIRED
            for link, flits in enumerate(stored):
                credit = 0
                for flit in list(flits):
                    due = flit[0] <= cycle and not credit >> flit[1] & 1
                    if due and not (dead and link == DEAD):
                        credit |= 1 << flit[1]
                        flits.remove(flit)
                ctx.set(dut.credit[link], credit)
                if credit or not flits:
                    starved[link] = cycle + 1
            valid = 0
            for link, flits in enumerate(stored):
                channel = random.randrange(CHANNELS)
                room = sum(one == channel for _, one in flits) < DEPTH
                if room and random.random() < 0.3:
                    valid |= 1 << link
                    flits.append((cycle + random.randint(1, SLOWEST), channel))
            ctx.set(dut.valid, valid)
            await ctx.tick()
            stuck = ctx.get(dut.stuck)
            for link in range(LINKS):
                waited = cycle + 1 - starved[link]
                if stuck >> link & 1:
                    assert link == DEAD and waited >= TIMEOUT, (cycle, link, waited)
                else:
                    assert waited <= 2 * TIMEOUT + 1, (cycle, link, waited)
            if stuck:
                reported.append(cycle)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert reported[0] >= DIES and reported[-1] <= REPAIRED
    assert len(reported) == reported[-1] - reported[0] + 1, "as long as the link is dead"
