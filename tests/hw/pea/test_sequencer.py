"""What the sequencer counts, what exit, abort and queued commands do."""

from amaranth.sim import Simulator

from octopus.hw.layouts.instruction import Operation

from .harness import Bench, command, configuration, execute
from .reference import instruction

PASS = Operation.PASS


def marks(slots: int) -> dict:
    """Slot i sends i to the west, in stage 0."""
    return {
        (0, 0, slot): instruction(PASS, a="CONSTANT", constant=slot, west="RESULT")
        for slot in range(slots)
    }


def test_phases_in_order() -> None:
    pea = configuration(rows=1, columns=1)
    run = command(
        head_length=2, body_length=3, tail_length=1, body_trips=2, outer_trips=2, flush=4, stages=2
    )
    done = execute(pea, marks(6), run)
    # three passes with two stages: the third has only stage 1 active
    assert done.pushed["west", 0] == [0, 1, 2, 3, 4, 2, 3, 4, 5] * 2
    assert done.cycles == 2 * (2 + 3 * 3 + 1) + 4


def test_empty_phases_take_no_cycle() -> None:
    pea = configuration(rows=1, columns=1)
    for fields, cycles in (
        ({"flush": 0}, 0),
        ({"flush": 3}, 3),
        ({"head_length": 2, "outer_trips": 0, "flush": 1}, 1),
        ({"body_length": 2, "body_trips": 0, "tail_length": 1, "outer_trips": 5}, 5),
        ({"body_length": 2, "body_trips": 7, "outer_trips": 1}, 14),
        ({"body_length": 1, "body_trips": 1, "stages": 4, "outer_trips": 3}, 12),
        ({"body_length": 0, "body_trips": 9, "outer_trips": 1 << 31}, 0),
    ):
        assert execute(pea, marks(3), command(**fields)).cycles == cycles, fields


def test_exit_ends_the_loop_after_the_latency() -> None:
    """The third word is not zero: exit. Stage 1 of the passes that started still runs."""
    for stages in (1, 2, 3, 4):
        pea = configuration(rows=1, columns=1, pipeline_stages=stages)
        program = {
            (0, 0, 0): instruction(PASS, a="WEST", exit=1),
            (0, 0, 1): instruction(PASS, a="CONSTANT", constant=8, stage=1, west="RESULT"),
        }
        words = {("west", 0): [0, 0, 1, *[0] * 20]}
        for exit_stage in (0, 1, 2):
            run = command(
                body_length=2, body_trips=20, stages=2, exit_stage=exit_stage, flush=stages + 1
            )
            done = execute(pea, program, run, words)
            seen = 4 + stages  # the cycle in which exit is visible
            started = seen // 2 + 1
            assert done.taken["west", 0] == started
            # pass p runs stage 1 of iteration p - 1
            lost = 1 - seen % 2  # the iteration in the middle of its first stage
            finished = [started, started - lost, started - 1 - lost][exit_stage]
            assert len(done.pushed["west", 0]) == finished, (stages, exit_stage)


def test_abort_leaves_nothing_behind() -> None:
    pea = configuration(context_slots=8)
    endless = {
        (r, c, 0): instruction(
            Operation.DOT4, a="WEST", b="CONSTANT", constant=-1, east="RESULT", west="RESULT"
        )
        for r in (0, 1)
        for c in (0, 1)
    }
    bench = Bench(pea)
    dut = bench.dut

    async def process(ctx) -> None:
        await bench.load(ctx, endless, 0)
        await bench.load(ctx, marks(4), 1)
        for source in dut.west_in:
            ctx.set(source.valid, 1)
            ctx.set(source.data, 0x01010101)
        for edge in [*dut.west_in, *dut.north_in, *dut.west_out, *dut.north_out]:
            ctx.set(edge.next_ready, 1)
        for clocks in range(1, 14):
            forever = command(body_length=1, body_trips=1 << 31, skew=clocks % 2)
            ctx.set(dut.command.payload, forever)
            ctx.set(dut.command.valid, 1)
            await ctx.tick().until(dut.command.ready)
            ctx.set(dut.command.valid, 0)
            assert ctx.get(dut.running)
            await ctx.tick().repeat(clocks)
            ctx.set(dut.abort, 1)
            await ctx.tick()
            ctx.set(dut.abort, 0)
            assert not ctx.get(dut.running) and not ctx.get(dut.advance)
            run = command(body_length=4, body_trips=1, bank=1, flush=3, skew=clocks // 2 % 2)
            await bench.run(ctx, [run], [{}])
            assert bench.runs[-1].pushed == {("west", 0): [0, 1, 2, 3]}, clocks
            assert bench.runs[-1].cycles == 7
            for source in dut.west_in:
                ctx.set(source.valid, 1)

    bench.simulate(process)


def test_a_queued_run_follows_without_an_idle_clock() -> None:
    """Two idle clocks if the skew changes, one after a run whose flush is two cycles."""
    pea = configuration()
    bench = Bench(pea)
    trace: list[int] = []

    async def watch(ctx) -> None:
        async for _, _, advance in ctx.tick().sample(bench.dut.advance):
            trace.append(advance)

    async def process(ctx) -> None:
        await bench.load(ctx, marks(4))
        runs = [command(body_length=4, body_trips=2, flush=3) for _ in range(4)]
        runs.append(command(body_length=4, body_trips=2, flush=3, skew=1))
        runs.append(command(body_length=4, body_trips=2, flush=2, skew=1))
        runs.append(command(body_length=4, body_trips=2, flush=3, skew=1))
        await bench.run(ctx, runs, [{}] * 7)

    simulator = Simulator(bench.dut)
    simulator.add_clock(1e-6)
    simulator.add_process(watch)
    simulator.add_testbench(process)
    simulator.run()
    steps = "".join(map(str, trace)).strip("0")
    assert steps == "1" * 44 + "00" + "1" * (11 + 10) + "0" + "1" * 11


def test_latency_of_the_first_cycle() -> None:
    bench = Bench(configuration())

    async def process(ctx) -> None:
        await bench.load(ctx, marks(1))
        await bench.run(ctx, [command(head_length=1)], [{}])

    bench.simulate(process)
    assert bench.runs[0].clocks == 4  # two to fetch and decode, one cycle, one to empty the links
