"""cocotb tests of the host's registers: identity, tokens, commands, views, interrupts.

Toplevel: ``HostTestbed``, which sends every token back (see there). The expectation is the golden
model of the registers.
"""

import random
from collections import Counter
from itertools import product
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiProt, AxiResp

from octopus.hw.host.register_map import View
from octopus.hw.host.registers import BY_NAME, REGISTERS, constants
from octopus.hw.layouts.command import ClusterCommand, CommandOperation, HostOperation
from octopus.hw.layouts.space import CONFIGURATION_BIT, ClusterRegister, address_of
from octopus.hw.layouts.token import TokenKind
from octopus.hw.layouts.words import pack
from octopus.verify.bench.host_masters import CONFIG, PRIVILEGED, USER, Host, clock_and_reset
from octopus.verify.bench.host_testbed import HOLD_REGISTER
from octopus.verify.golden.host import HostTokenModel, RegisterModel

INSTANCES = CONFIG.control_block_unit.instances
DEPTH = CONFIG.host.completion_queue_depth
COMPLETE, FAULT = TokenKind.COMPLETE.value, TokenKind.FAULT.value
HOLD = address_of(0, 0, (1 << CONFIGURATION_BIT) + 4 * HOLD_REGISTER)
OPERATIONS = 500
SETTLED = 12
"""Cycles after which a token has come back."""


def _returned(token: HostTokenModel) -> HostTokenModel:
    """What the testbed makes of a token."""
    kind, status = token.value & 3, token.value >> 2 & 15
    return HostTokenModel(
        kind, status, token.block, token.instance, token.index, token.value ^ 0xFFFFFFFF
    )


def _model() -> RegisterModel:
    return RegisterModel(constants(CONFIG), INSTANCES, DEPTH)


async def _send(host: Host, instance: int, value: int, prefix: str = "", **tag: int) -> AxiResp:
    """Send a token for an instance; the value's low bits say what comes back."""
    word = BY_NAME["token_tag"].compose(instance=instance, index=tag.get("index", 0))
    assert await host.write_register(f"{prefix}token_tag", word) == AxiResp.OKAY
    return await host.write_register(f"{prefix}token_value", value)


async def _send_some(host: Host, generator: random.Random, count: int) -> list[tuple[int, int]]:
    """Send tokens of any instances; instance and value of each."""
    sent = []
    for _ in range(count):
        instance = generator.randrange(INSTANCES)
        value = generator.getrandbits(30) << 2 | generator.choice((COMPLETE, FAULT))
        assert await _send(host, instance, value) == AxiResp.OKAY
        sent.append((instance, value))
    return sent


async def _command(host: Host, operation: HostOperation, first: int, last: int) -> AxiResp:
    word = BY_NAME["command"].compose(operation=operation.value, first=first, last=last)
    return await host.write_register("command", word)


async def _ended(host: Host, patience: int = 3000) -> dict[str, int]:
    """The status of the command, when it has ended."""
    for _ in range(patience):
        status = BY_NAME["command_status"].extract(await host.read_register("command_status"))
        if not status["busy"]:
            return status
    raise AssertionError("the command does not end")


async def _hold(host: Host, held: bool) -> None:
    """Keep tokens on their way, or let them come."""
    answer = await host.write(HOLD, int(held).to_bytes(4, "little"))
    assert answer == AxiResp.OKAY


@cocotb.test()
async def registers_say_how_the_chip_is_built(dut: Any) -> None:
    """Constant registers hold the configuration and cannot be written; time goes on."""
    host = Host(dut, await clock_and_reset(dut))
    for name, value in constants(CONFIG).items():
        assert await host.read_register(name) == value, name
        assert await host.write_register(name, 1) == AxiResp.SLVERR, name
    before = await host.read_register("cycles_low")
    await ClockCycles(dut.clk, 100)
    passed = await host.read_register("cycles_low") - before
    assert 100 <= passed < 130
    assert await host.read_register("cycles_high") == 0


class _Random:
    """Random register accesses, weighted so that something happens."""

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.names = [register.name for register in REGISTERS]
        busy = ("token_tag", "token_value", "token_value", "completion_kind", "completion_value")
        self.often = [f"{prefix}{name}" for prefix in ("", "user_") for name in busy]
        self.destinations = [BY_NAME[f"{p}token_destination"].offset for p in ("", "user_")]
        self.often += [
            "user_token_destination",
            "errors",
            "interrupt_status",
            "interrupt_enable",
            "events",
            "command",
        ]

    def offset(self) -> int:
        """Where to: mostly a register, now and then none."""
        if self.generator.random() < 0.05:
            return self.generator.randrange(1 << 12)
        names = self.often if self.generator.random() < 0.7 else self.names
        return BY_NAME[self.generator.choice(names)].offset

    def value(self, offset: int) -> int:
        """What to write there."""
        generator = self.generator
        if offset == BY_NAME["command"].offset:
            return BY_NAME["command"].compose(
                operation=generator.choice((1, 2, 3, 3, generator.randrange(16))),
                first=generator.randrange(INSTANCES),
                last=generator.randrange(INSTANCES),
            )
        if offset == BY_NAME["command_limit"].offset:
            return 0
        if offset in self.destinations and generator.random() < 0.8:
            return BY_NAME["token_destination"].compose(block=generator.randrange(1024))
        if offset == BY_NAME["user_view"].offset:
            return BY_NAME["user_view"].compose(
                enforce=generator.random() < 0.8,
                first=generator.randrange(INSTANCES),
                last=generator.randrange(INSTANCES),
            )
        if offset in (BY_NAME["token_tag"].offset, BY_NAME["user_token_tag"].offset):
            instances = generator.choice((INSTANCES, INSTANCES, 256))
            return BY_NAME["token_tag"].compose(
                instance=generator.randrange(instances), index=generator.randrange(1 << 12)
            )
        if offset in (BY_NAME["token_value"].offset, BY_NAME["user_token_value"].offset):
            return generator.getrandbits(30) << 2 | generator.choice((0, COMPLETE, COMPLETE, FAULT))
        return generator.getrandbits(32)


@cocotb.test()
async def random_accesses(dut: Any) -> None:
    """Any access by anybody, on all registers, with stalls, step by step as the model says."""
    generator = await clock_and_reset(dut)
    host, model, stimulus = Host(dut, generator, stalls=True), _model(), _Random(generator)
    met: Counter[tuple[str, str, str]] = Counter()
    views = {register.offset: register.view.name for register in REGISTERS}
    wanted = set(product(("read", "write"), ("privileged", "user"), ("OKAY", "SLVERR")))
    wanted |= set(product(("view",), [view.name for view in View], ("OKAY", "SLVERR")))
    number = 0
    while number < OPERATIONS or (wanted - set(met) and number < 10 * OPERATIONS):
        number += 1
        offset, prot = stimulus.offset(), generator.choice((PRIVILEGED, USER))
        privileged, where = prot == PRIVILEGED, f"{number}: {offset:#x} by {prot.name}"
        write = generator.random() < 0.6
        if write:
            value = stimulus.value(offset)
            partial = generator.random() < 0.05 or offset % 4
            strobes = 1 if partial else 0xF
            content = value.to_bytes(4, "little")[: 1 if partial else 4]
            expected = model.write(offset, value, strobes, privileged)
            found = await host.write_bytes(offset, content, prot)
            assert found == expected, f"{where}: write {value:#x} answered {found.name}"
        else:
            offset = offset // 4 * 4
            expected, right = model.read(offset, privileged)
            found, value = await host.try_register(offset, prot)
            assert found == expected, f"{where}: read answered {found.name}"
            assert right is None or value == right, f"{where}: {value:#x}, expected {right:#x}"
        met["write" if write else "read", "privileged" if privileged else "user", found.name] += 1
        met["view", views.get(offset, "none"), found.name] += 1
        if model.sent:
            await ClockCycles(dut.clk, SETTLED)
        for x, y, token in model.sent:
            if x < CONFIG.mesh.columns and y < CONFIG.mesh.rows:
                model.come(_returned(token))
            else:
                model.note("unreachable")
        model.sent.clear()
        commanded = write and offset == BY_NAME["command"].offset
        if commanded and found == AxiResp.OKAY and not model.drains:
            await _ended(host)
        await ClockCycles(dut.clk, 3)
        for _ in range(2 * DEPTH):  # tokens that were struck out leave before the next is known
            if bool(int(dut.interrupt_line.value)) == model.interrupt_line:
                break
            await ClockCycles(dut.clk, 1)
        assert bool(int(dut.interrupt_line.value)) == model.interrupt_line, where
        if max(map(len, model.queues.values())) > DEPTH - 4:
            for name in ("completion_value", "user_completion_value"):
                while model.read(BY_NAME[name].offset, True)[0] == AxiResp.OKAY:
                    await host.read_register(name)
            assert await host.read_register("completion_count") == 0
    assert wanted <= set(met), f"not met: {sorted(wanted - set(met))}"


@cocotb.test()
async def tokens_come_back_in_order(dut: Any) -> None:
    """Every token returns once and in order, also when queues overflow; the interrupt tells."""
    generator = await clock_and_reset(dut)
    host = Host(dut, generator, stalls=True)
    destination = BY_NAME["token_destination"]
    assert (await host.try_register(BY_NAME["completion_value"].offset))[0] == AxiResp.SLVERR
    await host.write_register("interrupt_enable", 1)
    assert not int(dut.interrupt_line.value)
    sent = []
    while True:
        block, instance, index = (generator.randrange(limit) for limit in (1024, 256, 4096))
        value = generator.getrandbits(30) << 2 | COMPLETE
        await host.write_register("token_destination", destination.compose(block=block))
        if await _send(host, instance, value, index=index) != AxiResp.OKAY:
            break
        sent.append((block, instance, index, value))
    assert len(sent) > DEPTH, "a token was refused although there was room"
    assert BY_NAME["errors"].extract(await host.read_register("errors"))["overrun"]
    await host.write_register("errors", BY_NAME["errors"].mask)
    assert await host.read_register("errors") == 0
    assert int(dut.interrupt_line.value)
    for block, instance, index, value in sent:
        kind = BY_NAME["completion_kind"].extract(await host.read_register("completion_kind"))
        tag = BY_NAME["completion_tag"].extract(await host.read_register("completion_tag"))
        assert (kind["kind"], kind["block"]) == (COMPLETE, block)
        assert kind["status"] == value >> 2 & 15
        assert (tag["instance"], tag["index"]) == (instance, index)
        assert await host.read_register("completion_value") == value ^ 0xFFFFFFFF
    assert await host.read_register("completion_count") == 0
    await ClockCycles(dut.clk, 3)
    assert not int(dut.interrupt_line.value)


@cocotb.test()
async def an_abort_leaves_nothing_of_its_instances(dut: Any) -> None:
    """Tokens in every queue and on their way: those of the range vanish, all others arrive."""
    generator = await clock_and_reset(dut)
    host = Host(dut, generator)
    for round_number in range(6):
        doomed = range(*sorted(generator.sample(range(INSTANCES + 1), 2)))
        sent = await _send_some(host, generator, generator.randrange(12))
        await ClockCycles(dut.clk, SETTLED)
        await _hold(host, True)
        sent += await _send_some(host, generator, generator.randrange(1, 20))
        abort = HostOperation.ABORT
        assert await _command(host, abort, doomed.start, doomed.stop - 1) == AxiResp.OKAY
        assert await _command(host, HostOperation.ADMIT, 0, 0) == AxiResp.SLVERR, "while aborting"
        away = any(instance in doomed for instance, _ in sent[-20:])
        if away:
            assert await _send(host, doomed.start, COMPLETE) == AxiResp.SLVERR
            assert BY_NAME["errors"].extract(await host.read_register("errors"))["refused"]
        await ClockCycles(dut.clk, 500)
        held = BY_NAME["command_status"].extract(await host.read_register("command_status"))
        if held["busy"]:
            assert away, "busy although no token of these instances is on its way"
        await _hold(host, False)
        assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 0}
        status = BY_NAME["interrupt_status"].extract(await host.read_register("interrupt_status"))
        assert status["command"]
        await host.write_register("interrupt_status", BY_NAME["interrupt_status"].mask)
        await ClockCycles(dut.clk, 2 * SETTLED + len(sent))
        kept = [(instance, value) for instance, value in sent if instance not in doomed]
        assert await host.read_register("completion_count") == len(kept), round_number
        found = []
        for _ in kept:
            tag = BY_NAME["completion_tag"].extract(await host.read_register("completion_tag"))
            value = await host.read_register("completion_value") ^ 0xFFFFFFFF
            found.append((tag["instance"], value))
        assert found == kept
        # The instances can be used at once, and nothing of before comes.
        assert await _send(host, doomed.start, COMPLETE) == AxiResp.OKAY
        await ClockCycles(dut.clk, SETTLED)
        assert await host.read_register("completion_value") == COMPLETE ^ 0xFFFFFFFF
        await _command(host, HostOperation.ABORT, 0, 255)
        await _ended(host)
        assert await host.read_register("active_instances") == 0


@cocotb.test()
async def every_cluster_is_told(dut: Any) -> None:
    """An abort writes ABORT, then OPEN, to COMMAND of each cluster, and awaits COMMAND_STATUS."""
    host = Host(dut, await clock_and_reset(dut))
    space = 1 << CONFIGURATION_BIT
    places = [(x, y) for y in range(CONFIG.mesh.rows) for x in range(CONFIG.mesh.columns)]

    async def word(x: int, y: int, offset: int, value: int | None = None) -> int:
        address = address_of(x, y, space + offset)
        if value is not None:
            assert await host.write(address, value.to_bytes(4, "little")) == AxiResp.OKAY
            return value
        response, content = await host.read(address, 4)
        assert response == AxiResp.OKAY
        return int.from_bytes(content, "little")

    def command(operation: CommandOperation) -> int:
        return pack(ClusterCommand, {"operation": operation, "first": 1, "last": 3})[0]

    busy = places[-1]
    await word(*busy, ClusterRegister.COMMAND_STATUS, 1)
    await _command(host, HostOperation.ABORT, 1, 3)
    await ClockCycles(dut.clk, 300 * len(places))
    for place in places:
        assert await word(*place, ClusterRegister.COMMAND) == command(CommandOperation.ABORT)
    assert await host.read_register("command_status") == 1
    await word(*busy, ClusterRegister.COMMAND_STATUS, 0)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 0}
    for place in places:
        assert await word(*place, ClusterRegister.COMMAND) == command(CommandOperation.OPEN)
    # A cluster that stays busy: the command is given up, and another one can be given.
    await word(*busy, ClusterRegister.COMMAND_STATUS, 1)
    await host.write_register("command_limit", 4000)
    await _command(host, HostOperation.ABORT, 1, 3)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 1}
    await word(*busy, ClusterRegister.COMMAND_STATUS, 0)
    await _command(host, HostOperation.ABORT, 1, 3)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 0}


@cocotb.test()
async def a_drain_lets_instances_end(dut: Any) -> None:
    """Draining instances cannot start, active ones go on; the command ends with the last one."""
    host = Host(dut, await clock_and_reset(dut))
    await _hold(host, True)
    for instance in (0, 1, 3):
        assert await _send(host, instance, COMPLETE) == AxiResp.OKAY
    assert await host.read_register("active_instances") == 3
    assert await _command(host, HostOperation.DRAIN, 0, 2) == AxiResp.OKAY
    assert await _send(host, 2, COMPLETE) == AxiResp.SLVERR, "it drains and is not active"
    assert await _send(host, 1, FAULT) == AxiResp.OKAY, "it drains, but is active"
    assert await _send(host, 4, COMPLETE) == AxiResp.OKAY, "it does not drain"
    assert await host.read_register("command_status") == 1
    await _hold(host, False)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 0}
    assert await host.read_register("active_instances") == 0
    assert await _send(host, 0, COMPLETE) == AxiResp.SLVERR, "it still drains"
    assert await _command(host, HostOperation.ADMIT, 0, 0) == AxiResp.OKAY
    assert await _send(host, 0, COMPLETE) == AxiResp.OKAY
    # A drain of an instance that never ends is given up, or replaced.
    assert await _send(host, 5, FAULT) == AxiResp.OKAY
    await host.write_register("command_limit", 200)
    await _command(host, HostOperation.DRAIN, 5, 5)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 1}
    await host.write_register("command_limit", 0)
    await _command(host, HostOperation.DRAIN, 5, 5)
    assert await host.read_register("command_status") == 1
    await _command(host, HostOperation.ABORT, 0, 255)
    assert await _ended(host) == {"busy": 0, "failed": 0, "timed_out": 0}
    assert await host.read_register("active_instances") == 0


@cocotb.test()
async def users_have_a_queue_of_their_own(dut: Any) -> None:
    """The user's tokens come to the user's queue; when it is full, to the supervisor's."""
    host = Host(dut, await clock_and_reset(dut))
    view = BY_NAME["user_view"].compose(enforce=1, first=2, last=3)
    await host.write_register("user_view", view)
    assert await host.write_register("user_token_tag", 2, USER) == AxiResp.OKAY
    for number in range(DEPTH + 3):
        value = number << 6 | COMPLETE
        assert await host.write_register("user_token_value", value, USER) == AxiResp.OKAY
        await ClockCycles(dut.clk, SETTLED)
    assert await host.read_register("user_completion_count", USER) == DEPTH
    assert await host.read_register("completion_count") == 3
    for number in (*range(DEPTH), *range(DEPTH, DEPTH + 3)):
        name = "user_completion_value" if number < DEPTH else "completion_value"
        prot = USER if number < DEPTH else PRIVILEGED
        assert await host.read_register(name, prot) == (number << 6 | COMPLETE) ^ 0xFFFFFFFF
    assert await host.write_register("user_token_tag", 4, USER) == AxiResp.OKAY
    assert await host.write_register("user_token_value", COMPLETE, USER) == AxiResp.SLVERR
    answer = await host.try_register(BY_NAME["completion_kind"].offset, AxiProt(0))
    assert answer == (AxiResp.SLVERR, 0), "a refused read must show nothing"
