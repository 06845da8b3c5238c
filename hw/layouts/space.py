"""Coordinates and addresses: how every place on the chip is named.

One global byte address names every word a task or the host may reach. It is
split into the cluster's coordinates and an offset inside that cluster, so that
no table is needed to route a request.
"""

from amaranth.lib import data

COORDINATE_BITS = 5
"""Width of one mesh coordinate: meshes up to 32 x 32 clusters."""

OFFSET_BITS = 22
"""Width of the byte offset inside a cluster (4 MiB)."""

CONFIGURATION_BIT = 21
"""Offset bit that selects the cluster's configuration space instead of its memory."""

WORD_BYTES = 4
WORD_BITS = 32


class Node(data.Struct):
    """A place on a network: a cluster, or the host bridge at the mesh edge.

    With ``host`` set, packets travel to cluster (0, 0) and leave by its west port;
    ``x`` and ``y`` are then zero.
    """

    x: COORDINATE_BITS
    y: COORDINATE_BITS
    host: 1


class Rectangle(data.Struct):
    """Where a flit goes on a network with multicast: clusters, or the host (all else is then zero).

    ``first`` holds the first column and row, ``x_last`` and ``y_last`` the last ones. One cluster
    is a rectangle of 1 x 1.
    """

    first: Node
    x_last: COORDINATE_BITS
    y_last: COORDINATE_BITS


class Address(data.Struct):
    """A global byte address (32 bits)."""

    offset: OFFSET_BITS
    x: COORDINATE_BITS
    y: COORDINATE_BITS


def address_of(x: int, y: int, offset: int) -> int:
    """The global byte address of ``offset`` in cluster (``x``, ``y``).

    Raises:
        ValueError: a coordinate or the offset does not fit its field.
    """
    for name, value, bits in (
        ("x", x, COORDINATE_BITS),
        ("y", y, COORDINATE_BITS),
        ("offset", offset, OFFSET_BITS),
    ):
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{name} is {value}; allowed: 0 to {(1 << bits) - 1}")
    return offset | x << OFFSET_BITS | y << (OFFSET_BITS + COORDINATE_BITS)


class ConfigurationRegion:
    """Byte offsets of the regions in a cluster's configuration space.

    They are relative to the start of that space (offset bit 21 set).
    """

    REGISTERS = 0x00000
    BLOCK_TABLE = 0x10000
    SUCCESSOR_TABLE = 0x20000
    STATISTICS = 0x30000
    TOKEN_BALANCE = 0x40000
    """A word an instance: control tokens of it sent to the network minus those taken from it."""
    PARITY_COUNTS = 0x50000
    """Read only: a word a ``LinkCount``, flits that came with wrong parity."""
    FLIT_COUNTS = 0x60000
    """Read only: a word a ``LinkCount``, all flits that came."""
    END = 0x70000
    REGION_TABLE = 0x80000
    """Entries of ``RegionEntry``. Only the host's privileged view may write them."""
    UNIT_COUNTERS = 0x90000
    """Read only: ``COUNTERS`` words for each Task Block Unit."""
    UNIT_END = 0xA0000


class ClusterRegister:
    """Byte offsets of the cluster's own registers, inside ``REGISTERS``."""

    KERNEL_TABLE_ADDRESS = 0x00
    """Cluster-memory byte offset of the kernel table."""
    KERNEL_COUNT = 0x04
    """Number of entries in the kernel table."""
    COMMAND = 0x08
    """Writing a ``ClusterCommand`` carries it out; reads as the last one written."""
    COMMAND_STATUS = 0x0C
    """Read only: a ``ClusterCommandStatus``."""
    EVENTS = 0x10
    """A bit a ``ClusterEvent`` that happened; writing 1 clears the bit."""
    INDEX_SETTINGS = 0x14
    """An ``IndexSettings``; to be written only while no instance runs."""


KERNEL_TABLE_ENTRY_WORDS = 2
"""A kernel table entry: word 0 the image's byte offset in cluster memory, word 1 its length
in words (0: no such kernel)."""
