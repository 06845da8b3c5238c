"""The command line: what a user can mend is one line and exit code 2."""

import sys

import pytest

from octopus.hw.emitted_folder import write_folder
from octopus.hw.host.register_documents import FORMATS
from octopus.sim.cli import MISUSE, main


@pytest.fixture
def octopus(monkeypatch, capsys):
    """Runs a command; its exit code, output and error output."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["octopus", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A path without programs."""
    monkeypatch.setenv("PATH", str(tmp_path))


def _says(result, *words):
    code, _, message = result
    assert code == MISUSE
    assert message.startswith("octopus: ")
    assert message.count("\n") == 1, message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("command", ["emit", "run", "config"])
def test_an_invalid_configuration_is_named(octopus, tmp_path, command):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[mesh]\nrows = 99\ncolumns = 1\n')
    arguments = {
        "emit": ["emit", "--config", path, "--out", tmp_path / "out"],
        "run": ["run", "cascade", "--config", path],
        "config": ["config", path],
    }[command]
    _says(octopus(*arguments), "mine.toml", "mesh.rows is 99", "1 to 32")


@pytest.mark.parametrize("command", ["emit", "run"])
def test_a_missing_configuration_is_named(octopus, tmp_path, command):
    arguments = [command, "--config", "nowhere"]
    arguments += ["--out", tmp_path / "out"] if command == "emit" else ["cascade"]
    _says(octopus(*arguments), "'nowhere'", "tiny, ulx3s, default, scale")


def test_an_unknown_workflow_is_named(octopus):
    _says(octopus("run", "casade", "--config", "tiny"), "casade", "cascade")


def test_an_unknown_policy_is_named(octopus):
    _says(octopus("run", "cascade", "--config", "tiny", "--policy", "luck"), "luck")


def test_a_missing_compiler_is_named(octopus, no_compiler):
    _says(octopus("run", "cascade", "--config", "tiny"), "g++", "apt-get install")


def test_lint_names_a_folder_that_is_none(octopus, tmp_path):
    _says(octopus("lint", tmp_path / "nothing"), "manifest.json")


def test_lint_needs_a_compiler_too(octopus, no_compiler, tmp_path):
    module = {"name": "octopus_t", "instances": 1, "lines": 1, "parameters": {}}
    write_folder({"octopus_t": "module octopus_t(); endmodule\n"}, [module], tmp_path, {})
    _says(octopus("lint", tmp_path), "not found")


def test_emit_spares_what_is_there(octopus, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    _says(octopus("emit", "--config", "tiny", "--out", tmp_path), "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_wrong_options_are_misuse(octopus):
    assert octopus("run", "cascade", "--instances", "0")[0] == MISUSE
    assert octopus("run", "cascade", "--waves", "w.fst", "--wave-cycles", "5:1")[0] == MISUSE
    assert octopus("nonsense")[0] == MISUSE


@pytest.mark.parametrize("form", FORMATS)
def test_registers_are_printed_in_every_form(octopus, form):
    code, out, _ = octopus("registers", "--format", form)
    assert code == 0
    assert out == FORMATS[form]()


def test_an_unknown_form_is_named(octopus):
    _says(octopus("registers", "--format", "xml"), "xml", "c, markdown, json")


def test_lists(octopus):
    code, out, _ = octopus("list")
    assert code == 0
    assert "cascade" in out
    assert "default" in out
