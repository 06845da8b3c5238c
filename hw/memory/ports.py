"""The ports of :class:`~octopus.hw.memory.banked.BankedMemory`, seen from the requester."""

from amaranth.hdl import Cat, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


def write_layout(address_bits: int) -> data.StructLayout:
    """The payload of a write request: word ``address``, byte ``mask`` and ``data``."""
    return data.StructLayout({"address": address_bits, "mask": 4, "data": 32})


WORD_BYTES = 4


def parity_of(word: Value) -> Value:
    """The parity bits that are stored with a word: one a byte, even."""
    return Cat(word.word_select(byte, 8).xor() for byte in range(WORD_BYTES))


def is_damaged(word: Value, parity: Value) -> Value:
    """Whether a word read does not agree with its parity bits."""
    return (parity_of(word) ^ parity).any()


class BankReadPort(wiring.Signature):
    """Word reads with fixed latency.

    ``request``: stream of word addresses. ``data`` holds the word in the cycle after a request was
    taken (or the second one after it, see the memory), and only then: the requester must be able to
    take it, so it asks only for what it has room for. ``parity``: the bits stored with the word,
    for :func:`is_damaged`; the requester checks, so that it can do so behind a register.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(address_bits)),
                "data": In(32),
                "parity": In(WORD_BYTES),
            }
        )


class BankWritePort(wiring.Signature):
    """Word writes with byte enables; stored at the end of the cycle that takes the request."""

    def __init__(self, address_bits: int) -> None:
        super().__init__({"request": Out(stream.Signature(write_layout(address_bits)))})
