"""The interfaces between blocks, as Amaranth signatures. Layouts are in ``hw.layouts``."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts.memory import (
    ConfigurationRequest,
    ConfigurationResponse,
    MemoryRequest,
    MemoryResponse,
)


class MemoryPort(wiring.Signature):
    """Bursts of 32-bit words, seen from the requester.

    ``request``: one :class:`MemoryRequest` a burst. ``write``: the words of write bursts, in
    order of their requests. ``response``: the words of a read burst in order (``last`` on the
    final one) or one acknowledgement of a write burst once it is stored. Bursts are answered
    in the order of their requests. A burst with an address that does not exist is answered
    with ``error`` on every word it owes; its write data are taken and discarded.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(MemoryRequest)),
                "write": Out(stream.Signature(32)),
                "response": In(stream.Signature(MemoryResponse)),
            }
        )


class ConfigurationPort(wiring.Signature):
    """Single-word accesses to a cluster's configuration space, seen from the requester."""

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(ConfigurationRequest)),
                "response": In(stream.Signature(ConfigurationResponse)),
            }
        )
