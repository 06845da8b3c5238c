"""The task descriptor: what the host writes into cluster memory for every task block.

A header of ``DESCRIPTOR_HEADER_WORDS`` words, then ``input_count + output_count`` DMA
entries, then ``stream_count`` stream groups. Fields are listed least significant first,
blank lines part 32-bit words. Semantics are in ``docs/specification.md``, section TBU.
"""

from amaranth.lib import data, enum

from .region import DOMAIN_BITS

DESCRIPTOR_MAGIC = 0xD5
DESCRIPTOR_HEADER_WORDS = 8
DMA_ENTRY_WORDS = 8
STREAM_GROUP_WORDS = 12
STREAM_DIMENSIONS = 4


class Edge(enum.Enum, shape=2):
    """An edge of the PEA and the direction of the words that cross it."""

    WEST_IN = 0
    NORTH_IN = 1
    WEST_OUT = 2
    NORTH_OUT = 3


class StreamMode(enum.Enum, shape=1):
    """``AFFINE``: addresses from the nested counts. ``COMPUTED``: addresses from the array."""

    AFFINE = 0
    COMPUTED = 1


class Element(enum.Enum, shape=2):
    """What a stream transfers at each address."""

    WORD = 0
    BYTE_SIGNED = 1
    BYTE_UNSIGNED = 2


class DescriptorHeader(data.Struct):
    """The first eight words of a task descriptor.

    ``early_inputs``: what the input entries read never changes while the program is loaded, so that
    it may be read before the task's token comes.
    """

    magic: 8
    domain: DOMAIN_BITS
    kernel: 16

    body_trips: 32

    outer_trips: 32

    trips_from_token: 1
    has_result: 1
    half_scratchpad: 1
    early_inputs: 1
    reserved0: 4
    input_count: 8
    output_count: 8
    stream_count: 8

    result_address: 32

    cycle_limit: 32

    descriptor_words: 32

    reserved1: 32


class DmaEntry(data.Struct):
    """A two-dimensional copy between memory and scratchpad; all strides in bytes, signed."""

    memory_address: 32

    scratchpad_address: 32

    row_words: 16
    rows: 16

    memory_row_stride: 32

    scratchpad_row_stride: 32

    instance_stride: 32

    index_stride: 32

    shard_stride: 32


class StreamGroup(data.Struct):
    """One address pattern for ``port_count`` neighbouring ports of an edge.

    Port ``first_port + k`` starts at ``base + k * port_stride``. ``count0`` is innermost.
    """

    edge: Edge
    mode: StreamMode
    element: Element
    first_port: 5
    port_count: 6
    reserved0: 16

    base: 32

    port_stride: 32

    reserved1: 32

    count0: 32

    stride0: 32

    count1: 32

    stride1: 32

    count2: 32

    stride2: 32

    count3: 32

    stride3: 32


class Status(enum.Enum, shape=4):
    """How a task ended."""

    OK = 0
    DESCRIPTOR_INVALID = 1
    KERNEL_UNKNOWN = 2
    KERNEL_INVALID = 3
    ADDRESS_OUT_OF_RANGE = 4
    REGION_VIOLATION = 5
    WATCHDOG = 6
    MEMORY_PARITY = 7
    NETWORK_ERROR = 8
    ABORTED = 9
