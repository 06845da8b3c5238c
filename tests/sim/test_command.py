"""What commands end with, and on which terminals they work."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from octopus.sim import command, toolchain
from octopus.sim.command import DEFECT, FAILURE, INTERRUPTED, MISUSE, RefusedError, run_command
from octopus.sim.toolchain import ToolchainError, run_tool

LEGACY = {
    "LC_ALL": "POSIX",
    "LANG": "C",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "COLUMNS": "100",
}


def ends(action):
    """The exit code of a command."""

    def app(standalone_mode):
        return action()

    with pytest.raises(SystemExit) as ended:
        run_command(app, lambda: (RefusedError, OSError))
    return ended.value.code


def alive(process):
    """Whether a process still runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def throw(error):
    """A command that fails."""

    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        (lambda: None, 0, ""),
        (lambda: FAILURE, FAILURE, ""),
        (throw(RefusedError("no\nsuch thing")), MISUSE, "octopus: no such thing\n"),
        (
            throw(OSError(errno.ENOSPC, "No space left on device", "/a/file")),
            MISUSE,
            "octopus: '/a/file': No space left on device\n",
        ),
        (throw(MemoryError()), MISUSE, "octopus: there is not enough memory for this\n"),
        (throw(KeyboardInterrupt()), INTERRUPTED, "octopus: interrupted\n"),
    ],
)
def test_codes_and_words(capsys, action, code, words):
    assert ends(action) == code
    assert capsys.readouterr().err == words


def test_a_defect_is_neither_misuse_nor_a_difference(capsys):
    assert ends(throw(KeyError("field"))) == DEFECT
    assert "Traceback" in capsys.readouterr().err


def test_a_signal_ends_a_command_and_what_it_started(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(toolchain, "_stopped", threading.Event())
    (tmp_path / "pid").touch()
    log = tmp_path / "log"

    def action():
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        script = f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait"
        run_tool(["sh", "-c", script], tmp_path, dict(os.environ), log)

    assert ends(action) == INTERRUPTED
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ToolchainError, match="stopped"):
        run_tool(["true"], tmp_path, dict(os.environ), log)


def test_a_tool_that_fails_is_named_with_its_log(tmp_path):
    tools = dict(os.environ)
    with pytest.raises(ToolchainError, match=r"false failed: see .*log"):
        run_tool(["false"], tmp_path, tools, tmp_path / "log")
    with pytest.raises(ToolchainError, match="is full; free space"):
        script = "echo as: No space left on device; exit 1"
        run_tool(["sh", "-c", script], tmp_path, tools, tmp_path / "log")


def test_characters_that_a_terminal_lacks_are_replaced():
    command.plain_output()
    text = "é … → ┃━┓ 漢 \udcff"
    assert text.encode("ascii", "octopus") == b"e ... -> |-+ ? ?"


@pytest.mark.parametrize("command", [["list"], ["registers"], ["run", "nothing"]])
def test_a_terminal_without_utf_8(command):
    done = subprocess.run(
        [sys.executable, "-m", "octopus", *command],
        env=os.environ | LEGACY,
        capture_output=True,
    )
    assert done.returncode == (MISUSE if command[0] == "run" else 0), done.stderr
    assert b"Traceback" not in done.stderr
    assert (done.stdout + done.stderr).isascii()


def test_whoever_reads_the_output_may_go_away():
    script = f"{sys.executable} -m octopus registers | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True)
    assert done.returncode in (0, command.CLOSED)
    assert done.stderr == b""
