"""The region table: which addresses the tasks of a domain may read and write.

Semantics are in ``docs/specification.md``, section TBU.
"""

from amaranth.lib import data

DOMAIN_BITS = 8
"""Width of a domain's number."""

DOMAINS = 16
"""Domains that regions can name: 0 to 15. A higher number is allowed nothing."""

REGION_ENTRY_WORDS = 4


class RegionEntry(data.Struct):
    """Four words of the region table; blank lines part the words.

    ``first``, ``last``: global byte addresses of the region's first and last word (the two low
    bits are zero). Bit d of ``readers``, ``writers``: domain d may read, write the region.
    """

    first: 32

    last: 32

    readers: DOMAINS
    writers: DOMAINS

    reserved: 32


OPEN_REGION = {"first": 0, "last": 0xFFFFFFFC, "readers": 1, "writers": 1}
"""Entry 0 after reset: domain 0 may read and write everything. All other entries are zero."""
