"""What an input stores beside a flit: where it goes, and in which bits that is held."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Value
from amaranth.lib import data

from .link import Port, channel_shape


class RouteNote(data.StructLayout):
    """What is stored beside a flit.

    ``outputs``: the sides it may leave by, a bit a :class:`Port`. ``channel``: its channel in the
    next router, or the preferred one. ``head``, ``tail``: first, last flit of its packet.
    """

    def __init__(self, virtual_channels: int) -> None:
        super().__init__(
            {
                "outputs": len(Port),
                "channel": channel_shape(virtual_channels),
                "head": 1,
                "tail": 1,
            }
        )


@dataclass(frozen=True)
class NoteFormat:
    """The bits of notes in memory: nothing that is constant, nothing in more bits than needed.

    ``turns``: the sides that flits of this input may leave by. ``one_way``: each leaves by one of
    them, whose number is stored. ``has_channel``: there is more than one channel to name.
    ``single_flit``: no packet has more than one flit.
    """

    turns: tuple[Port, ...]
    one_way: bool
    has_channel: bool
    single_flit: bool

    def pack(self, note: Any) -> Value:
        """What is stored of a :class:`RouteNote`."""
        if self.one_way:
            width = max(1, (len(self.turns) - 1).bit_length())
            parts: list[Any] = [
                Cat(note.outputs[side] for i, side in enumerate(self.turns) if i >> bit & 1).any()
                for bit in range(width)
            ]
        else:
            parts = [note.outputs[side] for side in self.turns]
        if self.has_channel:
            parts.append(note.channel)
        if not self.single_flit:
            parts += [note.head, note.tail]
        return Cat(parts)

    def unpack(self, stored: Value, note: Any) -> list[Any]:
        """Statements that drive ``note`` from what :meth:`pack` made of it."""
        count = len(self.turns)
        width = max(1, (count - 1).bit_length()) if self.one_way else count
        number, rest = stored[:width], stored[width:]
        result: list[Any] = []
        for i, side in enumerate(self.turns):
            result.append(note.outputs[side].eq(number == i if self.one_way else number[i]))
        channel_bits = len(note.channel) if self.has_channel else 0
        result.append(note.channel.eq(rest[:channel_bits] if channel_bits else 0))
        ends = Const(0b11, 2) if self.single_flit else rest[channel_bits:]
        return [*result, note.head.eq(ends[0]), note.tail.eq(ends[1])]
