"""The host's registers: identification, tokens in, completions out, errors, time."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..config import OctopusConfig
from ..layouts.token import ControlPacket, Token, TokenKind
from ..library import Block
from .axi_lite_slave import RegisterAccess
from .registers import BY_NAME, REGISTERS, Access, constants

TOKEN_QUEUE_DEPTH = 8
"""Tokens that the host may send before the network takes them."""

CYCLE_BITS = 64


class RegisterFile(Block):
    """Holds what ``hw.host.registers`` describes.

    Parameters
    ----------
    config: sizes that the host can read, and the depth of the completion queue.

    Ports
    -----
    access (in): :class:`RegisterAccess`.
    token_out (out): tokens of the host, a stream of :class:`ControlPacket`.
    token_in (in): tokens for the host; not ready while the completion queue is full.
    parity_error, unreachable (in): events to be remembered in ``errors``.
    interrupt_line (out): the completion queue is not empty and its interrupt is enabled.

    Timing: accesses are answered in the same cycle; a completion can be read from the second
    cycle after it was taken.

    Errors: unknown registers, writes to read-only ones, pushes without room and pops without a
    completion raise ``access.error`` and change nothing but ``errors``.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.config = config
        super().__init__(
            {
                "access": In(RegisterAccess()),
                "token_out": Out(stream.Signature(ControlPacket)),
                "token_in": In(stream.Signature(ControlPacket)),
                "parity_error": In(1),
                "unreachable": In(1),
                "interrupt_line": Out(1),
            },
            config=config.model_dump(exclude={"name"}),
        )

    def elaborate(self, platform: Any) -> Module:
        """Build queues, the registers that hold something, and the decoder."""
        m = Module()
        self._values: dict[str, Any] = dict(constants(self.config))
        self._selected = {name: Signal(name=f"selects_{name}") for name in BY_NAME}
        for name, register in BY_NAME.items():
            m.d.comb += self._selected[name].eq(
                self.access.select & (self.access.address == register.offset)
            )
        self._refused = Signal()
        self._time(m)
        self._tokens(m)
        self._completions(m)
        self._errors(m)
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

    def _store(self, m: Module, name: str) -> Signal:
        """A register that the host writes and reads back: only its fields' bits exist."""
        width = max(field.low + field.width for field in BY_NAME[name].fields)
        register = Signal(width, name=name)
        with m.If(self._written(name)):
            m.d.sync += register.eq(self.access.write_data)
        self._values[name] = register
        return register

    def _tokens(self, m: Module) -> None:
        """Registers of the next token, and the queue of tokens on their way out."""
        destination = self._store(m, "token_destination")
        tag = self._store(m, "token_tag")
        shape = data.Layout.cast(ControlPacket)
        queue = SyncFIFOBuffered(width=shape.size, depth=TOKEN_QUEUE_DEPTH)
        m.submodules.token_queue = queue
        packet = Signal(ControlPacket)
        where, what = BY_NAME["token_destination"], BY_NAME["token_tag"]
        m.d.comb += [
            packet.destination.x.eq(_part(destination, where.field("x"))),
            packet.destination.y.eq(_part(destination, where.field("y"))),
            packet.token.kind.eq(TokenKind.ARRIVE),
            packet.token.block.eq(_part(destination, where.field("block"))),
            packet.token.instance.eq(_part(tag, what.field("instance"))),
            packet.token.index.eq(_part(tag, what.field("index"))),
            packet.token.value.eq(self.access.write_data),
            queue.w_data.eq(packet),
            queue.w_en.eq(self._written("token_value") & queue.w_rdy),
            self.token_out.payload.eq(queue.r_data),
            self.token_out.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.token_out.ready),
            self._refused.eq(self._written("token_value") & ~queue.w_rdy),
        ]
        self._values["token_room"] = TOKEN_QUEUE_DEPTH - queue.level

    def _completions(self, m: Module) -> None:
        """The completion queue and the registers that show its oldest entry."""
        width = data.Layout.cast(Token).size
        queue = SyncFIFOBuffered(width=width, depth=self.config.host.completion_queue_depth)
        m.submodules.completion_queue = queue
        enable = self._store(m, "interrupt_enable")
        oldest = Signal(Token)
        m.d.comb += [
            queue.w_data.eq(self.token_in.payload.token),
            queue.w_en.eq(self.token_in.valid),
            self.token_in.ready.eq(queue.w_rdy),
            queue.r_en.eq(self._read("completion_value")),
        ]
        with m.If(queue.r_rdy):
            m.d.comb += oldest.eq(queue.r_data)
        m.d.sync += self.interrupt_line.eq(queue.r_rdy & enable[0])
        kind, tag = Signal(32), Signal(32)
        for word, register, parts in (
            (kind, "completion_kind", ("kind", "status", "block")),
            (tag, "completion_tag", ("instance", "index")),
        ):
            for part in parts:
                field = BY_NAME[register].field(part)
                value = Value.cast(getattr(oldest, part))
                m.d.comb += word[field.low : field.low + field.width].eq(value)
        self._values |= {
            "interrupt_status": queue.r_rdy,
            "completion_count": queue.level,
            "completion_kind": kind,
            "completion_tag": tag,
            "completion_value": oldest.value,
        }
        self._empty = ~queue.r_rdy

    def _errors(self, m: Module) -> None:
        """Sticky error bits: an event wins over a clear in the same cycle."""
        errors = Signal(len(BY_NAME["errors"].fields))
        events = {
            "parity": self.parity_error,
            "unreachable": self.unreachable,
            "overrun": self._refused,
        }
        for field in BY_NAME["errors"].fields:
            clears = self._written("errors") & self.access.write_data[field.low]
            with m.If(events[field.name]):
                m.d.sync += errors[field.low].eq(1)
            with m.Elif(clears):
                m.d.sync += errors[field.low].eq(0)
        self._values["errors"] = errors

    def _decode(self, m: Module) -> None:
        """The value read, and whether the access is allowed."""
        writable = (Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR, Access.PUSH)
        m.d.comb += self.access.error.eq(1)
        with m.Switch(self.access.address):
            for register in REGISTERS:
                with m.Case(register.offset):
                    readable = register.access is not Access.PUSH
                    allowed = Value.cast(readable)
                    if register.access is Access.POP:
                        allowed = ~self._empty
                    if readable:
                        m.d.comb += self.access.read_data.eq(self._values[register.name])
                    with m.If(self.access.write):
                        m.d.comb += self.access.error.eq(register.access not in writable)
                        if register.access is Access.PUSH:
                            m.d.comb += self.access.error.eq(self._refused)
                    with m.Else():
                        m.d.comb += self.access.error.eq(~allowed)


def _part(register: Signal, field: Any) -> Value:
    return register[field.low : field.low + field.width]
