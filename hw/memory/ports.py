"""The ports of :class:`~octopus.hw.memory.banked.BankedMemory`, seen from the requester."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


def write_layout(address_bits: int) -> data.StructLayout:
    """The payload of a write request: word ``address``, byte ``mask`` and ``data``."""
    return data.StructLayout({"address": address_bits, "mask": 4, "data": 32})


class BankReadPort(wiring.Signature):
    """Word reads with fixed latency.

    ``request``: stream of word addresses. ``data`` holds the word in the cycle after a
    request was taken, and only then: the requester must be able to take it, so it asks only
    for what it has room for.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__({"request": Out(stream.Signature(address_bits)), "data": In(32)})


class BankWritePort(wiring.Signature):
    """Word writes with byte enables; stored at the end of the cycle that takes the request."""

    def __init__(self, address_bits: int) -> None:
        super().__init__({"request": Out(stream.Signature(write_layout(address_bits)))})
