"""What the host interface does, from the specification's section 9: window and registers."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from octopus.hw.host.register_map import Access, View
from octopus.hw.host.registers import BY_NAME, QUEUES, REGISTERS, USER_REGIONS
from octopus.hw.layouts.command import HostOperation
from octopus.hw.layouts.token import TokenKind

OKAY, SLVERR, DECERR = 0, 2, 3
FIXED, INCR, WRAP = 0, 1, 2
PAGE_BYTES = 4096
COORDINATE = 32
CLUSTER_BYTES = 1 << 22
CONFIGURATION_BYTES = 1 << 21
TOKEN_PLACES = 8
ERROR_BITS = {name.name: 1 << name.low for name in BY_NAME["errors"].fields}


@dataclass(frozen=True)
class AxiBurst:
    """An address phase of AXI4: ``length`` is beats - 1, ``size`` the logarithm of their bytes."""

    address: int
    length: int = 0
    size: int = 2
    burst: int = INCR
    lock: bool = False
    privileged: bool = True

    def addresses(self) -> list[int]:
        """The address of each beat."""
        step = 1 << self.size
        if self.burst == FIXED:
            return [self.address] * (self.length + 1)
        if self.burst == WRAP:
            place = step * (self.length + 1)
            base = self.address // place * place
            return [base + (self.address - base + step * i) % place for i in range(self.length + 1)]
        aligned = self.address // step * step
        return [self.address, *(aligned + step * i for i in range(1, self.length + 1))]


@dataclass(frozen=True)
class Region:
    """Words ``first`` to ``last`` that users may reach."""

    first: int
    last: int
    read: bool
    write: bool


@dataclass
class WindowModel:
    """The memories behind the window.

    Parameters
    ----------
    columns, rows, memory_words: of the chip.
    configuration: the words of configuration space that exist, by byte offset in that space, and
        whether they can be written.
    """

    columns: int
    rows: int
    memory_words: int
    configuration: Mapping[int, bool]
    words: dict[int, int] = field(default_factory=dict)
    enforce: bool = False
    regions: Sequence[Region] = ()
    window_error: bool = False
    violation: bool = False

    def verdict(self, burst: AxiBurst, write: bool) -> int:
        """OKAY if the burst is carried out, else what every beat of it is answered."""
        x, y, offset = _split(burst.address)
        if x >= self.columns or y >= self.rows:
            return DECERR
        malformed = (
            burst.burst not in (FIXED, INCR, WRAP)
            or burst.size > 2
            or (burst.burst == FIXED and burst.length >= 16)
            or (burst.burst == WRAP and burst.length not in (1, 3, 7, 15))
            or (burst.burst == WRAP and burst.address % (1 << burst.size))
        )
        if malformed:
            return SLVERR
        first = min(burst.addresses())
        last = max(burst.addresses()) | ((1 << burst.size) - 1)
        if last // PAGE_BYTES != burst.address // PAGE_BYTES:
            return SLVERR
        in_memory = offset < CONFIGURATION_BYTES
        if in_memory and _split(last)[2] >= 4 * self.memory_words:
            return SLVERR
        if self.enforce and not burst.privileged:
            allowed = any(
                (region.write if write else region.read)
                and region.first <= first // 4
                and last // 4 <= region.last
                for region in self.regions
            )
            if not allowed or not in_memory:
                return SLVERR
        return OKAY

    def _note(self, burst: AxiBurst, answer: int, refused: bool) -> None:
        self.window_error |= answer != OKAY
        self.violation |= refused and self.enforce and not burst.privileged

    def read(self, burst: AxiBurst) -> list[tuple[int, int | None]]:
        """Response and word of each beat; None for words that nobody wrote, 0 of errors."""
        verdict = self.verdict(burst, write=False)
        beats: list[tuple[int, int | None]] = []
        for address in burst.addresses():
            if verdict:
                beats.append((verdict, None))
            elif self._exists(address):
                beats.append((OKAY, self.words.get(address // 4)))
            else:
                beats.append((SLVERR, None))
        self._note(burst, max(response for response, _ in beats), verdict != OKAY)
        return beats

    def write(self, burst: AxiBurst, beats: Sequence[tuple[int, int]]) -> int:
        """The answer to a burst with these (data, strobes); WLAST is on the last of them."""
        verdict = self.verdict(burst, write=True)
        answer = verdict
        if not verdict:
            if len(beats) != burst.length + 1:
                answer = SLVERR
            for address, (word, strobes) in zip(burst.addresses(), beats, strict=False):
                if not self._write(address, word, strobes):
                    answer = SLVERR
        self._note(burst, answer, verdict != OKAY)
        return answer

    def _exists(self, address: int) -> bool:
        _, _, offset = _split(address)
        if offset < CONFIGURATION_BYTES:
            return True
        return (offset - CONFIGURATION_BYTES) // 4 * 4 in self.configuration

    def _write(self, address: int, word: int, strobes: int) -> bool:
        _, _, offset = _split(address)
        if offset >= CONFIGURATION_BYTES:
            place = (offset - CONFIGURATION_BYTES) // 4 * 4
            if strobes != 0xF or not self.configuration.get(place, False):
                return False
        if strobes not in (0, 0xF) and address // 4 not in self.words:
            # Bytes that nobody wrote are not known: neither is the word.
            return True
        mask = sum(0xFF << 8 * i for i in range(4) if strobes >> i & 1)
        if strobes:
            self.words[address // 4] = (self.words.get(address // 4, 0) & ~mask) | (word & mask)
        return True


def _split(address: int) -> tuple[int, int, int]:
    place, offset = divmod(address, CLUSTER_BYTES)
    return place % COORDINATE, place // COORDINATE, offset


@dataclass(frozen=True)
class HostTokenModel:
    """A token as the host sees it."""

    kind: int
    status: int
    block: int
    instance: int
    index: int
    value: int


class RegisterModel:
    """The registers, with tokens that leave (``sent``) and come (:meth:`come`) at once.

    Parameters
    ----------
    constants: values of the identification registers. instances: slots. depth: of a completion
        queue.
    """

    def __init__(self, constants: Mapping[str, int], instances: int, depth: int) -> None:
        self.values = {register.name: 0 for register in REGISTERS} | dict(constants)
        self.instances, self.depth = instances, depth
        self.active: set[int] = set()
        self.draining: range = range(0)
        self.queues: dict[str, deque[HostTokenModel]] = {prefix: deque() for prefix in QUEUES}
        self.sent: list[tuple[int, int, HostTokenModel]] = []
        self.drains = False

    @property
    def enforce(self) -> bool:
        """Whether accesses may be a user's."""
        return bool(self.values["user_view"] & 1)

    @property
    def user_instances(self) -> range:
        """The user's instance slots."""
        view = BY_NAME["user_view"].extract(self.values["user_view"])
        return range(view["first"], view["last"] + 1)

    @property
    def regions(self) -> list[Region]:
        """What users may reach."""
        found = []
        for index in range(USER_REGIONS):
            name = f"user_region_{index}"
            first = BY_NAME[f"{name}_first"].extract(self.values[f"{name}_first"])
            last = BY_NAME[f"{name}_last"].extract(self.values[f"{name}_last"])
            found.append(
                Region(first["word"], last["word"], bool(first["read"]), bool(first["write"]))
            )
        return found

    def note(self, error: str) -> None:
        """An error happened."""
        self.values["errors"] |= ERROR_BITS[error]

    def come(self, token: HostTokenModel) -> None:
        """A token comes to the host."""
        if token.kind not in (TokenKind.COMPLETE.value, TokenKind.FAULT.value):
            event = token.block % 32
            self.values["events"] |= 1 << event
            self.values["event_source"] = BY_NAME["event_source"].compose(
                x=token.index % 32, y=token.index // 32 % 32, event=event
            )
            return
        if token.kind == TokenKind.COMPLETE.value:
            self.active.discard(token.instance)
            self._drained()
        mine = self.enforce and token.instance in self.user_instances
        prefix = "user_" if mine and len(self.queues["user_"]) < self.depth else ""
        if len(self.queues[prefix]) < self.depth:
            self.queues[prefix].append(token)
        else:
            raise OverflowError("the supervisor's completion queue is full: tokens have to wait")

    def read(self, offset: int, privileged: bool) -> tuple[int, int | None]:
        """Response and value; None where the value is a matter of time."""
        register = self._find(offset)
        if register is None or not register.access.readable:
            self._trespass(register, privileged, write=False)
            return SLVERR, None
        if self._trespass(register, privileged, write=False):
            return SLVERR, None
        name = register.name
        prefix = "user_" if name.startswith("user_") and name[5:] in BY_NAME else ""
        plain, queue = name.removeprefix(prefix), self.queues[prefix]
        oldest = queue[0] if queue else HostTokenModel(0, 0, 0, 0, 0, 0)
        if plain == "completion_value":
            if not queue:
                return SLVERR, None
            queue.popleft()
            return OKAY, oldest.value
        shown = {
            "completion_count": len(queue),
            "completion_kind": BY_NAME["completion_kind"].compose(
                kind=oldest.kind, status=oldest.status, block=oldest.block
            ),
            "completion_tag": BY_NAME["completion_tag"].compose(
                instance=oldest.instance, index=oldest.index
            ),
            "token_room": TOKEN_PLACES,
            "active_instances": len(self.active),
            "interrupt_status": self.interrupt_status,
            "command_status": int(self.drains),
        }
        if name.startswith("cycles"):
            return OKAY, None
        return OKAY, shown.get(plain, self.values[name])

    @property
    def interrupt_status(self) -> int:
        """The causes that are there."""
        return BY_NAME["interrupt_status"].compose(
            completion=int(bool(self.queues[""])),
            user_completion=int(bool(self.queues["user_"])),
            event=int(self.values["events"] != 0),
            error=int(self.values["errors"] != 0),
            command=self.values["interrupt_status"],
        )

    @property
    def interrupt_line(self) -> bool:
        """The level of the line."""
        return bool(self.interrupt_status & self.values["interrupt_enable"])

    def write(self, offset: int, value: int, strobes: int, privileged: bool) -> int:
        """The response to a write."""
        register = self._find(offset)
        if strobes != 0xF or register is None:
            return SLVERR
        if self._trespass(register, privileged, write=True) or not register.access.writable:
            return SLVERR
        name = register.name
        if name.endswith("token_value"):
            return self._push(name.removesuffix("token_value"), value, privileged)
        if name == "command":
            return self._command(**BY_NAME["command"].extract(value))
        if name == "interrupt_status":
            if BY_NAME[name].extract(value)["command"]:
                self.values[name] = 0
        elif register.access is Access.WRITE_ONE_TO_CLEAR:
            self.values[name] &= ~value
        else:
            self.values[name] = value & register.mask
        return OKAY

    def _find(self, offset: int):  # type: ignore[no-untyped-def]
        return next((item for item in REGISTERS if item.offset == offset), None)

    def _trespass(self, register, privileged: bool, write: bool) -> bool:  # type: ignore[no-untyped-def]
        if register is None or not self.enforce or privileged:
            return False
        if register.view is View.USER or (register.view is View.READ_ONLY and not write):
            return False
        self.note("violation")
        return True

    def _push(self, prefix: str, value: int, privileged: bool) -> int:
        where = BY_NAME["token_destination"].extract(self.values[f"{prefix}token_destination"])
        tag = BY_NAME["token_tag"].extract(self.values[f"{prefix}token_tag"])
        instance = tag["instance"]
        user = self.enforce and not privileged
        if (instance in self.draining and instance not in self.active) or (
            user and instance not in self.user_instances
        ):
            self.note("refused")
            return SLVERR
        if instance < self.instances:
            self.active.add(instance)
        token = HostTokenModel(
            TokenKind.ARRIVE.value, 0, where["block"], instance, tag["index"], value
        )
        self.sent.append((where["x"], where["y"], token))
        return OKAY

    def _command(self, operation: int, first: int, last: int) -> int:
        about = range(first, last + 1)
        if operation == HostOperation.ABORT.value:
            self.active -= set(about)
            for prefix, queue in self.queues.items():
                self.queues[prefix] = deque(t for t in queue if t.instance not in about)
        elif operation == HostOperation.DRAIN.value:
            self.draining, self.drains = about, True
            self._drained()
            return OKAY
        elif operation == HostOperation.ADMIT.value:
            self.draining = range(0)
        else:
            return SLVERR
        self.drains = False
        self.values["interrupt_status"] = 1
        return OKAY

    def _drained(self) -> None:
        """A drain ends when none of its instances is active."""
        if self.drains and not self.active & set(self.draining):
            self.drains = False
            self.values["interrupt_status"] = 1
