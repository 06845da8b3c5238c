"""How words reach a chip: what the driver needs of a bus, whoever drives it."""

from collections.abc import Sequence
from typing import Protocol


class BusError(RuntimeError):
    """An access was answered with an error, or not at all; the message says which."""


class Transport(Protocol):
    """Registers, memory window, interrupt and clock of one chip.

    ``sim.chip.Chip`` is one, over the Verilated model; ``sim.cocotb_transport`` is another, over
    bus functional models. All accesses raise :class:`BusError` on an error answer.
    """

    def write_register(self, address: int, value: int) -> None:
        """Write a 32-bit host register at a byte address."""

    def read_register(self, address: int) -> int:
        """Read a 32-bit host register at a byte address."""

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """Write words to the memory window from a global byte address on."""

    def read_memory(self, address: int, count: int) -> list[int]:
        """Read words from the memory window from a global byte address on."""

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """Run until the interrupt line is high, at most ``limit_cycles``; whether it is high."""

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
