"""Memory requests: inside a cluster, and as packets on the data network."""

from amaranth.lib import data, enum

from .space import OFFSET_BITS, Node

LENGTH_BITS = 6
"""Width of a burst length minus one: bursts of up to 64 words."""

DATA_FLIT_BITS = 64
WORDS_PER_FLIT = 2
TRANSACTION_BITS = 4


class MemoryRequest(data.Struct):
    """One burst. ``length`` is words minus one; ``mask`` enables bytes of every word written."""

    write: 1
    mask: 4
    length: LENGTH_BITS
    address: 32


class MemoryResponse(data.Struct):
    """A word read, or the single acknowledgement of a write burst (``last`` set).

    ``error``: the burst has an address that does not exist; or the word was found damaged: then
    ``parity`` is set, too; or the network did not bring the answer: then ``network`` is.
    """

    data: 32
    last: 1
    error: 1
    parity: 1
    network: 1


class PacketOperation(enum.Enum, shape=2):
    """What a data-network packet asks or answers."""

    READ = 0
    WRITE = 1
    READ_RESPONSE = 2
    WRITE_RESPONSE = 3


class PacketHead(data.Struct):
    """The head flit of a data-network packet (64 bits); ``destination`` comes first.

    ``error`` of an answer: there is no data; ``parity``: because the first word was damaged.
    """

    destination: Node
    source: Node
    operation: PacketOperation
    error: 1
    transaction: TRANSACTION_BITS
    mask: 4
    length: LENGTH_BITS
    offset: OFFSET_BITS
    parity: 1
    reserved: 2


class RequestChannel(enum.IntEnum):
    """Virtual channel of the data network by message class: no protocol deadlock."""

    REQUEST = 0
    RESPONSE = 1


class ConfigurationRequest(data.Struct):
    """A single-word access to a cluster's configuration space (byte offset in that space)."""

    write: 1
    offset: 21
    data: 32


class ConfigurationResponse(data.Struct):
    """The answer, one for each request and in order."""

    data: 32
    error: 1
