"""The driver: ``sched.driver_protocol.Driver`` over any :class:`Transport`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from octopus.hw.host.registers import BY_NAME, IDENTIFICATION_VALUE, VERSION_VALUE, Register
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.space import CONFIGURATION_BIT, WORD_BYTES
from octopus.hw.layouts.token import TokenKind
from octopus.sched.driver_protocol import DriverError, HostToken

from .transport import BusError, Transport

ROOM_POLLS = 100_000
"""Reads of ``token_room`` without room after which the chip is taken for stuck."""


class ChipDriver:
    """Drives one chip that has been reset. Implements ``sched.driver_protocol.Driver``.

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
        self._write("interrupt_enable", BY_NAME["interrupt_enable"].compose(completion=1))

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
        tokens = self._take_all()
        if tokens:
            return tokens
        with _translated():
            raised = self._transport.wait_for_interrupt(limit_cycles)
        return self._take_all() if raised else []

    def errors(self) -> dict[str, int]:
        """The error flags since they were last asked for; they are cleared."""
        word = self._read("errors")
        self._write("errors", word)
        return BY_NAME["errors"].extract(word)

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return self._transport.cycles

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
