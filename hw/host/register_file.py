"""The host's registers: identification, queues, commands, interrupts, errors, time."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..config import OctopusConfig
from ..layouts.command import HostOperation
from ..layouts.token import INSTANCE_BITS, ControlPacket, Token, TokenKind
from ..library import Block, add_block
from .address_check import USER_REGION_LAYOUT
from .axi_lite_slave import RegisterAccess
from .instance_range import InstanceRange, contains
from .instance_table import InstanceTable
from .queue_pair import REGISTERS as QUEUE_REGISTERS
from .queue_pair import QueuePair
from .register_map import Access, View
from .registers import BY_NAME, QUEUES, REGISTERS, USER_REGIONS, constants

CYCLE_BITS = 64


class RegisterFile(Block):
    """Holds what ``hw.host.registers`` describes.

    Parameters
    ----------
    config: sizes that the host can read, the completion queues' depth, the instance slots.

    Ports
    -----
    access (in): :class:`RegisterAccess`.
    token_out (out): tokens of the host, a stream of :class:`ControlPacket`.
    token_in (in): tokens for the host; not ready while the queue they belong to is full.
    parity_error (in, a bit a network: control, data): to be counted, and remembered in ``errors``
        like unreachable, stuck, window_error, window_violation (in).
    enforce, regions (out): the users' view of the memory window.
    command_begin, command_operation, command_first, command_last, command_limit (out),
    command_refused, command_status, command_ended (in): to and from ``InstanceCommander``.
    aborted, draining (in): :class:`InstanceRange`.
    queues_clean (out): of the aborted instances none is left in the queues.
    instance (in): looked at; instance_active (out): it is active; instance_clear (in): no longer.
    interrupt_line (out): a cause is there and its interrupt is enabled.

    Timing: accesses are answered in the same cycle; a completion can be read from the third
    cycle after it was taken.

    Errors: accesses that are not allowed raise ``access.error`` and change nothing but ``errors``.

    Source: docs/specification.md, section 9.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        super().__init__(
            {
                "access": In(RegisterAccess()),
                "token_out": Out(stream.Signature(ControlPacket)),
                "token_in": In(stream.Signature(ControlPacket)),
                "parity_error": In(2),
                "unreachable": In(1),
                "stuck": In(1),
                "window_error": In(1),
                "window_violation": In(1),
                "enforce": Out(1),
                "regions": Out(USER_REGION_LAYOUT),
                "command_begin": Out(1),
                "command_operation": Out(HostOperation),
                "command_first": Out(INSTANCE_BITS),
                "command_last": Out(INSTANCE_BITS),
                "command_limit": Out(32),
                "command_refused": In(1),
                "command_status": In(3),
                "command_ended": In(1),
                "aborted": In(InstanceRange),
                "draining": In(InstanceRange),
                "queues_clean": Out(1),
                "instance": In(INSTANCE_BITS),
                "instance_active": Out(1),
                "instance_clear": In(1),
                "interrupt_line": Out(1),
            },
            config=config.model_dump(exclude={"name"}),
        )

    def elaborate(self, platform: Any) -> Module:
        """Build queues, the registers that hold something, and the decoder."""
        m = Module()
        self._values: dict[str, Any] = dict(constants(self.config))
        self._errors: dict[str, Value] = {}
        self._selected = {name: Signal(name=f"selects_{name}") for name in BY_NAME}
        self._hits = {name: Signal(name=f"hits_{name}") for name in BY_NAME}
        self._permitted = Signal()
        self._allowed = Signal()
        self._refused = Signal()
        for name, register in BY_NAME.items():
            m.d.sync += self._hits[name].eq(self.access.address == register.offset)
            m.d.comb += self._selected[name].eq(
                self.access.select & self._allowed & self._hits[name]
            )
        self._time(m)
        self._parity(m)
        self._users(m)
        self._pairs = {
            prefix: QueuePair(self.config.host.completion_queue_depth) for prefix in QUEUES
        }
        self._send(m, platform)
        self._receive(m)
        self._commands(m)
        self._interrupts(m)
        self._decode(m)
        return m

    def _written(self, name: str) -> Value:
        return self._selected[name] & self.access.write

    def _read(self, name: str) -> Value:
        return self._selected[name] & ~self.access.write

    def _time(self, m: Module) -> None:
        """The cycle counter; its high half is held when the low half is read."""
        cycles = Signal(CYCLE_BITS)
        high = Signal(CYCLE_BITS // 2)
        m.d.sync += cycles.eq(cycles + 1)
        with m.If(self._read("cycles_low")):
            m.d.sync += high.eq(cycles[CYCLE_BITS // 2 :])
        self._values["cycles_low"] = cycles[: CYCLE_BITS // 2]
        self._values["cycles_high"] = high

    def _parity(self, m: Module) -> None:
        """A counter a network of flits with wrong parity."""
        counts = []
        for field, wrong in zip(BY_NAME["parity_counts"].fields, self.parity_error, strict=True):
            count = Signal(field.width, name=f"parity_count_{field.name}")
            m.d.sync += count.eq(count + wrong)
            counts.append(count)
        self._values["parity_counts"] = Cat(counts)

    def _store(self, m: Module, name: str) -> dict[str, Value]:
        """A register that the host writes and reads back: only its fields' bits exist."""
        register, word = BY_NAME[name], Signal(32, name=f"{name}_word")
        parts: dict[str, Value] = {}
        for field in register.fields:
            kept = parts[field.name] = Signal(field.width, name=f"{name}_{field.name}")
            bits = slice(field.low, field.low + field.width)
            m.d.comb += word[bits].eq(kept)
            with m.If(self._written(name)):
                m.d.sync += kept.eq(self.access.write_data[bits])
        self._values[name] = word
        return parts

    def _users(self, m: Module) -> None:
        """What users may do, and whether the present access is a user's."""
        view = self._store(m, "user_view")
        self._user_instances = Signal(InstanceRange)
        self._by_user = Signal()
        m.d.comb += [
            self.enforce.eq(view["enforce"]),
            self._by_user.eq(view["enforce"] & ~self.access.privileged),
            self._user_instances.valid.eq(view["enforce"]),
            self._user_instances.first.eq(view["first"]),
            self._user_instances.last.eq(view["last"]),
        ]
        for index in range(USER_REGIONS):
            first = self._store(m, f"user_region_{index}_first")
            last = self._store(m, f"user_region_{index}_last")
            region = self.regions[index]
            m.d.comb += [
                region.read.eq(first["read"]),
                region.write.eq(first["write"]),
                region.first.eq(first["word"]),
                region.last.eq(last["word"]),
            ]

    def _send(self, m: Module, platform: Any) -> None:
        """Both token queues, and which tokens are let in."""
        self._table = table = InstanceTable(self.config.control_block_unit.instances)
        add_block(m, platform, "instances", table)
        m.d.comb += [
            table.cleared.eq(self.instance),
            table.clear.eq(self.instance_clear),
            self.instance_active.eq(table.cleared_active),
            self.access.wait.eq(Cat(pair.skipping for pair in self._pairs.values()).any()),
            self.queues_clean.eq(Cat(pair.clean for pair in self._pairs.values()).all()),
        ]
        overruns, refusals, pushes = [], [], []
        for prefix, pair in self._pairs.items():
            add_block(m, platform, f"{prefix}queues", pair)
            push = self._written(f"{prefix}token_value")
            instance = pair.instance
            barred = Signal(name=f"{prefix}barred")
            closed, drains = Signal(name=f"{prefix}closed"), Signal(name=f"{prefix}drains")
            m.d.sync += [
                closed.eq(
                    contains(self.aborted, instance)
                    | (self._by_user & ~contains(self._user_instances, instance))
                ),
                drains.eq(contains(self.draining, instance)),
            ]
            m.d.comb += [
                barred.eq(closed | (drains & ~table.started_active)),
                pair.write_data.eq(self.access.write_data),
                pair.destination_write.eq(self._written(f"{prefix}token_destination")),
                pair.tag_write.eq(self._written(f"{prefix}token_tag")),
                pair.push.eq(push & pair.room & ~barred),
                pair.pop.eq(self._read(f"{prefix}completion_value") & pair.present),
                pair.aborted.eq(self.aborted),
            ]
            overruns.append(push & ~pair.room)
            refusals.append(push & pair.room & barred)
            pushes.append(pair.push)
            with m.If(self.access.address == BY_NAME[f"{prefix}token_value"].offset):
                m.d.comb += table.started.eq(instance)
            self._values |= {f"{prefix}{name}": getattr(pair, name) for name in QUEUE_REGISTERS}
        m.d.comb += [
            self._refused.eq(Cat(overruns, refusals).any()),
            table.start.eq(Cat(pushes).any()),
        ]
        self._errors |= {"overrun": Cat(overruns).any(), "refused": Cat(refusals).any()}
        self._values["active_instances"] = table.count
        waiting = Cat(pair.out.valid for pair in self._pairs.values())
        grant = Signal(len(self._pairs))
        taken = self.token_out.valid & self.token_out.ready
        m.d.comb += [
            grant.eq(arbitrate(m, platform, "arbiter", waiting, taken)),
            self.token_out.valid.eq(waiting.any()),
        ]
        for index, pair in enumerate(self._pairs.values()):
            m.d.comb += pair.out.ready.eq(self.token_out.ready & grant[index])
            with m.If(grant[index]):
                m.d.comb += self.token_out.payload.eq(pair.out.payload)

    def _receive(self, m: Module) -> None:
        """Tokens for the host: to a completion queue, to the events, or to nowhere."""
        token, supervisor, user = self._staged(m), *self._pairs.values()
        notice = Signal()
        unwanted = Signal()
        for_user = Signal()
        for_supervisor = Signal()
        comes = self._coming & self._taken
        m.d.comb += [
            notice.eq((token.kind != TokenKind.COMPLETE) & (token.kind != TokenKind.FAULT)),
            unwanted.eq(~notice & contains(self.aborted, token.instance)),
            for_user.eq(
                ~notice & ~unwanted & contains(self._user_instances, token.instance) & ~user.full
            ),
            for_supervisor.eq(~notice & ~unwanted & ~for_user),
            user.token.payload.eq(token),
            user.token.valid.eq(self._coming & for_user),
            supervisor.token.payload.eq(token),
            supervisor.token.valid.eq(self._coming & for_supervisor),
            self._taken.eq(
                Mux(for_user, user.token.ready, ~for_supervisor | supervisor.token.ready)
            ),
            self._table.ended.eq(token.instance),
            self._table.end.eq(comes & (token.kind == TokenKind.COMPLETE)),
        ]
        self._events(m, token, comes & notice)

    def _staged(self, m: Module) -> Signal:
        """The token for the host that is looked at: it waits here for its place in a queue."""
        token = Signal(Token)
        self._coming = Signal()
        self._taken = Signal()
        m.d.comb += self.token_in.ready.eq(~self._coming | self._taken)
        with m.If(self.token_in.ready):
            m.d.sync += [
                self._coming.eq(self.token_in.valid),
                token.eq(self.token_in.payload.token),
            ]
        return token

    def _events(self, m: Module, token: Signal, comes: Value) -> None:
        """What notices told, and the cluster of the latest."""
        events, word = Signal(32, name="event_bits"), Signal(32, name="event_source_word")
        raised = Signal(32)
        cleared = Signal(32)
        event, cluster = token.block[:5], token.index
        fields = {"x": cluster[:5], "y": cluster[5:10], "event": event}
        for field in BY_NAME["event_source"].fields:
            bits = slice(field.low, field.low + field.width)
            with m.If(comes):
                m.d.sync += word[bits].eq(fields[field.name])
        with m.If(comes):
            m.d.comb += raised.eq(Const(1, 32) << event)
        with m.If(self._written("events")):
            m.d.comb += cleared.eq(self.access.write_data)
        m.d.sync += events.eq((events & ~cleared) | raised)
        self._values |= {"event_source": word, "events": events}

    def _commands(self, m: Module) -> None:
        """Hand commands to the commander."""
        command, word = BY_NAME["command"], self.access.write_data
        limit = Signal(32, name="command_limit_word")
        with m.If(self._written("command_limit")):
            m.d.sync += limit.eq(word)
        m.d.comb += [
            self.command_begin.eq(self._written("command")),
            self.command_limit.eq(limit),
        ]
        for name in ("operation", "first", "last"):
            field = command.field(name)
            m.d.comb += getattr(self, f"command_{name}").eq(
                word[field.low : field.low + field.width]
            )
        self._values |= {"command_status": self.command_status, "command_limit": limit}

    def _interrupts(self, m: Module) -> None:
        """Sticky error bits (an event wins over a clear at the same time), and interrupt causes."""
        self._errors |= {
            "parity": self.parity_error.any(),
            "unreachable": self.unreachable,
            "stuck": self.stuck,
            "violation": self.window_violation
            | (self.access.select & self._by_user & ~self._allowed),
            "window": self.window_error,
        }
        errors = self._sticky(m, "errors", self._errors)
        ended = self._sticky(m, "interrupt_status", {"command": self.command_ended})
        causes = {
            "completion": self._pairs[""].present,
            "user_completion": self._pairs["user_"].present,
            "event": self._values["events"].any(),
            "error": errors.any(),
            "command": ended.any(),
        }
        enabled = self._store(m, "interrupt_enable")
        status = Cat(causes[field.name] for field in BY_NAME["interrupt_status"].fields)
        self._values |= {"errors": errors, "interrupt_status": status}
        wanted = Cat(causes[name] & bit for name, bit in enabled.items())
        m.d.sync += self.interrupt_line.eq(wanted.any())

    def _sticky(self, m: Module, name: str, events: dict[str, Value]) -> Value:
        """Bits of a register that stay set until the host writes 1 to them."""
        bits = []
        for field in BY_NAME[name].fields:
            if field.name not in events:
                continue
            bit = Signal(name=f"{name}_{field.name}_set")
            bits.append(bit)
            with m.If(events[field.name]):
                m.d.sync += bit.eq(1)
            with m.Elif(self._written(name) & self.access.write_data[field.low]):
                m.d.sync += bit.eq(0)
        return Cat(bits)

    def _decode(self, m: Module) -> None:
        """The value read, and whether the access is allowed: decoded a cycle before the access."""
        access = self.access
        m.d.sync += [self._permitted.eq(0), self._allowed.eq(1)]
        with m.Switch(access.address):
            for register in REGISTERS:
                with m.Case(register.offset):
                    m.d.sync += self._permitted.eq(
                        Mux(access.write, register.access.writable, register.access.readable)
                    )
                    if register.view is View.PRIVILEGED:
                        m.d.sync += self._allowed.eq(~self._by_user)
                    elif register.view is View.READ_ONLY:
                        m.d.sync += self._allowed.eq(~self._by_user | ~access.write)
        failures, values = [], []
        for register in REGISTERS:
            hit = self._hits[register.name]
            failures.append(hit & self._failure(register.name, register.access))
            if register.access.readable:
                word = Signal(32, name=f"{register.name}_shown")
                m.d.comb += word.eq(self._values[register.name])
                values.append(word & hit.replicate(32))
        m.d.comb += [
            access.read_data.eq(_any_of(values)),
            access.error.eq(~self._permitted | ~self._allowed | Cat(failures).any()),
        ]

    def _failure(self, name: str, access: Access) -> Value:
        """What makes an access fail that the register's description allows."""
        if name == "command":
            return self.command_refused
        if access is Access.PUSH:
            return self._refused
        if access is Access.POP:
            return ~self._pairs["user_" if name.startswith("user_") else ""].present
        return Const(0, 1)


def _any_of(words: list[Value]) -> Value:
    """The OR of all words, as a tree."""
    while len(words) > 1:
        words = [
            words[i] | words[i + 1] if i + 1 < len(words) else words[i]
            for i in range(0, len(words), 2)
        ]
    return words[0]
