"""The Verilated chip as a Python object. No cycle of it is run by Python code."""

import ctypes
import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap, WordKind

from .build import PARTITIONED, Features, Progress, build_chip
from .transport import BusError

RESET_CYCLES = 4
LINKS = 8
"""Links that leave a cluster: two networks, four sides."""

MOST_UNITS = 8
"""Task Block Units that a cluster may have: so many have places in the counts of words."""

EVENT = np.dtype([("cycle", np.uint64), ("word", np.uint32), ("activity", np.uint32)])
"""A change of a word of the chip's output ``activity``."""

PIECE_SECONDS = 0.1
"""How long simulation goes on, about, before Python looks whether it was interrupted."""

FIRST_PIECE = 100
"""Cycles that are simulated at first, to learn how long they take."""

FOR_EVER = (1 << 64) - 1
_STATE_HEADERS = (b"verilatorsave", b"octopus state")
_SAVABLE = "allowed: a file that can be written, and a chip in parts or made with savable=True"
_RESTORABLE = "allowed: what a chip of the same library saved, whole"
AXI_RESPONSES = {-1: "no answer", 1: "EXOKAY", 2: "SLVERR", 3: "DECERR"}


class WaitEnd(enum.Enum):
    """Why a wait ended."""

    LIMIT = 0
    INTERRUPT = 1
    EVENT = 2


@dataclass(frozen=True)
class ActivityEvent:
    """What a Task Block Unit does changed.

    Attributes
    ----------
    cycle: the first cycle with the new activity.
    unit: Task Block Unit, counted through the clusters row by row.
    activity: bits of ``hw.layouts.activity.Activity``.
    """

    cycle: int
    unit: int
    activity: int


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    handle, word, words = ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
    signatures: dict[str, tuple[object, list[object]]] = {
        "create": (handle, [word, word, word]),
        "flits": (ctypes.POINTER(ctypes.c_uint64), [handle]),
        "words": (ctypes.POINTER(ctypes.c_uint64), [handle]),
        "destroy": (None, [handle]),
        "reset": (None, [handle, word]),
        "cycles": (ctypes.c_uint64, [handle]),
        "step": (None, [handle, ctypes.c_uint64]),
        "wait": (ctypes.c_int, [handle, ctypes.c_uint64]),
        "write_register": (ctypes.c_int, [handle, word, word]),
        "read_register": (ctypes.c_int, [handle, word, words]),
        "write_memory": (ctypes.c_int, [handle, word, words, word]),
        "read_memory": (ctypes.c_int, [handle, word, words, word]),
        "event_count": (ctypes.c_uint64, [handle]),
        "events": (handle, [handle]),
        "trace": (ctypes.c_int, [handle, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64]),
        "wait_event": (ctypes.c_int, [handle, ctypes.c_uint64]),
        "save": (ctypes.c_int, [handle, ctypes.c_char_p]),
        "restore": (ctypes.c_int, [handle, ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"octopus_{name}")
        function.restype = result
        function.argtypes = arguments
    return library


class Chip:
    """A simulated chip, reset and ready; a context manager and a :class:`Transport`.

    Parameters
    ----------
    library: what ``sim.build`` built.
    task_block_units, clusters: on the whole chip.
    activity_words: of its output ``activity``; those of the Task Block Units, unless told.
    threads: that simulate it, if the library is of the partitioned engine. At most one a cluster.
    """

    def __init__(
        self,
        library: Path,
        task_block_units: int,
        clusters: int,
        activity_words: int | None = None,
        threads: int = 1,
    ) -> None:
        self._library = _load(library)
        self._piece = FIRST_PIECE
        self._units, self._clusters = task_block_units, clusters
        words = task_block_units if activity_words is None else activity_words
        self._handle: int | None = self._library.octopus_create(words, clusters, threads)
        self.reset()

    @classmethod
    def build(
        cls,
        config: OctopusConfig,
        trace: bool = False,
        progress: Progress = lambda step: None,
        *,
        savable: bool = False,
        engine: str = PARTITIONED,
        threads: int = 1,
    ) -> Self:
        """The chip of ``config``; its library is built on first use and cached.

        Parameters
        ----------
        trace: be able to record FST. savable: be able to save and restore.
        engine: how it is simulated, see :class:`Features`. threads: of the partitioned engine.
        progress: told the steps of a build.

        Raises:
            ToolchainError: the library could not be built.
        """
        return cls(
            build_chip(config, Features(trace, savable, engine=engine), progress),
            config.task_block_units,
            config.clusters,
            ActivityMap(config.task_block_units, config.clusters).words,
            threads,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. Afterwards the object must not be used."""
        if self._handle is not None:
            self._library.octopus_destroy(self._handle)
            self._handle = None

    def reset(self) -> None:
        """Reset the chip and the cycle count. Memories keep their content."""
        self._library.octopus_reset(self._handle, RESET_CYCLES)

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return int(self._library.octopus_cycles(self._handle))

    def step(self, cycles: int) -> None:
        """Run ``cycles`` clock cycles."""
        self._in_pieces(cycles, lambda piece: self._library.octopus_step(self._handle, piece))

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """Run until the interrupt is high, at most ``limit_cycles``; whether it is high."""
        return bool(
            self._in_pieces(
                limit_cycles, lambda piece: self._library.octopus_wait(self._handle, piece)
            )
        )

    def wait_for_event(self, limit_cycles: int) -> WaitEnd:
        """Run until activity changes, the interrupt is high, or ``limit_cycles`` are over."""
        return WaitEnd(
            self._in_pieces(
                limit_cycles, lambda piece: self._library.octopus_wait_event(self._handle, piece)
            )
        )

    def _in_pieces(self, cycles: int, run: Callable[[int], int | None]) -> int:
        """Run so many cycles in pieces short enough for an interrupt (Ctrl-C) to come through.

        ``run``: runs a piece; what it returns ends it, unless that is 0 or None.
        """
        left = cycles
        while True:
            began = time.perf_counter()
            count = min(left, self._piece)
            ended = run(count)
            left -= count
            if ended or not left:
                return ended or 0
            faster = PIECE_SECONDS / max(time.perf_counter() - began, 1e-9)
            self._piece = max(FIRST_PIECE, int(self._piece * min(faster, 10.0)))

    def save(self, path: Path) -> None:
        """Save the chip's state, clock and events to a file.

        Raises:
            ValueError: a plain chip was made without ``savable``, or the file cannot be written.
        """
        if not self._library.octopus_save(self._handle, str(path).encode()):
            raise ValueError(f"cannot save to {path}: {_SAVABLE}")

    def restore(self, path: Path) -> None:
        """Take the state from a file that a chip of the same library saved.

        Raises:
            ValueError: the file is not whole, or not of this library, or a plain chip was made
                without ``savable``.
        """
        # A plain library ends the process on a file that is not its own.
        if not _is_state(path) or not self._library.octopus_restore(
            self._handle, str(path).encode()
        ):
            raise ValueError(f"cannot restore from {path}: {_RESTORABLE}")

    def write_register(self, address: int, value: int) -> None:
        """Write a 32-bit register over AXI4-Lite.

        Raises:
            BusError: the answer is an error.
        """
        response = self._library.octopus_write_register(self._handle, address, value)
        _check(response, f"writing register 0x{address:x}")

    def read_register(self, address: int) -> int:
        """Read a 32-bit register over AXI4-Lite.

        Raises:
            BusError: the answer is an error.
        """
        value = ctypes.c_uint32()
        response = self._library.octopus_read_register(self._handle, address, ctypes.byref(value))
        _check(response, f"reading register 0x{address:x}")
        return value.value

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """Write 32-bit words through the AXI4 window, from a global byte address on.

        Raises:
            BusError: the answer is an error.
        """
        block = (ctypes.c_uint32 * len(words))(*words)
        response = self._library.octopus_write_memory(self._handle, address, block, len(words))
        _check(response, f"writing {len(words)} words at 0x{address:08x}")

    def read_memory(self, address: int, count: int) -> list[int]:
        """Read 32-bit words through the AXI4 window, from a global byte address on.

        Raises:
            BusError: the answer is an error.
        """
        block = (ctypes.c_uint32 * count)()
        response = self._library.octopus_read_memory(self._handle, address, block, count)
        _check(response, f"reading {count} words at 0x{address:08x}")
        return list(block)

    def events(self) -> list[ActivityEvent]:
        """Changes of the units' activity since reset, oldest first."""
        found = self.recorded()
        found = found[found["word"] < self._units]
        return [ActivityEvent(*event) for event in found.tolist()]

    def recorded(self) -> NDArray[np.void]:
        """All changes of words of ``activity`` since reset, oldest first: an array of ``EVENT``."""
        count = self._library.octopus_event_count(self._handle)
        if not count:
            return np.empty(0, EVENT)
        size = count * EVENT.itemsize
        return np.frombuffer(
            ctypes.string_at(self._library.octopus_events(self._handle), size), EVENT
        )

    def link_flits(self) -> list[list[int]]:
        """Flits that left each cluster since reset: for each network, by its four sides.

        Networks and sides in the order of ``hw.cluster.cluster``.
        """
        first = self._library.octopus_flits(self._handle)
        return [list(first[LINKS * i : LINKS * (i + 1)]) for i in range(self._clusters)]

    def words_moved(self) -> NDArray[np.uint64]:
        """Words that each Task Block Unit moved since reset: (units, ``WordKind``)."""
        first = self._library.octopus_words(self._handle)
        shape = (self._clusters, MOST_UNITS, len(WordKind))
        counts = np.ctypeslib.as_array(first, shape)[:, : self._units // self._clusters]
        return counts.reshape(self._units, len(WordKind)).copy()

    def start_trace(self, path: Path, first: int = 0, end: int = FOR_EVER) -> None:
        """Record an FST waveform into ``path`` until :meth:`stop_trace`.

        Parameters
        ----------
        first, end: cycles since reset; only from ``first`` to before ``end`` is recorded.

        Raises:
            ValueError: the chip was made without ``trace``, or there is no cycle in between.
        """
        if not 0 <= first < end:
            raise ValueError(f"first is {first}, end is {end}; allowed: 0 <= first < end")
        if not self._library.octopus_trace(self._handle, str(path).encode(), first, end):
            raise ValueError("this chip cannot record: make it with trace=True")

    def stop_trace(self) -> None:
        """End the recording."""
        self._library.octopus_trace(self._handle, None, 0, 0)


def _is_state(path: Path) -> bool:
    """Whether a chip saved this file."""
    try:
        with path.open("rb") as file:
            return file.read(max(map(len, _STATE_HEADERS))).startswith(_STATE_HEADERS)
    except OSError:
        return False


def _check(response: int, access: str) -> None:
    if response:
        raise BusError(f"{access}: {AXI_RESPONSES[response]}")
