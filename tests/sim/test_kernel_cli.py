"""``octopus kernel``: what it shows, what it refuses, and one run on the RTL."""

import sys

import pytest

from octopus.sched.kernels.registry import kernels
from octopus.sim.cli import main
from octopus.sim.command import MISUSE


def call(monkeypatch, *arguments):
    """The command's exit code."""
    monkeypatch.setattr(sys, "argv", ["octopus", "kernel", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_list_has_all(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")
    assert call(monkeypatch, "list") == 0
    shown = capsys.readouterr().out
    assert not [name for name in kernels() if name not in shown]


def test_show(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert call(monkeypatch, "show", "gemm", "rows=5", "--config", "tiny") == 0
    shown = capsys.readouterr().out
    assert "activations int8[5, 64]" in shown
    assert "initiation interval" in shown
    assert "dot4 north, west" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nothing"), "octopus: unknown kernel 'nothing'; allowed: argmax"),
        (("run", "scale", "size=3"), "octopus: kernel scale has no parameter size"),
        (("run", "scale", "length"), "octopus: kernel scale: parameter 'length'; allowed: name="),
        (("run", "gemm", "rows=0"), "octopus: gemm.rows is 0; allowed: at least 1"),
        (("show", "gemm", "--config", "none"), "octopus: config is 'none'"),
    ],
)
def test_refusals(monkeypatch, capsys, arguments, message):
    assert call(monkeypatch, *arguments) == MISUSE
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1


def test_run_on_the_rtl(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    assert call(monkeypatch, "run", "gemm", "rows=9", "--config", "tiny", "--seed", "4") == 0
    shown = capsys.readouterr().out
    assert "seed 4" in shown
    assert "MAC utilisation" in shown
    assert "bit for bit" in shown
