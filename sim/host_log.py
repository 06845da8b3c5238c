"""What the host did: every access to the chip with its cycles."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .transport import Transport


class HostAction(Enum):
    """The kinds of accesses."""

    WRITE_REGISTER = "write register"
    READ_REGISTER = "read register"
    WRITE_MEMORY = "write memory"
    READ_MEMORY = "read memory"
    WAIT = "wait for interrupt"


@dataclass(frozen=True)
class HostSpan:
    """An access, from cycle ``start`` to before ``end``; ``words`` that it moved."""

    action: HostAction
    start: int
    end: int
    words: int
    address: int


class LoggingTransport:
    """A :class:`Transport` that notes what passes it, in ``spans``; it takes no cycles.

    Parameters
    ----------
    inner: what carries out the accesses.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.spans: list[HostSpan] = []

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return self._inner.cycles

    def _note(self, action: HostAction, start: int, words: int, address: int = 0) -> None:
        self.spans.append(HostSpan(action, start, self._inner.cycles, words, address))

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """As :class:`Transport`."""
        start = self._inner.cycles
        raised = self._inner.wait_for_interrupt(limit_cycles)
        self._note(HostAction.WAIT, start, 0)
        return raised

    def write_register(self, address: int, value: int) -> None:
        """As :class:`Transport`."""
        start = self._inner.cycles
        self._inner.write_register(address, value)
        self._note(HostAction.WRITE_REGISTER, start, 1, address)

    def read_register(self, address: int) -> int:
        """As :class:`Transport`."""
        start = self._inner.cycles
        value = self._inner.read_register(address)
        self._note(HostAction.READ_REGISTER, start, 1, address)
        return value

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """As :class:`Transport`."""
        start = self._inner.cycles
        self._inner.write_memory(address, words)
        self._note(HostAction.WRITE_MEMORY, start, len(words), address)

    def read_memory(self, address: int, count: int) -> list[int]:
        """As :class:`Transport`."""
        start = self._inner.cycles
        words = self._inner.read_memory(address, count)
        self._note(HostAction.READ_MEMORY, start, count, address)
        return words
