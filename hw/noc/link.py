"""What travels between routers: flits, links, and the ports of a router."""

import enum

from amaranth.hdl import Shape, Value, ValueCastable, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..layouts.space import Node

NODE_BITS = data.Layout.cast(Node).size
"""Low payload bits of a head flit that hold the destination."""

MAXIMUM_VIRTUAL_CHANNELS = 8
MAXIMUM_BUFFER_DEPTH = 32


class Port(enum.IntEnum):
    """The five sides of a router."""

    NORTH = 0
    EAST = 1
    SOUTH = 2
    WEST = 3
    LOCAL = 4

    @property
    def opposite(self) -> "Port":
        """The side of the neighbouring router that this side is joined to."""
        return self if self is Port.LOCAL else Port((self + 2) % 4)


class Flit(data.StructLayout):
    """A flit on the stream side: payload, and whether it is its packet's first and last.

    A head flit carries its destination (:class:`Node`) in the payload's low bits.
    """

    def __init__(self, flit_bits: int) -> None:
        super().__init__({"payload": flit_bits, "head": 1, "tail": 1})


def channel_shape(virtual_channels: int) -> Shape:
    """Shape of a virtual channel's number: never of zero width, so that it can be a port."""
    return unsigned(max(1, (virtual_channels - 1).bit_length()))


class NetworkLink(wiring.Signature):
    """One direction between two routers, or router and endpoint, seen from the sender.

    Parameters
    ----------
    flit_bits: payload bits of a flit (at least the destination's).
    virtual_channels: 1 to 8.

    Members
    -------
    valid: a flit is on the link in this cycle; the receiver must take it (it gave the credit).
    flit: payload, head, tail. parity: makes the number of ones in flit and parity odd.
    channel: the receiver's virtual channel it goes to.
    credit (from the receiver): one bit a virtual channel, high for a cycle for each flit that
        left that channel's buffer.
    """

    def __init__(self, flit_bits: int, virtual_channels: int) -> None:
        if flit_bits < NODE_BITS:
            raise ValueError(f"flit_bits is {flit_bits}; allowed: {NODE_BITS} or more")
        if not 1 <= virtual_channels <= MAXIMUM_VIRTUAL_CHANNELS:
            raise ValueError(
                f"virtual_channels is {virtual_channels}; allowed: 1 to {MAXIMUM_VIRTUAL_CHANNELS}"
            )
        self.flit_bits = flit_bits
        self.virtual_channels = virtual_channels
        super().__init__(
            {
                "valid": Out(1),
                "flit": Out(Flit(flit_bits)),
                "parity": Out(1),
                "channel": Out(channel_shape(virtual_channels)),
                "credit": In(virtual_channels),
            }
        )


def odd_parity(flit: ValueCastable) -> Value:
    """The bit that makes the number of ones in ``flit`` and itself odd."""
    return ~Value.cast(flit).xor()


def parity_is_wrong(flit: ValueCastable, parity: Value) -> Value:
    """High if a flit and its parity bit disagree."""
    return odd_parity(flit) ^ parity


def validate_network(virtual_channels: int, buffer_depth: int, message_classes: int) -> None:
    """Check what routers and endpoints have in common.

    Raises:
        ValueError: names the field, its value and what is allowed.
    """
    if not 1 <= buffer_depth <= MAXIMUM_BUFFER_DEPTH:
        raise ValueError(f"buffer_depth is {buffer_depth}; allowed: 1 to {MAXIMUM_BUFFER_DEPTH}")
    if message_classes < 1 or virtual_channels % message_classes:
        raise ValueError(
            f"message_classes is {message_classes}; allowed: divisors of virtual_channels "
            f"({virtual_channels})"
        )
