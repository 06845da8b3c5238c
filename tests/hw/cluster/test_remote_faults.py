"""Remote accesses when the network fails: answered with an error in time, and nothing hangs."""

from collections.abc import Callable
from typing import Any

from amaranth.lib import data
from amaranth.sim import Simulator

from octopus.hw.cluster.packet_server import PacketServer
from octopus.hw.cluster.remote_requester import RemoteRequester
from octopus.hw.layouts.memory import PacketHead, PacketOperation

ERROR_BIT = data.Layout.cast(PacketHead)["error"].offset
TIMEOUT = 20

Bench = Callable[[Any, RemoteRequester], Any]


def simulate(bench: Bench) -> None:
    """Run ``bench`` on a requester with two clients in a 2 x 2 mesh."""
    requester = RemoteRequester(2, 2, 2, timeout=TIMEOUT)
    simulator = Simulator(requester)
    simulator.add_clock(1e-8)

    async def run(ctx: Any) -> None:
        await bench(ctx, requester)

    simulator.add_testbench(run)
    simulator.run()


async def ask(ctx: Any, requester: RemoteRequester, client: int, write: int, length: int) -> None:
    """Request a burst of ``length`` words in cluster (1, 0)."""
    request = requester.clients[client].request
    fields = {"address": 1 << 22, "length": length - 1, "write": write, "mask": 15}
    ctx.set(request.payload, fields)
    ctx.set(request.valid, 1)
    await ctx.tick().until(request.ready)
    ctx.set(request.valid, 0)
    ctx.set(requester.clients[client].response.ready, 1)


async def answer_words(ctx: Any, requester: RemoteRequester, client: int, limit: int) -> list[int]:
    """The error bit of each word of an answer, which is complete within ``limit`` cycles.

    Errors here are the network's.
    """
    response = requester.clients[client].response
    errors: list[int] = []
    for _ in range(limit):
        _, _, valid, payload = await ctx.tick().sample(response.valid, response.payload)
        if valid:
            errors.append(payload.error)
            assert payload.network == payload.error
            if payload.last:
                return errors
    raise AssertionError(f"no whole answer within {limit} cycles: {errors}")


async def give(ctx: Any, requester: RemoteRequester, flits: list[tuple[int, int, int]]) -> None:
    """Flits (payload, head, tail) from the network, after the request had time to go out."""
    eject = requester.eject
    await ctx.tick().repeat(3)
    for payload, head, tail in flits:
        ctx.set(eject.payload, {"payload": payload, "head": head, "tail": tail})
        ctx.set(eject.valid, 1)
        await ctx.tick().until(eject.ready)
    ctx.set(eject.valid, 0)


def answer_head(client: int, length: int) -> int:
    """The head of a good read answer."""
    return PacketOperation.READ_RESPONSE.value << 22 | client << 25 | (length - 1) << 33


async def is_served(ctx: Any, requester: RemoteRequester) -> bool:
    """Whether a read of a word by client 0 is carried out."""
    await ask(ctx, requester, 0, write=0, length=1)
    await give(ctx, requester, [(answer_head(0, 1), 1, 0)])
    ctx.set(requester.eject.payload, {"payload": 5, "head": 0, "tail": 1})
    ctx.set(requester.eject.valid, 1)
    return await answer_words(ctx, requester, 0, 6) == [0]


def test_head_layout() -> None:
    """The bit positions above are those of the layout."""
    fields = data.Layout.cast(PacketHead)
    places = [fields[name].offset for name in ("operation", "transaction", "length")]
    assert places == [22, 25, 33]


def test_no_answer_is_an_error_after_the_timeout_and_a_late_one_is_discarded() -> None:
    async def bench(ctx: Any, requester: RemoteRequester) -> None:
        ctx.set(requester.inject.ready, 1)
        await ask(ctx, requester, 0, write=0, length=3)
        assert await answer_words(ctx, requester, 0, TIMEOUT + 10) == [1, 1, 1]
        # The answer is still owed: the client is refused at once, the other is served.
        await ask(ctx, requester, 0, write=0, length=1)
        assert await answer_words(ctx, requester, 0, 6) == [1]
        await ask(ctx, requester, 1, write=0, length=2)
        late = [(answer_head(0, 3), 1, 0), (1, 0, 0), (2, 0, 1)]
        await give(ctx, requester, [*late, (answer_head(1, 2), 1, 0)])
        ctx.set(requester.eject.payload, {"payload": 7 << 32 | 6, "head": 0, "tail": 1})
        ctx.set(requester.eject.valid, 1)
        assert await answer_words(ctx, requester, 1, 6) == [0, 0]
        ctx.set(requester.eject.valid, 0)
        # It has come: the client is served again.
        assert await is_served(ctx, requester)

    simulate(bench)


def test_an_answer_that_breaks_off_gives_errors_for_what_is_missing() -> None:
    async def bench(ctx: Any, requester: RemoteRequester) -> None:
        ctx.set(requester.inject.ready, 1)
        await ask(ctx, requester, 0, write=0, length=4)
        await give(ctx, requester, [(answer_head(0, 4), 1, 0)])
        ctx.set(requester.eject.payload, {"payload": 9, "head": 1, "tail": 1})
        ctx.set(requester.eject.valid, 1)
        await ctx.tick()
        ctx.set(requester.eject.valid, 0)
        assert await answer_words(ctx, requester, 0, 10) == [1, 1, 1, 1]

    simulate(bench)


def test_an_answer_that_stops_gives_errors_for_what_is_missing() -> None:
    async def bench(ctx: Any, requester: RemoteRequester) -> None:
        ctx.set(requester.inject.ready, 1)
        await ask(ctx, requester, 0, write=0, length=4)
        await give(ctx, requester, [(answer_head(0, 4), 1, 0)])
        assert await answer_words(ctx, requester, 0, TIMEOUT + 10) == [1, 1, 1, 1]

    simulate(bench)


def test_a_network_that_takes_nothing_is_an_error_for_reads_and_writes() -> None:
    async def bench(ctx: Any, requester: RemoteRequester) -> None:
        await ask(ctx, requester, 0, write=1, length=2)
        write = requester.clients[0].write
        ctx.set(write.valid, 1)
        for _ in range(2):
            await ctx.tick().until(write.ready)
        ctx.set(write.valid, 0)
        assert await answer_words(ctx, requester, 0, 6) == [1]
        await ask(ctx, requester, 1, write=0, length=2)
        assert await answer_words(ctx, requester, 1, 8) == [1, 1]

    simulate(bench)


def write_head(length: int) -> int:
    """The head of a write request of ``length`` words."""
    return PacketOperation.WRITE.value << 22 | (length - 1) << 33


def test_a_write_request_that_stops_is_given_up_and_the_server_goes_on() -> None:
    server = PacketServer(timeout=TIMEOUT)
    memory = server.memory
    taken: list[int] = []

    async def flit(ctx: Any, payload: int, head: int, tail: int) -> None:
        ctx.set(server.eject.payload, {"payload": payload, "head": head, "tail": tail})
        ctx.set(server.eject.valid, 1)
        await ctx.tick().until(server.eject.ready)
        ctx.set(server.eject.valid, 0)

    async def answer(ctx: Any, limit: int) -> int:
        """The error bit of the answer, which is there within ``limit`` cycles."""
        for _ in range(limit):
            _, _, valid, payload = await ctx.tick().sample(
                server.inject.valid, server.inject.payload
            )
            if valid:
                assert payload.head and payload.tail
                return int(payload.payload) >> ERROR_BIT & 1
        raise AssertionError(f"no answer within {limit} cycles")

    async def remember(ctx: Any) -> None:
        """A memory that takes every word and answers a burst when it has all of it."""
        ctx.set(memory.request.ready, 1)
        ctx.set(memory.write.ready, 1)
        while True:
            (request,) = await ctx.tick().sample(memory.request.payload).until(memory.request.valid)
            for _ in range(request.length + 1):
                (word,) = await ctx.tick().sample(memory.write.payload).until(memory.write.valid)
                taken.append(word)
            ctx.set(memory.response.payload, {"last": 1})
            ctx.set(memory.response.valid, 1)
            await ctx.tick().until(memory.response.ready)
            ctx.set(memory.response.valid, 0)

    async def bench(ctx: Any) -> None:
        ctx.set(server.inject.ready, 1)
        await flit(ctx, write_head(6), 1, 0)
        await flit(ctx, 2 << 32 | 1, 0, 0)
        assert await answer(ctx, TIMEOUT + 12) == 1
        assert taken[:2] == [1, 2] and len(taken) == 6
        # What comes late is discarded; a pause shorter than the limit is no error.
        for payload, tail in ((4 << 32 | 3, 0), (6 << 32 | 5, 1)):
            await flit(ctx, payload, 0, tail)
        taken.clear()
        await flit(ctx, write_head(3), 1, 0)
        await flit(ctx, 8 << 32 | 7, 0, 0)
        await ctx.tick().repeat(TIMEOUT - 1)
        await flit(ctx, 9, 0, 1)
        assert await answer(ctx, 8) == 0
        assert taken == [7, 8, 9]

    simulator = Simulator(server)
    simulator.add_clock(1e-8)
    simulator.add_testbench(remember, background=True)
    simulator.add_testbench(bench)
    simulator.run()


def test_an_answer_before_the_request_is_sent_is_an_error_and_nothing_stays_owed() -> None:
    async def bench(ctx: Any, requester: RemoteRequester) -> None:
        ctx.set(requester.inject.ready, 1)
        write = requester.clients[0].write
        for pause in range(3):  # the answer comes before, and as, the last word is sent
            await ask(ctx, requester, 0, write=1, length=2)
            ctx.set(write.valid, 1)
            await ctx.tick().until(write.ready)
            ctx.set(write.valid, 0)
            early = 1 << ERROR_BIT | PacketOperation.WRITE_RESPONSE.value << 22
            ctx.set(requester.eject.payload, {"payload": early, "head": 1, "tail": 1})
            ctx.set(requester.eject.valid, 1)
            if pause < 2:
                await ctx.tick().until(requester.eject.ready)
                ctx.set(requester.eject.valid, 0)
                await ctx.tick().repeat(pause * TIMEOUT + 1)
            ctx.set(write.valid, 1)
            await ctx.tick().until(write.ready)
            ctx.set(requester.eject.valid, 0)
            ctx.set(write.valid, 0)
            assert await answer_words(ctx, requester, 0, TIMEOUT + 10) == [1]
        # Nothing is owed: the next access is carried out.
        assert await is_served(ctx, requester)

    simulate(bench)
