"""What the host scheduler needs of a chip: a synchronous driver.

``sim.driver`` implements it over the simulated AXI ports; a board would implement it over
its own bus. Nothing here knows how a word reaches the chip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from octopus.hw.layouts.command import ClusterEvent
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.token import TokenKind


class DriverError(RuntimeError):
    """The chip answered an access with an error, or does not answer; the message says which."""


class CommandError(DriverError):
    """A command to instances did not do what it should; the message says why."""


@dataclass(frozen=True)
class HostToken:
    """A token the host sends into the mesh, or takes from the completion queue.

    Parameters
    ----------
    block: number of the block in its cluster's table; of a completion, the number that the
        sink's successor entry carries; of a fault, the block that failed.
    instance: instance slot. index: position in a map region, 0 outside.
    value: 32 bits, unsigned. kind, status: as in ``hw.layouts.token``.
    """

    block: int
    instance: int
    value: int = 0
    index: int = 0
    kind: TokenKind = TokenKind.ARRIVE
    status: Status = Status.OK


@dataclass(frozen=True)
class Notice:
    """A cluster gave notice of an event: tokens had to wait for room, or a link is dead.

    ``cluster``: (x, y) of the one that told last; several may have. ``cycle``: when the host
    saw it.
    """

    event: ClusterEvent
    cluster: tuple[int, int]
    cycle: int


@runtime_checkable
class CommandingDriver(Protocol):
    """What a driver offers beyond :class:`Driver`: commands to instances, and events.

    All raise :class:`CommandError` if a command fails or takes longer than its limit, and
    :class:`DriverError` as a driver does.
    """

    def abort(self, first: int, last: int, limit_cycles: int) -> None:
        """End instances ``first`` to ``last``; on return their slots are as after reset."""

    def drain(self, first: int, last: int, limit_cycles: int) -> None:
        """Let none of the instances start, and run until none is active."""

    def admit(self) -> None:
        """Let all instances start again."""

    def notices(self) -> list[Notice]:
        """The events since they were last asked for; clusters may give notice again."""

    def stuck_clusters(self) -> list[tuple[int, int] | None]:
        """The clusters, (x, y), of which a link of the control network is stuck now; None stands
        for the host. It clears what they remember of it."""


@runtime_checkable
class Driver(Protocol):
    """Synchronous access to one chip that has been reset.

    Every method may let the chip's clock run; all raise :class:`DriverError` on an error
    answer or a bus that hangs.
    """

    def identify(self) -> Mapping[str, int]:
        """What the chip says of itself, from its identification registers.

        Keys, as far as the registers hold them, are paths of :class:`OctopusConfig`:
        ``"mesh.rows"``, ``"mesh.columns"``, ``"cluster.task_block_units"``,
        ``"cluster.memory_words"``, ``"pea.rows"``, ``"pea.columns"``,
        ``"control_block_unit.blocks"``, ``"control_block_unit.instances"``, ...
        """

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """Write words from a global byte address on (``hw.layouts.space.address_of``).

        Addresses in configuration space (offset bit 21) are written as single words.
        The words are stored when the call returns.
        """

    def read_memory(self, address: int, count: int) -> list[int]:
        """Read ``count`` unsigned words from a global byte address on."""

    def inject(self, x: int, y: int, token: HostToken) -> None:
        """Send a token to cluster (x, y); waits while the injection queue is full."""

    def wait(self, limit_cycles: int) -> list[HostToken]:
        """Run until the interrupt says that tokens for the host are there; take all of them.

        Returns at once if some are there already, with an empty list after ``limit_cycles``
        cycles without one.
        """

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
