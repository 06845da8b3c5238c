"""The same accesses to a chip by the Python driver and by a bare C++ host."""

import subprocess
import tempfile
import time
from array import array
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import ActivityMap
from octopus.sched.job import Job
from octopus.sched.runtime import Runtime
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver

HOST = Path(__file__).with_suffix(".cpp")
LARGEST_COUNT = 1 << 20
"""Words of a read that the C++ host has room for."""


class Operation(IntEnum):
    """What is recorded, as in ``simulation_replay.cpp``."""

    WRITE_REGISTER = 0
    READ_REGISTER = 1
    WRITE_MEMORY = 2
    READ_MEMORY = 3
    WAIT = 4
    START = 5


class Recorder:
    """A transport that passes everything on to a chip and writes down what passed."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.words = array("I")

    @property
    def cycles(self) -> int:
        """Of the chip."""
        return self.chip.cycles

    def start(self) -> None:
        """Time counts from here."""
        self.words.extend((Operation.START, 0, 0))

    def write_register(self, address: int, value: int) -> None:
        """As of the chip."""
        self.words.extend((Operation.WRITE_REGISTER, address, value))
        self.chip.write_register(address, value)

    def read_register(self, address: int) -> int:
        """As of the chip."""
        self.words.extend((Operation.READ_REGISTER, address, 0))
        return self.chip.read_register(address)

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """As of the chip."""
        self.words.extend((Operation.WRITE_MEMORY, address, len(words), *words))
        self.chip.write_memory(address, words)

    def read_memory(self, address: int, count: int) -> list[int]:
        """As of the chip."""
        if count > LARGEST_COUNT:
            raise ValueError(f"count is {count}; allowed: at most {LARGEST_COUNT}")
        self.words.extend((Operation.READ_MEMORY, address, count))
        return self.chip.read_memory(address, count)

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """As of the chip."""
        self.words.extend((Operation.WAIT, limit_cycles & 0xFFFFFFFF, limit_cycles >> 32))
        return self.chip.wait_for_interrupt(limit_cycles)


def compare(config: OctopusConfig, job: Job, repetitions: int) -> dict[str, float]:
    """CPU seconds of a job by the driver in Python and by a C++ host that does the same accesses.

    The best of so many repetitions of each, in turn.

    Raises:
        RuntimeError: the C++ host cannot be compiled or run, or did other cycles than the driver.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _compile(folder / "host")
        cycles, library = _record(config, job, folder / "record")
        python, bare = [], []
        for _ in range(repetitions):
            python.append(_python_seconds(config, job))
            seconds, replayed = _host(folder, library, config)
            if replayed != cycles:
                raise RuntimeError(f"the C++ host did {replayed} cycles, the driver {cycles}")
            bare.append(seconds)
    return {"python": min(python), "bare": min(bare), "cycles": cycles}


def _compile(binary: Path) -> None:
    command = ["g++", "-std=c++17", "-O2", str(HOST), "-o", str(binary), "-ldl"]
    subprocess.run(command, check=True)


def _record(config: OctopusConfig, job: Job, path: Path) -> tuple[int, str]:
    """Write the record of a run; its cycles and the library's path."""
    with Chip.build(config) as chip:
        recorder = Recorder(chip)
        runtime = Runtime(ChipDriver(recorder), job.program)
        runtime.load()
        recorder.start()
        start = chip.cycles
        runtime.run(job.instances)
        path.write_bytes(recorder.words.tobytes())
        return chip.cycles - start, chip._library._name


def _python_seconds(config: OctopusConfig, job: Job) -> float:
    with Chip.build(config) as chip:
        runtime = Runtime(ChipDriver(chip), job.program)
        runtime.load()
        start = time.process_time()
        runtime.run(job.instances)
        return time.process_time() - start


def _host(folder: Path, library: str, config: OctopusConfig) -> tuple[float, int]:
    words = ActivityMap(config.task_block_units, config.clusters).words
    sizes = [str(words), str(config.clusters)]
    command = [str(folder / "host"), library, *sizes, str(folder / "record")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the C++ host failed: {done.stderr.strip()}")
    seconds, cycles = done.stdout.split()
    return float(seconds), int(cycles)
