"""The driver: ``sched.driver_protocol.Driver`` over any :class:`Transport`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from octopus.hw.host.registers import BY_NAME, IDENTIFICATION_VALUE, VERSION_VALUE, Register
from octopus.hw.layouts.command import ClusterEvent, HostOperation
from octopus.hw.layouts.counters import LinkCount
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    WORD_BYTES,
    ClusterRegister,
    ConfigurationRegion,
    address_of,
)
from octopus.hw.layouts.token import TokenKind
from octopus.sched.driver_protocol import CommandError, DriverError, HostToken, Notice

from .transport import BusError, Transport

COMMAND_CYCLES = 1_000_000
"""Cycles a command may take, unless told otherwise."""

CAUSES = ("completion", "event")
"""Interrupts that end a wait for tokens."""

ROOM_POLLS = 100_000
"""Reads of ``token_room`` without room after which the chip is taken for stuck."""


class ChipDriver:
    """Drives one chip that has been reset.

    Implements ``Driver`` and ``CommandingDriver`` of ``sched.driver_protocol``.

    Parameters
    ----------
    transport: the way to the chip.

    Raises:
        DriverError: what answers is no Octopus, or has another register map.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._room = 0
        self._last_written: dict[str, int] = {}
        found = self._read("identification")
        if found != IDENTIFICATION_VALUE:
            raise DriverError(
                f"identification is 0x{found:08X}; expected 0x{IDENTIFICATION_VALUE:08X}"
            )
        found = self._read("version")
        if found != VERSION_VALUE:
            raise DriverError(f"version of the register map is {found}; expected {VERSION_VALUE}")
        self._notices: list[Notice] = []
        self._enable(*CAUSES)

    def identify(self) -> Mapping[str, int]:
        """Sizes of the chip by their paths in ``OctopusConfig``."""
        tables = self._fields("control_block_unit")
        identity = {
            f"{name}.{field}": value
            for name in ("mesh", "cluster", "pea")
            for field, value in self._fields(name).items()
        }
        return identity | {
            "control_block_unit.blocks": tables["blocks"],
            "control_block_unit.successors": tables["successors"] + 1,
            "control_block_unit.instances": tables["instances_minus_one"] + 1,
            "task_block_unit.scratchpad_words": self._read("scratchpad"),
        }

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """Write words from a global byte address on; they are stored when this returns."""
        with _translated():
            if not address >> CONFIGURATION_BIT & 1:
                self._transport.write_memory(address, words)
                return
            for index, word in enumerate(words):
                self._transport.write_memory(address + WORD_BYTES * index, [word])

    def read_memory(self, address: int, count: int) -> list[int]:
        """Read ``count`` unsigned words from a global byte address on."""
        with _translated():
            if not address >> CONFIGURATION_BIT & 1:
                return self._transport.read_memory(address, count)
            return [
                self._transport.read_memory(address + WORD_BYTES * index, 1)[0]
                for index in range(count)
            ]

    def inject(self, x: int, y: int, token: HostToken) -> None:
        """Send a token to cluster (x, y); waits while the injection queue is full.

        Raises:
            ValueError: the token is not of kind ARRIVE, or a field does not fit.
        """
        if token.kind != TokenKind.ARRIVE:
            raise ValueError(f"kind is {token.kind.name}; allowed: ARRIVE")
        destination = BY_NAME["token_destination"].compose(x=x, y=y, block=token.block)
        tag = BY_NAME["token_tag"].compose(instance=token.instance, index=token.index)
        self._await_room()
        self._update("token_destination", destination)
        self._update("token_tag", tag)
        self._write("token_value", token.value)
        self._room -= 1

    def wait(self, limit_cycles: int) -> list[HostToken]:
        """Tokens for the host: those there are, else the next within ``limit_cycles``."""
        end = self.cycles + limit_cycles
        tokens = self._take_all()
        while not tokens:
            with _translated():
                raised = self._transport.wait_for_interrupt(max(0, end - self.cycles))
            if not raised:
                break
            if self._fields("interrupt_status")["event"]:
                self._take_notices()
            tokens = self._take_all()
        return tokens

    def errors(self) -> dict[str, int]:
        """The error flags since they were last asked for; they are cleared."""
        word = self._read("errors")
        self._write("errors", word)
        return BY_NAME["errors"].extract(word)

    def abort(self, first: int, last: int, limit_cycles: int = COMMAND_CYCLES) -> None:
        """End instances ``first`` to ``last``; on return their slots are as after reset."""
        self._command(HostOperation.ABORT, first, last, limit_cycles)

    def drain(self, first: int, last: int, limit_cycles: int = COMMAND_CYCLES) -> None:
        """Let none of the instances start, and run until none is active."""
        self._command(HostOperation.DRAIN, first, last, limit_cycles)

    def admit(self) -> None:
        """Let all instances start again."""
        self._command(HostOperation.ADMIT, 0, 0, COMMAND_CYCLES)

    def notices(self) -> list[Notice]:
        """The events since they were last asked for; clusters may give notice again."""
        self._take_notices()
        found, self._notices = self._notices, []
        if found:
            self._clear_events()
        return found

    def stuck_clusters(self) -> list[tuple[int, int] | None]:
        """The clusters of which a control link is stuck now, None for the host: whose bit rises
        again when it was cleared."""
        flag = BY_NAME["errors"].compose(stuck=1)
        self._write("errors", flag)
        found: list[tuple[int, int] | None] = [None] if self._fields("errors")["stuck"] else []
        bit = 1 << ClusterEvent.CONTROL_NETWORK_STUCK.value
        for place, register in self._event_registers():
            self.write_memory(register, [bit])
            if self.read_memory(register, 1)[0] & bit:
                found.append(place)
        return found

    def parity_counts(self) -> dict[tuple[int, int] | None, dict[str, int]]:
        """Flits with wrong parity since reset by cluster, (x, y), and name of ``LinkCount``; None
        stands for the host, with the names of its networks. Nothing is said of what is zero."""
        found: dict[tuple[int, int] | None, dict[str, int]] = {None: self._fields("parity_counts")}
        for cluster, counts in self._link_counts(ConfigurationRegion.PARITY_COUNTS).items():
            found[cluster] = counts
        return {
            place: shown
            for place, counts in found.items()
            if (shown := {name: count for name, count in counts.items() if count})
        }

    def flit_counts(self) -> dict[tuple[int, int], dict[str, int]]:
        """Flits that came since reset, modulo 2^32, by cluster, (x, y), and name of ``LinkCount``.

        To read them takes flits of the data network, which count too.
        """
        return self._link_counts(ConfigurationRegion.FLIT_COUNTS)

    def _link_counts(self, region: int) -> dict[tuple[int, int], dict[str, int]]:
        """The words of a region of counts, by cluster and name of ``LinkCount``."""
        found = {}
        for place, address in self._in_clusters(region):
            words = self.read_memory(address, len(LinkCount))
            found[place] = {count.name: words[count] for count in LinkCount}
        return found

    @property
    def active_instances(self) -> int:
        """Instances that were started and have not ended."""
        return self._read("active_instances")

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return self._transport.cycles

    def _enable(self, *causes: str) -> None:
        """Let only these causes raise the interrupt."""
        register = BY_NAME["interrupt_enable"]
        self._write("interrupt_enable", register.compose(**dict.fromkeys(causes, 1)))

    def _command(self, operation: HostOperation, first: int, last: int, limit: int) -> None:
        """Give a command and wait for its end.

        Raises:
            ValueError: an instance does not fit, or the limit is not positive.
            CommandError: the command failed or took too long.
        """
        if limit < 1:
            raise ValueError(f"limit_cycles is {limit}; allowed: 1 or more")
        word = BY_NAME["command"].compose(operation=operation.value, first=first, last=last)
        done = BY_NAME["interrupt_status"].compose(command=1)
        self._write("command_limit", min(limit, 0xFFFFFFFF))
        self._write("interrupt_status", done)
        self._enable("command")
        self._write("command", word)
        with _translated():
            # The bridge gives up by itself; the margin is for an access that it does not break off.
            self._transport.wait_for_interrupt(limit + COMMAND_CYCLES)
        self._enable(*CAUSES)
        status = self._fields("command_status")
        what = f"{operation.name} of instances {first} to {last}"
        if status["busy"] or status["timed_out"]:
            raise CommandError(f"{what} did not end within {limit} cycles")
        if status["failed"]:
            raise CommandError(f"{what}: a cluster answered with an error")

    def _take_notices(self) -> None:
        """Remember the events. The clusters give notice again only when theirs are cleared too."""
        events = self._read("events")
        if not events:
            return
        source = self._fields("event_source")
        self._write("events", events)
        place = (source["x"], source["y"])
        self._notices += [
            Notice(event, place, self.cycles) for event in ClusterEvent if events >> event.value & 1
        ]

    def _clear_events(self) -> None:
        """Clear the event bits of every cluster."""
        for _, register in self._event_registers():
            self.write_memory(register, [0xFFFFFFFF])

    def _event_registers(self) -> Iterator[tuple[tuple[int, int], int]]:
        """Each cluster, (x, y), and the address of its EVENTS register."""
        return self._in_clusters(ClusterRegister.EVENTS)

    def _in_clusters(self, offset: int) -> Iterator[tuple[tuple[int, int], int]]:
        """Each cluster, (x, y), and the address of a place in its configuration space."""
        mesh = self._fields("mesh")
        for y in range(mesh["rows"]):
            for x in range(mesh["columns"]):
                yield (x, y), address_of(x, y, 1 << CONFIGURATION_BIT | offset)

    def _take_all(self) -> list[HostToken]:
        return [self._take() for _ in range(self._read("completion_count"))]

    def _take(self) -> HostToken:
        kind = self._fields("completion_kind")
        tag = self._fields("completion_tag")
        value = self._read("completion_value")
        return HostToken(
            block=kind["block"],
            instance=tag["instance"],
            value=value,
            index=tag["index"],
            kind=TokenKind(kind["kind"]),
            status=Status(kind["status"]),
        )

    def _await_room(self) -> None:
        for _ in range(ROOM_POLLS):
            if self._room > 0:
                return
            self._room = self._read("token_room")
        raise DriverError(f"no room for a token after {ROOM_POLLS} polls: the chip is stuck")

    def _update(self, name: str, value: int) -> None:
        """Write a register that keeps its value, unless it has it already."""
        if self._last_written.get(name) != value:
            self._write(name, value)
            self._last_written[name] = value

    def _fields(self, name: str) -> dict[str, int]:
        return BY_NAME[name].extract(self._read(name))

    def _read(self, name: str) -> int:
        register: Register = BY_NAME[name]
        with _translated():
            return self._transport.read_register(register.offset)

    def _write(self, name: str, value: int) -> None:
        with _translated():
            self._transport.write_register(BY_NAME[name].offset, value)


@contextmanager
def _translated() -> Iterator[None]:
    """A failed access becomes the error that the protocol promises."""
    try:
        yield
    except BusError as error:
        raise DriverError(str(error)) from error
