"""One pair of token queue and completion queue, behind its registers."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..layouts.token import INSTANCE_BITS, ControlPacket, Token, TokenKind
from ..library import Block, add_block
from .completion_queue import CompletionQueue
from .instance_range import InstanceRange
from .register_map import Register
from .registers import BY_NAME
from .token_queue import TokenQueue

TOKEN_QUEUE_DEPTH = 8
"""Tokens that the host may send before the network takes them."""

REGISTERS = (
    "token_destination",
    "token_tag",
    "token_room",
    "completion_count",
    "completion_kind",
    "completion_tag",
    "completion_value",
)
"""Those that can be read."""


class QueuePair(Block):
    """What a host process needs: a doorbell for tokens and a queue of completions.

    Parameters
    ----------
    completion_depth: places for completions.

    Ports
    -----
    write_data (in): of the present register access.
    destination_write, tag_write (in): it goes to that register.
    push (in): send a token with the written value; only if there is ``room``.
    pop (in): take the oldest completion; only if ``present``.
    instance (out): of the tag. room (out): a token can be sent.
    present (out): a completion is there.
    full (out): no place for a completion is free. skipping (out): see ``CompletionQueue``.
    token_destination, ... completion_value (out): values of the registers.
    out (out): tokens of the host. token (in): tokens for the host.
    aborted (in), clean (out): see both queues.

    Timing: see both queues.
    """

    def __init__(self, completion_depth: int) -> None:
        self.completion_depth = completion_depth
        super().__init__(
            {
                "write_data": In(32),
                "destination_write": In(1),
                "tag_write": In(1),
                "push": In(1),
                "pop": In(1),
                "instance": Out(INSTANCE_BITS),
                "room": Out(1),
                "present": Out(1),
                "full": Out(1),
                "skipping": Out(1),
                **{name: Out(32) for name in REGISTERS},
                "out": Out(stream.Signature(ControlPacket)),
                "token": In(stream.Signature(Token)),
                "aborted": In(InstanceRange),
                "clean": Out(1),
            },
            completion_depth=completion_depth,
        )

    def elaborate(self, platform: Any) -> Module:
        """Both queues and the registers of the next token."""
        m = Module()
        tokens, completions = TokenQueue(TOKEN_QUEUE_DEPTH), CompletionQueue(self.completion_depth)
        add_block(m, platform, "tokens", tokens)
        add_block(m, platform, "completions", completions)
        connect(m, tokens.out, flipped(self.out))
        connect(m, flipped(self.token), completions.token)
        where, what = BY_NAME["token_destination"], BY_NAME["token_tag"]
        destination = _kept(m, "destination", where, self.destination_write, self.write_data)
        tag = _kept(m, "tag", what, self.tag_write, self.write_data)
        packet = tokens.packet
        m.d.comb += [
            packet.destination.x.eq(_part(destination, where, "x")),
            packet.destination.y.eq(_part(destination, where, "y")),
            packet.token.kind.eq(TokenKind.ARRIVE),
            packet.token.block.eq(_part(destination, where, "block")),
            packet.token.instance.eq(_part(tag, what, "instance")),
            packet.token.index.eq(_part(tag, what, "index")),
            packet.token.value.eq(self.write_data),
            tokens.push.eq(self.push),
            completions.pop.eq(self.pop),
            tokens.aborted.eq(self.aborted),
            completions.aborted.eq(self.aborted),
            self.clean.eq(tokens.clean & completions.clean),
            self.instance.eq(packet.token.instance),
            self.room.eq(tokens.room != 0),
            self.present.eq(completions.present),
            self.full.eq(completions.full),
            self.skipping.eq(completions.skipping),
            self.token_destination.eq(destination),
            self.token_tag.eq(tag),
            self.token_room.eq(tokens.room),
            self.completion_count.eq(completions.count),
            self.completion_value.eq(completions.oldest.value),
        ]
        for name, parts in (
            ("completion_kind", ("kind", "status", "block")),
            ("completion_tag", ("instance", "index")),
        ):
            for part in parts:
                value = Value.cast(getattr(completions.oldest, part))
                m.d.comb += _part(getattr(self, name), BY_NAME[name], part).eq(value)
        return m


def _kept(m: Module, name: str, register: Register, write: Value, written: Value) -> Signal:
    """A register that keeps what is written to its fields."""
    kept = Signal(max(field.low + field.width for field in register.fields), name=name)
    with m.If(write):
        m.d.sync += kept.eq(written)
    return kept


def _part(word: Signal, register: Register, name: str) -> Value:
    """The bits of a field."""
    field = register.field(name)
    return word[field.low : field.low + field.width]
