"""Processes that ``simulation_benchmark.py`` measures: workers, and what builds use."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WORKER = Path(__file__).with_name("simulation_worker.py")
SAMPLE_SECONDS = 0.25


class WorkerError(RuntimeError):
    """A worker could not do what it was asked; the message is its own."""


class Worker:
    """A ``simulation_worker.py`` of its own, asked by :meth:`ask`; a context manager.

    Parameters
    ----------
    config: a preset or TOML file. options: further arguments.
    package: a folder with the package to use, None for this checkout's. cache: its cache folder,
        None for this process's.
    """

    def __init__(
        self,
        config: str,
        *options: str,
        package: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)
        if package is not None:
            environment["PYTHONPATH"] = str(package)
        if cache is not None:
            environment["OCTOPUS_CACHE"] = str(cache)
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), config, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """What the worker answers to a request.

        Raises:
            WorkerError: it reports an error, or ended.
        """
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"the worker ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


class PeakMemory(threading.Thread):
    """Samples what a process and all its descendants hold in memory together; a context manager.

    Attributes
    ----------
    peak: the most, in bytes; of a page that several share, each counts its part.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak, self._ended = process, 0, threading.Event()

    def run(self) -> None:
        """Sample until the end."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_memory, _family(self.process))))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self.join()


def _family(root: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().split(")")[-1].split()[1]
                )
            except (OSError, ValueError, IndexError):
                continue
    family, size = {root}, 0
    while size != len(family):
        size = len(family)
        family |= {child for child, parent in parents.items() if parent in family}
    return family


def _memory(process: int) -> int:
    """Bytes that a process holds."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def warm_start(command: list[str]) -> dict[str, float]:
    """CPU and wall seconds of ``octopus`` arguments from the process's start to the first cycle.

    The process ends there: the chip's first reset is where cycles begin.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CYCLE, *command], capture_output=True, text=True
    )
    wall = time.perf_counter() - began
    last = done.stdout.strip().splitlines()[-1:]
    if done.returncode or not last or not last[0].startswith(FIRST_CYCLE_MARK):
        raise WorkerError(f"no first cycle: {done.stderr.strip() or done.stdout.strip()}")
    return {"cpu": float(last[0].removeprefix(FIRST_CYCLE_MARK)), "wall": wall}


FIRST_CYCLE_MARK = "first cycle after "
FIRST_CYCLE = f"""
import os, sys, time
import importlib.abc, importlib.util

class Watch(importlib.abc.MetaPathFinder):
    "Puts a mark at the chip's first reset, without importing anything before the command does."

    def find_spec(self, name, path, target=None):
        if name != "octopus.sim.chip":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            def reset(chip):
                print({FIRST_CYCLE_MARK!r} + str(time.process_time()), flush=True)
                os._exit(0)
            module.Chip.reset = reset

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Watch())
sys.argv[0] = "octopus"
from octopus.sim.cli import main
main()
"""
